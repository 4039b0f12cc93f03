"""The models that ours are compared with: BG/NBD and Pareto/NBD, fitted here."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, gammaln, hyp2f1

History = tuple[int, float, float]  # repeats, recency, age in weeks
Values = NDArray[np.float64]


def maximise(
    likelihood: Callable[[Values, Any, Any, Any], Values],
    histories: Sequence[History],
    start: Sequence[float],
) -> tuple[list[float], float]:
    """The parameters, all above 0, that make the histories most likely, and the log-likelihood."""
    counted = sorted(Counter(histories).items())
    x, recency, age, number = np.array([[*history, n] for history, n in counted], dtype=float).T

    def loss(logs: Values) -> float:
        return -float((number * likelihood(np.exp(logs), x, recency, age)).sum())

    first = minimize(
        loss, np.log(start), method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-5, "fatol": 1e-6}
    )
    return [float(value) for value in np.exp(first.x)], -float(first.fun)


def bg_nbd(values: Values, x: Any, recency: Any, age: Any) -> Values:
    """Log-likelihood per history: Fader, Hardie, Lee (2005), Counting your customers the easy way."""
    r, alpha, a, b = values
    rates = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stays = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + age)
    gone = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + recency)
    result: Values = rates + stays + np.where(x > 0, np.logaddexp(alive, gone), alive)
    return result


def bg_alive(values: Sequence[float], x: Any, recency: Any, age: Any) -> Values:
    """P(alive): 1 for everybody without a repeat."""
    r, alpha, a, b = values
    odds = np.log(a / (b + np.maximum(x, 1) - 1)) + (r + x) * np.log((alpha + age) / (alpha + recency))
    result: Values = np.where(x > 0, expit(-odds), 1.0)
    return result


def _left(values: Sequence[float] | Values, x: Any, recency: Any, age: Any) -> tuple[Any, Any, Any]:
    """Logarithms of the parts of Pareto/NBD's likelihood: in common, alive, and gone."""
    r, alpha, s, beta = values
    large, other = max(alpha, beta), (s + 1 if alpha >= beta else r + x)
    whole = r + s + x

    def term(at: Any) -> Any:
        return np.log(hyp2f1(whole, other, whole + 1, abs(alpha - beta) / (large + at))) - whole * np.log(
            large + at
        )

    until, now = term(recency), term(age)
    gone = until + np.log(np.maximum(-np.expm1(np.minimum(now - until, 0)), 1e-300)) + np.log(s / whole)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return common, -(r + x) * np.log(alpha + age) - s * np.log(beta + age), gone


def pareto_nbd(values: Values, x: Any, recency: Any, age: Any) -> Values:
    """Log-likelihood per history: Schmittlein and others (1987), as Fader and Hardie (2005) write it."""
    common, alive, gone = _left(values, x, recency, age)
    result: Values = common + np.logaddexp(alive, gone)
    return result


def pareto_alive(values: Sequence[float], x: Any, recency: Any, age: Any) -> Values:
    """P(alive)."""
    _, alive, gone = _left(values, x, recency, age)
    result: Values = expit(alive - gone)
    return result
