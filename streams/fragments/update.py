"""Taking messages into a fragment: one `Update` per row and batch."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, Final

import msgspec

from schemas.identifiers import place
from schemas.identity import MapRow
from schemas.internal import (
    ACCOUNT_KINDS,
    ERP,
    PER_EMPLOYMENT,
    PERSON,
    STEWARD,
    STRONG_KINDS,
    Command,
    Fact,
    Link,
    Mini,
    Outcome,
    Owner,
    Owns,
    Told,
    Touch,
    kind_of,
)
from schemas.keys import erased_name, event_key, identifier_key
from schemas.times import DAY_MS
from schemas.touchpoint import FACT_TYPES
from streams.fragments import erasure, keeping
from streams.fragments import row as rows
from streams.fragments.erasure import CONSENT, front
from streams.fragments.row import CLAIM_LADDER, TOUCH_LADDER, WORD_LADDER, Claim, Fragment, LinkKey, Said
from streams.fragments.statements import PROFILING, links
from streams.fragments.thinning import settle

_EMPLOYING: Final = frozenset({"identified", "profile_updated"})
_ANNOUNCED: Final = frozenset((*STRONG_KINDS, *ACCOUNT_KINDS))
_PER_EMPLOYMENT: Final = frozenset(PER_EMPLOYMENT)
_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Update:
    """Takes messages into `row` (in place), map rows first; `finish` brings it into canonical form.

    `stated`: the row may state something new; `restated`: IDENTITY has erased something and is to be told
    again everything that remains. `overflow`: statements that the row does not remember, for want of room or
    because they speak of somebody who is erased. They are told every time they are heard, so that IDENTITY
    misses none: late evidence may have more to erase. `refused`: touches that are erased.
    """

    __slots__ = (
        "_claims",
        "_commands",
        "_erasure",
        "_facts",
        "_history",
        "_key_of",
        "_links",
        "_named_by_map",
        "_outcomes",
        "_touches",
        "_words",
        "overflow",
        "refused",
        "restated",
        "row",
        "stated",
    )

    def __init__(self, row: Fragment, key_of: Callable[..., bytes]) -> None:
        self.row = row
        self.stated = False
        self.restated = False
        self.overflow: list[Link | Owns] = []
        self.refused: list[Touch] = []
        self._key_of = key_of
        self._named_by_map = ""  # what a map row of this batch calls the identifier
        self._touches: list[Mini] = []
        self._claims: list[Claim] = []
        self._history: list[tuple[str, Fact]] = []
        self._words: set[Said] = set()
        self._outcomes: list[Outcome] = []
        self._commands: list[Command] = []
        self._facts = row.facts  # copied before the first change: snapshots of the row as it was refer to it
        self._links: dict[LinkKey, tuple[int, int]] | None = None  # only where one is heard
        self._erasure = None if row.mapped is None else erasure.of(row, key_of)

    def mapped(self, said: MapRow) -> None:
        """IDENTITY has spoken; the highest version holds."""
        row, state, known = self.row, rows.map_state(said), self.row.mapped
        if known is not None and state.version <= known.version:
            return
        row.mapped = state
        if state.every and not (known and known.every):
            self.stated = True  # owners that had said nothing new
        self._named_by_map = said.identifier
        if not said.identifier.startswith("#"):
            row.identifier = said.identifier
        if (state.erased, state.forgotten) == ((known.erased, known.forgotten) if known else ([], {})):
            return
        self.stated = self.restated = True
        self._erasure = erasure.of(row, self._key_of)
        if self._erasure is not None:
            if not rows.is_strong(row.identifier):
                self._tell_owners(row.claims)
            erasure.cut(row, self._erasure, self._key_of)
            self._facts = row.facts

    def take(self, message: Touch | Owner | Told | Outcome | Command) -> None:
        """Any other message."""
        if isinstance(message, Touch):
            self.touch(message)
        elif isinstance(message, Owner):
            self.owner(message)
        elif isinstance(message, Told):
            self.told(message)
        else:
            self.decided(message)

    def touch(self, touch: Touch) -> None:
        """A touchpoint of this identifier. Every copy of an event tells facts and statements; one counts."""
        row, at, rank = self.row, touch.occurred_at, touch.rank
        if row.last is None or at > row.last:
            row.last = at
        if self._erasure is not None and self._erasure.covers(at):
            self._refuse(touch)
            return
        self._back(touch)
        identifier = row.identifier = touch.identifier  # also where it had been erased
        kind = kind_of(identifier)
        names = "" if touch.account == identifier else touch.account
        if (row.seen is None or at < row.seen) and kind in _ANNOUNCED:
            self._seen(at)
        if touch.type not in FACT_TYPES:
            at_firm = place(touch)
            self._touches.append(_mini(touch, at_firm))
            if names:
                self._named(names, at)
            elif at_firm:
                self._place(at_firm)
        elif kind in _ANNOUNCED:
            self._said(at)
            employs = touch.type in _EMPLOYING and rank <= ERP and touch.actor == PERSON
            if names and employs and kind in STRONG_KINDS:
                self._claims.append((at, names, touch.source, rank))
        if touch.actor == PERSON and len(touch.strong) > 1:
            self._link(touch.strong, touch.source, rank, at)
        if touch.contact and kind not in ACCOUNT_KINDS:
            self._tell(touch.contact, "", rank, at, touch.source)
            self._remember(touch)
        if touch.organisation and not touch.account:
            self._tell(touch.organisation, "organisation.", rank, at, touch.source)
        if touch.consent:
            self._consent(touch)

    def owner(self, owner: Owner) -> None:
        """The weak identifier was seen together with a strong one."""
        row, claim = self.row, (owner.at, owner.strong, "", STEWARD)
        if row.last is None or owner.at > row.last:
            row.last = owner.at
        if self._erasure is not None and owner.at < (self._erasure.floor or owner.at):
            return
        row.identifier = owner.weak
        if self._erasure is not None:
            self._tell_owners([claim])
            claim = self._erasure.owner(claim)
        self._claims.append(claim)

    def told(self, told: Told) -> None:
        """A message spoke of this account."""
        row = self.row
        if row.last is None or told.at > row.last:
            row.last = told.at
        if self._erasure is not None and self._erasure.covers(told.at):
            return
        row.identifier = told.account
        self._seen(told.at)
        self._said(told.at)
        if told.rank <= ERP and len(told.keys) > 1:
            self._link(told.keys, told.source, told.rank, told.at)
        if told.facts:
            self._tell(told.facts, "", told.rank, told.at, told.source)
        if told.mailbox and told.mailbox not in row.mailboxes:
            row.mailboxes = sorted([*row.mailboxes, told.mailbox])[: keeping.MAILBOXES]

    def decided(self, said: Outcome | Command) -> None:
        """An outcome or a command that names this account first."""
        row = self.row
        if row.last is None or said.at > row.last:
            row.last = said.at
        row.identifier = said.account[0]
        if isinstance(said, Outcome):
            self._outcomes.append(said)
        else:
            self._commands.append(keeping.nameless(said, self._key_of))

    def finish(self) -> None:
        """Bring sets into canonical form and within their bounds."""
        row = self.row
        if self._touches:
            self._settle_touches()
        if self._history or self._words or self._outcomes or self._commands:
            self._settle_said()
        if self._claims:
            known = set(row.claims)
            if not known.issuperset(self._claims):
                self.stated = True
                known.update(self._claims)
                row.claims_level, row.claims = settle(CLAIM_LADDER, row.claims_level, sorted(known), 1)
        if self._links is not None:
            row.links = sorted((*key, first, last) for key, (first, last) in self._links.items())
            self.overflow += links(row.tenant, row.links[rows.LINKS :])
            del row.links[rows.LINKS :]
        if len(self._facts) > rows.FACTS:  # the most trusted ones, then by name
            best = sorted(self._facts, key=lambda name: (self._facts[name].rank, name))
            self._facts = {name: self._facts[name] for name in best[: rows.FACTS]}
            row.lesser = {name: facts for name, facts in row.lesser.items() if name in self._facts}
        row.facts = self._facts
        floor = None if self._erasure is None else self._erasure.floor
        if floor is not None and (row.last is None or row.last < floor):  # nothing is left
            row.last = None
            row.identifier = self._named_by_map or row.identifier
        elif self._erasure is not None and rows.is_bare(row):  # only who is erased had the device
            row.identifier = erased_name(identifier_key(self._key_of, row.tenant, row.identifier))

    def _settle_touches(self) -> None:
        row = self.row
        known = {rows.touch_order(touch): touch for touch in row.touches}
        before = len(known)
        for touch in self._touches:
            if known.setdefault(rows.touch_order(touch), touch) is touch:
                row.widest = max(row.widest, len(_pack(touch)))
        if len(known) > before:
            touches = [known[order] for order in sorted(known)]
            row.level, row.touches = settle(TOUCH_LADDER, row.level, touches, row.widest)
            if row.level:
                row.touches = sorted({*row.touches, *rows.of_accounts(row, touches)}, key=rows.touch_order)

    def _settle_said(self) -> None:
        """Lists are replaced: snapshots of the row as it was refer to them."""
        row = self.row
        if self._history:
            told = dict(row.history)
            for name, fact in self._history:
                told[name] = [*told.get(name, ()), fact]
            row.history = {name: keeping.remembered(facts) for name, facts in told.items()}
        if not self._words <= (known := set(row.words)):
            words = sorted(known | self._words)
            row.words_level, row.words = settle(WORD_LADDER, row.words_level, words, 1)
        if self._outcomes or self._commands:
            self.stated = self.stated or not (row.outcomes or row.commands)
            row.outcomes = keeping.decisions(row.outcomes, self._outcomes)
            row.commands = keeping.decisions(row.commands, self._commands)

    def _tell_owners(self, claims: list[Claim]) -> None:
        """Tell which of these owners are erased: once they have no name here it cannot be told any more.

        Also those that say nothing new: what comes late may make news of them.
        """
        if self._erasure is not None:
            row, since = self.row, self._erasure.floor or 0
            told = [each for each in claims if each[0] >= since and self._erasure.owner(each) is not each]
            self.overflow += [Owns(row.tenant, row.identifier, strong, at) for at, strong, _, _ in told]

    def _refuse(self, touch: Touch) -> None:
        self.refused.append(touch)
        floor = None if self._erasure is None else self._erasure.floor
        if floor is None or touch.occurred_at >= floor:  # only its owner of then is erased
            self.row.identifier = touch.identifier
        if touch.actor == PERSON and len(touch.strong) > 1:
            self._forward(touch.strong, touch.source, touch.rank, touch.occurred_at)
        if touch.consent:  # of a device that was an erased person's: a word on consent it keeps
            self._consent(touch)

    def _back(self, touch: Touch) -> None:
        """A touch that is not erased, or no more: whoever it is told of may name its event."""
        row = self.row
        if row.erased:
            key = event_key(self._key_of, row.tenant, touch.source, touch.event_id)
            row.erased = [one for one in row.erased if one != key]

    def _seen(self, at: int) -> None:
        if self.row.seen is None or at < self.row.seen:
            self.row.seen = at
            self.stated = True

    def _said(self, at: int) -> None:
        row = self.row
        if at not in row.said and (len(row.said) < rows.SAID or at > row.said[0]):
            row.said = sorted([*row.said, at])[-rows.SAID :]

    def _named(self, account: str, at: int) -> None:
        named = self.row.named
        known = named.get(account)
        if known is None and len(named) >= rows.NAMED:
            if account > (largest := max(named)):
                return
            del named[largest]  # for good: there will always be as many smaller ones
        if known is None or at < known:
            named[account] = at
            self.stated = True

    def _place(self, place: str) -> None:
        if place not in self.row.places:
            self.row.places = sorted([*self.row.places, place])[: rows.PLACES]

    def _link(self, keys: list[str], source: str, rank: int, at: int) -> None:
        if self._links is None:
            self._links = {each[:4]: each[4:] for each in self.row.links}
        known_links, account = self._links, rows.is_account(keys[0])
        for a, b in combinations(sorted(set(keys)), 2):
            if self._erasure is not None and at < (self._erasure.link_floor(a, b) or at):
                self._forward([a, b], source, rank, at)
                continue
            known = known_links.get((a, b, source, rank))
            if known is None:
                known_links[a, b, source, rank] = at, at
                self.stated = True
            elif at < known[0] or at > known[1]:
                known_links[a, b, source, rank] = min(at, known[0]), max(at, known[1])
                later_day = account and at // DAY_MS > known[1] // DAY_MS
                self.stated = self.stated or later_day or at < known[0]

    def _forward(self, keys: list[str], source: str, rank: int, at: int) -> None:
        pairs = combinations(sorted(set(keys)), 2)
        self.overflow += [Link(self.row.tenant, a, b, source, rank, at) for a, b in pairs]

    def _consent(self, touch: Touch) -> None:
        """Consent is no matter of trust: the latest word holds; of equal times, the refusal."""
        at = touch.occurred_at
        self._tell(touch.consent, CONSENT, STEWARD, at, touch.source)
        if kind_of(touch.identifier) not in ACCOUNT_KINDS and not (
            self._erasure is not None and self._erasure.drops(CONSENT, at)
        ):
            self._words.update((at, purpose, given) for purpose, given in touch.consent.items())

    def _remember(self, touch: Touch) -> None:
        """Facts that count per employment."""
        at = touch.occurred_at
        for name in _PER_EMPLOYMENT.intersection(touch.contact):
            value = touch.contact[name]
            if _is_fact(value) and not (self._erasure is not None and self._erasure.drops(name, at)):
                self._history.append((name, Fact(touch.rank, at, touch.source, value)))

    def _tell(self, facts: Mapping[str, Any], prefix: str, rank: int, at: int, source: str) -> None:
        row = self.row
        for attribute, value in facts.items():
            name = prefix + attribute
            known = self._facts.get(name)
            if known is not None and at <= known.at and (known.rank, -known.at) < (rank, -at):
                continue  # nearly all
            if not _is_fact(value) or (self._erasure is not None and self._erasure.drops(name, at)):
                continue
            fact = Fact(rank, at, source, value)
            best, lesser = fact, []
            if known is not None:
                best, *lesser = front([known, *row.lesser.get(name, ()), fact])
            if best is not known:
                if self._facts is row.facts:
                    self._facts = dict(self._facts)
                self._facts[name] = best
                if name == PROFILING and (known is None or known.value != best.value):
                    self.stated = True
            if lesser:
                row.lesser[name] = lesser
            else:
                row.lesser.pop(name, None)


def _is_fact(value: object) -> bool:
    return value is not None and len(_json(value)) <= rows.FACT_BYTES


def _mini(touch: Touch, at_firm: str) -> Mini:
    order = touch.commerce.get("order_id")
    if order:  # the namespace cannot run into the id, whatever characters they hold
        namespace = touch.commerce.get("order_namespace", "").replace("%", "%25").replace(":", "%3A")
        order = f"{namespace}:{order}"
    return Mini(
        touch.occurred_at,
        touch.digest,
        touch.event_id,
        touch.source,
        touch.type,
        touch.actor,
        touch.rank,
        touch.account,
        touch.content.get("topic") or "",
        touch.content.get("content_id") or "",
        order or "",
        touch.channel,
        at_firm,
        keeping.trade(touch),
    )
