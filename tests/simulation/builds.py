"""Steps that are broken on purpose, at their messages: what a check must find."""

from collections.abc import Sequence

import msgspec
from typing_extensions import override

from schemas.identity import MapRow
from schemas.internal import AccountRecord
from schemas.topics import LINKS, MAP, RECORDS
from streams.core import Output, Record, Rows, Version
from streams.fragments.step import Fragments
from streams.journeys.step import Journeys

_map = msgspec.json.Decoder(MapRow).decode
_json = msgspec.json.Encoder().encode
_answer = msgspec.msgpack.Decoder(AccountRecord).decode
_pack = msgspec.msgpack.Encoder().encode


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
