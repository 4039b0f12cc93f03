"""Inactivity as a model that learns: everybody's rhythm, the parameters that fit them, and the alarms.

`online_models.inactivity` has the formulas. Here is who was active how often (three numbers each), the fit of
r, alpha, a, b on them at the end of each epoch, and thresholds that keep false alarms rare. All follows from
the active days that were told, in whatever order.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from online_models.inactivity import Parameters, alarm_gap, p_active, p_alive
from online_models.snapshots import pack, unpack

REGULAR: Final = 3  # active days from which on a rhythm can be spoken of
ENOUGH: Final = 50  # regulars; with fewer the parameters are CDNOW's
FALSE_ALARMS, QUIET_FALSE_ALARMS = 0.1, 0.2  # shares of the gaps that ended in which an alarm may be raised
QUIET, SILENT = 0.5, 0.3  # of P(alive), until there is enough to calibrate them
HORIZON: Final = 30 / 7  # weeks in which P(active) asks for a touch
RECENT: Final = 64  # active days per somebody whose gaps count for the thresholds
_WEEK: Final = 7.0  # days
_VERSION: Final = 1


class Fit(msgspec.Struct, frozen=True):
    """Parameters and thresholds, and from when on they hold."""

    version: int  # 0: nobody fitted them
    since_day: int  # event time: alarms on or after this day follow them
    parameters: Parameters
    quiet: float  # P(alive) below which somebody is quiet
    silent: float  # and silent
    false_alarms: float | None  # share of the completed gaps with a silent alarm; None: unknown
    regulars: int  # somebodies with a rhythm that it rests on


class Standing(NamedTuple):
    """What is known of somebody on a day."""

    level: str  # unknown, active, quiet, silent
    p_active: float | None  # of a touch within 30 days; None: unknown
    p_alive: float | None
    recency_days: int  # since the last active day: look at it beside the model
    alarm_days: float | None  # after the last active day they are silent; None: unknown


class _State(msgspec.Struct):
    days: dict[str, list[int]]
    counts: dict[str, tuple[int, int]]
    fits: list[Fit]
    horizon: float


class Rhythms:
    """The rhythm of each contact, or of each account, of a tenant.

    Caveats: somebody with fewer than three active days is unknown. Of more than 64 days the first, the number
    and the latest 64 are kept; a day before these that is told later, or twice, counts as a new one.

    Parameters
    ----------
    horizon
        Weeks in which `p_active` asks for an active day.

    Examples
    --------
    >>> rhythms = Rhythms()
    >>> for day in (100, 107, 110, 121):
    ...     rhythms.learn_one("c1", day)
    >>> [rhythms.predict_one("c1", day).level for day in (125, 160, 200)]
    ['active', 'quiet', 'silent']
    >>> rhythms.predict_one("c2", 125)
    Standing(level='unknown', p_active=None, p_alive=None, recency_days=0, alarm_days=None)
    """

    def __init__(self, horizon: float = HORIZON) -> None:
        self.horizon = horizon
        self.fits = [Fit(0, -(1 << 31), Parameters(), QUIET, SILENT, None, 0)]
        self._days: dict[str, list[int]] = {}  # the latest, ascending
        self._counts: dict[str, tuple[int, int]] = {}  # of those with more: the first day, days forgotten

    def learn_one(self, who: str, day: int) -> None:
        """They were active on that day (a number of days since any epoch)."""
        days = self._days.setdefault(who, [])
        if days and day > days[-1]:
            days.append(day)
        elif day in days:
            return
        else:
            days.append(day)
            days.sort()
        if len(days) > RECENT:
            gone = days.pop(0)
            first, forgotten = self._counts.get(who, (gone, 0))
            self._counts[who] = (min(first, gone), forgotten + 1)

    def remove(self, who: str) -> None:
        """They are gone: merged, erased."""
        self._days.pop(who, None)
        self._counts.pop(who, None)

    def statistics(self, who: str) -> tuple[int, float, int] | None:
        """Repeats, recency in weeks, and the last active day; None: never active."""
        days = self._days.get(who)
        if not days:
            return None
        first, forgotten = self._counts.get(who, (days[0], 0))
        return len(days) + forgotten - 1, (days[-1] - first) / _WEEK, days[-1]

    def fit_on(self, day: int) -> Fit:
        """The parameters and thresholds that hold on a day."""
        return next((fit for fit in reversed(self.fits) if fit.since_day <= day), self.fits[0])

    def predict_one(self, who: str, day: int) -> Standing:
        """What is known of them on a day that is not before their last active one."""
        known = self.statistics(who)
        if known is None:
            return Standing("unknown", None, None, 0, None)
        repeats, recency, last = known
        gap = max(day - last, 0)
        if repeats + 1 < REGULAR:
            return Standing("unknown", None, None, gap, None)
        fit = self.fit_on(day)
        age = recency + gap / _WEEK
        alive = p_alive(fit.parameters, repeats, recency, age)
        level = "silent" if alive < fit.silent else "quiet" if alive < fit.quiet else "active"
        active = p_active(fit.parameters, repeats, recency, age, self.horizon)
        alarm = alarm_gap(fit.parameters, repeats, recency, fit.silent) * _WEEK
        return Standing(level, active, alive, gap, alarm)

    def close_epoch(self, day: int) -> Fit | None:
        """Refits on everybody; what comes of it holds from `day` on. None: there are too few, or no news."""
        histories = [self.statistics(who) for who in sorted(self._days)]
        regulars = [known for known in histories if known and known[0] + 1 >= REGULAR]
        if len(regulars) < ENOUGH or day <= self.fits[-1].since_day:
            return None
        known = [(repeats, recency, recency + max(day - last, 0) / _WEEK) for repeats, recency, last in
                 (one for one in histories if one)]  # fmt: skip
        parameters = fit_parameters(known)
        ended = sorted(p_alive(parameters, *gap) for gap in self._completed())
        quiet = calibrate(ended, QUIET, QUIET_FALSE_ALARMS)
        silent = calibrate(ended, min(SILENT, quiet), FALSE_ALARMS)
        share = bisect_left(ended, silent) / len(ended) if ended else None
        made = Fit(len(self.fits), day, parameters, quiet, silent, share, len(regulars))
        self.fits.append(made)
        return made

    def snapshot(self) -> bytes:
        """All of it."""
        days, counts = dict(sorted(self._days.items())), dict(sorted(self._counts.items()))
        return pack("rhythms", _VERSION, _State(days, counts, self.fits, self.horizon))

    @classmethod
    def restore(cls, snapshot: bytes) -> "Rhythms":
        """The model in a snapshot. Raises `UnreadableError` where it is of another version, or none."""
        state = unpack(snapshot, "rhythms", _VERSION, _State)
        made = cls(state.horizon)
        made._days, made._counts, made.fits = state.days, state.counts, state.fits
        return made

    def _completed(self) -> Iterable[tuple[int, float, float]]:
        """The gaps of regulars that ended: repeats, recency when it began, and age when it ended (weeks)."""
        for who, days in self._days.items():
            first, forgotten = self._counts.get(who, (days[0], 0))
            for number, (last, then) in enumerate(pairwise(days), start=forgotten):
                if number + 1 >= REGULAR:
                    yield number, (last - first) / _WEEK, (then - first) / _WEEK


def fit_parameters(histories: Iterable[tuple[int, float, float]]) -> Parameters:
    """The parameters that make these histories (repeats, recency, age in weeks) most likely.

    Their order does not matter, nor what was fitted before. Costs a tenth of a second for 2,000 different
    ones. Parameters stay between 0.001 and 10,000.

    >>> lives = [(0, 0.0, 30.0)] * 60 + [(2, 9.0, 30.0)] * 25 + [(7, 28.0, 30.0)] * 15
    >>> found = fit_parameters(lives)
    >>> round(found.r / found.alpha, 2)  # active days a week while alive
    0.22
    """
    from scipy.optimize import minimize  # half a second to load, once an epoch

    counted = sorted(Counter(histories).items())
    columns = np.array([[*history, number] for history, number in counted], dtype=float).T
    log_start = np.log(msgspec.structs.astuple(Parameters()))

    def loss(logs: NDArray[np.float64]) -> float:
        return -_likelihood(np.exp(logs), *columns)

    found = minimize(
        loss, log_start, method="L-BFGS-B", bounds=[(-6.9, 9.2)] * 4,
        options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8},
    )  # fmt: skip
    return Parameters(*(float(value) for value in np.exp(found.x)))


def _likelihood(
    values: NDArray[np.float64],
    repeats: NDArray[np.float64],
    recency: NDArray[np.float64],
    age: NDArray[np.float64],
    number: NDArray[np.float64],
) -> float:
    """The mean of `inactivity.log_likelihood` over many histories."""
    from scipy.special import gammaln

    r, alpha, a, b = values
    gone = np.log(a / (b + repeats)) + (r + repeats) * np.log((alpha + age) / (alpha + recency))
    rates = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha) - (r + repeats) * np.log(alpha + age)
    stays = gammaln(b + repeats + 1) - gammaln(a + b + repeats + 1) + gammaln(a + b) - gammaln(b)
    return float((number * (rates + stays + np.logaddexp(0, gone))).sum() / number.sum())


def calibrate(ended: Sequence[float], threshold: float, most: float) -> float:
    """The threshold of P(alive), this or a lower one, that at most a share of `most` of the gaps fell below.

    `ended`: P(alive) at the end of each completed gap, ascending.

    >>> calibrate([0.1, 0.2, 0.6, 0.9], 0.5, 0.5), calibrate([0.1, 0.2, 0.6, 0.9], 0.5, 0.25)
    (0.5, 0.2)
    """
    allowed = int(most * len(ended))
    return min(threshold, ended[allowed]) if allowed < len(ended) else threshold


def together(standings: Iterable[Standing]) -> float | None:
    """The probability that at least one of them is active: 1 − ∏(1 − p). None where nobody is known.

    Of an account's members; it says who keeps it alive, the account's own rhythm says how it does as a whole.
    """
    idle = 1.0
    known = False
    for one in standings:
        if one.p_active is not None:
            known, idle = True, idle * (1 - one.p_active)
    return 1 - idle if known else None
