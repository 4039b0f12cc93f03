"""Thinning: a set that has grown too large keeps the earliest few and the last of each group.

A `Ladder` is a fixed list of levels. Level 0 keeps everything; at every next one the groups are unions of
groups of the one before. A level holds until it weighs more than it may; then the next one begins, for
good. What is kept, and at which level, is a function of the set of items alone:

- for one level, keep(A ∪ B) = keep(keep(A) ∪ B): the earliest few of a group are among the earliest few of
  each part of it. The same holds from one level to the next, as its groups are unions;
- the weight of a level counts each group as what it can keep at most, the smaller of its size and `few` + 1,
  times the width of the widest item ever. Both only grow with the set, and so a level that was too heavy
  for a part of the set is too heavy for all of it: whatever came first, the same level is reached.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Level(Generic[Item]):
    """How a level groups its items, and how many of them (`most`), of how many bytes (`room`), it may hold.

    A grouping answers None for an item that it leaves to another one. Without groupings everything is kept.
    """

    groupings: tuple[Callable[[Item], Hashable], ...]
    few: int
    most: int
    room: int


Ladder = Sequence[Level[Item]]  # the last level holds whatever it weighs: its groups must be few


def thin(level: Level[Item], items: list[Item]) -> tuple[int, list[Item]]:
    """What a level keeps of ascending `items`, ascending; and the number it counts them for.

    >>> thin(Level((lambda item: item // 10,), few=1, most=9, room=999), [1, 2, 3, 11, 21, 22])
    (5, [1, 3, 11, 21, 22])
    """
    if not level.groupings:
        return len(items), items
    kept: set[int] = set()
    count = 0
    for grouping in level.groupings:
        groups: dict[Hashable, list[int]] = {}
        for index, item in enumerate(items):
            group = grouping(item)
            if group is not None:
                groups.setdefault(group, []).append(index)
        for indexes in groups.values():
            count += min(len(indexes), level.few + 1)
            kept.update(indexes[: level.few])
            kept.add(indexes[-1])
    return count, [items[index] for index in sorted(kept)]


def settle(ladder: Ladder[Item], level: int, items: list[Item], widest: int) -> tuple[int, list[Item]]:
    """The level reached and what it keeps, of ascending distinct `items` that stood at `level` or are new.

    `widest`: bytes of the widest item there ever was among them, dropped ones included.
    """
    while True:
        rule = ladder[level]
        count, items = thin(rule, items)
        if level == len(ladder) - 1 or count <= min(rule.most, rule.room // widest):
            return level, items
        level += 1
