"""What became of segments when they were made anew: who survives, splits, is absorbed, vanishes, emerges.

By members only, as MONIC does: segments are the same when the same accounts are in them, wherever their
centres went. Spiliopoulou, Ntoutsi, Theodoridis, Schult (2006), MONIC: modeling and monitoring cluster
transitions.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

SURVIVES: Final = 0.5  # of the old members, in one new segment
SPLITS: Final = 0.25  # of the old members, in each of several new segments


class Transition(NamedTuple):
    """What became of one segment, or where one came from."""

    kind: str  # survive, split, absorb, vanish, emerge
    was: tuple[int, ...]  # ids
    now: tuple[int, ...]
    share: float  # of the members that were in `was` and are in `now`; 0 where one is empty


def same_number(before: Mapping[str, int], after: Mapping[str, int]) -> dict[int, int]:
    """The old id of each new segment where their number is the same: the most members keep their id.

    >>> same_number({"a": 7, "b": 7, "c": 9}, {"a": 0, "b": 0, "c": 1})
    {0: 7, 1: 9}
    """
    old, new = sorted(set(before.values())), sorted(set(after.values()))
    both = Counter((before[account], now) for account, now in after.items() if account in before)
    shared = np.array([[both[was, now] for was in old] for now in new])
    rows, columns = linear_sum_assignment(-shared)
    return {new[row]: old[column] for row, column in zip(rows.tolist(), columns.tolist(), strict=True)}


def trace(
    before: Mapping[str, int], after: Mapping[str, int], next_id: int
) -> tuple[dict[int, int], list[Transition]]:
    """An id for each new segment, and what became of the old ones.

    A new segment keeps the id of the old one that survives into it: at least half of whose members are in
    it; of several the one with the most members. The others are absorbed. All other new segments get ids
    from `next_id` on.

    Parameters
    ----------
    before, after
        Segment per account; `after` in numbers of its own. Accounts in one of both only do not count.

    >>> before = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 2, "f": 2}
    >>> after = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "f": 2}
    >>> ids, told = trace(before, after, next_id=3)
    >>> ids
    {0: 1, 1: 3, 2: 2}
    >>> for one in told:
    ...     print(one.kind, one.was, one.now, one.share)
    split (1,) (1, 3) 1.0
    survive (2,) (2,) 1.0
    """
    both = Counter((before[account], now) for account, now in after.items() if account in before)
    sizes = Counter(before[account] for account in after if account in before)
    heirs: dict[int, list[int]] = {now: [] for now in sorted(set(after.values()))}
    parts: dict[int, list[int]] = {}
    for was in sorted(sizes):
        shares = sorted(((both[was, now] / sizes[was], -now) for now in heirs), reverse=True)
        parts[was] = [-now for share, now in shares if share >= SPLITS]
        if shares[0][0] >= SURVIVES:
            heirs[-shares[0][1]].append(was)

    ids: dict[int, int] = {}
    for now, from_old in heirs.items():
        if from_old:
            ids[now] = max(from_old, key=lambda was: (both[was, now], -was))
        else:
            ids[now], next_id = next_id, next_id + 1

    told = []
    kept = {old for old in ids.values() if old in sizes}
    for was in sorted(set(before.values())):
        into = parts.get(was, [])
        share = sum(both[was, now] for now in into) / sizes[was] if into else 0.0
        named = tuple(sorted(ids[now] for now in into))
        if len(into) > 1:
            told.append(Transition("split", (was,), named, share))
        elif was in kept:
            told.append(Transition("survive", (was,), (was,), share))
        elif share >= SURVIVES:
            told.append(Transition("absorb", (was,), named, share))
        else:
            told.append(Transition("vanish", (was,), (), 0.0))
    split_into = {segment for one in told if one.kind == "split" for segment in one.now}
    for new in ids.values():
        if new not in kept and new not in split_into:
            told.append(Transition("emerge", (), (new,), 0.0))
    return ids, told
