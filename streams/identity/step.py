"""IDENTITY: from statements about identifiers to one map row each, and how each link fared. Pure.

One group of rows per tenant, one row per identifier. A map row and evidence carry the version of the batch
that changed them; sent again they carry that of their row, whose content has been the same since. The
resolution is `tenant`'s.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from schemas.identity import MapRow
from schemas.identity import Span as MapSpan
from schemas.internal import Asserted, Employed, Evidence, Link, Named, Owns, Profiling, Seen
from schemas.keys import partition_of
from schemas.times import rfc3339
from schemas.topics import EVIDENCE, LINKS, MAP
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.identity import evidence
from streams.identity.rows import Row, decode
from streams.identity.table import Index, Names, Table
from streams.identity.tenant import Tenant
from streams.session import unpack_version

_statement = msgspec.msgpack.Decoder(Seen | Link | Owns | Named | Employed | Profiling | Asserted).decode
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
}


class Identity:
    """The step; its rows are `rows.Row`."""

    name = "identity"
    inputs: tuple[str, ...] = (LINKS.name,)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._names = Names(config.key_of)
        self._partitions = config.partitions
        self._device_policy = config.settings.get("device_policy", "last_known")
        self._indexes: defaultdict[Group, Index] = defaultdict(Index)

    def recovered(self, rows: Rows) -> None:
        """Derive the indexes from the rows."""
        for group in rows.groups():
            for kept in rows.group(group).values():
                self._indexes[group].add_row(decode(kept))

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Take in a batch of statements; sends the map rows whose content changed. Time plays no part."""
        del now
        tenants: dict[str, Tenant] = {}
        for record in records:
            said = _statement(record.value or b"")
            tenant = tenants.get(said.tenant)
            if tenant is None:
                group = self._names.key_of(said.tenant)
                table = Table(said.tenant, self._names, rows, group, self._indexes[group])
                tenant = tenants[said.tenant] = Tenant(table, device_policy=self._device_policy)
            _TAKE[type(said)](tenant, said)
        outputs: list[Output] = []
        for tenant in tenants.values():
            outputs += [self._map_row(row, version) for row in tenant.resolve()]
            outputs += map(self._evidence, tenant.evidence(version))
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """The map row of the identifier, if it has one, and how the links fared that its row tells of."""
        kept = rows.get(group, member)
        row = decode(kept) if kept is not None else None
        if row is None:
            return []
        outputs = [self._map_row(row, version)] if row.spans else []
        outputs += map(self._evidence, evidence.all_fared(row, version))
        return outputs

    def _map_row(self, row: Row, version: Version) -> Output:
        key = self._names.member(row.tenant, row.identifier)
        spans = [
            MapSpan(None if since is None else rfc3339(since), contact, account, not n and bool(row.places))
            for n, (since, contact, account) in enumerate(row.spans)
        ]
        value = MapRow(row.tenant, row.identifier, unpack_version(version), spans, row.accounts, row.places)
        return Output(MAP.name, partition_of(key, self._partitions), key, _json(value))

    def _evidence(self, told: Evidence) -> Output:
        key = self._names.key_of(told.tenant, "link", told.a, told.b, told.source)
        return Output(EVIDENCE.name, partition_of(key, self._partitions), key, _pack(told))
