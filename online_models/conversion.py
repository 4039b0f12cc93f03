"""How likely a hand-off is to be won, learned from what became of earlier ones, although that is told late.

A hand-off counts as "not won yet" at once; when it is won, it counts again as won. So recent hand-offs teach
from the first day, and the model is not led by those that are decided fast. Every won one has then counted
twice, which makes the model see a share b = p / (1 + p) of wins where p are won: that is turned back, and the
rest of the error is taken away by a calibration on the latest decided ones.
"""

from collections.abc import Iterable, Mapping
from math import exp, log, log1p
from typing import Any, Final, NamedTuple

import msgspec
from river import base, linear_model, optim, preprocessing

from online_models.calibration import Platt, fit_platt, ranked_auc, reliability_error
from online_models.snapshots import pack, unpack

ENOUGH: Final = 50  # outcomes; before them nobody pretends to know
WINDOW: Final = 500  # latest outcomes that calibration and quality look at
REFIT: Final = 25  # outcomes between two calibrations
TERMS: Final = 5  # that explain a probability
FEATURES: Final = 1_000  # that are learned; words that come later count for nothing
_RATE, _SHRINK = 0.2, 1e-4  # of learning, and of weights towards 0
_BEFORE: Final = -1.5  # log odds before anything is known: one in five
_WORD: Final = "="  # in the name of a feature that is a word
_VERSION: Final = 1


class Term(NamedTuple):
    """What one feature does to a probability."""

    feature: str
    effect: float  # on the log odds: 0.7 doubles the odds, -0.7 halves them


class Probability(NamedTuple):
    """Of being won, and why."""

    value: float
    terms: list[Term]  # the largest effects first
    outcomes: int  # that it rests on


class Quality(NamedTuple):
    """How good the probabilities of the latest decided hand-offs were, as told when they were made."""

    outcomes: int  # of these
    auc: float | None  # that a won one had a higher probability than one that was not; None: all are alike
    ece: float  # expected calibration error: how far probabilities were from shares, on average
    won: float  # share


class _Waiting(msgspec.Struct, array_like=True):
    x: dict[str, float]
    score: float
    told: float | None  # the probability when it was made


class _State(msgspec.Struct):
    counts: dict[str, float]
    means: dict[str, float]
    squares: dict[str, float]
    weights: dict[str, float]
    intercept: float
    steps: int
    waiting: dict[str, _Waiting]
    decided: list[tuple[float, bool]]
    judged: list[tuple[float, bool]]
    platt: Platt
    outcomes: int
    rate: float
    shrink: float


class Conversion(base.Classifier):
    """Logistic regression on the account's profile when it was handed off.

    Caveats: it learns in the order in which it is told; the same hand-offs in another order end in slightly
    other weights (docs/models.md says how much). Hand-offs whose outcome never comes count as not won.

    Parameters
    ----------
    rate
        Of learning: the n-th hand-off moves the weights by `rate` / √n times its error.
    shrink
        Pull of the weights towards 0.

    Examples
    --------
    >>> model = Conversion()
    >>> for n in range(200):
    ...     model.handed_off(f"h{n}", {"members": 1 + n % 5, "stage": "evaluation"})
    ...     if n >= 20:  # the outcome comes twenty hand-offs later
    ...         model.outcome(f"h{n - 20}", won=n % 5 >= 3)
    >>> [round(model.probability({"members": n}).value, 1) for n in (1, 3, 5)]
    [0.0, 0.5, 1.0]
    >>> model.probability({"members": 5}).terms[0].feature
    'members'
    >>> Conversion().probability({"members": 5})

    References
    ----------
    Ktena and others (2019), Addressing delayed feedback for continuous training with neural networks in CTR
    prediction (fake negative calibration). Platt (1999), Probabilistic outputs for support vector machines.
    """

    def __init__(self, rate: float = _RATE, shrink: float = _SHRINK) -> None:
        self.rate = rate
        self.shrink = shrink
        self._scaler = preprocessing.StandardScaler()
        slower = optim.schedulers.InverseScaling(rate, power=0.5)
        self._regression = linear_model.LogisticRegression(
            optimizer=optim.SGD(slower), intercept_lr=slower, l2=shrink, intercept_init=_BEFORE
        )
        self._waiting: dict[str, _Waiting] = {}
        self._decided: list[tuple[float, bool]] = []  # score, won
        self._judged: list[tuple[float, bool]] = []  # probability when it was made, won
        self._platt = Platt(1.0, 0.0)
        self._outcomes = 0

    def handed_off(self, handoff: str, profile: Mapping[Any, Any]) -> None:
        """An account is handed to sales. A second time the same is no news."""
        if handoff in self._waiting:
            return
        x = numbers(profile)
        known = self._regression._weights
        if len(known) + len(x) > FEATURES:
            x = {name: value for name, value in x.items() if name in known}
        scaled = self._scaled(x)
        score = self._score(scaled)
        told = self._platt.probability(score) if self._outcomes >= ENOUGH else None
        self._waiting[handoff] = _Waiting(x, score, told)
        self._scaler.learn_one({name: value for name, value in x.items() if _WORD not in name})
        self._regression.learn_one(scaled, False)

    def outcome(self, handoff: str, won: bool) -> None:
        """It ended: won, or in any other way. Of one that is not known, or has ended, it is no news."""
        waiting = self._waiting.pop(handoff, None)
        if waiting is None:
            return
        if won:
            self._regression.learn_one(self._scaled(waiting.x), True)
        self._outcomes += 1
        self._decided = [*self._decided, (waiting.score, won)][-WINDOW:]
        if waiting.told is not None:
            self._judged = [*self._judged, (waiting.told, won)][-WINDOW:]
        if self._outcomes % REFIT == 0:
            self._platt = fit_platt(self._decided)

    def learn_one(self, x: Mapping[Any, Any], y: Any) -> None:  # River's: outcome and hand-off at once
        """A hand-off of an account with this profile, whose outcome is known."""
        self.handed_off("", x)
        self.outcome("", bool(y))

    def predict_proba_one(self, x: Mapping[Any, Any], **_: Any) -> dict[Any, float]:
        """River's form; also before there are enough outcomes."""
        value = self._platt.probability(self._score(self._scaled(numbers(x))))
        return {False: 1 - value, True: value}

    def probability(self, profile: Mapping[Any, Any]) -> Probability | None:
        """How likely such a hand-off is to be won, and what makes it so; None: fewer than 50 outcomes."""
        if self._outcomes < ENOUGH:
            return None
        scaled = self._scaled(numbers(profile))
        weights = self._regression._weights
        slope = self._platt.slope
        effects = [Term(name, slope * weights.get(name, 0.0) * value) for name, value in scaled.items()]
        terms = sorted(
            (one for one in effects if one.effect), key=lambda one: (-abs(one.effect), one.feature)
        )
        return Probability(self._platt.probability(self._score(scaled)), terms[:TERMS], self._outcomes)

    def quality(self) -> Quality | None:
        """None: fewer than 50 probabilities that were told have met their outcome."""
        if len(self._judged) < ENOUGH:
            return None
        won = sum(y for _, y in self._judged) / len(self._judged)
        return Quality(len(self._judged), ranked_auc(self._judged), reliability_error(self._judged), won)

    def snapshot(self) -> bytes:
        """All of it."""
        scaler, regression = self._scaler, self._regression
        state = _State(
            counts=_plain(scaler.counts),
            means=_plain(scaler.means),
            squares=_plain(scaler.vars),
            weights=_plain(regression.weights),
            intercept=float(regression.intercept),
            steps=regression.optimizer.n_iterations,
            waiting=dict(sorted(self._waiting.items())),
            decided=self._decided,
            judged=self._judged,
            platt=self._platt,
            outcomes=self._outcomes,
            rate=self.rate,
            shrink=self.shrink,
        )
        return pack("conversion", _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "Conversion":
        """The model in a snapshot. Raises `UnreadableError` where it is of another version, or none."""
        state = unpack(snapshot, "conversion", _VERSION, _State)
        made = cls(state.rate, state.shrink)
        made._scaler.counts.update(state.counts)
        made._scaler.means.update(state.means)
        made._scaler.vars.update(state.squares)
        made._regression._weights.update(state.weights)
        made._regression.intercept = state.intercept
        made._regression.optimizer.n_iterations = state.steps
        made._waiting, made._decided, made._judged = state.waiting, state.decided, state.judged
        made._platt, made._outcomes = state.platt, state.outcomes
        return made

    def _scaled(self, x: dict[str, float]) -> dict[str, float]:
        """Words are 1; numbers around 0 with a spread of about 1, giants no farther than 4.

        What was never learned does not count.
        """
        known = self._scaler.counts
        plain = {name: value for name, value in x.items() if name in known}
        scaled: dict[str, float] = self._scaler.transform_one(plain)
        for name, value in scaled.items():
            if not -4.0 < value < 4.0:
                scaled[name] = 4.0 if value > 0 else -4.0
        for name, value in x.items():
            if _WORD in name:
                scaled[name] = value
        return scaled

    def _score(self, scaled: dict[str, float]) -> float:
        """The log odds of being won, with the double counting turned back: p = b / (1 - b)."""
        seen = self._regression._raw_dot_one(scaled)  # log(b / (1 - b)) = log(p)
        share = min(exp(min(seen, 0.0)), 0.999)
        return log(share / (1 - share))


def _plain(numbers_by_name: Mapping[Any, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in sorted(numbers_by_name.items())}


def numbers(profile: Mapping[Any, Any]) -> dict[str, float]:
    """What can be learned of a profile: amounts by their logarithm, words and lists of words each by itself.

    >>> numbers({"revenue": 0, "stage": "evaluation", "roles": ["user", "buyer"], "dense": True, "x": None})
    {'revenue': 0.0, 'stage=evaluation': 1.0, 'roles=user': 1.0, 'roles=buyer': 1.0, 'dense': 1.0}
    """
    found: dict[str, float] = {}
    for key, value in profile.items():
        name = str(key).replace(_WORD, " ")
        if isinstance(value, bool):
            found[name] = float(value)
        elif isinstance(value, str):
            found[f"{name}={value}"] = 1.0
        elif isinstance(value, int | float):
            if abs(value) < 1e300:  # neither infinite nor not a number
                found[name] = log1p(value) if value >= 0 else -log1p(-value)
        elif isinstance(value, Iterable) and not isinstance(value, Mapping):
            found.update({f"{name}={word}": 1.0 for word in value if isinstance(word, str)})
    return found
