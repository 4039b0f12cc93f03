"""The clock T, in band: the lowest of what all INGEST partitions have ticked. It never goes back."""

import msgspec

from schemas.internal import Tick


class Clock(msgspec.Struct, array_like=True, gc=False):
    """The row: the highest time (ms) and the highest drain number of each INGEST partition."""

    at: dict[int, int] = {}
    drain: dict[int, int] = {}

    def hear(self, tick: Tick) -> None:
        """Take in a tick; repeated and older ones change nothing."""
        self.at[tick.source] = max(tick.at, self.at.get(tick.source, tick.at))
        self.drain[tick.source] = max(tick.drain, self.drain.get(tick.source, 0))

    def reached(self, partitions: int) -> tuple[int, int] | None:
        """T and the drain number that all `partitions` have reached; None until each has ticked.

        >>> clock = Clock(); clock.hear(Tick(0, 50, 0)); clock.reached(2) is None
        True
        >>> clock.hear(Tick(1, 40, 1)); clock.reached(2)
        (40, 0)
        """
        if not all(source in self.at for source in range(partitions)):
            return None
        sources = range(partitions)
        return min(self.at[s] for s in sources), min(self.drain[s] for s in sources)


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Clock).decode


def encode(clock: Clock) -> bytes:
    """The row, its sources in ascending order."""
    return _encode(Clock(dict(sorted(clock.at.items())), dict(sorted(clock.drain.items()))))
