"""The protocol of a session, without I/O: claim, recover, work, sent, stand up to strangers.

One session owns one (step, partition) for one assignment. Its changelog holds

- a *claim* row per session, whose offset is the session's epoch. A claim counts only once the session has
  then committed (the same offsets again): the group lets nobody commit whose assignment is over, so of two
  sessions that wrote rows the one with the later claim is the one with the later assignment;
- the step's rows, each value preceded by its version (generation, epoch, seq); the highest version of a
  key holds, whatever was written last, so a session that lost its partition cannot undo newer state;
- one *sent* row: the version up to which outputs are known to be acknowledged.

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
from streams.core import Output, Record, Rows, Step, Version

CLAIM = b"claim"  # control keys are shorter than any row's key, which begins with a group
SENT = b"sent"

_VERSION = struct.Struct(">QQQ")
VERSION_BYTES = _VERSION.size


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
        self._sent_written: Version = b""

    def claimed(self, epoch: int) -> None:
        """The claim row is acknowledged at offset `epoch` of the changelog."""
        self.epoch = epoch

    def recovered(self, entries: Iterable[tuple[bytes, bytes]], drained: Version | None = None) -> Work:
        """Read the changelog up to the claim, in order; returns what to do before the first batch.

        Its rows: where a stranger's older row was written last, ours over it, since compaction keeps the last.
        Its outputs: those owed. `drained`: where the topics themselves may have been lost (embedded broker),
        the version up to which everything had been consumed; rows above it are sent again, whatever the sent
        row says.
        """
        best: dict[bytes, bytes] = {}
        buried: set[bytes] = set()
        for key, value in entries:
            if key == SENT:
                self._sent = max(self._sent, value)
            elif key != CLAIM:
                if best.get(key, b"")[:VERSION_BYTES] <= value[:VERSION_BYTES]:
                    best[key] = value
                    buried.discard(key)
                else:
                    buried.add(key)
        floor = self._sent if drained is None else drained
        owing: list[tuple[bytes, bytes, Version]] = []
        for key, value in best.items():
            version, state = value[:VERSION_BYTES], value[VERSION_BYTES:]
            group, member = key[:KEY_BYTES], key[KEY_BYTES:]
            if state:
                self.rows.put(group, member, state)
                if version > floor:
                    owing.append((group, member, version))
        self.rows.keep()
        self.step.recovered(self.rows)
        # Once this is acknowledged nothing older is owed.
        work = Work(self._version(0), [(key, best[key]) for key in buried])
        work.outputs = [out for g, m, version in owing for out in self.step.outputs(self.rows, g, m, version)]
        return work

    def work(self, records: Sequence[Record], now: int) -> Work:
        """Apply a batch (empty: time has passed). The rows are kept in memory at once."""
        self._seq += 1
        work = Work(self._version(self._seq))
        changed: dict[bytes, bytes] = {}
        self._apply(records, now, work, changed)
        work.rows = list(changed.items())
        if work.rows and self._sent > self._sent_written:
            work.rows.append((SENT, self._sent))
            self._sent_written = self._sent
        return work

    def sent(self, work: Work) -> None:
        """All outputs of `work`, and of every work before it, are acknowledged."""
        self._sent = work.version

    def strangers(self, entries: Iterable[tuple[bytes, bytes]]) -> Work | None:
        """Rows of other sessions found behind our claim: write ours over them, send what holds again.

        `entries` may contain our own rows. Returns None when all were ours. Raises FencedError when a newer
        session has written: then we are the stranger.
        """
        mine = _VERSION.pack(self.generation, self.epoch, 0)[:16]
        keys: dict[bytes, None] = {}
        for key, value in entries:
            if key == CLAIM or value[:16] == mine:
                continue
            if value[:16] > mine:
                raise FencedError(f"{self.step.name}, partition {self.partition}: a newer session wrote")
            if key != SENT:
                keys[key] = None
        if not keys:
            return None
        self._seq += 1
        work = Work(self._version(self._seq))
        for key in keys:
            group, member = key[:KEY_BYTES], key[KEY_BYTES:]
            state = self.rows.get(group, member)
            work.rows.append((key, work.version + (state or b"")))
            if state is not None:
                work.outputs += self.step.outputs(self.rows, group, member, work.version)
        return work

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
