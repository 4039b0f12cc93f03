"""`journeys run` in parts: lines, records, feeding, and when nothing is left to do."""

import asyncio
import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, cast

import pytest

import streams.embedded
from schemas.deadletter import PREFIX_BYTES
from streams.core import Output
from streams.embedded import PORTS, StackError, free_port
from streams.producer import Sender
from streams.run import (
    BLOCK_LINES,
    LONGEST_LINE,
    Drain,
    Reading,
    _processed,
    as_output,
    feed,
    read_lines,
)


def test_blank_lines_and_line_ends_do_not_count() -> None:
    first = io.BytesIO(b'\n{"a":1}\r\n \t\n  {"b":2}\t\r\n\r\n\n')
    second = io.BytesIO(b"\xef\xbb\xbf{}\n\x0c\nlast")
    lines = [b'{"a":1}', b'{"b":2}', b"\xef\xbb\xbf{}", b"\x0c", b"last"]
    assert list(read_lines([first, second])) == lines


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'{"event_id":"1"}',
        b'{"topic":"touchpoints"}',
        b'{"message":{}}',
        b'{"topic":"journeys.clock","message":{"at":1,"drain":9}}',
        b'{"topic":"touchpoints.valid","message":{}}',
        b'{"topic":"touchpoints","message":{},"event_id":"1"}',
        b'["topic","message"]',
        b'{"topic":"touchpoints","message":' + b"[" * 100_000,
    ],
)
def test_a_line_is_a_touchpoint_as_it_is(line: bytes) -> None:
    assert as_output(line, 3) == Output("touchpoints", 3, None, line)


@pytest.mark.parametrize("topic", [b"[]", b"{}", b"null", b"1"])
def test_a_topic_that_is_no_text_is_no_topic(topic: bytes) -> None:
    line = b'{"topic":' + topic + b',"message":{}}'
    assert as_output(line, 3) == Output("touchpoints", 3, None, line)


@pytest.mark.parametrize(
    "message",
    [
        b'{"a" : [1,\tnull], "a": 1}',
        b'"\xc3\xa9"',
        b'"\xff"',
        b"null",
        b"[]",
        b"1.50",
        b"9" * 10_000,
        b"[" * 300 + b"]" * 300,
    ],
)
def test_a_wrapped_line_is_its_message_as_it_was_written(message: bytes) -> None:
    line = b'{"topic": "touchpoints", "message": ' + message + b" }"
    assert as_output(line, 3) == Output("touchpoints", 3, None, message)
    assert as_output(b"\xef\xbb\xbf" + line, 3) == Output("touchpoints", 3, None, message)


@pytest.mark.parametrize(
    "topic", ["identity-assertions", "privacy-requests", "lead-outcomes", "account-commands"]
)
def test_other_inputs_are_fed_to_their_topics(topic: str) -> None:
    line = b'{"topic": "%s", "message": {"event_id": "1"}}' % topic.encode()
    assert as_output(line, 3) == Output(topic, 3, None, b'{"event_id": "1"}')


def test_progress_counts_the_records_of_all_inputs() -> None:
    topics = {"touchpoints": 5, "identity-assertions": 2, "privacy-requests": 1, "journeys.clock": 8}
    topics |= {"lead-outcomes": 3, "account-commands": 4}
    sessions = [{"topics": {name: {"committed": count} for name, count in topics.items()}}]
    assert _processed([{"sessions": sessions}, {"sessions": []}]) == 15


@pytest.mark.parametrize("message", [b"NaN", b'"\\ud800"', b"{", b""])
def test_what_is_wrapped_and_no_json_stays_wrapped(message: bytes) -> None:
    line = b'{"topic": "touchpoints", "message": ' + message + b"}"
    assert as_output(line, 3) == Output("touchpoints", 3, None, line)


def test_of_a_very_long_line_the_beginning_its_size_and_its_hash_are_fed() -> None:
    at_most = b"x" * LONGEST_LINE
    assert as_output(at_most, 0).value == at_most
    longer = at_most + b"y"
    made = as_output(longer, 0)
    assert made.value == longer[:PREFIX_BYTES]
    assert dict(made.headers) == {
        "journeys-size": str(len(longer)).encode(),
        "journeys-sha256": sha256(longer).hexdigest().encode(),
    }
    wrapped = b'{"topic":"touchpoints","message":"' + longer + b'"}'
    assert dict(as_output(wrapped, 0).headers)["journeys-size"] == str(len(longer) + 2).encode()


class Sent:
    """What was sent, in order."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.something = asyncio.Event()

    async def send(self, outputs: Sequence[Output]) -> None:
        self.outputs += outputs
        self.something.set()


async def fed(lines: Iterable[bytes], partitions: int = 3) -> tuple[int, list[Output], list[int]]:
    sent, counts = Sent(), []
    done = await feed(lines, cast(Sender, sent), partitions, counts.append)
    return done.lines, sent.outputs, counts


@pytest.mark.parametrize("count", [0, 1, BLOCK_LINES - 1, BLOCK_LINES, BLOCK_LINES + 1, 7 * BLOCK_LINES + 3])
async def test_consecutive_lines_go_to_one_partition_together(count: int) -> None:
    lines = [b"%d" % n for n in range(count)]
    told, outputs, counts = await fed(lines)
    assert told == count == len(outputs)
    assert [one.value for one in outputs] == lines
    assert [one.partition for one in outputs] == [n // BLOCK_LINES % 3 for n in range(count)]
    assert counts == sorted(counts)
    assert counts[-1:] == [count][: len(counts)]
    sizes = Counter(one.partition for one in outputs)
    assert max(sizes.values(), default=0) - min(sizes.values(), default=0) <= max(BLOCK_LINES, count)


async def test_privacy_requests_wait_for_what_they_are_about() -> None:
    sent, counts = Sent(), []
    asked = b'{"topic":"privacy-requests","message":{"event_id":"r"}}'
    done = await feed([b"1", asked, b"2"], cast(Sender, sent), 3, counts.append)
    assert [one.value for one in sent.outputs] == [b"1", b"2"]
    assert [(one.topic, one.value) for one in done.held] == [("privacy-requests", b'{"event_id":"r"}')]
    assert (done.lines, counts[-1]) == (3, 3)


async def test_partitions_do_not_depend_on_when_lines_come() -> None:
    def lines() -> Iterator[bytes]:
        for n in range(3 * BLOCK_LINES):
            if n % (BLOCK_LINES - 100) == 0:
                time.sleep(0.05)
            yield b"x"

    _, outputs, counts = await fed(lines())
    assert len(counts) > 2
    assert [one.partition for one in outputs] == [n // BLOCK_LINES for n in range(3 * BLOCK_LINES)]


async def test_a_line_is_fed_before_the_next_one_comes() -> None:
    sent = Sent()
    more = threading.Event()

    def lines() -> Iterator[bytes]:
        yield b"first"
        more.wait(10)
        yield b"second"

    feeding = asyncio.ensure_future(feed(lines(), cast(Sender, sent), 1, lambda _: None))
    await sent.something.wait()
    assert [one.value for one in sent.outputs] == [b"first"]
    assert not feeding.done()
    more.set()
    assert (await feeding).lines == 2


async def test_waiting_for_a_line_can_be_ended() -> None:
    never = threading.Event()

    def lines() -> Iterator[bytes]:
        never.wait(60)
        yield b"too late"

    feeding = asyncio.ensure_future(fed(lines()))
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert time.monotonic() - begun < 1
    never.set()


async def test_what_reading_raises_is_raised_after_the_lines_before_it() -> None:
    sent = Sent()

    def lines() -> Iterator[bytes]:
        yield b"first"
        raise OSError(5, "Input/output error", "lines.jsonl")

    with pytest.raises(OSError, match=r"lines\.jsonl"):
        await feed(lines(), cast(Sender, sent), 1, lambda _: None)
    assert [one.value for one in sent.outputs] == [b"first"]


async def test_no_more_is_read_ahead_than_asked_for() -> None:
    read: list[int] = []

    def lines() -> Iterator[bytes]:
        for n in range(1_000):
            read.append(n)
            yield b"x"

    blocks = Reading(lines(), 10).blocks()
    first = await anext(blocks)
    await asyncio.sleep(0.1)
    assert len(first) <= 10
    assert len(read) <= 10 + 10 + 2
    assert len(first) + sum([len(block) async for block in blocks]) == 1_000


def test_a_free_port_is_none_that_an_outgoing_connection_may_get(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as made,
    ):
        assert made.getsockname()[1] not in PORTS
    assert {free_port() for _ in range(20)} <= set(PORTS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(streams.embedded, "PORTS", [taken.getsockname()[1]])
        with pytest.raises(StackError, match="no port is free"):
            free_port()


def test_a_port_is_given_once_though_nobody_has_bound_it_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [free_port(), free_port()]
    monkeypatch.setattr(streams.embedded, "PORTS", ports)
    monkeypatch.setattr(streams.embedded, "_given", set())
    assert {free_port(), free_port()} == set(ports)
    with pytest.raises(StackError, match="no port is free"):
        free_port()


# ---- when all is drained

INPUT, CLOCK = ("in", 0), ("clock", 0)


def report(
    committed: int, end: int = 5, ready: bool = True, busy: bool = False, steps: Sequence[str] = ("one",)
) -> dict[str, Any]:
    """What a worker says of the steps' sessions on partition 0 of `in`, and of the end of `out`."""
    return {
        "sessions": [
            {
                "step": step,
                "partition": 0,
                "ready": ready,
                "busy": busy,
                "topics": {"in": {"committed": committed}},
            }
            for step in steps
        ],
        "ends": [["in", 0, end]],
    }


@pytest.mark.parametrize(
    ("reports", "drained"),
    [
        ([report(5)], True),
        ([report(0, end=0)], True),  # nothing was ever sent
        ([report(4)], False),  # there is more to read
        ([report(6)], False),  # more than anybody said there is: an end is not known yet
        ([report(5, ready=False)], False),
        ([report(5, busy=True)], False),
        ([report(5, steps=())], False),  # nobody owns it
        ([report(5, steps=("one", "two"))], False),  # two own it, while a group forms anew
        ([report(5, steps=()), report(5)], True),  # it does not matter who owns it
        ([report(5, end=9, steps=()), report(5, end=5)], False),  # the highest end counts
        ([], False),
    ],
)
def test_drained_is_what_looks_so_twice(reports: list[dict[str, Any]], drained: bool) -> None:
    drain = Drain(sessions=1)
    assert not drain.look(reports)
    assert drain.look(reports) is drained
    assert drain.look(reports) is drained


def test_a_change_between_two_looks_is_no_drain() -> None:
    drain = Drain(sessions=1)
    assert [drain.look([report(at, end=at)]) for at in (5, 6, 6, 7, 7)] == [False, False, True, False, True]
    assert not drain.look([report(7, end=7, busy=True)])
    assert not drain.look([report(7, end=7)])  # busy in between: two looks anew
    assert drain.look([report(7, end=7)])


def test_the_ends_that_the_feeder_knows_count() -> None:
    drain = Drain(sessions=1)
    drain.ends[INPUT] = 8
    assert not any(drain.look([report(5)]) for _ in range(3))
    assert [drain.look([report(8)]) for _ in range(2)] == [False, True]


def test_every_topic_of_every_step_must_be_read_to_its_end() -> None:
    one = report(5, steps=("one", "two"))
    one["sessions"][1]["topics"]["clock"] = {"committed": 0}
    one["ends"].append(["clock", 0, 1])
    drain = Drain(sessions=2)
    assert not any(drain.look([one]) for _ in range(3))
    one["sessions"][1]["topics"]["clock"] = {"committed": 1}
    assert [drain.look([one]) for _ in range(2)] == [False, True]
    assert drain.ends == {INPUT: 5, CLOCK: 1}


def test_two_groups_that_read_one_topic_must_both_be_at_its_end() -> None:
    drain = Drain(sessions=2)
    step, sink = report(5, steps=("step",)), report(4, steps=("sink",))
    assert not any(drain.look(reports) for reports in ([step, sink], [sink, step]) for _ in range(3))
