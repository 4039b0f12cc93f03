"""`journeys run`: feed files to the embedded stack, process until nothing is left, tick once, drain, end."""

import asyncio
import json
import os
import sys
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import IO, Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.deadletter import PREFIX_BYTES
from streams.children import Child
from streams.core import Output
from streams.embedded import Stack, free_port
from streams.producer import Sender
from streams.settings import Settings

BLOCK_LINES = 2_000  # consecutive lines that go to one partition together
LONGEST_LINE = 512 << 10  # bytes; of a longer one only a prefix, its size and its hash are fed
POLL_SECONDS = 0.05  # between two looks at the workers
READ_SECONDS = 0.01  # between two looks for lines

STOP_SECONDS = 5.0  # for a worker to end what it is doing

STEPS = ("ingest", "fragments", "identity", "journeys", "sink")

INPUTS = frozenset(topic.name for topic in topics.INPUTS)


class Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    """A line that names its topic; the message stays as it was written."""

    topic: str
    message: msgspec.Raw


_wrapped = msgspec.json.Decoder(Wrapped).decode


def read_lines(files: Iterable[IO[bytes]]) -> Iterator[bytes]:
    """The lines that are not blank, without their ends."""
    for file in files:
        for _, line in numbered(file):
            yield line


def numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, without their ends, each with its number in the file, from 1."""
    for number, line in enumerate(file, 1):
        if text := line.strip(b" \t\r\n"):
            yield number, text


def as_output(line: bytes, partition: int) -> Output:
    """The record of a line: a touchpoint, or `{"topic": …, "message": …}` for the topic it names.

    What names a topic that is no input goes to `touchpoints` as it is, and is refused there with a reason.

    >>> as_output(b'{"topic": "touchpoints", "message": {"event_id": "1"}}', 0).value
    b'{"event_id": "1"}'
    """
    topic, value = topics.TOUCHPOINTS.name, line
    if b'"message"' in line and b'"topic"' in line:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            wrapped = _wrapped(line.removeprefix(BOM_UTF8))
            if wrapped.topic in INPUTS:
                topic, value = wrapped.topic, bytes(wrapped.message)
    if len(value) > LONGEST_LINE:
        cut = (("journeys-size", b"%d" % len(value)), ("journeys-sha256", sha256(value).hexdigest().encode()))
        return Output(topic, partition, None, value[:PREFIX_BYTES], cut)
    return Output(topic, partition, None, value)


class Reading:
    """Reads lines in a thread of its own: a pipe that says nothing holds up nothing, neither Ctrl-C.

    Nobody waits for the thread at the end: it may wait for a line for ever.
    """

    def __init__(self, lines: Iterable[bytes], at_most: int) -> None:
        self._at_most = at_most  # lines that are read ahead, and that a block has
        self._queue: Queue[bytes | None] = Queue(at_most)
        self._error: Exception | None = None
        Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterable[bytes]) -> None:
        try:
            for line in lines:
                self._queue.put(line)
        except Exception as error:
            self._error = error
        self._queue.put(None)

    async def blocks(self) -> AsyncIterator[list[bytes]]:
        """The lines, as many at once as are there; raises what reading them raised, after those before it."""
        ended = False
        while not ended:
            block: list[bytes] = []
            with suppress(Empty):
                while len(block) < self._at_most and not ended:
                    line = self._queue.get_nowait()
                    if line is None:
                        ended = True
                    else:
                        block.append(line)
            if block:
                yield block
            elif not ended:
                await asyncio.sleep(READ_SECONDS)
        if self._error is not None:
            raise self._error


async def report(http: aiohttp.ClientSession, port: int) -> dict[str, Any]:
    """What the worker at that port says of itself; an empty report where it does not answer (yet)."""
    try:
        async with http.get(f"http://127.0.0.1:{port}/status") as answer:
            told: dict[str, Any] = await answer.json()
            return told
    except (aiohttp.ClientError, TimeoutError, OSError):
        return {"sessions": [], "ends": []}


@dataclass
class Fed:
    """What was fed, and what is to be fed once that has settled."""

    lines: int = 0
    held: list[Output] = field(default_factory=list)


async def feed(lines: Iterable[bytes], sender: Sender, partitions: int, fed: Callable[[int], None]) -> Fed:
    """Send all lines, soon after each has come, but for privacy requests. `fed` hears of each block.

    A request has fewer steps to go than what it is about, and would overtake it: whose an identifier is
    must be settled before it is erased.
    """
    done = Fed()
    async for block in Reading(lines, BLOCK_LINES * partitions).blocks():
        outputs = [
            as_output(line, (n // BLOCK_LINES) % partitions) for n, line in enumerate(block, done.lines)
        ]
        done.held += [output for output in outputs if output.topic == topics.PRIVACY.name]
        await sender.send([output for output in outputs if output.topic != topics.PRIVACY.name])
        done.lines += len(block)
        fed(done.lines)
    return done


def state_file(stack: Stack) -> Path:
    """Where the steps of the embedded stack keep their state."""
    return stack.state_dir / "state.sqlite"


@dataclass
class Drain:
    """Tells from the workers' reports when nothing is left to do.

    Ends come from the acknowledgements of those who produce (`ends`), since the embedded broker's are wrong.
    Drained means: every step of every partition is owned, ready and idle, each committed offset equals its
    end, and the next look finds the same.
    """

    sessions: int  # that there must be, over all workers
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    _last: object = None

    def look(self, reports: Iterable[Mapping[str, Any]]) -> bool:
        """Take one report of each worker; True when all is drained."""
        reports = list(reports)
        for report in reports:
            for topic, partition, end in report["ends"]:
                self.ends[topic, partition] = max(self.ends.get((topic, partition), 0), end)
        sessions = [session for report in reports for session in report["sessions"]]
        committed = {
            (session["step"], topic, session["partition"]): at["committed"]
            for session in sessions
            for topic, at in session["topics"].items()
        }
        quiet = len(sessions) == self.sessions and all(
            session["ready"] and not session["busy"] for session in sessions
        )
        even = all(
            at == self.ends.get((topic, partition), 0) for (_, topic, partition), at in committed.items()
        )
        now = (dict(self.ends), committed) if quiet and even else None
        same = now is not None and now == self._last
        self._last = now
        return same


@dataclass(frozen=True)
class Progress:
    """How far a run is: what it is doing, lines fed, lines that INGEST has done with."""

    doing: str
    fed: int = 0
    processed: int = 0


@dataclass
class Worked:
    """What the parts of a run found out on the way."""

    lines: int = 0
    seconds: float = 0.0  # from the first line fed until everything was in ClickHouse
    at: int = 0  # T, ms


class Workers:
    """The worker processes of the embedded stack: one for the steps, one for the sink (two cores)."""

    def __init__(self, stack: Stack, dsn: str, settings: Settings, on_end: Callable[[str], None]) -> None:
        self._stack = stack
        self._dsn = dsn
        self._settings = settings
        self._on_end = on_end
        self._children: list[Child] = []
        self._ports: list[int] = []

    def start(self) -> None:
        """Start both; returns at once. ClickHouse need not be up yet."""
        for name in ("processor", "sink"):
            self._start(name)

    def _start(self, name: str) -> None:
        stack, port = self._stack, free_port()
        environment = dict(os.environ) | {
            "JOURNEYS_BROKER": stack.kafka or "",
            "JOURNEYS_CLICKHOUSE": self._dsn,
            "JOURNEYS_STATE": str(state_file(stack)),
            "JOURNEYS_PARTITIONS": str(self._settings.partitions),
            "JOURNEYS_GENERATION": str(stack.generation),
            "JOURNEYS_LIVE": "false",
            "JOURNEYS_COMMIT_SECONDS": "0.2",
            "JOURNEYS_SESSION_TIMEOUT_SECONDS": "4",  # half of it is how long Tansu lets the first join wait
            "JOURNEYS_WEB_PORT": str(port),
        }
        if self._settings.definition is not None:
            environment["JOURNEYS_DEFINITION"] = str(self._settings.definition)
        command = [sys.executable, "-m", "streams.cli", "worker", "--only", name]
        log = stack.data_dir / "logs" / f"{name}.log"
        child = Child(name, command, log, env=environment, holds=[stack.lock])
        child.start()
        child.watch(self._on_end)
        self._children.append(child)
        self._ports.append(port)

    async def reports(self, http: aiohttp.ClientSession) -> list[dict[str, Any]]:
        """What each says of itself; an empty report where one does not answer (yet)."""
        return [await report(http, port) for port in self._ports]

    def stop(self) -> None:
        """Stop them, all at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda child: child.stop(STOP_SECONDS), self._children))


class Run:
    """One run on a started stack. `tell` hears of its progress."""

    def __init__(self, stack: Stack, workers: Workers, settings: Settings, tell: Callable[[Progress], None]):
        self._stack = stack
        self._workers = workers
        self._partitions = settings.partitions
        self._tell = tell
        self._drain = Drain(sessions=settings.partitions * len(STEPS))
        self._progress = Progress("starting")

    async def go(self, lines: Iterable[bytes], at: Callable[[], int]) -> Worked:
        """Feed the lines, drain, then the privacy requests; drained, tick at `at()`, drain again."""
        async with AsyncExitStack() as parts:
            http = await parts.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
            )
            producer = AIOKafkaProducer(bootstrap_servers=self._stack.kafka, max_batch_size=1 << 20)
            await producer.start()
            parts.push_async_callback(producer.stop)
            sender = Sender(producer)
            await self._until_ready(http)
            begun = monotonic()
            fed = await feed(lines, sender, self._partitions, self._fed)
            worked = Worked(lines=fed.lines)
            await self._until_drained(http, sender)
            if fed.held:
                await sender.send(fed.held)
                await self._until_drained(http, sender)
            worked.seconds = monotonic() - begun
            worked.at = await asyncio.to_thread(at)
            tick = json.dumps({"at": worked.at, "drain": self._stack.generation + 1}).encode()
            await sender.send([Output(topics.CLOCK.name, p, None, tick) for p in range(self._partitions)])
            self._show(doing="telling")
            await self._until_drained(http, sender)
            worked.seconds = monotonic() - begun
            return worked

    def _show(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._tell(self._progress)

    def _fed(self, count: int) -> None:
        self._show(doing="feeding", fed=count)

    async def _until_ready(self, http: aiohttp.ClientSession) -> None:
        while True:
            reports = await self._workers.reports(http)
            sessions = [session for report in reports for session in report["sessions"]]
            if len(sessions) == self._drain.sessions and all(session["ready"] for session in sessions):
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _until_drained(self, http: aiohttp.ClientSession, sender: Sender) -> None:
        while True:
            for tp, end in sender.ends.items():
                self._drain.ends[tp.topic, tp.partition] = end
            reports = await self._workers.reports(http)
            if self._drain.look(reports):
                return
            self._show(doing="processing", processed=_processed(reports))
            await asyncio.sleep(POLL_SECONDS)


def _processed(reports: Iterable[Mapping[str, Any]]) -> int:
    """How many records from outside INGEST has committed."""
    return sum(
        at["committed"]
        for report in reports
        for session in report["sessions"]
        for topic, at in session["topics"].items()
        if topic in INPUTS
    )
