"""Segments of CDNOW's customers, week by week: account swap, batch k-means and River's clusterers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from river import cluster

from benchmarks.evaluate import data
from benchmarks.evaluate.plots import layers
from benchmarks.report import Figures
from online_models import kmeans
from online_models.scaling import Point, Scaler, fit
from online_models.segmentation import Segmentation
from online_models.transitions import same_number

START = date(1997, 1, 1).toordinal()
FIRST, LAST = 20, 78  # weeks; by the first, everybody has bought
K = 6
FEATURES = {"days_since": "log", "orders": "log", "value": "log", "cds": "log", "span": "log"}

Labels = list[dict[str, int]]  # per week: segment of each customer


def profile(bought: Sequence[data.Purchase], day: int) -> dict[str, float]:
    """A customer as known at the end of a day."""
    known = [one for one in bought if one.day <= day]
    orders = len({one.day for one in known})
    return {
        "days_since": day - known[-1].day,
        "orders": orders,
        "value": sum(one.value for one in known) / orders,
        "cds": sum(one.cds for one in known) / orders,
        "span": known[-1].day - known[0].day,
    }


def account_swap(
    weeks: Sequence[Mapping[str, dict[str, float]]], margin: float
) -> tuple[Labels, list[float], Segmentation]:
    """Labels, and the error as the model has it: distances from its own centres."""
    book = Segmentation(FEATURES, margin=margin, k=K)
    labels, errors = [], []
    for week in weeks:
        for who, told in week.items():
            book.swap(who, told)
        book.close_epoch()
        labels.append({who: member.segment or 0 for who, member in book.members.items()})
        errors.append(book.model.error())
    return labels, errors, book


def batch(points: Sequence[Mapping[str, Point]], starts: int) -> tuple[Labels, list[float]]:
    """k-means of each week alone, the best of several starts and of last week's centres; numbers matched."""
    labels: Labels = []
    errors, centers = [], None
    for number, week in enumerate(points):
        everybody = np.array(list(week.values()))
        runs = [kmeans.cluster(everybody, K, number, starts)]
        if centers is not None:
            runs.append(kmeans.lloyd(everybody, centers))
        centers, found, error = min(runs, key=lambda run: run[2])
        now = dict(zip(week, found.tolist(), strict=True))
        if labels:
            ids = same_number(labels[-1], now)
            now = {who: ids[segment] for who, segment in now.items()}
        labels.append(now)
        errors.append(error)
    return labels, errors


def per_event(
    model: Any,
    bought: Mapping[str, Sequence[data.Purchase]],
    scaler: Scaler,
    points: Sequence[Mapping[str, Point]],
) -> Labels:
    """A clusterer of River's that learns from every purchase, asked for everybody at the end of each week."""
    events = sorted((one.day, who) for who, all_of in bought.items() for one in all_of)
    labels, at = [], 0
    for number, week in enumerate(points):
        day = START + 7 * (FIRST + number)
        while at < len(events) and events[at][0] <= day:
            then, who = events[at]
            model.learn_one(dict(enumerate(scaler.point(profile(bought[who], then)))))
            at += 1
        labels.append({who: model.predict_one(dict(enumerate(point))) for who, point in week.items()})
    return labels


def flips(labels: Labels) -> float:
    """Share of customers whose segment is another one than a week before."""
    moved = [
        sum(segment != before[who] for who, segment in now.items()) / len(now)
        for before, now in pairwise(labels)
    ]
    return sum(moved) / len(moved)


def most(labels: Labels) -> str:
    """Segments in use in the week that has the most."""
    return str(max(len(set(week.values())) for week in labels))


def error(week: Mapping[str, Point], labels: Mapping[str, int]) -> float:
    """The sum of squared distances of each from the middle of its segment."""
    everybody, segments = np.array(list(week.values())), np.array([labels[who] for who in week])
    return float(
        sum(
            ((part - part.mean(axis=0)) ** 2).sum()
            for part in (everybody[segments == s] for s in set(segments.tolist()))
        )
    )


def rivals(seed: int = 1) -> dict[str, Callable[[], Any]]:
    """River's clusterers as they are set by default, with as many segments."""
    return {
        "River KMeans per event": lambda: cluster.KMeans(n_clusters=K, seed=seed),
        "River STREAMKMeans per event": lambda: cluster.STREAMKMeans(n_clusters=K, chunk_size=100, seed=seed),
        "River CluStream per event": lambda: cluster.CluStream(
            n_macro_clusters=K, max_micro_clusters=60, seed=seed
        ),
        "River DBSTREAM per event": lambda: cluster.DBSTREAM(clustering_threshold=1.0, fading_factor=0.001),
    }


def figures(quick: bool) -> Figures:
    """Flips and error of each, and how the number of segments would be chosen."""
    bought = data.cdnow()
    if quick:
        bought = dict(list(bought.items())[:400])
    weeks = [
        {who: profile(one, START + 7 * week) for who, one in bought.items()} for week in range(FIRST, LAST)
    ]
    scaler = fit(list(weeks[0].values()), FEATURES, 1)
    points = [{who: scaler.point(told) for who, told in week.items()} for week in weeks]
    best_labels, best = batch(points, starts=2 if quick else 8)
    rows = [["weekly batch k-means, numbers matched", f"{flips(best_labels):.1%}", "1.000", "", str(K)]]
    book = None
    for name, margin in (("**account swap**, no margin", 0.0), ("**account swap**, margin 10 %", 0.1)):
        labels, errors, book = account_swap(weeks, margin)
        ratios = [ours / theirs for ours, theirs in zip(errors, best, strict=True)]
        rows.append(
            [name, f"{flips(labels):.1%}", f"{np.mean(ratios):.3f}", f"{max(ratios):.3f}", most(labels)]
        )
    assert book is not None
    layers(
        "models/segments.svg",
        f"CDNOW's {len(bought):,} customers in {K} segments, weeks {FIRST} to {LAST - 1}",
        [{segment: list(week.values()).count(segment) for segment in set(week.values())} for week in labels],
        {center.id: told(book, center.id, center.at) for center in book.model.centers},
    )
    for name, make in rivals().items():
        labels = per_event(make(), bought, scaler, points)
        ratios = [error(week, now) / theirs for week, now, theirs in zip(points, labels, best, strict=True)]
        rows.append(
            [name, f"{flips(labels):.1%}", f"{np.mean(ratios):.3f}", f"{max(ratios):.3f}", most(labels)]
        )
    evidence = [
        [str(one.k), f"{one.apart:.2f}", f"{one.agreement:.2f}", str(one.smallest), one.why or "stands"]
        for one in kmeans.evidence(list(points[0].values())[:: 3 if not quick else 1], 0)
    ]
    return [
        (
            f"Segments of {len(bought):,} CDNOW customers, {K} segments, {len(weeks)} weeks",
            ["", "flips per week", "error, mean", "error, worst week", "segments"],
            [[*row[:1], *(cell.replace("%", " %") for cell in row[1:])] for row in rows],
            "Error: sum of squared distances ÷ that of the best batch k-means of the same week. Ours are "
            "from the centres it had told, River's from the middles of its segments. "
            "Aim: flips at most 2.0 %, error at most 1.03.",
        ),
        (
            "Which number of segments stands (week 20)",
            ["k", "apart", "agreement", "smallest", ""],
            evidence,
            "Apart: simplified silhouette. Agreement: adjusted Rand index between halves of the accounts.",
        ),
    ]


def told(book: Segmentation, segment: int, at: Point) -> str:
    """A segment in words: its middle."""
    scaler = book.model.scaler or Scaler()
    days, orders, value, cds, _ = (scaler.told(i, x) for i, x in enumerate(at))
    return f"{segment}: {days:.0f} days since, {orders:.1f} orders of {value:.0f} dollars and {cds:.1f} CDs"
