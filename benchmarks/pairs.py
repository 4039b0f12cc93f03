"""Pairs of records: how many are one person's, can be known to be, and were found to be."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass


def pairs(groups: Iterable[Hashable]) -> int:
    """How many pairs lie in one group, from the group of each.

    >>> pairs(["a", "a", "a", "b"])
    3
    """
    return sum(size * (size - 1) // 2 for size in Counter(groups).values())


def connected(sets: Sequence[Iterable[str]]) -> list[int]:
    """Of each set of values the first one that it is connected with, through values that two sets share.

    >>> connected([("a", "b"), ("c",), ("b", "d"), ("d",)])
    [0, 1, 0, 0]
    """
    first: dict[str, int] = {}
    parent = list(range(len(sets)))

    def root(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    for number, values in enumerate(sets):
        for value in values:
            one, other = sorted((root(first.setdefault(value, number)), root(number)))
            parent[other] = one
    return [root(n) for n in range(len(sets))]


@dataclass(frozen=True)
class Quality:
    """Counts of pairs. `right`: found and true; `knowable`: true, and connected by what the records share."""

    records: int
    people: int
    true: int
    knowable: int
    found: int
    right: int
    known: int  # found, true and knowable

    @property
    def precision(self) -> float:
        """Of the pairs found, the share that is true; 1 where none was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of the true pairs, the share found."""
        return self.right / self.true if self.true else 1.0

    @property
    def recall_of_knowable(self) -> float:
        """Of the knowable pairs, the share found."""
        return self.known / self.knowable if self.knowable else 1.0


def measure(
    people: Sequence[Hashable], identifiers: Sequence[Sequence[str]], contact_of: Mapping[str, str]
) -> Quality:
    """Of records with their true people and strong identifiers, strongest first; `contact_of`: as found.

    A record is in the contact of its strongest identifier, one without identifiers in none.

    >>> q = measure([1, 1, 1, 2], [["u:1"], ["u:1", "e:1"], ["e:1"], ["e:2"]], {"u:1": "x", "e:2": "x"})
    >>> (q.true, q.knowable, q.found, q.right), q.precision, q.recall_of_knowable
    ((3, 3, 3, 1), 0.3333333333333333, 0.3333333333333333)
    """
    found: list[Hashable] = [
        contact_of.get(names[0], number) if names else number for number, names in enumerate(identifiers)
    ]
    # a value that two people share connects no records of one of them
    own = [[f"{person}\0{name}" for name in names] for person, names in zip(people, identifiers, strict=True)]
    knowable = list(zip(people, connected(own), strict=True))
    return Quality(
        records=len(people),
        people=len({*people}),
        true=pairs(people),
        knowable=pairs(knowable),
        found=pairs(found),
        right=pairs(zip(people, found, strict=True)),
        known=pairs(zip(knowable, found, strict=True)),
    )
