"""The protocol of a session, without I/O: claim, recover, work, sent, stand up to strangers.

One session owns one (step, partition) for one assignment. Its changelog holds

- a *claim* row per session, whose offset is the session's epoch. A claim counts only once the session has
  then committed (the same offsets again): the group lets nobody commit whose assignment is over, so of two
  sessions that wrote rows the one with the later claim is the one with the later assignment;
- the step's rows, each value preceded by its version (generation, epoch, seq); the highest version of a
  key holds, whatever was written last, so a session that lost its partition cannot undo newer state;
- *mark* rows. Each ends the rows of one work and tells up to which version outputs are acknowledged.

The newest session that has a mark is the *owner* of what is read back. Its rows count up to its mark: a work
whose rows are there in part is done again, since its batch cannot have been committed. An older session's
rows count up to the owner's claim; those behind it are a stranger's: their batches cannot have been committed
either, and the owner worked on without knowing them, so they are no state. But what rows that do not count
made their session say has been said, or will be: it is said anew as it is now, and taken back where it is not
so (`Retracts.adopt`).

The order of effects of one batch, each only after the one before is acknowledged: rows to the changelog,
outputs to their topics, the batch is done, offsets are committed. A crash between any two leaves the
outputs owed by the newest rows to be derived from them again (`Step.outputs`).
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas import deadletter
from schemas.keys import KEY_BYTES
from schemas.topics import DEAD
from streams.core import Output, Record, Retracts, Rows, Step, Version

CLAIM = b"claim"  # control keys are shorter than any row's key, which begins with a group
MARK = b"mark"

_VERSION = struct.Struct(">QQQ")
VERSION_BYTES = _VERSION.size
_SESSION_BYTES = 16  # of a version: generation and epoch


def pack_version(generation: int, epoch: int, seq: int) -> Version:
    """A version as bytes, which compare as versions do.

    >>> pack_version(0, 2, 0) > pack_version(0, 1, 999)
    True
    """
    return _VERSION.pack(generation, epoch, seq)


def unpack_version(version: Version) -> tuple[int, int, int]:
    """(generation, epoch, seq)."""
    generation, epoch, seq = _VERSION.unpack(version)
    return generation, epoch, seq


class FencedError(Exception):
    """A newer session has claimed this partition: this one must end."""


@dataclass
class Work:
    """What a batch asks of the shell: first `rows` to the changelog, then `outputs` to their topics."""

    version: Version
    rows: list[tuple[bytes, bytes]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)


class Session:
    """The state of one session. Its methods are called in order: claimed, recovered, then work and sent."""

    def __init__(self, step: Step, generation: int, partition: int) -> None:
        self.step = step
        self.generation = generation
        self.partition = partition
        self.epoch = 0  # of a step without a changelog it stays 0
        self.rows = Rows()
        self._seq = 0
        self._sent: Version = b""  # outputs of rows up to this version are acknowledged

    def claimed(self, epoch: int) -> None:
        """The claim row is acknowledged at offset `epoch` of the changelog."""
        self.epoch = epoch

    def recovered(self, entries: Iterable[tuple[bytes, bytes]], drained: Version | None = None) -> Work:
        """Read the changelog up to the claim, in order; returns what to do before the first batch.

        The value of a claim row is read back as the version of its session, seq 0. The work's rows: ours over
        those that do not count and were written last, since compaction keeps the last. Its outputs: those
        owed. `drained`: where the topics themselves may have been lost (embedded broker), the version up to
        which everything had been consumed; rows above it are sent again, whatever the mark says.
        """
        found = Found(list(entries))
        if found.floor is not None and drained is None:
            self._sent = found.floor
        elif drained is not None:
            self._sent = drained
        for key, value in found.best.items():
            if state := value[VERSION_BYTES:]:
                self.rows.put(key[:KEY_BYTES], key[KEY_BYTES:], state)
        self.rows.keep()
        anew = dict.fromkeys(key for key, _ in found.theirs) | found.buried
        anew |= dict.fromkeys(self._adopt(found.theirs))
        self.step.recovered(self.rows)
        work = self._say_anew(anew, 0)
        for key, value in found.best.items():
            version = value[:VERSION_BYTES]
            if version > self._sent and value[VERSION_BYTES:] and key not in anew:
                work.outputs += self.step.outputs(self.rows, key[:KEY_BYTES], key[KEY_BYTES:], version)
        return work

    def work(self, records: Sequence[Record], now: int) -> Work:
        """Apply a batch (empty: time has passed). The rows are kept in memory at once."""
        self._seq += 1
        work = Work(self._version(self._seq))
        changed: dict[bytes, bytes] = {}
        self._apply(records, now, work, changed)
        work.rows = list(changed.items())
        if work.rows:
            work.rows.append(self._mark(work.version))
        return work

    def sent(self, work: Work) -> None:
        """All outputs of `work`, and of every work before it, are acknowledged."""
        self._sent = work.version

    def strangers(self, entries: Iterable[tuple[bytes, bytes]]) -> Work | None:
        """Rows of other sessions found behind our claim: write ours over them, send what holds again.

        `entries` may contain our own rows. Returns None when all were ours. Raises FencedError when a newer
        session has written: then we are the stranger.
        """
        mine = self._version(0)[:_SESSION_BYTES]
        theirs: list[tuple[bytes, bytes]] = []  # marks among them, so that ours is the last again
        for key, value in entries:
            if key == CLAIM or value[:_SESSION_BYTES] == mine:
                continue
            if value[:_SESSION_BYTES] > mine:
                raise FencedError(f"{self.step.name}, partition {self.partition}: a newer session wrote")
            theirs.append((key, value))
        if not theirs:
            return None
        rows = [(key, value) for key, value in theirs if key != MARK]
        self._seq += 1
        return self._say_anew(dict.fromkeys([*dict(rows), *self._adopt(rows)]), self._seq)

    def _adopt(self, theirs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Let the step take from strangers' rows what was said; returns the keys of rows that changed."""
        if not isinstance(self.step, Retracts):
            return []
        for key, value in theirs:
            if state := value[VERSION_BYTES:]:
                self.step.adopt(self.rows, key[:KEY_BYTES], key[KEY_BYTES:], state)
        return [group + member for group, member, _ in self.rows.keep()]

    def _say_anew(self, keys: Iterable[bytes], seq: int) -> Work:
        """A work that writes the rows of `keys` as they are, deleted ones too, and sends their outputs."""
        work = Work(self._version(seq))
        for key in keys:
            group, member = key[:KEY_BYTES], key[KEY_BYTES:]
            state = self.rows.get(group, member)
            work.rows.append((key, work.version + (state or b"")))
            if state is not None:
                work.outputs += self.step.outputs(self.rows, group, member, work.version)
        work.rows.append(self._mark(work.version))
        return work

    def _mark(self, version: Version) -> tuple[bytes, bytes]:
        return MARK, version + self._sent

    def _version(self, seq: int) -> Version:
        return _VERSION.pack(self.generation, self.epoch, seq)

    def _apply(self, records: Sequence[Record], now: int, work: Work, changed: dict[bytes, bytes]) -> None:
        try:
            outputs = self.step.apply(self.rows, records, work.version, now)
        except Exception as error:
            self.rows.drop()
            if not records:
                raise  # no record is to blame: the shell must crash, loudly
            if len(records) == 1:
                work.outputs.append(self.refuse(records[0], error))
                return
            half = len(records) // 2
            self._apply(records[:half], now, work, changed)
            self._seq += 1  # what both halves say of one key must not carry one version
            work.version = self._version(self._seq)
            self._apply(records[half:], now, work, changed)
            return
        work.outputs += outputs
        for group, member, state in self.rows.keep():
            changed[group + member] = work.version + (state or b"")

    def refuse(self, record: Record, error: Exception) -> Output:
        """The dead letter for a record that a pure step cannot process."""
        return dead_letter(
            record, "processing_error", self.step.name, f"{type(error).__name__}: {error}", self.generation
        )


class Found:
    """What a changelog holds, read in order: `best` are the rows that count, each with its version."""

    def __init__(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        mark = max((value for key, value in entries if key == MARK), default=b"")
        whole, owner = mark[:VERSION_BYTES], mark[:_SESSION_BYTES]  # no mark: no row counts
        self.floor = mark[VERSION_BYTES:] if mark else None  # up to here outputs are acknowledged
        self.best: dict[bytes, bytes] = {}  # of each key the row that counts, with its version
        # strangers' rows, and those of works that are there in part: their session may yet end them
        self.theirs: list[tuple[bytes, bytes]] = []
        self.buried: dict[bytes, None] = {}  # keys whose last row does not count
        # Compaction may have left a later claim in the owner's place: by then the owner had looked, and
        # had answered what lies between. An epoch is an offset, whatever the generation.
        claimed = False
        for key, value in entries:
            if len(key) < KEY_BYTES:
                claimed = claimed or (key == CLAIM and value[8:_SESSION_BYTES] >= owner[8:])
                continue
            version = value[:VERSION_BYTES]
            if version > whole or (claimed and version[:_SESSION_BYTES] < owner):
                self.theirs.append((key, value))
                self.buried[key] = None
            elif self.best.get(key, b"")[:VERSION_BYTES] > version:
                self.buried[key] = None
            else:
                self.best[key] = value
                self.buried.pop(key, None)


def dead_letter(record: Record, reason: str, field: str, error: str, generation: int) -> Output:
    """The output that refuses `record`: its original bytes, and headers that say why and where it was."""
    original = record.value or b""
    headers = deadletter.headers(
        reason=reason,
        field=field,
        error=error,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        generation=generation,
        original=original,
    )
    return Output(DEAD.name, record.partition, record.key, original[: deadletter.PREFIX_BYTES], headers)
