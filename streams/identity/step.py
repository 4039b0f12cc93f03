"""IDENTITY: from statements about identifiers to one map row each, and how each link fared. Pure.

One group of rows per tenant, one row per identifier. A map row and evidence carry the version of the batch
that changed them; sent again they carry that of their row, whose content has been the same since. The
resolution is `tenant`'s.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from schemas import privacy
from schemas.identity import MapRow, Period
from schemas.identity import Span as MapSpan
from schemas.internal import (
    ISSUED_KINDS,
    Asserted,
    Employed,
    Evidence,
    Link,
    Named,
    Owns,
    Profiling,
    Request,
    Seen,
    kind_of,
)
from schemas.keys import KEY_BYTES, partition_of
from schemas.times import rfc3339
from schemas.topics import EVIDENCE, LINKS, MAP, RESULTS
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.identity import evidence
from streams.identity.issued import WAITING, Ids, Issued, gives, in_spans
from streams.identity.requests import GROUP, REQUEST, Asked, decode_asked, decode_group, evidence_gone
from streams.identity.rows import NEVER, Row, decode, encode, weak_kind
from streams.identity.table import Index, Names, Table
from streams.identity.tenant import Tenant
from streams.session import unpack_version

_statement = msgspec.msgpack.Decoder(
    Seen | Link | Owns | Named | Employed | Profiling | Asserted | Request
).decode
VERSION_HEADER: Final = "version"  # of evidence that is no more: its value is empty
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_TAKE: Final[dict[type, Callable[[Tenant, Any], None]]] = {
    Seen: Tenant.seen,
    Link: Tenant.link,
    Owns: Tenant.owns,
    Named: Tenant.named,
    Employed: Tenant.employed,
    Profiling: Tenant.profiling,
    Asserted: Tenant.asserted,
    Request: Tenant.request,
}


class Identity:
    """The step; its rows are `rows.Row`, and of other kinds with longer members (`requests`, `issued`)."""

    name = "identity"
    inputs: tuple[str, ...] = (LINKS.name,)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._names = Names(config.key_of)
        self._partitions = config.partitions
        self._device_policy = config.settings.get("device_policy", "last_known")
        self._indexes: defaultdict[Group, Index] = defaultdict(Index)
        self._ids: defaultdict[Group, Ids] = defaultdict(Ids)
        self._derived = False

    def recovered(self, rows: Rows) -> None:
        """Derive the indexes from the rows."""
        self._derive(rows)

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """Ids that only a session that had lost the partition gave out, or made rows for, have rows too."""
        if len(member) > KEY_BYTES:
            return
        self._derive(rows)
        other = decode(theirs)
        table = self._table(other.tenant, rows)
        issued = self._issued(table)
        given = {other.identifier} if kind_of(other.identifier) in ISSUED_KINDS else in_spans(other.spans)
        for name in sorted(given):
            if table.find(name) is None and (name == other.identifier or issued.ceased(name)):
                row = Row(other.tenant, name, NEVER)
                row.spans = issued.spans(row)
                rows.put(group, self._names.member(row.tenant, name), encode(row))

    def _derive(self, rows: Rows) -> None:
        if self._derived:
            return
        self._derived = True
        for group in rows.groups():
            named = []
            for member, kept in rows.group(group).items():
                if len(member) > KEY_BYTES:
                    if member.startswith(WAITING):
                        self._ids[group].wait(kept)
                else:
                    row = decode(kept)
                    self._indexes[group].add_row(row)
                    if issued := gives(self._names.key_of, row):
                        self._ids[group].add(issued, member)
                    elif kind_of(row.identifier) in ISSUED_KINDS:
                        named.append(row)
            for row in named:  # which identifiers ids stand for is known by now
                self._issued(self._table(row.tenant, rows)).spans(row)

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Take in a batch of statements; sends what changed. Time plays no part in it."""
        tenants: dict[str, Tenant] = {}
        for record in records:
            said = _statement(record.value or b"")
            tenant = tenants.get(said.tenant)
            if tenant is None:
                table = self._table(said.tenant, rows)
                tenant = Tenant(table, self._issued(table), device_policy=self._device_policy)
                tenants[said.tenant] = tenant
            _TAKE[type(said)](tenant, said)
        outputs: list[Output] = []
        for tenant in tenants.values():
            outputs += [self._map_row(row, version) for row in tenant.resolve()]
            outputs += map(self._evidence, tenant.evidence(version))
            answered, erased = tenant.answers(now)
            outputs += [self._result(asked, version) for asked in answered]
            for group in erased:
                gone = evidence_gone(group, self._table(group.tenant, rows))
                outputs += [self._no_evidence(key, version) for key in gone]
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """Of an identifier its map row, if it has one, and how the links fared that its row tells of; of a
        request its answer; of an erased group that its links are gone.
        """
        kept = rows.get(group, member)
        if kept is None:
            return []
        if len(member) > KEY_BYTES:
            if member.startswith(REQUEST):
                return [self._result(decode_asked(kept), version)]
            if member.startswith(GROUP):
                erased = decode_group(kept)
                gone = evidence_gone(erased, self._table(erased.tenant, rows))
                return [self._no_evidence(key, version) for key in gone]
            return []
        row = decode(kept)
        outputs = [self._map_row(row, version)] if row.spans else []
        outputs += [self._no_evidence(key, version) for key in self._gone(row, rows, member)]
        outputs += map(self._evidence, evidence.all_fared(row, version))
        return outputs

    def _gone(self, row: Row, rows: Rows, member: Member) -> list[bytes]:
        """The keys of the evidence of links of this row that are erased, at either end.

        A session that had lost the partition may have told that they hold, after it was told that they are
        gone; of what it did nothing is found but such rows.
        """
        if row.erasure is None:
            return []
        table = self._table(row.tenant, rows)
        ends = [row, *filter(None, map(table.find_by, row.erasure.forgotten))]
        graves = {grave for end in ends if end.erasure is not None for _, grave in end.erasure.graves}
        keys: list[bytes] = []
        for grave in sorted(graves):
            group = decode_group(table.kept(GROUP + grave) or b"")
            group.links = [link for link in group.links if member in link[1:]]
            keys += evidence_gone(group, table)
        return keys

    def _table(self, tenant: str, rows: Rows) -> Table:
        group = self._names.key_of(tenant)
        return Table(tenant, self._names, rows, group, self._indexes[group])

    def _issued(self, table: Table) -> Issued:
        return Issued(table, self._ids[self._names.key_of(table.tenant)])

    def _map_row(self, row: Row, version: Version) -> Output:
        key = self._names.member(row.tenant, row.identifier)
        spans = [
            MapSpan(None if since is None else rfc3339(since), contact, account, not n and bool(row.places))
            for n, (since, contact, account) in enumerate(row.spans)
        ]
        value = MapRow(row.tenant, row.identifier, unpack_version(version), spans, row.accounts, row.places)
        value.every = bool(row.words) and bool(weak_kind(row))
        if row.erasure is not None:
            value.erased = [
                Period(None if since is None else rfc3339(since), rfc3339(until))
                for since, until in row.erasure.erased()
            ]
            value.forgotten = {one.hex(): rfc3339(until) for one, until in row.erasure.forgotten.items()}
        return Output(MAP.name, partition_of(key, self._partitions), key, _json(value))

    def _result(self, asked: Asked, version: Version) -> Output:
        key = self._names.key_of(asked.tenant, "request", asked.event_id)
        result = asked.result(self._names.key_of, version)
        partition = partition_of(key, self._partitions)
        return Output(RESULTS.name, partition, key, _json(result), privacy.headers(result))

    def _evidence(self, told: Evidence) -> Output:
        key = self._names.key_of(told.tenant, "link", told.a, told.b, told.source)
        return Output(EVIDENCE.name, partition_of(key, self._partitions), key, _pack(told))

    def _no_evidence(self, key: bytes, version: Version) -> Output:
        headers = ((VERSION_HEADER, version),)
        return Output(EVIDENCE.name, partition_of(key, self._partitions), key, b"", headers)
