"""Conversion on Caravan (insurance sold to 6 % of the households), with outcomes that come late."""

import random
from collections.abc import Sequence

from river import linear_model, optim, preprocessing

from benchmarks.evaluate import data
from benchmarks.evaluate.plots import reliability
from benchmarks.report import Figures
from online_models.calibration import Judged, ranked_auc, reliability_error
from online_models.conversion import Conversion, numbers

WIN_DELAY, LOSS_DELAY = 300, 600  # further hand-offs, on average, until the outcome is told
WARM = 1_000  # hand-offs before it is looked at
REPEATS = 3  # orders of the households

Lead = tuple[dict[str, float], bool, int]  # profile, won, told after so many further hand-offs


def leads(seed: int) -> list[Lead]:
    rng = random.Random(seed)
    rows = data.caravan()
    rng.shuffle(rows)
    return [(x, won, 1 + int(rng.expovariate(1 / (WIN_DELAY if won else LOSS_DELAY)))) for x, won in rows]


def ours(stream: Sequence[Lead]) -> tuple[list[tuple[float, bool]], Conversion]:
    model, told = Conversion(), []
    due: dict[int, list[tuple[str, bool]]] = {}
    for n, (x, won, after) in enumerate(stream):
        for handoff, ended in due.pop(n, []):
            model.outcome(handoff, ended)
        found = model.probability(x)
        told.append((found.value if found else 0.5, won))
        model.handed_off(str(n), x)
        due.setdefault(n + after, []).append((str(n), won))
    return told, model


def plain(stream: Sequence[Lead], *, waits: bool) -> list[tuple[float, bool]]:
    """River's regression alone: it takes what is not won yet as lost for good, or waits for the outcome.

    An oracle would wait for nothing: `waits` with delays of 0.
    """
    scaler = preprocessing.StandardScaler()
    slower = optim.schedulers.InverseScaling(0.2, power=0.5)
    model = linear_model.LogisticRegression(
        optimizer=optim.SGD(slower), intercept_lr=slower, intercept_init=-1.5
    )
    due: dict[int, list[tuple[dict[str, float], bool]]] = {}
    told = []
    for n, (x, won, after) in enumerate(stream):
        plain_x = numbers(x)
        for late, ended in due.pop(n, []):
            model.learn_one(scaler.transform_one(late), ended)
        told.append((model.predict_proba_one(scaler.transform_one(plain_x))[True], won))
        scaler.learn_one(plain_x)
        if waits:
            due.setdefault(n + after, []).append((plain_x, won))
        else:
            model.learn_one(scaler.transform_one(plain_x), False)
            if won:
                due.setdefault(n + after, []).append((plain_x, True))
    return told


def figures(quick: bool) -> Figures:
    """AUC and calibration error, and how much the order of arrival matters."""
    found: dict[str, list[tuple[float, float]]] = {}
    plot = {}
    for seed in range(1 if quick else REPEATS):
        stream = leads(seed)[: 2_500 if quick else None]
        ways = {
            "**delay corrected and calibrated**": ours(stream)[0],
            "not yet counts as lost, won once more": plain(stream, waits=False),
            "waits for outcomes": plain(stream, waits=True),
            "oracle: outcomes at once": plain([(x, won, 1) for x, won, _ in stream], waits=True),
        }
        for name, told in ways.items():
            judged = told[WARM:]
            found.setdefault(name, []).append((ranked_auc(judged) or 0.5, reliability_error(judged)))
            plot[name.strip("*")] = points(judged)
    reliability("models/conversion.svg", "Told probability against the share that was won", plot)
    rows = [
        [name, *(f"{sum(one[i] for one in each) / len(each):.3f}" for i in (0, 1))]
        for name, each in found.items()
    ]
    return [
        (
            f"Caravan: 5,822 hand-offs, 6 % won, told {WIN_DELAY} or (lost) {LOSS_DELAY} hand-offs later",
            ["", "AUC", "calibration error"],
            rows,
            f"Means of {REPEATS} orders, without the first {WARM:,} hand-offs. The same told in another "
            f"order (up to 200 places) moves a probability by {order_matters(quick):.3f} on average.",
        )
    ]


def points(judged: Judged, parts: int = 8) -> list[tuple[float, float]]:
    """Mean probability and share that came, in parts of equal size."""
    ordered = sorted(judged)
    cut = [ordered[i * len(ordered) // parts : (i + 1) * len(ordered) // parts] for i in range(parts)]
    return [(sum(p for p, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in cut]


def order_matters(quick: bool) -> float:
    """The mean difference of probabilities between two models that were told the same in two orders."""
    stream = leads(0)[: 2_500 if quick else None]
    other = [
        stream[i] for i in sorted(range(len(stream)), key=lambda i: i + random.Random(i).uniform(0, 200))
    ]
    one, two = ours(stream)[1], ours(other)[1]
    both = [(one.probability(x), two.probability(x)) for x, _, _ in stream[-500:]]
    return sum(abs(a.value - b.value) for a, b in both if a and b) / len(both)
