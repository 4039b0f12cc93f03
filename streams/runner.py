"""One session on real parts: the effects of a batch in their order, each acknowledged before the next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, thread_time, time
from typing import Protocol, TypeVar

from aiokafka.errors import (
    AuthenticationFailedError,
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)

from streams.core import Output, Record
from streams.session import FencedError, Session, Work
from streams.store import Log
from streams.transport import Batch, Consumer, Lease

logger = logging.getLogger(__name__)

MAX_RECORDS = 8_000  # records of several queued batches that are worked on as one
IDLE_SECONDS = 0.5  # how often a step hears that time has passed
RETRY_SECONDS = (0.1, 5.0)  # first and longest pause between two tries

OURS = (  # what trying again cannot mend, though aiokafka files it under KafkaError
    AuthenticationFailedError,
    IllegalStateError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)

Result = TypeVar("Result")


@dataclass
class Spent:
    """Where the time of one step goes, over all its partitions, since the worker started.

    Seconds. `apply` is CPU time; `keep` and `send` are waited for and overlap across partitions.
    """

    batches: int = 0
    records: int = 0
    apply: float = 0.0
    keep: float = 0.0
    send: float = 0.0

    @contextmanager
    def applying(self, records: int) -> Iterator[None]:
        """What runs inside is the work on a batch of so many records; it must not await."""
        begun = thread_time()
        yield
        self.apply += thread_time() - begun
        self.batches += 1
        self.records += records

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """What runs inside waits for rows to be safe."""
        begun = monotonic()
        yield
        self.keep += monotonic() - begun

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What runs inside waits for outputs to be safe."""
        begun = monotonic()
        yield
        self.send += monotonic() - begun


class Sends(Protocol):
    """Sends outputs and returns once all are acknowledged."""

    async def send(self, outputs: Sequence[Output]) -> object:
        """Send all of them."""


async def retried(what: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try until the infrastructure lets it pass: trouble there pauses a partition, it never loses a record.

    Anything but trouble with the broker or the network is an error of ours and is raised.
    """
    pause, longest = RETRY_SECONDS
    while True:
        try:
            return await attempt()
        except OURS:
            raise
        except (KafkaError, OSError) as trouble:
            logger.warning("%s: %s: %s; trying again", what, type(trouble).__name__, trouble)
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)


class Runner:
    """Works off the batches of one lease with one session. `run` ends when the lease is closed.

    It raises what trying again cannot mend, FencedError among it: a newer session has the partition.
    """

    def __init__(
        self,
        lease: Lease,
        session: Session,
        log: Log | None,
        sender: Sends,
        consumer: Consumer,
        spent: Spent,
        look_seconds: float = 1.0,
    ) -> None:
        self.lease = lease
        self.session = session
        self.log = log  # None: the step keeps no state
        self.sender = sender
        self.consumer = consumer
        self.spent = spent
        self._look_seconds = look_seconds  # how often to look for strangers' rows in the changelog
        self._looked = monotonic()
        self._name = f"{lease.step}[{lease.partition}]"

    async def run(self) -> None:
        """Claim, recover, send what is owed, then work; cancelled when the lease is closed."""
        working = asyncio.ensure_future(self._run())
        closing = asyncio.ensure_future(self.lease.closed.wait())
        try:
            await asyncio.wait([working, closing], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            closing.cancel()
            working.cancel()
            self.lease.idle.set()

    async def _run(self) -> None:
        try:
            await self._begin()
            self.lease.ready = True
            while not self.lease.ending:
                await self._answer_strangers()
                batches = await self._next_batches()
                if self.lease.ending:
                    break
                self.lease.idle.clear()
                try:
                    await self.work(batches)
                finally:
                    self.lease.idle.set()
        except FencedError as fenced:
            if not self.lease.ending:
                raise  # only a worker that joins the group anew gets a session that counts
            logger.warning("%s; this session ends", fenced)

    async def _begin(self) -> None:
        if self.log is None:
            self.session.recovered([])
            return
        log = self.log
        self.session.claimed(await retried(self._name, lambda: log.claim(self.session.generation)))
        await retried(self._name, self._confirm)  # until it is confirmed, or the lease is closed
        entries = await retried(self._name, log.read)
        first = self.session.recovered(entries, log.drained)
        if first.outputs:
            logger.info("%s: sending %s outputs again", self._name, len(first.outputs))
        await self.keep(first)
        await self.send(first)

    async def _confirm(self) -> None:
        if not await self.consumer.confirm(self.lease):
            raise CommitFailedError("the group does not confirm this assignment")

    async def _next_batches(self) -> list[Batch]:
        batches = await self.lease.take(MAX_RECORDS, IDLE_SECONDS)
        if batches:
            self.consumer.room_made()
        return batches

    async def work(self, batches: Sequence[Batch]) -> None:
        """The effects of a batch: state safe, then outputs safe, then done; the commit follows on its own."""
        records: list[Record] = [record for batch in batches for record in batch.records]
        with self.spent.applying(len(records)):
            work = self.session.work(records, int(time() * 1000))
        await self.keep(work)
        await self.send(work)
        self.lease.done(batches)

    async def keep(self, work: Work) -> None:
        """The changed rows, acknowledged."""
        if work.rows and self.log is not None:
            log = self.log
            with self.spent.keeping():
                await retried(self._name, lambda: log.append(work.rows))

    async def send(self, work: Work) -> None:
        """The outputs, acknowledged."""
        if work.outputs:
            with self.spent.sending():
                await self._send(work.outputs)
        self.session.sent(work)

    async def _send(self, outputs: Sequence[Output]) -> None:
        await retried(self._name, lambda: self.sender.send(outputs))

    async def _answer_strangers(self) -> None:
        if self.log is None or monotonic() - self._looked < self._look_seconds:
            return
        self._looked = monotonic()
        answer = self.session.strangers(await retried(self._name, self.log.foreign))
        if answer is not None:
            logger.warning("%s: another session wrote %s rows; writing ours", self._name, len(answer.rows))
            await self.keep(answer)
            await self.send(answer)
