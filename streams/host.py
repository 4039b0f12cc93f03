"""What a worker process is built on: a Faust app on the session transport, its agents, sender, status."""

import asyncio
import logging
import os
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust

from streams.producer import Sender
from streams.runner import Spent
from streams.settings import Settings
from streams.transport import Batch, Consumer
from streams.watchdog import watch

logger = logging.getLogger(__name__)

FETCH_BYTES = 1 << 20  # of one partition per fetch: about 2,000 touchpoints
PRODUCE_BYTES = 512 << 10  # of one produce batch
NEVER_SECONDS = 10 * 365 * 86_400.0


def make_app(settings: Settings, group: str, web: bool) -> faust.App:
    """A Faust app on the session transport. Tables, changelogs and topic creation of Faust's are off."""
    brokers = ";".join(f"session://{address}" for address in settings.broker.split(","))
    session = settings.session_timeout_seconds
    return faust.App(
        group,
        broker=brokers,
        broker_client_id=f"{socket.gethostname()}-{os.getpid()}",  # what `journeys status` names an owner by
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        store="memory://",
        datadir=Path(tempfile.gettempdir(), f"journeys-faust-{os.getuid()}"),  # Faust insists; it stays empty
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        producer_max_batch_size=PRODUCE_BYTES,
        producer_linger=0.0,
        broker_check_crcs=False,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 5,
        broker_rebalance_timeout=settings.rebalance_timeout_seconds,
        broker_request_timeout=max(40.0, session),
        broker_commit_interval=settings.commit_seconds,
        # A full queue pauses fetching for as long as it takes. To aiokafka that is a member that is dead: it
        # would leave the group and wait for a fetch before it joins again. The watchdog finds stalls.
        broker_max_poll_interval=NEVER_SECONDS,
        table_standby_replicas=1,  # there are no tables: it selects Faust's assignor, which keeps the same
        # partitions of all topics of a step together; with 0 it would be round robin, which does not
        web_enabled=web,
        web_bind="127.0.0.1",
        web_host="127.0.0.1",
        web_port=settings.web_port,
        web_in_thread=False,
    )


class Host(ABC):
    """One Faust app and what its agents share."""

    def __init__(self, settings: Settings, app: faust.App) -> None:
        self.settings = settings
        self.app = app
        self._step_of: dict[str, str] = {}  # topic -> step; the transport makes leases by it
        app.conf.journeys_step_of = self._step_of
        self.spent: dict[str, Spent] = {}  # by step
        self.failed: BaseException | None = None  # what ends this worker
        self._sender: Sender | None = None
        app.task(partial(watch, lambda: self.consumer, settings.stall_seconds))
        app.on_before_shutdown.connect(self._close)

    async def _close(self, *_: Any, **__: Any) -> None:
        await self.stop()

    @abstractmethod
    async def stop(self) -> None:
        """Close what was opened beside Faust."""

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

    @abstractmethod
    def hand_over(self, batch: Batch) -> None:
        """Take a batch from an agent; returns at once."""

    def subscribe(self, step: str, inputs: Iterable[str]) -> None:
        """Register the agent of a step: it reads the step's topics and hands the batches over."""
        self.spent[step] = Spent()
        for topic in inputs:
            self._step_of[topic] = step
        channel = self.app.topic(
            *inputs,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=self.settings.partitions,
        )

        async def agent(batches: Any) -> None:
            async for batch in batches.noack():
                try:
                    self.hand_over(batch)
                except Exception as error:  # Faust would log it and go on without this batch
                    self.crash(error)

        self.app.agent(channel, name=step)(agent)

    def ended(self, task: asyncio.Task[None]) -> None:
        """A task that should go on has ended: crash with what it raised, if anything."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash(error)

    def crash(self, error: BaseException) -> None:
        """End the worker: what it had not acknowledged is done again by the next."""
        logger.error("a step failed; ending this worker", exc_info=error)
        self.failed = self.failed or error
        self.app.loop.create_task(self.app.crash(error))

    def status(self) -> dict[str, Any]:
        """What this worker owns, how far it is, where its time goes, what it knows of the ends of topics."""
        return {
            "steps": [{"step": step, **asdict(spent)} for step, spent in self.spent.items()],
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
