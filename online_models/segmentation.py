"""The book of a tenant's accounts and their segments, from epoch to epoch.

`swap` tells a changed profile, `close_epoch` ends an epoch (7 days of T). Within an epoch an account's
segment follows from its present profile, the frozen centres and its home (its segment when the epoch began):
how many profiles were told, and in which order, leaves no trace.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from river.drift import ADWIN

from online_models import kmeans
from online_models.kmeans import Evidence
from online_models.scaling import Column, Point, Scaler, fit
from online_models.segments import AccountSwap, Center, empty
from online_models.snapshots import pack, unpack
from online_models.transitions import Transition, same_number, trace

ENOUGH: Final = 50  # accounts; segments of fewer would be anecdotes
SAMPLE: Final = 1_000  # accounts that evidence for k is taken from
DOUBT: Final = 13  # epochs (a quarter) after which the number of segments is looked at again
GROWN: Final = 1.5  # or when the accounts are that many times as many, or as few
STALE: Final = 1.15  # times the error of new segments, of the same number, at which the old ones are left
_VERSION: Final = 1


class Member(msgspec.Struct):
    """An account in the book."""

    profile: dict[str, float]  # features that count, as told
    point: Point
    home: int | None  # segment when the epoch began; None: there was none
    segment: int | None


class Move(NamedTuple):
    """An account's segment is another one; None: none, or gone."""

    account: str
    was: int | None
    now: int | None


class EpochEnd(NamedTuple):
    """What came of an epoch."""

    moves: list[Move]  # by account
    transitions: list[Transition]  # empty where only centres moved
    drifts: list[int]  # segments whose accounts' distance from the centre is not what it was
    evidence: list[Evidence]  # empty where the number of segments was not looked at


class _Watch(msgspec.Struct):
    segment: int
    drifted: bool
    window: bytes  # of ADWIN


class _State(msgspec.Struct):
    features: dict[str, str]
    seed: int
    margin: float
    k: int | None
    columns: list[Column]
    scale: int
    centers: list[Center]
    next_id: int
    epoch: int
    looked: int  # epoch in which k was looked at
    accounts_then: int
    evidence: list[Evidence]
    watches: list[_Watch]
    members: dict[str, Member]


class Segmentation:
    """Segments of accounts that are told one profile at a time.

    With fewer than 50 accounts nobody is in a segment. All follows from the profiles at the ends of epochs.

    Parameters
    ----------
    features
        That count, each `log` or `linear` (`scaling.fit`). Others in a profile are left alone; a missing one
        is taken as that of the middle account.
    seed
        Of the search for k and for the first centres.
    margin
        `AccountSwap`'s.
    k
        The number of segments, where somebody has decided it; else the evidence does.

    Examples
    --------
    >>> book = Segmentation({"orders": "log", "days_since": "log"})
    >>> for n in range(60):
    ...     profile = {"orders": 1 + n % 2 * 30 + n % 7 / 9, "days_since": 300 - n % 2 * 290 + n % 5}
    ...     _ = book.swap(f"a{n}", profile)
    >>> ended = book.close_epoch()
    >>> len(ended.moves), sorted(book.sizes().items())
    (60, [(1, 30), (2, 30)])
    >>> book.swap("a0", {"orders": 32, "days_since": 11})
    Move(account='a0', was=1, now=2)
    """

    def __init__(
        self, features: Mapping[str, str], seed: int = 0, margin: float = 0.1, k: int | None = None
    ) -> None:
        self.features = dict(features)
        self.k = k
        self.seed = seed
        self.margin = margin
        self.members: dict[str, Member] = {}
        self.evidence: list[Evidence] = []
        self.epoch = 0
        self._next_id = 1
        self._looked = self._accounts_then = 0
        self._watches: dict[int, ADWIN] = {}
        self._swap = AccountSwap(margin=margin)

    @property
    def model(self) -> AccountSwap:
        """Scaler, centres and sums of this epoch."""
        return self._swap

    def swap(self, account: str, profile: Mapping[Any, Any]) -> Move | None:
        """The account's profile is this one; tells where it went if that is another segment."""
        kept = {name: profile[name] for name in self.features if name in profile}
        member = self.members.get(account)
        if member is None:
            member = self.members[account] = Member({}, (), None, None)
        elif member.profile == kept:
            return None
        member.profile = kept
        if not self._swap.centers:
            return None
        point = self._swap.point(kept)
        was = member.segment
        if was is not None:
            self._swap.sums[was].remove(member.point)
        now, _ = self._swap.place(point, member.home)
        self._swap.sums[now].add(point)
        member.point, member.segment = point, now
        return None if was == now else Move(account, was, now)

    def remove(self, account: str) -> Move | None:
        """The account is gone: merged, erased."""
        member = self.members.pop(account, None)
        if member is None or member.segment is None:
            return None
        self._swap.sums[member.segment].remove(member.point)
        return Move(account, member.segment, None)

    def predict(self, profile: Mapping[Any, Any]) -> int | None:
        """The segment a new account with this profile would be in."""
        return self._swap.predict_one(profile) if self._swap.centers else None

    def sizes(self) -> dict[int, int]:
        """Accounts per segment."""
        return (
            {segment: sums.count for segment, sums in self._swap.sums.items()} if self._swap.centers else {}
        )

    def nearest(self, accounts: Iterable[str], number: int) -> list[tuple[str, float]]:
        """Other accounts with their distance from the middle of these, nearest first."""
        chosen = {account for account in accounts if account in self.members}
        points = [self.members[account].point for account in sorted(chosen)]
        if not points or not self._swap.centers:
            return []
        middle = AccountSwap(self._swap.scaler)
        for point in points:
            middle.sums[0].add(point)
        like = AccountSwap(self._swap.scaler, (Center(0, middle.sums[0].mean()),))
        found = [
            (like.place(member.point)[1], account)
            for account, member in self.members.items()
            if account not in chosen
        ]
        return [(account, far) for far, account in sorted(found)[:number]]

    def close_epoch(self) -> EpochEnd:
        """Centres move to where the accounts are, accounts to the nearest centre; the number of segments is
        looked at when there is reason to.
        """
        self.epoch += 1
        if not self._swap.centers:
            if len(self.members) < ENOUGH:
                return EpochEnd([], [], [], [])
            return self._rebuild({}, [])
        began = {a: m.home for a, m in self.members.items() if m.home is not None}
        drifts = self._watch()
        moves = self._settle(self._swap.recentred())
        grown = len(self.members) / max(self._accounts_then, 1)
        due = self.epoch - self._looked >= DOUBT or not 1 / GROWN < grown < GROWN or drifts
        if not due or len(self.members) < ENOUGH:
            return EpochEnd(moves, [], drifts, [])
        ended = self._rebuild(began, drifts)
        return ended._replace(moves=_joined(moves, ended.moves))

    def _settle(self, swap: AccountSwap) -> list[Move]:
        """Everybody to the nearest of these centres, from there to the next epoch."""
        moves = []
        self._swap = swap
        for account, member in sorted(self.members.items()):
            was = member.segment
            now, _ = swap.place(member.point, was)
            swap.sums[now].add(member.point)
            member.home = member.segment = now
            if was != now:
                moves.append(Move(account, was, now))
        return moves

    def _watch(self) -> list[int]:
        """Shows each segment's watch how far its accounts are from the centre; returns who drifted."""
        drifts = set()
        for _, member in sorted(self.members.items()):
            if member.segment is not None:
                watch = self._watches.setdefault(member.segment, ADWIN())
                watch.update(self._swap.place(member.point, member.segment)[1])
                if watch.drift_detected:
                    drifts.add(member.segment)
        return sorted(drifts)

    def _rebuild(self, before: Mapping[str, int], drifts: list[int]) -> EpochEnd:
        """Looks at the evidence for each number of segments; makes them anew where that is better.

        `before`: where accounts were when the epoch began, which tells what became of which segment.
        """
        self._looked, self._accounts_then = self.epoch, len(self.members)
        accounts = sorted(self.members)
        scaler = fit(
            [self.members[account].profile for account in accounts],
            self.features,
            self._swap.scaler.version + 1 if self._swap.scaler else 1,
        )
        points = {account: scaler.point(self.members[account].profile) for account in accounts}
        sample = accounts[:: -(-len(accounts) // SAMPLE)]
        sampled = [points[account] for account in sample]
        self.evidence = kmeans.evidence(sampled, self.seed)
        current = len(self._swap.centers)
        k = self.k or choose(self.evidence, current)
        if not k or (k == current and not self._stale(sample, points, k)):
            return EpochEnd([], [], drifts, self.evidence)

        fresh = AccountSwap(
            scaler, [Center(i, at) for i, at in enumerate(kmeans.starting(sampled, k, self.seed))]
        )
        after = {account: fresh.place(point)[0] for account, point in points.items()}
        transitions: list[Transition] = []
        unused: list[int] = []
        if k == current:
            ids = same_number(before, after)
            unused = sorted(center.id for center in self._swap.centers if center.id not in ids.values())
        else:
            ids, transitions = trace(before, after, self._next_id)
        self._next_id = max(self._next_id - 1, *ids.values()) + 1
        for number in range(k):  # an empty one has an id too
            if number not in ids:
                ids[number] = unused.pop(0) if unused else self._next_id
                self._next_id = max(self._next_id, ids[number] + 1)

        moves = []
        for account, member in sorted(self.members.items()):
            was, now = member.segment, ids[after[account]]
            member.point, member.segment = points[account], now
            if was != now:
                moves.append(Move(account, was, now))
        centers = sorted((Center(ids[center.id], center.at) for center in fresh.centers), key=lambda c: c.id)
        self._watches = {}
        self._settle(AccountSwap(scaler, centers, self.margin))
        return EpochEnd(moves, transitions, drifts, self.evidence)

    def _stale(self, sample: list[str], points: Mapping[str, Point], k: int) -> bool:
        """Whether as many segments, made anew on a new scale, would fit a good deal better than these."""
        present = {center.id: empty(len(center.at)) for center in self._swap.centers}
        for account in sample:
            segment = self.members[account].segment
            if segment is not None:
                present[segment].add(points[account])
        error = sum(sums.squares_from(sums.mean()) for sums in present.values() if sums.count)
        return any(error > STALE * one.error for one in self.evidence if one.k == k)

    def snapshot(self) -> bytes:
        """All of it; `restore` gives a book that goes on in the same way."""
        watches = [
            _Watch(segment, watch.drift_detected, watch._helper.__getstate__())
            for segment, watch in sorted(self._watches.items())
        ]
        scaler = self._swap.scaler or Scaler()
        state = _State(
            self.features, self.seed, self.margin, self.k, scaler.columns, scaler.version,
            self._swap.centers, self._next_id, self.epoch, self._looked, self._accounts_then,
            self.evidence, watches, dict(sorted(self.members.items())),
        )  # fmt: skip
        return pack("segmentation", _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "Segmentation":
        """The book in a snapshot. Raises `UnreadableError` where it is of another version, or none."""
        state = unpack(snapshot, "segmentation", _VERSION, _State)
        made = cls(state.features, state.seed, state.margin, state.k)
        made.members, made.evidence, made.epoch = state.members, state.evidence, state.epoch
        made._next_id, made._looked, made._accounts_then = state.next_id, state.looked, state.accounts_then
        for watch in state.watches:
            adwin = made._watches[watch.segment] = ADWIN()
            adwin._helper.__setstate__(watch.window)
            adwin._drift_detected = watch.drifted
        if state.centers:
            made._swap = AccountSwap(Scaler(state.columns, state.scale), state.centers, state.margin)
            for member in made.members.values():
                if member.segment is not None:  # sums are exact, so they are those of before
                    made._swap.sums[member.segment].add(member.point)
        return made


def choose(evidence: Iterable[Evidence], current: int = 0) -> int:
    """The number of segments in force while it stands, else the best that does: segments far apart, on which
    halves of the accounts agree; two only where no other number stands. 0 where none ever stood.

    >>> choose([])
    0
    """
    standing = {one.k: one.apart * one.agreement for one in evidence if one.stands}
    if current in standing or not standing:
        return current
    return max(standing, key=lambda k: (k > kmeans.SMALLEST, standing[k], -k))


def _joined(first: list[Move], then: list[Move]) -> list[Move]:
    """Moves that follow each other, as one per account."""
    ends = {move.account: move for move in first}
    for move in then:
        was = ends[move.account].was if move.account in ends else move.was
        ends[move.account] = Move(move.account, was, move.now)
    return [move for _, move in sorted(ends.items()) if move.was != move.now]
