"""What IDENTITY keeps of privacy requests: keyed hashes and times, so that nobody comes back by a replay.

Beside the rows of identifiers a tenant has a row for each request and for each *erased group*: identifiers
that were erased as one person. Their members in the changelog begin with a letter, so they are longer.
"""

from typing import Final

import msgspec

from schemas.privacy import PrivacyResult
from schemas.times import rfc3339
from streams.core import Member, Version
from streams.identity.accounts import KeyOf
from streams.identity.evidence import PEOPLE
from streams.identity.resolver import CONTACT_LIMITS
from streams.identity.rows import LINK
from streams.identity.table import Table
from streams.session import unpack_version

ERASE: Final = "erase"  # the other request is `export`

GROUP, REQUEST = b"g", b"r"  # what the members of these rows begin with


class ErasedGroup(msgspec.Struct, array_like=True):
    """Identifiers that are erased as one person, up to one time."""

    tenant: str
    key: bytes
    until: int  # ms, included
    members: dict[bytes, str] = {}  # key -> kind
    first: tuple[int, bytes, str] | None = (
        None  # when a member was first seen, its key, the contact id it gives
    )
    apart: list[bytes] = []  # keys of identifiers that people keep apart from a member
    requests: list[str] = []  # event ids
    links: list[tuple[bytes, bytes, bytes]] = []  # that are gone: the key of their evidence, and of both ends
    words: dict[bytes, int] = {}  # keys of a member and of somebody else -> when people last spoke of the two

    def spoke(self, pair: bytes, at: int) -> bool:
        """People spoke of a pair (of `words`) at a time: whether that is later than all that is known."""
        latest = at > self.words.get(pair, at - 1)
        if latest:
            self.words[pair] = at
        return latest

    def fits(self, members: dict[bytes, str], *, limited: bool) -> bool:
        """Whether these can be one person with the group: people, and if `limited` the limits, allow it."""
        if any(key in members for key in self.apart):
            return False
        ours, theirs = list(self.members.values()), list(members.values())
        return not limited or all(
            ours.count(kind) + theirs.count(kind) <= most or kind not in ours or kind not in theirs
            for kind, most in CONTACT_LIMITS.items()
        )


class Asked(msgspec.Struct, array_like=True):
    """A request, and what it came to."""

    tenant: str
    event_id: str
    request: str
    at: int
    groups: list[bytes] = []  # of an erasure: keys of what it erased
    found: list[bytes] = []  # of an export: keys of the identifiers that it is about
    identifiers: int = 0
    devices: int = 0
    contact_ids: list[str] = []
    emitted: int = 0  # when that was found (ms, wall time)
    heard: list[bytes] = []  # what was asked for: hashes of request, time, name

    def result(self, key_of: KeyOf, version: Version) -> PrivacyResult:
        """The public answer."""
        done = self.identifiers + self.devices > 0
        found = (str(self.identifiers), str(self.devices), *self.contact_ids)
        return PrivacyResult(
            id=key_of(self.tenant, self.event_id, "privacy_result", *found).hex(),
            type="privacy_result",
            tenant=self.tenant,
            subject=self.event_id,
            occurred_at=rfc3339(self.at),
            emitted_at=rfc3339(self.emitted),
            version=unpack_version(version),
            request=self.request,
            result="done" if done else "not_found",
            counts={"identifiers": self.identifiers, "devices": self.devices},
            contact_ids=self.contact_ids,
            caused_by=[self.event_id],
        )


decode_group = msgspec.msgpack.Decoder(ErasedGroup).decode
decode_asked = msgspec.msgpack.Decoder(Asked).decode
_encode = msgspec.msgpack.Encoder().encode


class Register:
    """The erased groups and requests of one tenant during one batch."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._groups: dict[bytes, ErasedGroup] = {}
        self._asked: dict[str, Asked] = {}

    def group(self, key: bytes) -> ErasedGroup:
        """The group of that key: the rows of its members say that there is one."""
        if key not in self._groups:
            self._groups[key] = decode_group(self._table.kept(GROUP + key) or b"")
        return self._groups[key]

    def asked(self, event_id: str) -> Asked | None:
        """The request of that event, if it was heard."""
        if event_id not in self._asked:
            kept = self._table.kept(self._member(event_id))
            if kept is None:
                return None
            self._asked[event_id] = decode_asked(kept)
        return self._asked[event_id]

    def open(self, group: ErasedGroup) -> ErasedGroup:
        """Keep a new group."""
        self._groups[group.key] = group
        return group

    def hear(self, asked: Asked) -> Asked:
        """Keep a new request."""
        self._asked[asked.event_id] = asked
        return asked

    def write(self, now: int) -> tuple[list[Asked], list[ErasedGroup]]:
        """Write what changed, and give it."""
        groups = [
            group for key, group in self._groups.items() if _encode(group) != self._table.kept(GROUP + key)
        ]
        for group in groups:
            self._table.keep(GROUP + group.key, _encode(group))
        answered = [
            asked
            for event_id, asked in self._asked.items()
            if _encode(asked) != self._table.kept(self._member(event_id))
        ]
        for asked in answered:
            asked.emitted = now
            self._table.keep(self._member(asked.event_id), _encode(asked))
        return answered, groups

    def _member(self, event_id: str) -> Member:
        return REQUEST + self._table.names.key_of(self._table.tenant, "request", event_id)


def evidence_gone(group: ErasedGroup, table: Table) -> list[bytes]:
    """The keys of the evidence of links that are erased, unless the link was made anew since."""

    def stands(key: bytes, one: bytes, other: bytes) -> bool:
        row, partner = table.find_by(one), table.find_by(other)
        if row is None or partner is None:
            return False
        sources = {
            said.source
            for end, far in ((row, partner), (partner, row))
            for said in end.links.get(far.identifier, ())
        }
        words = row.words.get(partner.identifier, ())
        sources |= {PEOPLE} if any(word.what == LINK for word in words) else set()
        pair = sorted((row.identifier, partner.identifier))
        return any(key == table.names.key_of(group.tenant, "link", *pair, source) for source in sources)

    return [key for key, one, other in group.links if not stands(key, one, other)]
