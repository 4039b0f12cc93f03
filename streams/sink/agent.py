"""The sink's shell: batches of all its leases become one insert of many rows or of one second.

Offsets are acknowledged only when every table of the insert is. While ClickHouse is away the queues fill, the
partitions are no longer fetched, and nothing else waits: the sink is a consumer group of its own.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import monotonic, time

import faust
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas import topics
from streams.core import Output, Record
from streams.host import Host
from streams.runner import retried
from streams.session import dead_letter
from streams.settings import Settings
from streams.sink.insert import Server
from streams.sink.propose import propose
from streams.sink.rows import INPUTS
from streams.sink.tables import Refused
from streams.sink.writer import Writer
from streams.transport import Batch, Lease

STEP = "sink"
MOST_RECORDS = 50_000  # of one insert
GATHER_SECONDS = 1.0  # how long a smaller insert waits for more
REFRESH_SECONDS = 5.0  # how often it asks what other sinks have erased
PROPOSE_SECONDS = 60.0  # how often it looks for accounts whose names are alike


class Sink(Host):
    """Writes every topic an analyst can ask about to ClickHouse."""

    def __init__(self, settings: Settings, app: faust.App, server: Server) -> None:
        super().__init__(settings, app)
        self._server = server
        self._named = False  # whether accounts came since their names were last compared
        self._proposed = 0.0  # when that was
        self._leases: dict[int, Lease] = {}
        self._arrived = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        # An embedded run ends when nothing is left: it should not wait for rows that do not come.
        self._gather = GATHER_SECONDS if settings.live else 0.1
        self.subscribe(STEP, INPUTS)
        self._writer = Writer(settings, server, self.spent[STEP])

    def hand_over(self, batch: Batch) -> None:
        """Queue a batch at its lease."""
        lease = batch.lease
        if lease.closed.is_set():
            return
        lease.ready = True
        lease.put(batch)
        self._leases[id(lease)] = lease
        self._arrived.set()
        if self._working is None:
            self._working = asyncio.ensure_future(self._run())
            self._working.add_done_callback(self.ended)

    async def stop(self) -> None:
        """End the writing; what was not acknowledged is written again by the next."""
        if self._working is not None:
            self._working.cancel()

    async def _run(self) -> None:
        """An embedded run has one sink, and compares the names itself when everything is there."""
        live = self.settings.live
        await self._writer.refresh()
        refreshed = monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), REFRESH_SECONDS if live else None)
            if live and monotonic() - refreshed >= REFRESH_SECONDS:
                await self._writer.refresh()
                await self._propose()
                refreshed = monotonic()
            await self._wait_for_more()
            self._arrived.clear()
            taken = self._take()
            if taken:
                await self._write(taken)

    async def _propose(self) -> None:
        """By one sink: the one that has the first partition."""
        first = any(lease.partition == 0 for lease in self._open())
        if not self._named or not first or monotonic() - self._proposed < PROPOSE_SECONDS:
            return
        self._named, self._proposed = False, monotonic()
        with suppress(ClickHouseError):  # a minute later it is tried again
            await asyncio.to_thread(propose, self._server, int(time() * 1000))
            return
        self._named = True

    async def _wait_for_more(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._gather
        while self._queued() < MOST_RECORDS and (left := end - loop.time()) > 0:
            await asyncio.sleep(min(left, 0.05))
            if all(not lease.has_room for lease in self._open()):
                return

    def _open(self) -> list[Lease]:
        self._leases = {key: lease for key, lease in self._leases.items() if not lease.closed.is_set()}
        return [lease for lease in self._leases.values() if not lease.ending]

    def _queued(self) -> int:
        return sum(len(batch.records) for lease in self._open() for batch in lease.queue)

    def _take(self) -> list[Batch]:
        """Whole batches of the open leases, up to the limit; their leases are busy until they are written."""
        taken: list[Batch] = []
        count = 0
        for lease in self._open():
            while lease.queue and count < MOST_RECORDS:
                batch = lease.queue.popleft()
                lease.idle.clear()
                taken.append(batch)
                count += len(batch.records)
            if lease.queue:
                self._arrived.set()
        self.consumer.room_made()
        return taken

    async def _write(self, batches: Sequence[Batch]) -> None:
        records: list[Record] = [record for batch in batches for record in batch.records]
        try:
            self._named |= any(record.topic == topics.PROFILES.name for record in records)
            refused = await self._writer.write(records)
            letters = [self._refusal(one) for one in refused if one.record.topic != topics.DEAD.name]
            if letters:
                await retried(STEP, partial(self.sender.send, letters))
            for batch in batches:
                batch.lease.done([batch])
        finally:
            for batch in batches:
                batch.lease.idle.set()

    def _refusal(self, refused: Refused) -> Output:
        return dead_letter(refused.record, refused.reason, STEP, refused.error, self.settings.generation)
