"""What the agents of one worker share: the Faust app, the sender, the logs, a runner per lease."""

import asyncio
import logging
import tempfile
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

import faust

from schemas import topics
from schemas.keys import hasher
from streams.core import Step, StepConfig
from streams.producer import Sender
from streams.runner import Runner
from streams.session import Session
from streams.settings import Settings
from streams.store import Disk, DiskLog, KafkaLog, Log, Reader
from streams.transport import Batch, Consumer, Lease

logger = logging.getLogger(__name__)

FETCH_BYTES = 1 << 20  # of one partition per fetch: about 2,000 touchpoints
PRODUCE_BYTES = 512 << 10  # of one produce batch
REQUEST_BYTES = 16 << 20  # no record of ours comes near


def make_app(settings: Settings, group: str, web: bool) -> faust.App:
    """A Faust app on the session transport. Tables, changelogs and topic creation of Faust's are off."""
    brokers = ";".join(f"session://{address}" for address in settings.broker.split(","))
    session = settings.session_timeout_seconds
    return faust.App(
        group,
        broker=brokers,
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="journeys-faust-"),  # Faust insists on one; nothing is kept there
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        producer_max_batch_size=PRODUCE_BYTES,
        producer_max_request_size=REQUEST_BYTES,
        producer_linger=0.0,
        broker_check_crcs=False,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 5,
        broker_rebalance_timeout=max(session, 5.0),
        broker_request_timeout=max(40.0, session),
        broker_commit_interval=settings.commit_seconds,
        web_enabled=web,
        web_bind="127.0.0.1",
        web_host="127.0.0.1",
        web_port=settings.web_port,
        web_in_thread=False,
    )


class Processor:
    """One worker's share of the steps. Agents hand their batches to `hand_over`."""

    def __init__(self, settings: Settings, app: faust.App) -> None:
        self.settings = settings
        self.app = app
        self.step_of: dict[str, str] = {}  # topic -> step; the transport makes leases by it
        app.conf.journeys_step_of = self.step_of
        self._steps: dict[str, type[Step]] = {}
        self._key_of = hasher(settings.hash_key)
        self._runners: dict[int, tuple[Runner, asyncio.Task[None]]] = {}
        self._sender: Sender | None = None
        self._reader: Reader | None = None
        self._disk: Disk | None = None

    @property
    def consumer(self) -> Consumer:
        """The app's consumer."""
        return cast(Consumer, self.app.consumer)

    @property
    def sender(self) -> Sender:
        """Sends through the app's producer."""
        if self._sender is None:
            self._sender = Sender(cast(Any, self.app.producer)._producer)
        return self._sender

    def add(self, step: type[Step]) -> None:
        """Register a step and its agent, which does nothing but hand batches over."""
        self._steps[step.name] = step

        async def agent(batches: Any) -> None:
            async for batch in batches.noack():
                self.hand_over(batch)

        self.app.agent(self.channel(step.name, step.inputs), name=step.name)(agent)

    def channel(self, step: str, inputs: Iterable[str]) -> Any:
        """The Faust channel of a step's input topics."""
        for topic in inputs:
            self.step_of[topic] = step
        return self.app.topic(
            *inputs,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=self.settings.partitions,
            maxsize=64,  # batches on their way to the agent, which hands them over at once
        )

    def hand_over(self, batch: Batch) -> None:
        """Queue a batch at its lease; the first one of a lease starts its runner."""
        lease = batch.lease
        lease.put(batch)
        if id(lease) not in self._runners:
            runner = self._runner(lease)
            task = asyncio.ensure_future(runner.run())
            self._runners[id(lease)] = (runner, task)
            task.add_done_callback(partial(self._ended, id(lease)))

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
            settings={"trust_headers": settings.trust_headers},
        )
        session = Session(step(config), settings.generation, lease.partition)
        log = self._log(lease) if step.stateful else None
        return Runner(lease, session, log, self.sender, self.consumer, settings.commit_seconds)

    def _log(self, lease: Lease) -> Log:
        if self.settings.state is not None:
            self._disk = self._disk or Disk(self.settings.state)
            return DiskLog(self._disk, lease.step, lease.partition)
        self._reader = self._reader or Reader(self.settings.broker)
        name = topics.changelog(self.settings.group, lease.step).name
        return KafkaLog(name, lease.partition, self.sender, self._reader)

    def _ended(self, key: int, task: asyncio.Task[None]) -> None:
        self._runners.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a step failed; ending this worker", exc_info=error)
            self.app.loop.create_task(self.app.crash(error))

    async def stop(self) -> None:
        """Close what was opened here."""
        if self._reader is not None:
            await self._reader.stop()
        if self._disk is not None:
            self._disk.close()

    def status(self) -> dict[str, Any]:
        """What this worker owns, how far it is, and what it knows of the ends of topics."""
        return {
            "sessions": [
                {
                    "step": lease.step,
                    "partition": lease.partition,
                    "ready": lease.ready,
                    "busy": bool(lease.queue) or not lease.idle.is_set(),
                    "topics": {
                        tp.topic: {
                            "position": lease.position[tp],
                            "acked": lease.acked[tp],
                            "committed": lease.committed[tp],
                        }
                        for tp in lease.position
                    },
                }
                for lease in self.consumer.distinct_leases
            ],
            "ends": [[tp.topic, tp.partition, end] for tp, end in self.sender.ends.items()],
        }
