"""Steps that are broken on purpose, at their messages: what a check must find."""

from collections.abc import Sequence

import msgspec
from typing_extensions import override

from schemas.handoff import LeadHandoff
from schemas.identity import MapRow
from schemas.internal import AccountRecord, Outcome
from schemas.topics import DEAD, HANDOFFS, LINKS, MAP, RECORDS
from streams.core import Output, Record, Rows, StepConfig, Version
from streams.fragments.step import Fragments
from streams.journeys.step import Journeys

_map = msgspec.json.Decoder(MapRow).decode
_json = msgspec.json.Encoder().encode
_answer = msgspec.msgpack.Decoder(AccountRecord).decode
_pack = msgspec.msgpack.Encoder().encode
_outcome = msgspec.msgpack.Decoder(Outcome).decode
_handoff = msgspec.json.Decoder(LeadHandoff).decode


def _changed(record: Record, **fields: object) -> Record:
    try:
        row = _map(record.value or b"")
    except msgspec.MsgspecError:
        return record
    return record._replace(value=_json(msgspec.structs.replace(row, **fields)))


class NotRestated(Fragments):
    """What remains after an erasure is not told again."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        outputs = super().apply(rows, records, version, now)
        if any(record.topic == MAP.name and b'"erased"' in (record.value or b"") for record in records):
            outputs = [output for output in outputs if output.topic != LINKS.name]
        return outputs


class ForgetsNobody(Fragments):
    """Who was seen with somebody erased still says so."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        records = [_changed(r, forgotten={}) if r.topic == MAP.name else r for r in records]
        return super().apply(rows, records, version, now)


class NotErased(Fragments):
    """Touches stay, and come again."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        records = [_changed(r, erased=[]) if r.topic == MAP.name else r for r in records]
        return super().apply(rows, records, version, now)


class HearsNothing(Journeys):
    """An account does not heed what those had told that became part of it."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        return super().apply(rows, [_silenced(record) for record in records], version, now)


def _silenced(record: Record) -> Record:
    """An answer that tells nothing."""
    if record.topic != RECORDS.name:
        return record
    try:
        answer = _answer(record.value or b"")
    except msgspec.MsgspecError:
        return record
    return record._replace(value=_pack(msgspec.structs.replace(answer, ledger=b"")))


class HandsOverOnArrival(Journeys):
    """A hand-off is as it was made when its touch arrived: news of earlier times does not correct it."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        outputs = super().apply(rows, records, version, now)
        return [
            one for one in outputs if one.topic != HANDOFFS.name or not _handoff(one.value or b"").corrects
        ]


class CountsTwice(Fragments):
    """An outcome that comes again, while a worker lives, is another one."""

    def __init__(self, config: StepConfig) -> None:
        super().__init__(config)
        self._came: set[bytes] = set()

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        return super().apply(rows, [self._anew(record) for record in records], version, now)

    def _anew(self, record: Record) -> Record:
        value = record.value or b""
        try:
            said = _outcome(value)
        except msgspec.MsgspecError:
            return record
        if value not in self._came:
            self._came.add(value)
            return record
        again = msgspec.structs.replace(said, event_id=f"{said.event_id}-{record.offset}")
        return record._replace(value=_pack(again))


class NumbersLetters(Journeys):
    """Letters about outcomes have the number of the work that they were sent in."""

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        outputs = super().apply(rows, records, version, now)
        number = b"%d" % -int.from_bytes(version)
        return [_numbered(one, number) if one.topic == DEAD.name else one for one in outputs]


def _numbered(letter: Output, number: bytes) -> Output:
    if dict(letter.headers)["reason"] in (b"no_handoff", b"impossible_outcome"):
        headers = tuple((name, number if name == "offset" else value) for name, value in letter.headers)
        return letter._replace(headers=headers)
    return letter


class NotTakenBack(Journeys):
    """What only a zombie handed over stays."""

    @override
    def adopt(self, rows: Rows, group: bytes, member: bytes, theirs: bytes) -> None:
        """Nothing."""
