"""Segments by account swap: k-means in which every account is exactly one unit of weight.

A clusterer that learns from every event counts chatty accounts many times, and never sees silence: at an
event, the last event is always now. Here an account's profile is in one segment's sums. When the profile
changes (by an event, or because time has passed) the old one is taken out and the new one put in. Centres
stand still within an epoch; at its end they move to the means of the sums, which is one step of k-means.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import dist
from typing import Any, Final

import msgspec
from river import base, stats

from online_models.scaling import GRID, Column, Point, Scaler
from online_models.snapshots import pack, unpack

_VERSION: Final = 1  # of the snapshot


class Center(msgspec.Struct, frozen=True):
    """Where a segment is, for an epoch; its id stays from epoch to epoch."""

    id: int
    at: Point


class Sums(msgspec.Struct):
    """Of a segment: how many accounts, and per feature the sums of x and of x².

    Exact, so adding in any order, taking away and merging give the same sums (`scaling.GRID`). That is why
    they are plain sums: `river.stats.Var` keeps a running mean, which is rounded at each step. `spread` makes
    such statistics of them.
    """

    count: int
    linear: list[float]
    square: list[float]

    def add(self, point: Point) -> None:
        """An account is in the segment."""
        self.count += 1
        self.linear = [total + x for total, x in zip(self.linear, point, strict=True)]
        self.square = [total + x * x for total, x in zip(self.square, point, strict=True)]

    def remove(self, point: Point) -> None:
        """It is not any more."""
        self.count -= 1
        self.linear = [total - x for total, x in zip(self.linear, point, strict=True)]
        self.square = [total - x * x for total, x in zip(self.square, point, strict=True)]

    def merge(self, other: "Sums") -> None:
        """The accounts of another partition are in it too."""
        self.count += other.count
        self.linear = [a + b for a, b in zip(self.linear, other.linear, strict=True)]
        self.square = [a + b for a, b in zip(self.square, other.square, strict=True)]

    def mean(self) -> Point:
        """The middle of the accounts, on the grid; there must be one."""
        return tuple(round(total / self.count * GRID) / GRID for total in self.linear)

    def spread(self) -> list[stats.Var]:
        """Per feature: River's mean and variance, which can be added up over segments."""
        found = []
        for linear, square in zip(self.linear, self.square, strict=True):
            mean = linear / self.count if self.count else 0.0
            within = max(square - linear * mean, 0.0)
            variance = within / (self.count - 1) if self.count > 1 else 0.0
            found.append(stats.Var._from_state(float(self.count), mean, variance))
        return found

    def squares_from(self, at: Point) -> float:
        """The sum of squared distances of the accounts from a place."""
        return sum(
            square - 2 * x * linear + self.count * x * x
            for linear, square, x in zip(self.linear, self.square, at, strict=True)
        )


class _State(msgspec.Struct):
    columns: list[Column]
    scale: int
    centers: list[Center]
    margin: float
    scaled: bool
    sums: dict[int, Sums]


class AccountSwap(base.Clusterer):
    """The segments of one epoch: frozen centres, and sums that accounts enter and leave.

    Caveats: it does not remember who is where; tell `home` and the same profile to take an account out (or
    use `Segmentation`, which keeps the book). Without centres everybody is in segment 0.

    Parameters
    ----------
    scaler
        Frozen; maps profiles to points.
    centers
        Of this epoch; `recentred` gives the next one's.
    margin
        Share by which another centre must be nearer than the one of the account's home, for it to move: so
        accounts between two segments do not swing. 0.1 halves the moves and costs 2 % of fit.

    Examples
    --------
    >>> from online_models.scaling import Column
    >>> scaler = Scaler((Column("orders", log=False, middle=0.0, width=1.0),))
    >>> swap = AccountSwap(scaler, (Center(1, (0.0,)), Center(2, (2.0,))))
    >>> swap.predict_one({"orders": 1.04}), swap.predict_one({"orders": 1.04}, home=1)
    (2, 1)
    >>> for orders in (0, 0.5, 3):
    ...     swap.learn_one({"orders": orders})
    >>> swap.revert({"orders": 0})
    >>> swap.recentred().centers
    [Center(id=1, at=(0.5,)), Center(id=2, at=(3.0,))]

    References
    ----------
    MacQueen (1967), Some methods for classification and analysis of multivariate observations.
    """

    def __init__(
        self, scaler: Scaler | None = None, centers: Sequence[Center] | None = None, margin: float = 0.1
    ) -> None:
        self.scaler = scaler
        self.centers = list(centers or ())
        self.margin = margin
        self._scaler = scaler or Scaler()
        self._at = {center.id: center.at for center in self.centers} or {
            0: (0.0,) * len(self._scaler.columns)
        }
        self.sums = {segment: empty(len(at)) for segment, at in self._at.items()}

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {}
        scaler = Scaler(**next(iter(Scaler._unit_test_params())))
        yield {"scaler": scaler, "centers": (Center(0, (0.0, 0.0)), Center(1, (0.5, 0.5)))}

    def point(self, x: Mapping[Any, Any]) -> Point:
        """A profile on this epoch's scale."""
        return self._scaler.point(x)

    def predict_one(self, x: Mapping[Any, Any], home: int | None = None) -> int:
        """The segment of a profile; `home`: where its account was when the epoch began."""
        return self.place(self.point(x), home)[0]

    def learn_one(self, x: Mapping[Any, Any], home: int | None = None) -> None:
        """An account has this profile."""
        point = self.point(x)
        self.sums[self.place(point, home)[0]].add(point)

    def revert(self, x: Mapping[Any, Any], home: int | None = None) -> None:
        """It has it no more. Undoes `learn_one` of the same, exactly."""
        point = self.point(x)
        self.sums[self.place(point, home)[0]].remove(point)

    def place(self, point: Point, home: int | None = None) -> tuple[int, float]:
        """Segment of a point, and the distance to its centre. The first wins where several are nearest."""
        best, least = -1, float("inf")
        for segment, at in self._at.items():
            far = dist(point, at)
            if far < least:
                best, least = segment, far
        if home is not None and home != best and home in self._at:
            from_home = dist(point, self._at[home])
            if least >= (1 - self.margin) * from_home:
                return home, from_home
        return best, least

    def __iadd__(self, other: "AccountSwap") -> "AccountSwap":
        """Takes in the accounts of another partition with the same scaler and centres."""
        if (self._at, self._scaler.version) != (other._at, other._scaler.version):
            raise ValueError("segments of different epochs or scales cannot be merged")
        for segment, sums in other.sums.items():
            self.sums[segment].merge(sums)
        return self

    def recentred(self) -> "AccountSwap":
        """The next epoch's: centres where the accounts are, nobody in. An empty segment stays where it is."""
        centers = [
            Center(segment, sums.mean() if sums.count else self._at[segment])
            for segment, sums in self.sums.items()
        ]
        return AccountSwap(self.scaler, centers, self.margin)

    def snapshot(self) -> bytes:
        """Centres and sums with the scale."""
        scale, version = self._scaler.columns, self._scaler.version
        state = _State(scale, version, self.centers, self.margin, self.scaler is not None, self.sums)
        return pack("account swap", _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "AccountSwap":
        """The segments in a snapshot. Raises `UnreadableError` where it is of another version, or none."""
        state = unpack(snapshot, "account swap", _VERSION, _State)
        made = cls(Scaler(state.columns, state.scale) if state.scaled else None, state.centers, state.margin)
        made.sums = state.sums
        return made

    def error(self) -> float:
        """The sum of squared distances of all accounts from their segments' centres."""
        return sum(sums.squares_from(self._at[segment]) for segment, sums in self.sums.items())


def empty(features: int) -> Sums:
    """Of a segment without accounts."""
    return Sums(0, [0.0] * features, [0.0] * features)
