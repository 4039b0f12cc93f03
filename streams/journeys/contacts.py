"""What the fragments of an account tell of its contacts: names, identifiers, consent, titles.

What a strong fragment tells is about its contact; what a device tells, about who owned it when it was said.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from schemas.internal import (
    ACCOUNT_KINDS,
    STRONG_KINDS,
    Fact,
    Part,
    Snapshot,
    Word,
    kind_of,
)

EVER: Final = 1 << 62  # ms: later than any time
PURPOSES: Final = ("email", "phone", "profiling")
_CONSENT: Final = {f"consent.{purpose}": purpose for purpose in PURPOSES}
_FIRM: Final = "organisation."

_json = msgspec.json.Encoder(order="sorted").encode

Words = dict[str, list[Word]]  # purpose -> ascending


class Contact:
    """One contact, as this account's fragments know it."""

    __slots__ = ("anew", "bounces", "consent", "facts", "history", "identifiers", "phones", "words")

    def __init__(self) -> None:
        self.identifiers: list[str] = []  # strong ones
        self.phones: list[str] = []
        self.anew: dict[
            str, int
        ] = {}  # identifier -> since when (ms) it tells anything: before, it is erased
        self.consent: dict[str, bool] = {}  # purpose -> given; one identifier that refuses is a refusal
        self.words: dict[str, Words] = {}  # identifier -> what was said on it
        self.facts: dict[str, list[Fact]] = {}  # attribute -> the best of each fragment
        self.history: dict[str, list[Fact]] = {}  # per employment: all that was told
        self.bounces: dict[str, list[int]] = {}  # identifier of the fragment -> when mail bounced, ms

    @property
    def name(self) -> str:
        """The best name told; empty: none."""
        value = best(self.facts.get("name", ()))
        return value if isinstance(value, str) else ""

    @property
    def refuses_profiling(self) -> bool:
        """Whether nothing may be derived of what the contact does."""
        return not self.consent.get("profiling", True)

    @property
    def refuses_since(self) -> int:
        """Since when it has done so (ms): the first word of the refusals that stand; -EVER: since ever."""
        begun = [_refused_since(words["profiling"]) for words in self.words.values() if "profiling" in words]
        return min((at for at in begun if at is not None), default=-EVER)


def gather(there: Iterable[Snapshot]) -> dict[str, Contact]:
    """The contacts of these snapshots (standing ones, strongest identifier first)."""
    found: dict[str, Contact] = {}
    for snapshot in there:
        if kind_of(snapshot.identifier) in ACCOUNT_KINDS:
            continue
        owners = {part.contact for part in snapshot.parts if part.contact}
        for contact in owners:
            if contact not in found:
                found[contact] = Contact()
            _known_by(found[contact], snapshot, contact)
        _facts(found, snapshot, owners)
    return found


def best_fact(facts: Iterable[Fact]) -> Fact:
    """The fact that is used: lowest rank, then latest, then smallest as JSON."""
    return min(facts, key=lambda fact: (fact.rank, -fact.at, _json(fact.value)))


def best(facts: Iterable[Fact]) -> Any:
    """Its value; None: no facts.

    >>> best([Fact(3, 20, "web", "Acme"), Fact(1, 10, "crm", "Acme B.V.")])
    'Acme B.V.'
    """
    facts = list(facts)
    return best_fact(facts).value if facts else None


def holds(part: Part, at: int) -> bool:
    """Whether a time lies within a part's period."""
    return (part.since is None or part.since <= at) and (part.until is None or at < part.until)


def _known_by(known: Contact, snapshot: Snapshot, contact: str) -> None:
    kind = kind_of(snapshot.identifier)
    if kind in STRONG_KINDS:
        known.identifiers.append(snapshot.identifier)
    elif kind == "phone" and any(part.contact == contact and part.until is None for part in snapshot.parts):
        known.phones.append(snapshot.identifier)  # who owned it before is called by it no more
    if snapshot.anew:
        known.anew[snapshot.identifier] = snapshot.anew
    if snapshot.words:
        _take_words(known, snapshot, contact, strong=kind in STRONG_KINDS)
    mine = [part for part in snapshot.parts if part.contact == contact]
    for attribute, told in snapshot.history.items():
        known.history.setdefault(attribute, []).extend(
            fact for fact in told if kind in STRONG_KINDS or any(holds(part, fact.at) for part in mine)
        )
    bounced = [t.at for part in mine for t in part.touches if t.type == "email_bounced"]
    if bounced:
        known.bounces[snapshot.identifier] = sorted(bounced)


def _facts(found: dict[str, Contact], snapshot: Snapshot, owners: set[str]) -> None:
    strong = kind_of(snapshot.identifier) in STRONG_KINDS
    for attribute, fact in snapshot.facts.items():
        if not attribute.startswith(_FIRM):
            for contact in owners if strong else _owners(snapshot, fact):
                _take(found[contact], attribute, fact)


def _owners(snapshot: Snapshot, fact: Fact) -> set[str]:
    return {part.contact for part in snapshot.parts if part.contact and holds(part, fact.at)}


def _take(known: Contact, attribute: str, fact: Fact) -> None:
    known.facts.setdefault(attribute, []).append(fact)
    if (purpose := _CONSENT.get(attribute)) is not None:
        known.consent[purpose] = known.consent.get(purpose, True) and fact.value is True


def _take_words(known: Contact, snapshot: Snapshot, contact: str, *, strong: bool) -> None:
    """What was said on an identifier; on a device, while it was the contact's."""
    mine = [part for part in snapshot.parts if part.contact == contact]
    said = {
        purpose: [word for word in words if strong or any(holds(part, word[0]) for part in mine)]
        for purpose, words in snapshot.words.items()
    }
    if any(said.values()):
        known.words[snapshot.identifier] = {purpose: words for purpose, words in said.items() if words}


def _refused_since(words: list[Word]) -> int | None:
    """When the run of refusals began with which the words end; None: they end with leave given.

    >>> _refused_since([(1, False), (2, True), (3, False), (9, False)]), _refused_since([(1, True)])
    (3, None)
    """
    since = None
    for at, given in words:
        since = None if given else at if since is None else since
    return since
