"""Where to begin, and how many segments there are: k-means on all accounts at once, and the evidence for k.

Seeded; runs only when segments begin or are doubted, on at most a sample of the accounts.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from online_models.scaling import GRID, Point

Points = NDArray[np.float64]  # accounts × features
Labels = NDArray[np.int64]

SMALLEST, LARGEST = 2, 12
"""Numbers of segments that are looked at."""

AGREE: Final = 0.85  # adjusted Rand index of two halves of the accounts
NEAR: Final = 0.9  # of the best number's silhouette
TINY: Final = 0.02  # share of the accounts that a segment must have
FEW: Final = 5  # accounts that a segment must have
_STARTS: Final = 8  # of which the best is taken
_HALF_STARTS: Final = 4
_SPLITS: Final = 3
_STEPS: Final = 50


class Evidence(msgspec.Struct, frozen=True):
    """What speaks for one number of segments."""

    k: int
    apart: float  # simplified silhouette, 0 to 1: how much nearer the own centre is than the next one
    agreement: float  # adjusted Rand index, up to 1: do two halves of the accounts tell the same story
    smallest: int  # accounts in the smallest segment
    error: float  # sum of squared distances
    stands: bool  # whether it is good enough to be chosen
    why: str  # it is not, in words


def distances(points: Points, centers: Points) -> Points:
    """Squared, accounts × centres."""
    return np.stack([((points - center) ** 2).sum(axis=1) for center in centers], axis=1)


def cluster(points: Points, k: int, seed: int, starts: int = _STARTS) -> tuple[Points, Labels, float]:
    """Centres, labels and error of the best of several runs of k-means++ and Lloyd's steps."""
    rng = np.random.default_rng(seed)
    runs = [lloyd(points, _plus_plus(points, k, rng)) for _ in range(starts)]
    return min(runs, key=lambda run: run[2])


def lloyd(points: Points, centers: Points, steps: int = _STEPS) -> tuple[Points, Labels, float]:
    """Lloyd's steps from these centres until nobody moves."""
    labels = np.full(len(points), -1)
    for _ in range(steps):
        far = distances(points, centers)
        now = far.argmin(axis=1)
        if (now == labels).all():
            break
        labels = now
        centers = np.stack(
            [
                points[labels == i].mean(axis=0) if (labels == i).any() else points[far.min(axis=1).argmax()]
                for i in range(len(centers))
            ]
        )
    far = distances(points, centers)
    return centers, far.argmin(axis=1), float(far.min(axis=1).sum())


def evidence(points: Sequence[Point], seed: int = 0) -> list[Evidence]:
    """For each number of segments that these accounts could have, ascending.

    A number stands when halves of the accounts, segmented apart, tell the same of who belongs together
    (adjusted Rand index: Hubert, Arabie 1985; stability: von Luxburg 2010), no segment is tiny, and segments
    are about as far apart as with the best number (simplified silhouette: Hruschka and others 2004).

    >>> places = ((0, 0), (3, 0), (0, 3))
    >>> blobs = [(x + i % 7 / 50, y + i % 5 / 50) for i in range(30) for x, y in places]
    >>> [e.k for e in evidence(blobs) if e.stands]
    [3]
    """
    everybody = np.array(points, dtype=float)
    rng = np.random.default_rng(seed)
    splits = [rng.permutation(len(everybody)) for _ in range(_SPLITS)]
    found = []
    for k in range(SMALLEST, min(LARGEST, len(np.unique(everybody, axis=0)) // 2) + 1):
        centers, labels, error = cluster(everybody, k, seed)
        smallest = int(np.bincount(labels, minlength=k).min())
        apart = _silhouette(everybody, centers)
        agreement = sum(_agreement(everybody[split], k, seed) for split in splits) / _SPLITS
        why = ""
        if smallest < max(FEW, TINY * len(everybody)):
            why = f"the smallest segment would have {smallest} accounts"
        elif agreement < AGREE:
            why = f"halves of the accounts agree by {agreement:.2f} only"
        found.append(Evidence(k, apart, agreement, smallest, error, not why, why))
    best = max((one.apart for one in found if one.stands), default=0.0)
    return [
        msgspec.structs.replace(
            one, stands=False, why=f"segments are less far apart: {one.apart:.2f}, not {best:.2f}"
        )
        if one.stands and one.apart < NEAR * best
        else one
        for one in found
    ]


def starting(points: Sequence[Point], k: int, seed: int = 0) -> list[Point]:
    """The centres of the best k segments, on the grid, in ascending order of their values."""
    centers, _, _ = cluster(np.array(points, dtype=float), k, seed)
    return sorted(tuple(round(float(x) * GRID) / GRID for x in center) for center in centers)


def _plus_plus(points: Points, k: int, rng: np.random.Generator) -> Points:
    chosen = [points[int(rng.random() * len(points))]]
    nearest = distances(points, np.stack(chosen))[:, 0]
    for _ in range(1, k):
        until = np.cumsum(nearest)
        at = int(np.searchsorted(until, rng.random() * until[-1], side="right"))
        chosen.append(points[min(at, len(points) - 1)])
        nearest = np.minimum(nearest, ((points - chosen[-1]) ** 2).sum(axis=1))
    return np.stack(chosen)


def _silhouette(points: Points, centers: Points) -> float:
    near: Any = np.sqrt(np.partition(distances(points, centers), 1, axis=1)[:, :2])
    return float(np.mean(1 - near[:, 0] / np.maximum(near[:, 1], 1e-12)))


def _agreement(points: Points, k: int, seed: int) -> float:
    """How alike the second half's own segments are to those that the first half's centres give it."""
    some, others = points[::2], points[1::2]
    if len(others) < 2 * k:
        return 0.0
    theirs, _, _ = cluster(some, k, seed, _HALF_STARTS)
    _, own, _ = cluster(others, k, seed, _HALF_STARTS)
    return adjusted_rand(own, distances(others, theirs).argmin(axis=1))


def adjusted_rand(some: Labels, others: Labels) -> float:
    """How alike two groupings are: 1 the same, about 0 by chance.

    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    1.0
    """
    both = np.zeros((int(some.max()) + 1, int(others.max()) + 1))
    np.add.at(both, (some, others), 1)

    def pairs(counts: Any) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    joined, first, second, all_pairs = (
        pairs(both), pairs(both.sum(axis=1)), pairs(both.sum(axis=0)), len(some) * (len(some) - 1) / 2
    )  # fmt: skip
    chance = first * second / all_pairs
    most = (first + second) / 2
    return (joined - chance) / (most - chance) if most != chance else 1.0
