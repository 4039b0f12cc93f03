"""The processor: the pure steps behind their agents, a runner per lease."""

import asyncio

import faust

from schemas import topics
from schemas.keys import hasher
from streams.core import Step, StepConfig
from streams.host import Host
from streams.runner import Runner
from streams.session import Session
from streams.settings import Settings
from streams.store import Disk, DiskLog, KafkaLog, Log, Reader
from streams.transport import Batch, Lease


class Processor(Host):
    """One worker's share of the steps."""

    def __init__(self, settings: Settings, app: faust.App) -> None:
        super().__init__(settings, app)
        self._steps: dict[str, type[Step]] = {}
        self._key_of = hasher(settings.hash_key)
        self._running: dict[int, asyncio.Task[None]] = {}  # by the lease's identity
        self._reader: Reader | None = None
        self._disk: Disk | None = None

    def add(self, step: type[Step]) -> None:
        """Register a step and its agent."""
        self._steps[step.name] = step
        self.subscribe(step.name, step.inputs)

    def hand_over(self, batch: Batch) -> None:
        """Queue a batch at its lease; the first one of a lease starts its runner."""
        lease = batch.lease
        if lease.closed.is_set():
            return
        lease.put(batch)
        if id(lease) not in self._running:
            task = asyncio.ensure_future(self._runner(lease).run())
            self._running[id(lease)] = task
            task.add_done_callback(lambda ended: self._left(id(lease), ended))

    def _runner(self, lease: Lease) -> Runner:
        step = self._steps[lease.step]
        settings = self.settings
        config = StepConfig(
            partition=lease.partition,
            partitions=settings.partitions,
            generation=settings.generation,
            key_of=self._key_of,
            live=settings.live,
            tick_ms=int(settings.tick_seconds * 1000),
            settle_ms=int(settings.settle_seconds * 1000),
            settings=settings.of_steps,
        )
        session = Session(step(config), settings.generation, lease.partition)
        log = self._log(lease) if step.stateful else None
        spent = self.spent[lease.step]
        return Runner(lease, session, log, self.sender, self.consumer, spent, settings.commit_seconds)

    def _log(self, lease: Lease) -> Log:
        if self.settings.state is not None:
            self._disk = self._disk or Disk(self.settings.state)
            return DiskLog(self._disk, lease.step, lease.partition)
        self._reader = self._reader or Reader(self.settings.broker)
        name = topics.changelog(self.settings.group, lease.step).name
        return KafkaLog(name, lease.partition, self.sender, self._reader)

    def _left(self, key: int, task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        self.ended(task)

    async def stop(self) -> None:
        """Close what was opened here."""
        if self._reader is not None:
            await self._reader.stop()
        if self._disk is not None:
            self._disk.close()
