"""Standing still though there is something to do is a fault no exception tells of."""

import asyncio
import logging
import os
from collections.abc import Callable
from time import monotonic

from streams.transport import Consumer, Lease

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
STALLED = 3  # exit code


def stalled(consumer: Consumer, seconds: float, now: float) -> bool:
    """Whether nothing was fetched or committed for `seconds`, though the broker has more and there is room.

    A dependency that is away is no stall: the queues are full then.
    """
    if now - consumer.last_progress < seconds:
        return False
    return consumer.app.rebalancing or any(
        (consumer.highwater(tp) or 0) > lease.position[tp]
        for tp, lease in consumer.leases.items()
        if lease.has_room and not lease.ending
    )


class Unready:
    """Which leases have not claimed and recovered yet, and since when."""

    def __init__(self) -> None:
        self._since: dict[Lease, float] = {}

    def too_long(self, consumer: Consumer, seconds: float, now: float) -> bool:
        """Look once; whether one has not been ready for `seconds` since it was first seen so."""
        self._since = {
            lease: self._since.get(lease, now)
            for lease in consumer.distinct_leases
            if not lease.ready and not lease.ending
        }
        return any(now - since >= seconds for since in self._since.values())


async def watch(
    consumer: Callable[[], Consumer], seconds: float, end: Callable[[int], object] = os._exit
) -> None:
    """End the process when it stands still, so that whoever restarts workers does; nothing is lost."""
    unready = Unready()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if unready.too_long(consumer(), seconds, monotonic()):
            logger.critical("a partition was not ready within %.0f s: ending this worker", seconds)
            end(STALLED)
        if stalled(consumer(), seconds, monotonic()):
            logger.critical("nothing was read for %.0f s though there is more: ending this worker", seconds)
            end(STALLED)
