"""Takes what was erased out of what an account remembers of what it told.

What was told stays told, but loses the person: the ids of erased events, the identifiers of erased fragments
and the contact that they belonged to, names. The id of a contact in a natural key stays, so that the event
can be taken back; it is a keyed hash, and resolves to nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from schemas.events import AccountProfile, Member
from schemas.keys import event_key, identifier_key
from streams.core import Member as Row
from streams.journeys.ledger import HANDOFF, Ledger, Ref, Said, nameless
from streams.journeys.records import LEDGER, PROFILE, ledger_of

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_profile = msgspec.json.Decoder(AccountProfile).decode


class Erased(NamedTuple):
    """What was erased, as keyed hashes."""

    key_of: Callable[..., bytes]
    tenant: str
    fragments: Mapping[bytes, frozenset[str]]  # and the contacts whose they are by now
    events: frozenset[bytes]

    def ledger(self, ledger: Ledger) -> Ledger:
        """The ledger without it."""
        refs = [_nameless(ref) for ref in ledger.refs]
        named = [ref is not before for ref, before in zip(refs, ledger.refs, strict=True)]
        said = [self._said(said, named=named[said.ref]) for said in ledger.said]
        return msgspec.structs.replace(ledger, refs=refs, said=said)

    def rows(self, members: Mapping[Row, bytes]) -> dict[Row, bytes]:
        """Those of an account's rows that held some of it, without it."""
        changed: dict[Row, bytes] = {}
        if (value := members.get(LEDGER)) is not None:
            changed[LEDGER] = _pack(self.ledger(ledger_of(value)))
        if (value := members.get(PROFILE)) is not None:
            changed[PROFILE] = _json(self.profile(_profile(value)))
        return {member: value for member, value in changed.items() if value != members[member]}

    def profile(self, profile: AccountProfile) -> AccountProfile:
        """The profile without it, and without all names of causes: the next one tells those that remain."""
        for journey in profile.journeys:
            for stage in journey.stages:
                stage.caused_by = []
        members = [self._member(member) for member in profile.members]
        name = profile.name if profile.keys else ""
        named = {identifier for member in members for identifier in member.identifiers}
        anew = {identifier: at for identifier, at in profile.anew.items() if identifier in named}
        return msgspec.structs.replace(
            profile,
            name=name,
            members=members,
            anew=anew,
            score_parts=[],
            silences=[],
            crossings=[],
            handoffs=[],
            order_list=[],
            facts=[],
            interests=[],
            next_question=None,
            next_best_action=None,
        )

    def _said(self, said: Said, *, named: bool) -> Said:
        if named:
            said = msgspec.structs.replace(said, erased=True)
        if said.cause and event_key(self.key_of, self.tenant, said.source, said.cause) in self.events:
            said = msgspec.structs.replace(said, cause="", source="", erased=True)
        if self._theirs(said.contact, said.identifiers):
            said = msgspec.structs.replace(said, contact="", identifiers=[], roles=[], erased=True)
        if said.kind == HANDOFF and said.details != (bare := nameless(said.details or {})):
            # What sales was told shows all that was known of everybody: all of it goes, and is told anew.
            said = msgspec.structs.replace(said, details=bare, erased=True)
        return said

    def _member(self, member: Member) -> Member:
        """Without steps and evidence, whosever they are; of who is meant, or was erased in part, no more."""
        bare = msgspec.structs.replace(member, roles=[], reach="", steps=[])
        keys = [identifier_key(self.key_of, self.tenant, identifier) for identifier in member.identifiers]
        if any(key in self.fragments for key in keys):
            bare = msgspec.structs.replace(bare, name="", job_title="")
        if self._theirs(member.contact_id, member.identifiers):
            bare = msgspec.structs.replace(bare, identifiers=[])
        return bare

    def _theirs(self, contact: str, identifiers: Iterable[str]) -> bool:
        keys = (identifier_key(self.key_of, self.tenant, identifier) for identifier in identifiers)
        return any(contact not in self.fragments.get(key, (contact,)) for key in keys)


def _nameless(ref: Ref) -> Ref:
    """An account without keys has the name of a person."""
    return ref if ref.keys or not ref.name else msgspec.structs.replace(ref, name="")
