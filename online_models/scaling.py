"""Features on one scale: logarithms, then quantiles, frozen at a version.

A scale that moved with each event would move every account a little, and segments with them. So it is fitted
once on the accounts there are, gets a number, and stays; a new one is fitted only together with a new number
of segments.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import copysign, expm1, floor, isfinite, log1p
from typing import Any, Final

import msgspec
from river import base

from online_models.snapshots import pack, unpack

Point = tuple[float, ...]
"""A profile on the scale: one number per feature, in the scaler's order."""

GRID: Final = 4096.0
"""Scaled values are multiples of 1/4096. Sums of them, and of their squares, are exact in floats up to 500
million units: whatever the order of adding and taking away, whichever partition held whom."""

_FAR: Final = 4.0  # scaled: nobody is farther from the middle, or one giant would be a segment's centre
_NORMAL: Final = 2.5631  # standard deviations between the 10 % and the 90 % quantile of a normal distribution
_VERSION: Final = 1  # of the snapshot
_NUMBERS: Final = (int, float)
_KINDS: Final = ("log", "linear")


class Column(msgspec.Struct, frozen=True):
    """How one feature is scaled: (value or log(1 + value), minus `middle`) / `width`."""

    name: str
    log: bool
    middle: float
    width: float  # 0: everybody is alike in it, so it says nothing


class _State(msgspec.Struct):
    columns: list[Column]
    version: int


class Scaler(base.Transformer):
    """Maps profiles to numbers around 0 with a spread of about 1; what is missing is in the middle.

    Parameters
    ----------
    columns
        One per feature; `fit` makes them.
    version
        Of the fit; points of different versions cannot be compared.

    Examples
    --------
    >>> profiles = [{"orders": n, "share": n / 100} for n in range(101)]
    >>> scaler = fit(profiles, {"orders": "log", "share": "linear"}, version=1)
    >>> scaler.point({"share": 0.5, "orders": 50, "colour": "red"})
    (0.0, 0.0)
    >>> scaler.transform_one({"share": 0.9})
    {'orders': 0.0, 'share': 1.281494140625}
    """

    def __init__(self, columns: Sequence[Column] | None = None, version: int = 0) -> None:
        self.columns = list(columns or ())  # River cannot copy an empty tuple
        self.version = version

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {
            "columns": (Column("ordinal_date", True, 13.5, 0.01), Column("five_thirty_eight", False, 40, 2))
        }

    def point(self, x: Mapping[Any, Any]) -> Point:
        """The profile on the scale."""
        return tuple([_scaled(column, x.get(column.name)) for column in self.columns])

    def transform_one(self, x: dict[Any, Any]) -> dict[Any, Any]:
        """The profile on the scale, by name."""
        return {column.name: _scaled(column, x.get(column.name)) for column in self.columns}

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Nothing: it is frozen."""

    def snapshot(self) -> bytes:
        """The scale, for whoever places accounts elsewhere or later."""
        return pack("scaler", _VERSION, _State(self.columns, self.version))

    @classmethod
    def restore(cls, snapshot: bytes) -> "Scaler":
        """The scaler in a snapshot. Raises `UnreadableError` where it is of another version, or none."""
        state = unpack(snapshot, "scaler", _VERSION, _State)
        return cls(state.columns, state.version)

    def told(self, column: int, value: float) -> float:
        """A scaled value in the unit of its feature again."""
        made = self.columns[column]
        plain = made.middle + value * made.width
        return expm1(plain) if made.log else plain


def fit(profiles: Sequence[Mapping[Any, Any]], features: Mapping[str, str], version: int) -> Scaler:
    """The scaler for these profiles, whatever their order.

    Parameters
    ----------
    features
        What each feature is: `log` (amounts, counts, ages: twice as much is as far at 10 as at 1,000; not
        below 0) or `linear` (shares, scores).

    Raises
    ------
    ValueError
        for another kind than these.
    """
    columns = []
    for name, kind in features.items():
        if kind not in _KINDS:
            raise ValueError(f"feature {name}: {kind!r} is none of {', '.join(_KINDS)}")
        is_log = kind == "log"
        values = sorted(value for x in profiles if (value := _number(x.get(name), is_log)) is not None)
        columns.append(Column(name, is_log, *_middle_and_width(values)))
    return Scaler(columns, version)


def _middle_and_width(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 0.0
    low, middle, high = (_quantile(values, share) for share in (0.1, 0.5, 0.9))
    width = (high - low) / _NORMAL
    if not width:  # at least 80 % are alike: what the others differ by
        mean = sum(values) / len(values)
        width = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return middle, width


def _quantile(values: Sequence[float], share: float) -> float:
    """Of ascending values, between the two that are next to it."""
    at = share * (len(values) - 1)
    below = int(at)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (at - below)


def _number(value: object, is_log: bool) -> float | None:
    if not isinstance(value, _NUMBERS) or not isfinite(value):
        return None
    if is_log:
        return log1p(value) if value > 0 else 0.0
    return float(value)


def _scaled(column: Column, value: object) -> float:
    if value is None or not column.width or not isinstance(value, _NUMBERS) or not isfinite(value):
        return 0.0
    plain = value if not column.log else log1p(value) if value > 0 else 0.0
    far = (plain - column.middle) / column.width
    return floor(far * GRID + 0.5) / GRID if -_FAR < far < _FAR else copysign(_FAR, far)
