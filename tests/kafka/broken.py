"""A worker that breaks one guarantee, named by JOURNEYS_TEST_BREAK; the harness must notice each.

Every break comes with a pause between the two effects that it swaps, so that a kill falls there. `nothing`
only pauses: what the harness then notices is a fault of ours.
"""

import asyncio
import os
from collections.abc import Sequence
from time import time

from streams import transport
from streams.cli import main
from streams.runner import Runner
from streams.transport import Batch

PAUSE_SECONDS = float(os.environ.get("JOURNEYS_TEST_PAUSE", "0.4"))


async def outputs_first(self: Runner, batches: Sequence[Batch]) -> None:
    """Outputs leave before the state they follow from is safe."""
    work = self.session.work([r for batch in batches for r in batch.records], int(time() * 1000))
    await self.send(work)
    if work.outputs:
        await asyncio.sleep(PAUSE_SECONDS)
    await self.keep(work)
    self.lease.done(batches)


async def commit_first(self: Runner, batches: Sequence[Batch]) -> None:
    """Offsets are committed before the outputs are safe."""
    work = self.session.work([r for batch in batches for r in batch.records], int(time() * 1000))
    await self.keep(work)
    self.lease.done(batches)
    await self.consumer.commit()
    if work.outputs:
        await asyncio.sleep(PAUSE_SECONDS)
    await self.send(work)


async def slowly(self: Runner, batches: Sequence[Batch]) -> None:
    """As it should be, but so slowly that kills and rebalances fall between the effects."""
    work = self.session.work([r for batch in batches for r in batch.records], int(time() * 1000))
    if batches:
        await asyncio.sleep(PAUSE_SECONDS)
    await self.keep(work)
    if work.outputs:
        await asyncio.sleep(PAUSE_SECONDS / 4)
    await self.send(work)
    self.lease.done(batches)


async def late(self: Runner, batches: Sequence[Batch]) -> None:
    """As slow, but what is done counts for whichever lease has the partition when it is done."""
    work = self.session.work([r for batch in batches for r in batch.records], int(time() * 1000))
    if batches:
        await asyncio.sleep(PAUSE_SECONDS)
    await self.keep(work)
    await self.send(work)
    for batch in batches:
        if batch.tp is not None and (lease := self.consumer.leases.get(batch.tp)) is not None:
            lease.acked[batch.tp] = max(lease.acked[batch.tp], batch.next)


async def run_on(self: Runner) -> None:
    """A session that works on when its lease is closed."""
    await self._run()


def break_it(what: str) -> None:
    if what == "outputs-first":
        Runner.work = outputs_first
    elif what == "commit-first":
        Runner.work = commit_first
    elif what == "work-after-close":
        transport.END_STEP_SECONDS = 0.05
        Runner.run = run_on
        Runner.work = late
    elif what == "nothing":
        transport.END_STEP_SECONDS = 0.05
        Runner.work = slowly
    else:
        raise SystemExit(f"JOURNEYS_TEST_BREAK={what!r} is no break")


if __name__ == "__main__":
    break_it(os.environ["JOURNEYS_TEST_BREAK"])
    main(["worker"])
