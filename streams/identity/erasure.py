"""Erasure: who belongs to what a request names, what is taken out of the rows, and what comes late.

A request of time T erases the identifiers that belong together by what is dated up to T, as one *erased
group*, and whatever is dated up to T and names one of them. Of them only keys, kinds and times are kept
(`requests`, `rows.Erasure`). What is dated later opens a new generation, with another contact id. What is
dated up to T and comes later is passed over; a link among it may enlarge the group.
"""

from collections.abc import Collection

from schemas.internal import ISSUED_KINDS, STRONG_KINDS, WEAK_KINDS, Link, Request, kind_of
from schemas.keys import erased_name
from streams.identity.components import whole
from streams.identity.contacts import contact_id
from streams.identity.evidence import PEOPLE
from streams.identity.issued import Issued, gives, in_spans, names
from streams.identity.requests import ERASE, Asked, ErasedGroup, Register
from streams.identity.rows import (
    CANNOT_LINK,
    LINK,
    NEVER,
    Row,
    Word,
    add_link,
    erasure,
    is_erased,
    standing,
    weak_kind,
)
from streams.identity.spans import NOBODY, Person, Span
from streams.identity.table import Table

ERASED = "#"  # what the name of an erased identifier begins with, and here the contact of what was its


class Erasures:
    """Requests of one tenant during one batch, and statements that name who is erased."""

    def __init__(self, table: Table, issued: Issued) -> None:
        self._table = table
        self._issued = issued
        self._register = Register(table)
        self._enlarged: set[bytes] = set()  # groups whose requests are to be answered anew

    # Requests

    def request(self, said: Request) -> None:
        """Erase, or find, what belongs to what it names; repeated it says nothing.

        What several requests of one event id ask for adds up.
        """
        asked = self._register.asked(said.event_id)
        if asked is None:
            asked = self._register.hear(Asked(said.tenant, said.event_id, said.request, said.at))
        for name in said.identifiers:
            heard = self._table.names.key_of(said.tenant, "asked", said.request, str(said.at), name)
            if heard not in asked.heard:
                asked.heard.append(heard)
                asked.at = max(asked.at, said.at)
                asked.request = min(asked.request, said.request)  # `erase` before `export`
                self.ask(said, name)

    def ask(self, said: Request, name: str) -> None:
        """One of the names in a request; an id that stands for nobody waits."""
        identifier = self._issued.identifier(name) if kind_of(name) in ISSUED_KINDS else name
        if identifier is None:
            self._issued.wait(name, Request(said.tenant, said.event_id, said.request, [name], said.at))
            return
        asked = self._register.asked(said.event_id)
        if asked is None or kind_of(identifier) not in (*STRONG_KINDS, *WEAK_KINDS):
            return
        if said.request != ERASE:
            self._find(asked, identifier, said.at)
            return
        group = self._group(identifier, said)
        if asked.event_id not in group.requests:
            group.requests.append(asked.event_id)
            asked.groups.append(group.key)
        self._enlarged.add(group.key)

    def _find(self, asked: Asked, identifier: str, at: int) -> None:
        members = self._together(identifier, at)
        asked.found = sorted({*asked.found, *map(self._key, members)})
        rows = {key: self._table.row_by(key) for key in asked.found}
        devices = {key for key, row in rows.items() if weak_kind(row)}
        asked.identifiers = len(asked.found) - len(devices)
        asked.devices = len(devices | self._devices([row.identifier for row in rows.values()]))
        if members and kind_of(identifier) in STRONG_KINDS:
            canonical = self._table.row(self._table.canonical(members))
            asked.contact_ids = sorted({*asked.contact_ids, gives(self._table.names.key_of, canonical)})

    def _group(self, identifier: str, asked: Request) -> ErasedGroup:
        """The erased group of an identifier at the time of a request, a new one if need be."""
        row = self._table.find(identifier)
        if row is not None and row.erasure is not None and (grave := row.erasure.grave(asked.at)):
            return self._register.group(grave)
        tenant = self._table.tenant
        parts = asked.event_id, str(asked.at), self._key(identifier).hex()
        key = self._table.names.key_of(tenant, "erased", *parts)
        group = self._register.open(ErasedGroup(tenant, key, asked.at))
        self._enlarge(group, self._together(identifier, asked.at) or [identifier])
        return group

    def _together(self, identifier: str, until: int) -> list[str]:
        """The contact of an identifier, by what is dated up to then; empty: nothing is."""
        row = self._table.find(identifier)
        if row is None or row.seen > until:
            return []
        if kind_of(identifier) in WEAK_KINDS:
            return [identifier]
        return whole(self._table, identifier, until).of[identifier].members

    # What comes late

    def link(self, said: Link) -> None:
        """A link of a source, of which an end is erased at its time."""
        self._joined(said.a, said.b, said.at, said.rank)

    def word(self, a: str, b: str, word: Word) -> None:
        """What a person said of two strong identifiers, of which one is erased at its time."""
        if word.what == LINK:
            self._joined(a, b, word.at, None)
            return
        for one, other in ((a, b), (b, a)):
            row = self._table.row(one)
            if row.erasure is not None and (grave := row.erasure.grave(word.at)):
                group = self._register.group(grave)
                group.spoke(self._key(one) + self._key(other), word.at)
                if word.what == CANNOT_LINK and self._key(other) not in group.apart:
                    group.apart.append(self._key(other))
                self._forget(other, one, group.until)

    def _joined(self, a: str, b: str, at: int, rank: int | None) -> None:
        """`a` and `b` are one, says a source of a rank, or a person."""
        rows = self._table.row(a), self._table.row(b)
        graves = [row.erasure.grave(at) if row.erasure is not None else None for row in rows]
        if graves[0] and graves[1]:
            return  # there is nothing more to erase
        erased, other = (a, b) if graves[0] else (b, a)
        group = self._register.group(graves[0] or graves[1] or b"")
        if rank is None:
            settled = not group.spoke(self._key(erased) + self._key(other), at)
        else:
            settled = self._is_other(erased, other, at, rank)
        if settled:
            self._forget(other, erased, group.until)
            return
        members = self._together(other, group.until)
        kinds = {self._key(member): kind_of(member) for member in members}
        if group.fits(kinds, limited=rank is not None):
            self._enlarge(group, members)
        else:
            self._forget(other, erased, group.until)

    def _is_other(self, erased: str, other: str, at: int, rank: int) -> bool:
        """Whether it is settled that a link of that rank joins nobody to who is erased."""
        row = self._table.row(other)
        known = row.erasure.forgotten.get(self._key(erased)) if row.erasure is not None else None
        if known is not None and at <= known:
            return True
        return bool((row.inert | erasure(self._table.row(erased)).inert) >> rank & 1)

    # Taking out

    def _enlarge(self, group: ErasedGroup, members: list[str]) -> None:
        """Erase `members` with the group."""
        for member in members:
            row, key = self._table.blank(member), self._key(member)
            group.members[key] = kind_of(member)
            if row.seen <= group.until:
                self._note(group, row, member, row.seen)
        for member in members:
            self._take_out(self._table.row(member), group, members)
        self._enlarged.add(group.key)

    def _note(self, group: ErasedGroup, row: Row, identifier: str, at: int) -> None:
        """A member was seen at a time: the first one gives the id of the contact that is erased."""
        if kind_of(identifier) in ISSUED_KINDS:
            return
        graves = row.erasure.graves if row.erasure is not None else []
        before = max((until for until, _ in graves if until < group.until), default=None)
        since = at if before is None else before + 1
        issued = ""
        if kind_of(identifier) in STRONG_KINDS:
            issued = contact_id(self._table.names.key_of, row.tenant, identifier, before)
        group.first = min(group.first or (NEVER, b"", ""), (since, self._key(identifier), issued))

    def _take_out(self, row: Row, group: ErasedGroup, members: Collection[str]) -> None:
        name, key, until = row.identifier, self._key(row.identifier), group.until
        weak = group.members[key] in WEAK_KINDS
        self._bury_ids(row, group)
        kept = erasure(row)
        kept.graves = sorted([*kept.graves, (until, group.key)])
        for one in map(self._table.row, list(self._table.dependants(erased_name(key)))):
            if one.erasure is not None and key in one.erasure.forgotten:
                self._forgets(one, key)
        if not weak:
            self._unlink(row, group, members)
        later_words = ((strong, _after(words, until)) for strong, words in row.words.items())
        row.words = {strong: words for strong, words in later_words if words}
        row.owners = {
            strong: left
            for strong, times in row.owners.items()
            if (left := [at for at in times if at > until])
        }
        row.employed = [one for one in row.employed if one[2] > until]
        if row.profiling is not None and row.profiling[0] <= until:
            row.profiling = None
        row.accounts = {}  # their times are not known: what is later is stated again
        row.home, row.places, row.private = [], {}, False
        later = self._leave_devices(name, until) if not weak else []
        later += [one.first for said in row.links.values() for one in said]
        later += [word.at for words in row.words.values() for word in words]
        later += [at for times in row.owners.values() for at in times]
        later += [one[2] for one in row.employed]
        later += [] if row.profiling is None else [row.profiling[0]]
        row.seen = min(later, default=NEVER)
        if later:
            self._table.born.append(row)  # it gives another id now
            self._table.touch(name)
        else:
            for stale in self._table.stale.values():
                stale.discard(name)
            row.identifier, row.spans = erased_name(key), NOBODY
            kept.periods = []  # whose device it was is erased with it
        self._table.changed.add(row.identifier)
        self._table.published.add(row.identifier)

    def _bury_ids(self, row: Row, group: ErasedGroup) -> None:
        """The ids that the identifier gives stand for nobody from now on; what they did is erased too."""
        issued = gives(self._table.names.key_of, row)
        self._issued.forget(row.identifier, group.until)
        for name in names(issued) if issued else ():
            if self._table.find(name) is not None or name in in_spans(row.spans):
                kept = erasure(self._table.blank(name))
                kept.graves = sorted([*kept.graves, (group.until, group.key)])
                self._table.touch(name)
                self._table.published.add(name)

    def _unlink(self, row: Row, group: ErasedGroup, members: Collection[str]) -> None:
        """Take what is erased of its links, and of what people said, from both ends."""
        name, until, key_of = row.identifier, group.until, self._table.names.key_of
        others = {partner: self._table.row(partner) for partner in (*row.links, *row.words)}
        if row.inert:  # it does not know all who are linked to it
            others |= {one.identifier: one for one in self._table.holding(name) if name in one.links}
        for partner, other in others.items():
            said = {one.source: one for one in (*row.links.get(partner, ()), *other.links.get(name, ()))}
            gone = {source for source, one in said.items() if one.first <= until}
            words = [word for word in row.words.get(partner, ()) if _is_gone(word, until, 0)]
            were_seen = bool(gone) or any(word.at <= until for word in words)
            if any(word.what == LINK for word in words):
                gone.add(PEOPLE)
            keys = self._key(name), self._key(partner)
            smaller, larger = sorted((name, partner))
            for source in sorted(gone):
                group.links.append((key_of(row.tenant, "link", smaller, larger, source), *keys))
            stood = standing(row, partner, until)
            if stood is not None and partner not in members:
                group.spoke(keys[0] + keys[1], stood.at)
            if stood is not None and stood.what == CANNOT_LINK:
                group.apart.append(keys[1])
            for n, (end, far) in enumerate(((row, partner), (other, name))):
                _cut(end, far, until, n)
                self._table.fared.add((end.identifier, far))
            if partner in members:
                continue
            self._table.touch(partner)
            if were_seen:
                self._forget(partner, name, until)
        if row.inert:
            self._link_again(row, others)

    def _link_again(self, row: Row, others: dict[str, Row]) -> None:
        """What is left of the links of an identifier that had too many partners: it may have few now."""
        erasure(row).inert |= row.inert
        row.inert, row.links = 0, {}
        for partner, other in others.items():
            for said in other.links.get(row.identifier, ()):
                for one in add_link(row, partner, said.source, said.rank, said.first):
                    self._table.touch(one)

    def _forget(self, identifier: str, erased: str, until: int) -> None:
        """`identifier` is somebody else than who is erased: FRAGMENTS drops what links the two."""
        row, key = self._table.row(identifier), self._key(erased)
        if row.seen != NEVER and not is_erased(row, until):
            self._forgets(row, key)

    def _forgets(self, row: Row, key: bytes) -> None:
        """A row forgets an erased identifier: up to when this one is erased, whichever request came last."""
        erasure(row).forgotten[key] = erasure(self._table.row_by(key)).graves[-1][0]
        self._table.index.add(erased_name(key), row.identifier)
        self._table.touch(row.identifier)
        self._table.published.add(row.identifier)

    # Devices

    def _leave_devices(self, strong: str, until: int) -> list[int]:
        """Leave what devices were the person's up to then to the erased one; gives the times that remain."""
        erased, later = erased_name(self._key(strong)), []
        for weak in list(self._table.dependants(strong)):
            row = self._table.row(weak)
            times, words = row.owners.pop(strong, []), row.words.pop(strong, [])
            if gone := [at for at in times if at <= until]:
                row.owners[erased] = sorted({*row.owners.get(erased, ()), *gone})
            if left := [at for at in times if at > until]:
                row.owners[strong] = left
            if said := [word for word in words if word.at <= until]:
                row.words[erased] = sorted([*row.words.get(erased, ()), *said])
            if after := _after(words, until, erased=1):
                row.words[strong] = after
            if gone or len(after) < len(words):
                self._table.touch(weak)
                self._table.published.add(weak)  # it may be that people speak of it no more
            if gone or said:
                self._left_behind(row, strong)
            later += [*left, *(word.at for word in after)]
        return later

    def owner(self, weak: str, strong: str, at: int) -> str:
        """By which name a person owns a device who is said to have used it then: an erased one has none."""
        row = self._table.row(strong)
        if not is_erased(row, at):
            return strong
        self._left_behind(self._table.row(weak), strong)
        return erased_name(self._key(strong))

    def _left_behind(self, weak: Row, strong: str) -> None:
        """A device was an erased person's."""
        key = self._key(strong)
        if not weak.identifier.startswith(ERASED):
            erasure(weak).kind = kind_of(weak.identifier)
        if key not in erasure(weak).forgotten:
            self._forgets(weak, key)

    def rename(self, identifier: str) -> None:
        """A device that only erased persons are known to have owned has no name; else it is called so."""
        row = self._table.row(identifier)
        owners = (*row.owners, *row.words)
        living = row.accounts or not all(one.startswith(ERASED) for one in owners)
        nameless = row.seen == NEVER or (bool(owners) and not living)
        plain = identifier if row.identifier.startswith(ERASED) else row.identifier
        name = erased_name(self._key(identifier)) if nameless else plain
        had = ERASED if identifier in self._table.nameless else row.identifier
        if name != row.identifier:
            self._table.rename(row, name)
        if name[0] != had[0]:
            self._table.changed.add(name)
            self._table.published.add(name)

    def person(self, name: str) -> Person:
        """Who an erased owner is: one person with its group, at no account."""
        row = self._table.row(name)
        return Person(ERASED + (row.erasure.graves[-1][1].hex() if row.erasure is not None else ""), _NOWHERE)

    def hidden(self, weak: Row, spans: list[Span]) -> list[Span]:
        """The spans of a device; what is an erased person's is nobody's, and erased up to its time."""
        hidden: list[Span] = []
        periods: list[tuple[int | None, int]] = []
        for n, (since, contact, account) in enumerate(spans):
            if contact is not None and contact.startswith(ERASED):
                until = self._register.group(bytes.fromhex(contact[1:])).until + 1
                if n + 1 < len(spans) and (following := spans[n + 1][0]) is not None:
                    until = min(until, following)
                if since is None or since < until:
                    periods.append((since, until))
            owner = None if contact is None or contact.startswith(ERASED) else contact
            if not hidden or hidden[-1][1:] != (owner, account):
                hidden.append((since, owner, account))
        if periods or weak.erasure is not None:
            kept = erasure(weak)
            if kept.periods != periods:
                kept.periods = periods
                weak.accounts = {}  # what touches still name is stated again
                self._table.changed.add(weak.identifier)
                self._table.published.add(weak.identifier)
        return hidden

    # Answers

    def write(self, now: int) -> tuple[list[Asked], list[ErasedGroup]]:
        """Write what is kept of requests; gives those whose answer is new, and the groups that changed."""
        for identifier, at in self._table.late:
            row = self._table.row(identifier)
            if row.erasure is not None and (grave := row.erasure.grave(at)):
                self._note(self._register.group(grave), row, identifier, at)
                self._enlarged.add(grave)
        for key in self._enlarged:
            for event_id in self._register.group(key).requests:
                asked = self._register.asked(event_id)
                if asked is not None:
                    self._answer(asked)
        return self._register.write(now)

    def _answer(self, asked: Asked) -> None:
        groups = [self._register.group(key) for key in asked.groups]
        known = [group for group in groups if group.first is not None]
        members = [one for group in known for one in group.members.items()]
        devices = {key for key, kind in members if kind in WEAK_KINDS}
        asked.identifiers = sum(kind not in WEAK_KINDS for _, kind in members)
        asked.contact_ids = sorted({one.first[2] for one in known if one.first is not None and one.first[2]})
        asked.devices = len(devices | self._devices([erased_name(key) for key, _ in members]))

    def _devices(self, owners: Collection[str]) -> set[bytes]:
        found = ((owner, weak) for owner in owners for weak in self._table.dependants(owner))
        return {
            self._key(weak)
            for owner, weak in found
            if owner in (row := self._table.row(weak)).owners or owner in row.words
        }

    def _key(self, identifier: str) -> bytes:
        return self._table.names.member(self._table.tenant, identifier)


_NOWHERE: list[tuple[int | None, str]] = [(None, "")]


def _is_gone(word: Word, until: int, erased: int) -> bool:
    """Whether a word is erased; `erased`: the row's identifier is (0), or its partner is (1).

    An id by which people named who is erased is from before: what they say by it later means nobody.
    """
    return word.at <= until or word.by_id[erased]


def _after(words: list[Word], until: int, erased: int = 0) -> list[Word]:
    return [word for word in words if not _is_gone(word, until, erased)]


def _cut(row: Row, partner: str, until: int, erased: int) -> None:
    """Take out of a pair what is erased, from one end; `erased`: it is (0), or its partner is (1)."""
    if links := [one for one in row.links.pop(partner, ()) if one.first > until]:
        row.links[partner] = links
    if words := _after(row.words.pop(partner, []), until, erased):
        row.words[partner] = words
    if not links and not words:
        row.fared.pop(partner, None)
