"""IDENTITY: from statements about identifiers to one map row each. Pure; the resolution is `tenant`'s.

One group of rows per tenant, one row per identifier. A map row carries the version of the batch that
changed it; sent again it carries that of its row, whose content has been the same since.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from schemas.identity import MapRow
from schemas.identity import Span as MapSpan
from schemas.internal import Employed, Link, Named, Owns, Seen
from schemas.keys import partition_of
from schemas.times import rfc3339
from schemas.topics import LINKS, MAP
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.identity.rows import Row, decode
from streams.identity.tenant import Index, Names, Tenant
from streams.session import unpack_version

_statement = msgspec.msgpack.Decoder(Seen | Link | Owns | Named | Employed).decode
_json = msgspec.json.Encoder().encode
_TAKE: Final[dict[type, Callable[[Tenant, Any], None]]] = {
    Seen: Tenant.seen,
    Link: Tenant.link,
    Owns: Tenant.owns,
    Named: Tenant.named,
    Employed: Tenant.employed,
}


class Identity:
    """The step; its rows are `rows.Row`."""

    name = "identity"
    inputs: tuple[str, ...] = (LINKS.name,)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._names = Names(config.key_of)
        self._partitions = config.partitions
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
                tenant = Tenant(said.tenant, self._names, rows, group, self._indexes[group])
                tenants[said.tenant] = tenant
            _TAKE[type(said)](tenant, said)
        return [self._map_row(row, version) for tenant in tenants.values() for row in tenant.resolve()]

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """The map row of the identifier, if it has one."""
        kept = rows.get(group, member)
        row = decode(kept) if kept is not None else None
        return [self._map_row(row, version)] if row is not None and row.spans else []

    def _map_row(self, row: Row, version: Version) -> Output:
        key = self._names.member(row.tenant, row.identifier)
        spans = [
            MapSpan(None if since is None else rfc3339(since), contact, account)
            for since, contact, account in row.spans
        ]
        value = MapRow(row.tenant, row.identifier, unpack_version(version), spans, row.accounts)
        return Output(MAP.name, partition_of(key, self._partitions), key, _json(value))
