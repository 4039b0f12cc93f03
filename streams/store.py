"""Where a session's rows are kept: a compacted changelog topic, or a file in the data directory.

Both keep (key, value) rows whose values begin with a version; `streams.session` says what they mean.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.core import Output, Version
from streams.producer import Sender
from streams.session import CLAIM, pack_version, unpack_version

Row = tuple[bytes, bytes]
Result = TypeVar("Result")

END_SECONDS = 0.5  # how old an end offset may be
WHOLE_BYTES = 256 << 10  # rows of so many bytes fit in one produce batch with room to spare
ROW_OVERHEAD = 100  # bytes of a row beside its value, at most


class Log(Protocol):
    """The changelog of one (step, partition)."""

    drained: Version | None  # see Session.recovered

    async def claim(self, generation: int) -> int:
        """Write a claim row; returns its epoch, higher than that of every claim before."""

    async def read(self) -> Iterable[Row]:
        """Every row up to the claim, in order, each claim with its epoch; or the last row of each key."""

    async def append(self, rows: Sequence[Row]) -> None:
        """Keep the rows; returns when they are safe."""

    async def foreign(self) -> list[Row]:
        """Rows written since the last call (or claim) by anybody, where that can be told; else nothing."""


class KafkaLog:
    """A changelog topic. Its claim's offset is the epoch."""

    drained: Version | None = None  # a durable broker forgets nothing

    def __init__(self, topic: str, partition: int, sender: Sender, reader: "Reader") -> None:
        self._tp = TopicPartition(topic, partition)
        self._sender = sender
        self._reader = reader
        self._claimed = -1
        self._seen = 0  # offset behind the last row that we wrote or looked at

    async def claim(self, generation: int) -> int:
        """Write the claim row; its offset is the epoch."""
        value = pack_version(generation, 0, 0)
        self._claimed = await self._sender.send_one(Output(self._tp.topic, self._tp.partition, CLAIM, value))
        self._seen = self._claimed + 1
        return self._claimed

    async def read(self) -> Iterable[Row]:
        """All rows up to our claim; the values of claims with their offset as the epoch."""
        return await self._reader.read(self._tp, 0, self._claimed)

    async def append(self, rows: Sequence[Row]) -> None:
        """Write the rows; returns when the broker has acknowledged them all.

        One produce batch is kept as a whole or not at all. Of more rows than fit in one the last, which is
        the mark that makes them count, waits for the others.
        """
        outputs = [Output(self._tp.topic, self._tp.partition, key, value) for key, value in rows]
        if sum(len(value) + ROW_OVERHEAD for _, value in rows) > WHOLE_BYTES:
            *outputs, mark = outputs
            await self._sender.send(outputs)
            outputs = [mark]
        ends = await self._sender.send(outputs)
        if ends[self._tp] == self._seen + len(rows):
            self._seen += len(rows)  # nobody wrote in between; else `foreign` looks

    async def foreign(self) -> list[Row]:
        """Rows behind what we know, our own among them."""
        end = await self._reader.end(self._tp)
        if end <= self._seen:
            return []
        rows = await self._reader.read(self._tp, self._seen, end - 1)
        self._seen = end
        return rows


class Reader:
    """Reads changelogs in blocks with a consumer of its own, outside any group."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._shared: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._ends: dict[TopicPartition, int] = {}
        self._asked = 0.0

    async def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 << 20,
            check_crcs=False,
        )
        await consumer.start()
        return consumer

    async def read(self, tp: TopicPartition, first: int, last: int) -> list[Row]:
        """Rows from offset `first` to `last`, both included (compacted away ones are missing)."""
        rows: list[Row] = []
        if last < first:
            return rows
        consumer = await self._consumer()
        try:
            consumer.assign([tp])
            if first:
                consumer.seek(tp, first)
            else:
                await consumer.seek_to_beginning(tp)
            while await consumer.position(tp) <= last:
                for records in (await consumer.getmany(timeout_ms=500, max_records=20_000)).values():
                    rows += [(r.key, as_read(r)) for r in records if r.offset <= last]
        finally:
            await consumer.stop()
        return rows

    async def end(self, tp: TopicPartition) -> int:
        """The end offset of a changelog partition, at most `END_SECONDS` old.

        All partitions that were ever asked for are asked in one request.
        """
        async with self._lock:
            if tp not in self._ends or monotonic() - self._asked > END_SECONDS:
                if self._shared is None:
                    self._shared = await self._consumer()
                self._ends = await self._shared.end_offsets([*self._ends, tp])
                self._asked = monotonic()
        return self._ends[tp]

    async def stop(self) -> None:
        """Close the consumer that asks for end offsets."""
        if self._shared is not None:
            await self._shared.stop()
            self._shared = None


def as_read(record: Any) -> bytes:
    """The value of a changelog record; of a claim with its offset as the epoch."""
    value: bytes = record.value or b""
    if record.key != CLAIM:
        return value
    generation, _, seq = unpack_version(value)
    return pack_version(generation, record.offset, seq)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    step TEXT, partition INTEGER, key BLOB, value BLOB, PRIMARY KEY (step, partition, key)
);
CREATE TABLE IF NOT EXISTS claims (
    step TEXT, partition INTEGER, epoch INTEGER, PRIMARY KEY (step, partition)
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER);
"""


class Disk:
    """The rows of every step in one SQLite file, for the embedded stack, whose broker forgets.

    One process writes at a time (the data directory is locked). A killed process loses nothing that was
    appended; the write-ahead log makes that true of a power cut as well, up to the last checkpoint.
    """

    def __init__(self, path: Path) -> None:
        # A connection knows one transaction: what threads do at once would end up in each other's.
        self._thread = ThreadPoolExecutor(1, "disk")
        self._connection: sqlite3.Connection = self._now(_open, path)

    def _now(self, do: Callable[..., Result], *arguments: Any) -> Result:
        return self._thread.submit(do, *arguments).result()

    async def _beside(self, do: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, do, *arguments)

    def fact(self, name: str) -> int | None:
        """A number kept about the whole: `drained` (the last generation that ended with nothing left to do),
        `clock` (the latest T, in ms), `partitions`, `format`."""
        found = self._now(self._all, "SELECT value FROM facts WHERE name = ?", (name,))
        return int(found[0][0]) if found else None

    def set_fact(self, name: str, value: int) -> None:
        """Keep a number."""
        self._now(
            self._all,
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, value),
        )

    async def claim(self, step: str, partition: int) -> int:
        """The next epoch of (step, partition)."""
        ((epoch,),) = await self._beside(
            self._all,
            "INSERT INTO claims VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
            (step, partition),
        )
        return int(epoch)

    async def read(self, step: str, partition: int) -> list[Row]:
        """All rows of (step, partition)."""
        return await self._beside(
            self._all, "SELECT key, value FROM rows WHERE step = ? AND partition = ?", (step, partition)
        )

    async def append(self, step: str, partition: int, rows: Sequence[Row]) -> None:
        """Write the rows in one transaction, beside the event loop."""
        await self._beside(self._write, step, partition, rows)

    def _all(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def _write(self, step: str, partition: int, rows: Sequence[Row]) -> None:
        execute = self._connection.execute
        execute("BEGIN")
        try:
            self._connection.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                ((step, partition, key, value) for key, value in rows),
            )
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # of a full disk SQLite itself undoes it
                execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file, once what is under way has ended; the log, which holds older rows, ends empty."""
        self._now(self._all, "PRAGMA wal_checkpoint(TRUNCATE)", ())
        self._now(self._connection.close)
        self._thread.shutdown()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased from a row is gone from the file
    connection.executescript(_SCHEMA)
    return connection


class DiskLog:
    """The rows of one (step, partition) on a `Disk`."""

    def __init__(self, disk: Disk, step: str, partition: int) -> None:
        self._disk = disk
        self._step = step
        self._partition = partition
        drained = disk.fact("drained")
        # What a generation wrote that did not end well is sent again: its broker is gone, read or not.
        self.drained: Version | None = pack_version(0 if drained is None else drained + 1, 0, 0)

    async def claim(self, generation: int) -> int:
        """Count up the epoch, whatever the generation."""
        del generation
        return await self._disk.claim(self._step, self._partition)

    async def read(self) -> Iterable[Row]:
        """All rows."""
        return await self._disk.read(self._step, self._partition)

    async def append(self, rows: Sequence[Row]) -> None:
        """Write the rows."""
        await self._disk.append(self._step, self._partition, rows)

    async def foreign(self) -> list[Row]:
        """Nothing: the data directory is locked."""
        return []
