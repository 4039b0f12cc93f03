"""Session transport: a Faust transport driver that delivers one event per fetched chunk, per lease.

Faust's own bookkeeping is keyed by topic-partition and outlives an assignment; under `kill -9` with two
workers it lost outputs and stood still (docs/decisions/0001). Here every assignment of a (step, partition)
is a new `Lease`, which owns the positions and acks of all input topics of that step. Whatever belonged to a
closed lease ends with it.

A rebalance, in order: stop the flow, let running work end (bounded), commit, close the leases; then new
leases at the committed offsets, one empty batch each (so that the step claims and recovers at once), resume.
Faust's tables, recovery and standbys are not used.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, cast

from aiokafka.consumer import fetcher
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.errors import IllegalGenerationError, IllegalStateError
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.core import Record

MAX_BATCH = 4_000  # records in one batch; a longer chunk is cut
QUEUED = 2  # batches a lease may hold in its queue before its partitions are no longer fetched
# How long the broker holds an empty fetch, ms. A waiting fetch blocks the other partitions; with 25 ms the
# embedded broker needs up to twice the CPU.
FETCH_WAIT_MS = 50
END_STEP_SECONDS = 3.0  # how long a rebalance waits for running work
END_COMMIT_SECONDS = 2.0  # how long a worker that stops waits for its last commit

Leases = dict[TP, "Lease"]


class Batch:
    """Consecutive records of one topic-partition, or none: the first batch of a lease."""

    __slots__ = ("lease", "next", "records", "start", "tp")

    def __init__(self, lease: "Lease", tp: TP | None, records: list[Record]) -> None:
        self.lease = lease
        self.tp = tp
        self.records = records
        self.start = lease.position[tp] if tp is not None else 0  # where the batch before it ended
        self.next = records[-1].offset + 1 if records else 0


class Lease:
    """One assignment of one (step, partition): a position and acks per topic, a queue of batches."""

    def __init__(self, step: str, partition: int, committed: Mapping[TP, int], group_generation: int) -> None:
        self.step = step
        self.partition = partition
        self.group_generation = group_generation  # Faust's streams skip events of another one
        self.position: dict[TP, int] = dict(committed)  # offset of the next record to be queued
        self.acked: dict[TP, int] = dict(committed)
        self.committed: dict[TP, int] = dict(committed)
        self.queue: deque[Batch] = deque()
        self.arrived = asyncio.Event()  # the queue is not empty
        self.closed = asyncio.Event()
        self.ending = False  # no new work may begin
        self.idle = asyncio.Event()  # no work is running
        self.idle.set()
        self.ready = False  # claimed and recovered
        self.sought: dict[TP, int] = {}

    @property
    def has_room(self) -> bool:
        """Whether another batch may be queued."""
        return len(self.queue) < QUEUED

    def put(self, batch: Batch) -> None:
        """Queue a batch (the agent does)."""
        self.queue.append(batch)
        self.arrived.set()

    async def take(self, at_most: int, seconds: float) -> list[Batch]:
        """The queued batches, up to about `at_most` records; none when nothing came within `seconds`."""
        if not self.queue:
            self.arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait(), seconds)
        batches: list[Batch] = []
        count = 0
        while self.queue and count < at_most:
            batches.append(self.queue.popleft())
            count += len(batches[-1].records)
        return batches

    def done(self, batches: Iterable[Batch]) -> None:
        """All effects of the batches are acknowledged: their offsets may be committed."""
        if self.closed.is_set():
            return
        for batch in batches:
            if batch.tp is None:
                continue
            if self.acked[batch.tp] != batch.start:  # a batch in between was never worked on
                raise RuntimeError(f"{batch.tp}: done to {self.acked[batch.tp]}, next is {batch.start}")
            self.acked[batch.tp] = batch.next

    def accept(self, tp: TP, first_offset: int) -> bool:
        """Whether a chunk that begins at `first_offset` fits; if not, ask once from where we stand.

        What comes after asking is believed: a hole (compaction, retention) or a broker that began again at
        offset 0. Reading twice is harmless, leaving out is not.
        """
        at = self.position[tp]
        if first_offset == at:
            return True
        if self.sought.get(tp) == at:
            return True
        self.sought[tp] = at
        return False


def _record(_: object, tp: Any, record: Any) -> Record:
    """What aiokafka makes of each record of a fetched chunk: ours at once; its own costs 1.3 us more."""
    fields = record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    return tuple.__new__(Record, (tp.topic, tp.partition, *fields))  # as `Record(...)`, for half its cost


fetcher.PartitionRecords._consumer_record = _record  # for every consumer of this process


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with a short fetch wait and commits that belong to one group generation."""

    async def on_start(self) -> None:
        """Start the consumer, and refuse commits outside a generation.

        A member that was given up forgets its generation before it joins again; what it commits then, in
        nobody's name, Kafka takes when no other member is left, though another may have worked meanwhile.
        """
        await super().on_start()
        coordinator: Any = self._ensure_consumer()._coordinator
        send = coordinator._do_commit_offsets

        async def commit(assignment: Any, offsets: Any) -> None:
            if coordinator.generation < 0 or not assignment.active:
                raise IllegalGenerationError(self.app.conf.id)
            await send(assignment, offsets)

        coordinator._do_commit_offsets = commit

    async def commit_as(self, generation: int, offsets: Mapping[TP, int]) -> bool:
        """Commit as a member of that generation of the group; False when it is over."""
        done: bool = await self.call_thread(self._commit_as, generation, offsets)
        return done

    async def _commit_as(self, generation: int, offsets: Mapping[TP, int]) -> bool:
        if self._ensure_consumer()._coordinator.generation != generation:
            return False
        return await self._commit(offsets)

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer: AIOKafkaConsumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class Consumer(driver.Consumer):
    """The consumer: leases instead of Faust's per-partition dictionaries."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leases: Leases = {}
        self._turn = 0  # rises with every callback of a rebalance: an older one that wakes up later ends
        self._room = asyncio.Event()
        self.last_progress = monotonic()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def distinct_leases(self) -> list[Lease]:
        """Every open lease once."""
        return list({id(lease): lease for lease in self.leases.values()}.values())

    def room_made(self) -> None:
        """A lease has taken batches from its queue."""
        self._room.set()

    # ---- rebalance

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let running work end, commit, close the leases."""
        self._turn += 1
        app: Any = self.app
        self.stop_flow()
        app.flow_control.suspend()
        app.flow_control.clear()
        await self._end_leases()
        self.log.info("revoked: %s partitions", len(revoked))

    async def _end_leases(self) -> None:
        leases = self.distinct_leases
        for lease in leases:
            lease.ending = True
        running = [asyncio.ensure_future(lease.idle.wait()) for lease in leases if not lease.idle.is_set()]
        if running:
            _, pending = await asyncio.wait(running, timeout=END_STEP_SECONDS)
            for waiter in pending:
                waiter.cancel()
        await self.commit()
        self._close_leases()

    def _close_leases(self) -> None:
        for lease in self.leases.values():
            lease.ending = True
            lease.closed.set()
        self.leases = {}

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Open a lease per (step, partition) at the committed offsets and resume."""
        try:
            await self._open_leases(assigned, generation_id)
        except Exception as error:  # aiokafka would note it and go on: a member that reads nothing
            await cast(Any, self.app).crash(error)
            raise

    async def _open_leases(self, assigned: set[TP], generation_id: int) -> None:
        self._turn += 1
        turn = self._turn
        app: Any = self.app
        self._close_leases()
        self._paused_partitions.clear()
        self._buffered_partitions.clear()
        await app.topics.maybe_wait_for_subscriptions()
        await app.topics.on_partitions_assigned(assigned)
        app._assignment = set(assigned)
        self._set_active_tps(assigned)
        committed = await self._thread.seek_to_committed() if assigned else {}
        if turn != self._turn:
            return  # another rebalance has begun meanwhile
        opened: dict[tuple[str, int], dict[TP, int]] = {}
        for tp in assigned:
            step = app.conf.journeys_step_of[tp.topic]
            offset = committed.get(tp)
            opened.setdefault((step, tp.partition), {})[tp] = max(offset or 0, 0)
        leases = [
            Lease(step, partition, at, generation_id) for (step, partition), at in sorted(opened.items())
        ]
        self.leases = {tp: lease for lease in leases for tp in lease.position}
        self.log.info("assigned: %s partitions, generation %s", len(assigned), generation_id)
        app.flow_control.resume()
        self.resume_flow()
        await app._fetcher.maybe_start()
        app.tables.recovery.completed.set()
        app.on_rebalance_return()
        app.on_rebalance_end()
        app.unassigned = not assigned
        for lease in leases:
            await self._deliver(Batch(lease, None, []), next(iter(lease.position)))

    # ---- offsets

    async def perform_seek(self) -> None:
        """Nothing: positions belong to leases, set when they are opened."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what the open leases have acknowledged; Faust's arguments make no difference here."""
        del topics, start_new_transaction
        while self._commit_fut is not None:
            await self.maybe_wait_for_commit_to_finish()  # it began earlier, with less
        self._commit_fut = asyncio.get_running_loop().create_future()
        try:
            return await self._commit_leases()
        finally:
            done, self._commit_fut = self._commit_fut, None
            if not done.done():
                done.set_result(None)

    async def confirm(self, lease: Lease) -> bool:
        """Commit the lease's offsets again: True proves that its assignment still holds."""
        mine = set(lease.committed)
        if not mine <= self.assignment():
            return False
        if not await self._thread.commit_as(lease.group_generation, dict(lease.committed)):
            return False
        return mine <= self.assignment()  # what is not assigned was left out of the commit

    async def _commit_leases(self) -> bool:
        leases = self.leases
        offsets = {
            tp: lease.acked[tp] for tp, lease in leases.items() if lease.acked[tp] != lease.committed[tp]
        }
        if not offsets:
            return False
        generation = next(iter(leases.values())).group_generation  # they are all of one
        if not await self._thread.commit_as(generation, offsets):
            return False
        for tp, offset in offsets.items():
            leases[tp].committed[tp] = offset
        self.last_progress = monotonic()
        return True

    async def on_stop(self) -> None:
        """End like a rebalance does: nothing acknowledged goes uncommitted."""
        self.stop_flow()
        try:
            await asyncio.wait_for(self._end_leases(), END_STEP_SECONDS + END_COMMIT_SECONDS)
        except TimeoutError:
            self.log.warning("the broker took no commit: what was done since the last will be done again")
        self._close_leases()
        transport: Any = self.transport
        transport._topic_waiters.clear()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's detector looks at what is not used here; `streams.watchdog` is ours."""

    # ---- records

    async def _deliver(self, batch: Batch, tp: TP) -> None:
        lease = batch.lease
        conductor: Any = self.app.topics
        (channel,) = conductor._tp_index[tp]
        message = ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=batch.next,
            timestamp=0.0,
            timestamp_type=0,
            headers=None,
            key=b"",
            value=None,
            checksum=None,
            tp=tp,
            generation_id=lease.group_generation,
        )
        event = Event(self.app, None, batch, None, message)
        while not lease.closed.is_set():
            if not channel.queue.full():
                channel.queue.put_nowait(event)
                return
            await asyncio.sleep(0.002)  # the agent only hands batches over: it empties this queue at once

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch for ever: only partitions whose lease has room."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                if not self.flow_active:
                    await self.can_resume_flow.wait()
                    continue
                leases = self.leases
                open_tps = {tp for tp, lease in leases.items() if lease.has_room and not lease.ending}
                if not open_tps:
                    self._room.clear()
                    await self.wait_first(self._room.wait(), asyncio.sleep(0.5))
                    continue
                # Where partitions are left out, look again soon: they may have room before data comes.
                timeout = 0.5 if len(open_tps) == len(leases) else 0.02
                fetched = await self._thread.getmany(open_tps, timeout)
                for tp, records in (fetched or {}).items():
                    await self._take(tp, records)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _take(self, tp: TP, records: list[Record]) -> None:
        lease = self.leases.get(tp)
        if lease is None or lease.closed.is_set():
            return  # fetched for an assignment that has ended
        if not lease.accept(tp, records[0].offset):
            self.log.info(
                "%s[%s]: got %s, seeking %s", tp.topic, tp.partition, records[0].offset, lease.position[tp]
            )
            try:
                await self._thread.seek_wait({tp: lease.position[tp]})
            except IllegalStateError:  # not ours any more: the lease is about to end
                lease.sought.pop(tp, None)
            return
        self.last_progress = monotonic()
        for start in range(0, len(records), MAX_BATCH):
            batch = Batch(lease, tp, records[start : start + MAX_BATCH])
            await self._deliver(batch, tp)
            lease.position[tp] = batch.next


class Transport(driver.Transport):
    """What `session://host:port` in a Faust broker URL names."""

    Consumer = Consumer
