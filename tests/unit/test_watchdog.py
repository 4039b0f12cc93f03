"""A consumer that stands still is told from one that waits, and from one that has nothing to do."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streams import watchdog
from streams.transport import QUEUED, Batch, Consumer, Lease
from streams.watchdog import STALLED, Unready, stalled, watch

IN = TP("in", 0)
NOW = 1_000.0


def consumer(
    *,
    idle: float,
    read: int = 5,
    end: int | None = 5,
    queued: int = 0,
    ending: bool = False,
    rebalancing: bool = False,
) -> Consumer:
    lease = Lease("step", 0, {IN: read}, 1)
    lease.ending = ending
    lease.ready = True
    for _ in range(queued):
        lease.put(Batch(lease, IN, []))
    made: Any = SimpleNamespace(
        last_progress=NOW - idle,
        app=SimpleNamespace(rebalancing=rebalancing),
        leases={IN: lease},
        distinct_leases=[lease],
        highwater=lambda tp: {IN: end}[tp],
    )
    return cast(Consumer, made)


@pytest.mark.parametrize(
    ("standing", "is_stalled"),
    [
        (consumer(idle=300, end=6), True),
        (consumer(idle=299, end=6), False),  # not for long enough
        (consumer(idle=9_000), False),  # there is nothing to read
        (consumer(idle=9_000, end=None), False),  # nor is it known that there is
        (consumer(idle=9_000, end=6, queued=QUEUED), False),  # it waits for what takes the batches
        (consumer(idle=9_000, end=6, queued=QUEUED - 1), True),
        (consumer(idle=9_000, end=6, ending=True), False),
        (consumer(idle=300, rebalancing=True), True),  # a rebalance that does not end
        (consumer(idle=299, rebalancing=True), False),
    ],
)
def test_stalled(standing: Consumer, is_stalled: bool) -> None:
    assert stalled(standing, 300, NOW) is is_stalled


async def test_a_stalled_worker_is_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(watchdog, "monotonic", lambda: NOW)
    standing = consumer(idle=9_000)
    codes: list[int] = []
    ended = asyncio.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    watching = asyncio.ensure_future(watch(lambda: standing, 300, end))
    await asyncio.sleep(0.05)
    assert codes == []  # there is nothing to read
    standing = consumer(idle=9_000, end=6)
    await asyncio.wait_for(ended.wait(), 5)
    watching.cancel()
    assert codes[0] == STALLED
    assert "nothing was read for 300 s though there is more" in caplog.text


def test_a_lease_that_does_not_get_ready_is_noticed_and_a_new_one_has_its_own_time() -> None:
    unready, standing = Unready(), consumer(idle=0)
    (lease,) = standing.distinct_leases
    lease.ready = False
    assert not unready.too_long(standing, 300, NOW)
    assert not unready.too_long(standing, 300, NOW + 299)
    assert unready.too_long(standing, 300, NOW + 300)
    lease.ending = True
    assert not unready.too_long(standing, 300, NOW + 300)
    another = consumer(idle=0)
    another.distinct_leases[0].ready = False
    assert not unready.too_long(another, 300, NOW + 301)
    another.distinct_leases[0].ready = True
    assert not unready.too_long(another, 300, NOW + 9_000)


async def test_a_worker_whose_lease_does_not_get_ready_is_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.005)
    standing = consumer(idle=-1e12)
    standing.distinct_leases[0].ready = False
    ended = asyncio.Event()
    watching = asyncio.ensure_future(watch(lambda: standing, 0.05, lambda _: ended.set()))
    await asyncio.wait_for(ended.wait(), 5)
    watching.cancel()
    assert "a partition was not ready within 0 s" in caplog.text
