"""A worker does not go on when what it was to hand over, or a session, is lost."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streams.host import Host, make_app
from streams.runner import Runner, Spent
from streams.session import FencedError
from streams.settings import Settings
from streams.transport import Batch, Lease

IN = TP("in", 0)


class Broken(Host):
    """Cannot take a batch."""

    async def stop(self) -> None:
        """Nothing is open."""

    def hand_over(self, batch: Batch) -> None:
        raise LookupError(f"no step for {batch.tp}")


async def test_a_batch_that_cannot_be_handed_over_ends_the_worker() -> None:
    host = Broken(Settings(partitions=1), make_app(Settings(partitions=1), "group", web=False))
    host.subscribe("step", ["in"])
    crashed: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashed.append(error)

    cast(Any, host.app).crash = crash

    async def batches() -> AsyncIterator[Batch]:
        yield Batch(Lease("step", 0, {IN: 0}, 1), None, [])

    await cast(Any, host.app.agents["step"]).fun(SimpleNamespace(noack=batches))
    await asyncio.sleep(0)
    assert [str(error) for error in crashed] == ["no step for None"]
    assert host.failed is crashed[0]


async def test_a_task_that_should_go_on_ends_the_worker_with_what_it_raised() -> None:
    host = Broken(Settings(partitions=1), make_app(Settings(partitions=1), "group", web=False))
    crashed: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashed.append(error)

    cast(Any, host.app).crash = crash

    async def ends(error: BaseException | None) -> None:
        if error is not None:
            raise error

    for error in (None, asyncio.CancelledError(), OSError("disk full")):
        task = asyncio.ensure_future(ends(error))
        await asyncio.wait([task])
        host.ended(task)
    await asyncio.sleep(0)
    assert [str(error) for error in crashed] == ["disk full"]


def fenced(lease: Lease) -> Runner:
    """A runner whose session finds out that a newer one has its partition."""

    def strangers(_: object) -> None:
        raise FencedError("step, partition 0: a newer session wrote")

    async def foreign() -> list[Any]:
        return []

    session = SimpleNamespace(
        generation=0,
        claimed=lambda *_: None,
        recovered=lambda *_: SimpleNamespace(rows=[], outputs=[]),
        sent=lambda *_: None,
        strangers=strangers,
    )

    async def epoch(_: int) -> int:
        return 1

    async def confirm(_: Lease) -> bool:
        return True

    log = SimpleNamespace(claim=epoch, read=foreign, foreign=foreign, drained=None)
    consumer = SimpleNamespace(confirm=confirm, room_made=lambda: None)
    parts = cast(tuple[Any, ...], (lease, session, log, None, consumer, Spent(), 0))
    return Runner(*parts)


async def test_a_session_that_was_overtaken_ends_the_worker() -> None:
    lease = Lease("step", 0, {IN: 0}, 1)
    with pytest.raises(FencedError, match="a newer session wrote"):
        await asyncio.wait_for(fenced(lease).run(), 5)


async def test_unless_its_lease_is_ending_anyway() -> None:
    lease = Lease("step", 0, {IN: 0}, 1)
    runner = fenced(lease)

    async def foreign() -> list[Any]:
        lease.ending = True  # a rebalance begins while the changelog is read
        return []

    cast(Any, runner.log).foreign = foreign
    await asyncio.wait_for(runner.run(), 5)
    assert lease.idle.is_set()
