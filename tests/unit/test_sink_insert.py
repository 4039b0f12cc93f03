import json
import logging
import threading
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from streams.core import Record
from streams.sink import insert
from streams.sink.insert import Inserter
from streams.sink.tables import Block

PARTITIONS = "Too many partitions for single INSERT block (more than 100)"


class Server:
    """Keeps the rows it takes; `trouble` may raise, given the rows and the number of the call."""

    def __init__(self, trouble: Callable[[list, int], None] = lambda _rows, _call: None) -> None:
        self.trouble = trouble
        self.kept: list[int] = []
        self.calls: list[tuple[str, bytes, str]] = []
        self.lock = threading.Lock()

    def insert(self, table: str, body: bytes, token: str) -> None:
        with self.lock:
            self.calls.append((table, body, token))
            rows = [json.loads(line)[0] for line in body.splitlines()]
            self.trouble(rows, len(self.calls))
            self.kept += rows


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def block(*numbers: int) -> Block:
    return Block([(n,) for n in numbers], [Record("touchpoints.valid", 0, n, 0, None, b"") for n in numbers])


def fails(times: int, error: Exception) -> Callable[[list, int], None]:
    def trouble(_rows: list, call: int) -> None:
        if call <= times:
            raise error

    return trouble


async def test_each_block_is_one_insert_with_a_token_of_its_own() -> None:
    server = Server()
    refused = await Inserter(server.insert).insert({"touchpoints": block(1, 2), "accounts": block(3)})
    assert refused == []
    assert [(table, body) for table, body, _ in server.calls] == [
        ("touchpoints", b"[1]\n[2]\n"),
        ("accounts", b"[3]\n"),
    ]
    assert len({token for *_, token in server.calls}) == 2


async def test_an_outage_is_waited_out_with_the_same_bytes_and_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, sleep = Server(fails(12, OperationalError("Connection refused"))), Sleeper()
    with caplog.at_level(logging.WARNING):
        assert await Inserter(server.insert, sleep).insert({"accounts": block(1)}) == []
    assert server.kept == [1]
    assert len(set(server.calls)) == 1
    assert sleep.slept[:3] == [0.1, 0.2, 0.4]
    assert (max(sleep.slept), len(sleep.slept)) == (10.0, 12)
    assert [line.message.partition(" after")[0] for line in caplog.records] == [
        "ClickHouse takes no inserts into accounts, trying again: Connection refused",
        "ClickHouse answers again",
    ]


@pytest.mark.parametrize(
    "error",
    [
        DatabaseError("Too many parts (300)", code=252),
        DatabaseError("Unknown table", code=60),
        DatabaseError("Memory limit exceeded", code=241),
        OperationalError("Read timed out"),
    ],
)
async def test_trouble_of_the_server_never_costs_a_row(error: Exception) -> None:
    server = Server(fails(3, error))
    assert await Inserter(server.insert, Sleeper()).insert({"accounts": block(1, 2)}) == []
    assert (server.kept, len(server.calls)) == ([1, 2], 4)


async def test_a_bad_row_is_found_handed_back_and_the_rest_kept() -> None:
    def trouble(rows: list, _call: int) -> None:
        if bad := {5, 80} & set(rows):
            raise DatabaseError(f"Code: 27. Cannot parse {min(bad)}\nstack", code=27)

    server, sleep = Server(trouble), Sleeper()
    refused = await Inserter(server.insert, sleep).insert({"accounts": block(*range(100))})
    assert sorted((r.record.offset, r.reason, r.error) for r in refused) == [
        (5, "refused_by_clickhouse", "accounts: Code: 27. Cannot parse 5"),
        (80, "refused_by_clickhouse", "accounts: Code: 27. Cannot parse 80"),
    ]
    assert sorted(server.kept) == [n for n in range(100) if n not in (5, 80)]
    assert sleep.slept == []
    assert len(server.calls) < 40
    assert len({token for *_, token in server.calls}) == len(server.calls)


async def test_an_outage_while_a_bad_row_is_looked_for() -> None:
    def trouble(rows: list, call: int) -> None:
        if call % 2:
            raise OperationalError("reset by peer")
        if 3 in rows:
            raise DatabaseError("no", code=469)

    server = Server(trouble)
    refused = await Inserter(server.insert, Sleeper()).insert({"accounts": block(*range(8))})
    assert [r.record.offset for r in refused] == [3]
    assert sorted(server.kept) == [0, 1, 2, 4, 5, 6, 7]


async def test_too_many_partitions_are_split_not_waited_for() -> None:
    def trouble(rows: list, _call: int) -> None:
        if len(rows) > 4:
            raise DatabaseError(PARTITIONS, code=252)

    server, sleep = Server(trouble), Sleeper()
    assert await Inserter(server.insert, sleep).insert({"accounts": block(*range(32))}) == []
    assert sorted(server.kept) == list(range(32))
    assert sleep.slept == []


async def test_blocks_are_cut_by_rows_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insert, "MAX_ROWS", 10)
    monkeypatch.setattr(insert, "MAX_BYTES", 20)
    server = Server()
    assert await Inserter(server.insert).insert({"accounts": block(*range(35))}) == []
    assert sorted(server.kept) == list(range(35))
    assert max(len(body) for _, body, _ in server.calls) <= 20


async def test_an_error_that_is_not_clickhouses_is_raised() -> None:
    with pytest.raises(TypeError):
        await Inserter(Server(fails(1, TypeError("ours"))).insert).insert({"accounts": block(1)})
