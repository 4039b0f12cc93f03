"""Taking messages into a fragment: one `Update` per row and batch."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import msgspec

from schemas.internal import ERP, PERSON, STEWARD, Fact, Link, Mini, Owner, Told, Touch
from schemas.touchpoint import FACT_TYPES
from streams.fragments import row as rows
from streams.fragments.row import CLAIM_LADDER, TOUCH_LADDER, Claim, Fragment, MapState
from streams.fragments.statements import link
from streams.fragments.thinning import settle

_EMPLOYING: Final = frozenset({"identified", "profile_updated"})
_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Update:
    """Takes messages into `row` (in place); `finish` brings it into canonical form.

    `stated`: the row may state something new. `overflow`: links that the row has no room to remember. They
    are told every time they are heard, so that IDENTITY misses none; it makes them inert.
    """

    __slots__ = ("_claims", "_facts", "_links", "_touches", "overflow", "row", "stated")

    def __init__(self, row: Fragment) -> None:
        self.row = row
        self.stated = False
        self.overflow: list[Link] = []
        self._touches: list[Mini] = []
        self._claims: list[Claim] = []
        self._facts = row.facts  # copied before the first change: snapshots of the row as it was refer to it
        self._links: dict[tuple[str, str, str, int], int] | None = None  # only where one is heard

    def touch(self, touch: Touch) -> None:
        """A touchpoint of this identifier. Every copy of an event tells facts and statements; one counts."""
        row, at, rank = self.row, touch.occurred_at, touch.rank
        account_row = rows.is_account(row.identifier)
        names = "" if touch.account == row.identifier else touch.account
        if account_row or rows.is_strong(row.identifier):
            self._seen(at)
        if touch.type not in FACT_TYPES:
            self._touches.append(_mini(touch))
            if names:
                self._named(names, at)
        elif (
            names
            and touch.type in _EMPLOYING
            and rank <= ERP
            and touch.actor == PERSON
            and rows.is_strong(row.identifier)
        ):
            self._claims.append((at, names, touch.source, rank))
        if touch.actor == PERSON and len(touch.strong) > 1:
            self._link(touch.strong, touch.source, rank, at)
        if touch.contact and not account_row:
            self._tell(touch.contact, "", rank, at, touch.source)
        if touch.organisation and not touch.account:
            self._tell(touch.organisation, "organisation.", rank, at, touch.source)
        if touch.consent:
            # Consent is no matter of trust: the latest word holds; of equal times, the refusal.
            self._tell(touch.consent, "consent.", STEWARD, at, touch.source)

    def owner(self, owner: Owner) -> None:
        """The weak identifier was seen together with a strong one."""
        self._claims.append((owner.at, owner.strong, "", STEWARD))

    def told(self, told: Told) -> None:
        """A message spoke of this account."""
        self._seen(told.at)
        if told.rank <= ERP and len(told.keys) > 1:
            self._link(told.keys, told.source, told.rank, told.at)
        if told.facts:
            self._tell(told.facts, "", told.rank, told.at, told.source)

    def mapped(self, state: MapState) -> None:
        """IDENTITY has spoken; the highest version holds."""
        if self.row.mapped is None or state.version > self.row.mapped.version:
            self.row.mapped = state

    def finish(self) -> None:
        """Bring sets into canonical form and within their bounds."""
        row = self.row
        if self._touches:
            self._settle_touches()
        if self._claims:
            known = set(row.claims)
            if not known.issuperset(self._claims):
                self.stated = True
                known.update(self._claims)
                row.claims_level, row.claims = settle(CLAIM_LADDER, row.claims_level, sorted(known), 1)
        if self._links is not None:
            row.links = sorted((*key, at) for key, at in self._links.items())
            self.overflow += [link(row.tenant, each) for each in row.links[rows.LINKS :]]
            del row.links[rows.LINKS :]
        if len(self._facts) > rows.FACTS:  # the most trusted ones, then by name
            best = sorted(self._facts, key=lambda name: (self._facts[name].rank, name))
            self._facts = {name: self._facts[name] for name in best[: rows.FACTS]}
        row.facts = self._facts

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

    def _seen(self, at: int) -> None:
        if self.row.seen is None or at < self.row.seen:
            self.row.seen = at
            self.stated = True

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

    def _link(self, keys: list[str], source: str, rank: int, at: int) -> None:
        if self._links is None:
            self._links = {each[:4]: each[4] for each in self.row.links}
        for a, b in combinations(sorted(set(keys)), 2):
            known = self._links.get((a, b, source, rank))
            if known is None or at < known:
                self._links[a, b, source, rank] = at
                self.stated = True

    def _tell(self, facts: Mapping[str, Any], prefix: str, rank: int, at: int, source: str) -> None:
        for attribute, value in facts.items():
            name = prefix + attribute
            known = self._facts.get(name)
            if known is not None and (known.rank, -known.at) < (rank, -at):
                continue  # nearly all
            fact = Fact(rank, at, source, value)
            if _is_fact(value) and (known is None or _fact_order(fact) < _fact_order(known)):
                if self._facts is self.row.facts:
                    self._facts = dict(self._facts)
                self._facts[name] = fact


def _is_fact(value: object) -> bool:
    return value is not None and len(_json(value)) <= rows.FACT_BYTES


def _fact_order(fact: Fact) -> tuple[int, int, bytes, str]:
    return fact.rank, -fact.at, _json(fact.value), fact.source


def _mini(touch: Touch) -> Mini:
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
    )
