"""What a pure step is: records and keyed rows in, rows and outputs out. No I/O, no clock, no random.

The shell (agents, store, transport) and the simulation both drive steps through `streams.session`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

Group = bytes  # 16 bytes: rows of one group are read together (an account, a fragment, a tenant)
Member = bytes  # within the group; empty for a group of one row
Version = bytes  # 24 bytes: generation, epoch, seq, 8 bytes each, big-endian: they compare as bytes


class Record(NamedTuple):
    """One record of an input topic; `timestamp` is Kafka's, in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Output(NamedTuple):
    """One record to send, to an explicit partition."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Rows:
    """Keyed rows of one (step, partition), as nested dictionaries, with an overlay of what is not kept yet.

    A step writes to the overlay; the session keeps it (`keep`) or, when the step failed, drops it (`drop`).

    >>> rows = Rows()
    >>> rows.put(b"g", b"m", b"1"); rows.get(b"g", b"m")
    b'1'
    >>> rows.drop(); rows.get(b"g", b"m") is None
    True
    """

    __slots__ = ("_changes", "_rows")

    def __init__(self) -> None:
        self._rows: dict[Group, dict[Member, bytes]] = {}
        self._changes: dict[Group, dict[Member, bytes | None]] = {}

    def get(self, group: Group, member: Member = b"") -> bytes | None:
        """The row's value, or None."""
        changed = self._changes.get(group)
        if changed is not None and member in changed:
            return changed[member]
        kept = self._rows.get(group)
        return kept.get(member) if kept is not None else None

    def put(self, group: Group, member: Member, value: bytes) -> None:
        """Write a row."""
        self._changes.setdefault(group, {})[member] = value

    def delete(self, group: Group, member: Member = b"") -> None:
        """Delete a row; deleting what is not there changes nothing."""
        if self.get(group, member) is not None:
            self._changes.setdefault(group, {})[member] = None

    def group(self, group: Group) -> Mapping[Member, bytes]:
        """All rows of a group (a copy)."""
        members = dict(self._rows.get(group, {}))
        for member, value in self._changes.get(group, {}).items():
            if value is None:
                members.pop(member, None)
            else:
                members[member] = value
        return members

    def groups(self) -> Iterator[Group]:
        """The groups that have kept rows (the overlay is not looked at)."""
        return iter(self._rows)

    def keep(self) -> list[tuple[Group, Member, bytes | None]]:
        """Keep the overlay; returns what it changed, None for deleted rows."""
        changed = [(g, m, v) for g, members in self._changes.items() for m, v in members.items()]
        for group, member, value in changed:
            if value is not None:
                self._rows.setdefault(group, {})[member] = value
            elif (kept := self._rows.get(group)) is not None:
                kept.pop(member, None)
                if not kept:
                    del self._rows[group]
        self._changes = {}
        return changed

    def drop(self) -> None:
        """Forget the overlay."""
        self._changes = {}


class Step(Protocol):
    """A pure step. One object per session; whatever it keeps beside the rows must follow from them."""

    name: str
    inputs: tuple[str, ...]  # topics
    stateful: bool  # False: it writes no rows and needs no changelog

    def __init__(self, config: "StepConfig") -> None:
        """Begin without rows."""

    def recovered(self, rows: Rows) -> None:
        """The rows have been read back; called once, before the first `apply`."""

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Apply a batch (of any of its topics, any cut); writes `rows`, returns what to send.

        Empty `records`: time has passed (live only). `now` is wall time in ms. `version` is the version the
        written rows get; outputs that are 'latest of their key' carry it. Raising means the batch is bad: the
        session drops the overlay, cuts the batch in halves and dead-letters the one record that fails alone.
        """

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """Everything this row has said that still holds, or has been taken back: what recovery sends again.

        The outputs that a row owes follow from the row: this is the transactional outbox. `version` is the
        version of the row as it stands.
        """


@runtime_checkable
class Retracts(Protocol):
    """A step that takes back what it has said, under keys that a later state may no longer hold."""

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """A session that had lost the partition kept `theirs` as this row, and may have sent its outputs.

        Nothing in it counts as state. Where it said something under a key that our rows say nothing of, write
        that into our rows as taken back, so that `outputs` of the row says so. Called before `recovered`, and
        at any time between batches.
        """


@dataclass(frozen=True)
class StepConfig:
    """What a step is told once, when its session begins."""

    partition: int
    partitions: int  # of every topic
    generation: int  # of the broker's data: rises at each start of an embedded broker and at each rebuild
    key_of: Callable[..., bytes]  # schemas.keys.hasher(secret)
    live: bool = True  # False: `journeys run`, where everything is published at the drain
    tick_ms: int = 60_000  # live: how often INGEST ticks
    settle_ms: int = 2_000  # live: how long an account must be still after fragments joined or left it
    settings: Mapping[str, Any] = field(default_factory=dict)  # step-specific extras
