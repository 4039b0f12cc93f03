"""What a call of each model costs, beside River's own."""

import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from river import cluster, linear_model, preprocessing

from online_models.conversion import Conversion
from online_models.rhythms import Rhythms
from online_models.segmentation import Segmentation

FEATURES, SEGMENTS, ACCOUNTS = 12, 8, 500


class Cost(NamedTuple):
    name: str
    us: float  # microseconds a call, median
    aim: float | None


def _median(call: Callable[[int], Any], number: int) -> float:
    """The median time of a call in microseconds, in batches of ten."""
    taken = []
    for batch in range(number // 10):
        begun = time.perf_counter_ns()
        for n in range(batch * 10, batch * 10 + 10):
            call(n)
        taken.append((time.perf_counter_ns() - begun) / 10_000)
    return median(taken)


def measure(quick: bool) -> list[Cost]:
    number = 1_000 if quick else 5_000
    rng = random.Random(1)
    profiles = [
        {f"f{i}": rng.lognormvariate(n % SEGMENTS * (i % 3), 0.3) for i in range(FEATURES)}
        for n in range(2 * ACCOUNTS)
    ]
    book = Segmentation({f"f{i}": "log" for i in range(FEATURES)}, k=SEGMENTS)
    for n in range(ACCOUNTS):
        book.swap(f"a{n}", profiles[n])
    book.close_epoch()

    def swap(n: int) -> None:
        book.swap(f"a{n % ACCOUNTS}", profiles[(n * 7 + n // ACCOUNTS) % len(profiles)])

    means = cluster.KMeans(n_clusters=SEGMENTS, seed=1)
    micro = cluster.CluStream(n_macro_clusters=SEGMENTS, seed=1)
    scaled = [dict(enumerate(book.model.point(one))) for one in profiles]

    rhythms = Rhythms()
    for n in range(ACCOUNTS):
        for day in range(0, 200, 5 + n % 20):
            rhythms.learn_one(f"c{n}", day)

    model = Conversion()
    river = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    for n in range(300):
        model.learn_one(profiles[n], n % 3 == 0)

    def hand_off(n: int) -> None:
        model.handed_off(f"h{n}", profiles[n % len(profiles)])

    def outcome(n: int) -> None:
        model.outcome(f"h{n}", n % 3 == 0)

    calls: list[tuple[str, Callable[[int], Any], float | None]] = [
        (f"segment: a changed profile, {FEATURES} features, {SEGMENTS} segments", swap, 20),
        ("  River KMeans.learn_one", lambda n: means.learn_one(scaled[n % 1_000]), None),
        ("  River CluStream.learn_one", lambda n: micro.learn_one(scaled[n % 1_000]), None),
        ("inactivity: learn", lambda n: rhythms.learn_one(f"c{n % ACCOUNTS}", 200 + n // ACCOUNTS), 5),
        ("inactivity: predict", lambda n: rhythms.predict_one(f"c{n % ACCOUNTS}", 400), 5),
        ("conversion: probability and reasons", lambda n: model.probability(profiles[n % 1_000]), 20),
        ("conversion: a hand-off", hand_off, 20),
        ("conversion: an outcome", outcome, 20),
        (
            "  River, the same regression: predict",
            lambda n: river.predict_proba_one(profiles[n % 1_000]),
            None,
        ),
        (
            "  River, the same regression: learn",
            lambda n: river.learn_one(profiles[n % 1_000], n % 3 == 0),
            None,
        ),
    ]
    return [Cost(name, _median(call, number), aim) for name, call, aim in calls]
