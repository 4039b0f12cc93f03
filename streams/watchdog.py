"""A consumer that stands still though there is something to read is a fault no exception tells of."""

import asyncio
import logging
import os
from collections.abc import Callable
from time import monotonic

from streams.transport import Consumer

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


async def watch(
    consumer: Callable[[], Consumer], seconds: float, end: Callable[[int], object] = os._exit
) -> None:
    """End the process when its consumer stalls, so that whoever restarts workers does; nothing is lost."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if stalled(consumer(), seconds, monotonic()):
            logger.critical("nothing was read for %.0f s though there is more: ending this worker", seconds)
            end(STALLED)
