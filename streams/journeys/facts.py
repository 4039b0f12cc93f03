"""Facts of an account and its members: which one counts, in one spelling, how sure it is, how long it holds.

Of what several sources tell of an attribute the higher-ranked source counts, then the later word. What has
expired is only shown: a weaker source that still holds comes before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from typing import Final, Literal, NamedTuple

from schemas.events import FactRow
from schemas.internal import CRM, ERP, STEWARD, Fact
from schemas.times import DAY_MS, rfc3339
from streams.definition.model import FactRule
from streams.journeys.contacts import best_fact
from streams.journeys.standard import standard

MOST_OF_ONE: Final = 64  # facts of one entity, as many as one message can tell
MOST_PEOPLE: Final = 10**9  # that an account can employ
MOST: Final = 1_000  # of an account with its members: a profile stays within one message

_CONFIDENCE: Final = {STEWARD: 1.0, CRM: 0.9, ERP: 0.9}  # by rank of the source
_FORM: Final = 0.7  # what people and other sources tell themselves
_CONSENT: Final = "consent."  # facts that are words on consent: told elsewhere

About = Literal["account", "contact"]
_Rules = Mapping[tuple[str, str], FactRule]
_UNLISTED: Final = FactRule("unlisted", "contact", None)  # kept and shown, for ever


class Held(NamedTuple):
    """The fact that counts of an attribute."""

    about: About
    entity: str  # account or contact id
    attribute: str
    value: str  # in one spelling
    source: str
    at: int  # observed, ms
    confidence: float
    expires: int | None  # ms: holds until then; None: for ever
    expired: bool  # shown, and not used

    def row(self) -> FactRow:
        """As the profile shows it."""
        until = None if self.expires is None else rfc3339(self.expires)
        return FactRow(
            self.entity, self.attribute, self.value, self.source, rfc3339(self.at), self.confidence, until
        )


def used(
    rules: Sequence[FactRule],
    account: str,
    firm: Mapping[str, Fact],
    members: Mapping[str, Mapping[str, Sequence[Fact]]],
    clock: int,
) -> list[Held]:
    """The facts that count at `clock` (ms): of the account, then of each member, by attribute.

    `firm` has the best fact of each attribute, `members` (contact -> attribute) all candidates. Of very many
    the latest are kept.

    >>> from streams.definition import default
    >>> told = {"employees": Fact(1, 0, "crm", "1.200")}
    >>> jo = {"job_title": [Fact(3, 9, "web", "COO"), Fact(1, 5, "crm", "planner")]}
    >>> [(fact.entity, fact.value, fact.confidence, fact.expired)
    ...  for fact in used(default().facts, "a1", told, {"c1": jo}, 731 * 86_400_000)]
    [('a1', '1200', 0.9, True), ('c1', 'planner', 0.9, True)]
    """
    by_name: _Rules = {(rule.entity, rule.attribute): rule for rule in rules}
    found = _of_one(by_name, "account", account, {name: (fact,) for name, fact in firm.items()}, clock)
    for contact in sorted(members):
        found += _of_one(by_name, "contact", contact, members[contact], clock)
    if len(found) > MOST:
        latest = set(
            nlargest(MOST, range(len(found)), key=lambda i: (found[i].about == "account", found[i].at))
        )
        found = [fact for i, fact in enumerate(found) if i in latest]
    return found


def values(held: Iterable[Held], entity: str) -> dict[str, str]:
    """What is known of one entity and has not expired, by attribute."""
    return {fact.attribute: fact.value for fact in held if fact.entity == entity and not fact.expired}


def count(value: str) -> int | None:
    """A number of people in its one spelling, at most MOST_PEOPLE; anything else is unknown.

    >>> count("34"), count("0"), count("1000000000")
    (34, 0, 1000000000)
    >>> {count(told) for told in ("", "many", "true", "-1", "1.5", "1000000001", "1" * 30, "٣٤")}
    {None}
    """
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MOST_PEOPLE))):
        return None
    return int(value) if int(value) <= MOST_PEOPLE else None


def next_expiry(held: Iterable[Held]) -> int | None:
    """When the first of them expires (ms); once the clock has passed it, others count."""
    return min((fact.expires for fact in held if fact.expires is not None and not fact.expired), default=None)


def _of_one(
    rules: _Rules, about: About, entity: str, told: Mapping[str, Sequence[Fact]], clock: int
) -> list[Held]:
    names = sorted(name for name in told if not name.startswith(_CONSENT))
    if len(names) > MOST_OF_ONE:
        names = sorted(sorted(names, key=lambda name: ((about, name) not in rules, name))[:MOST_OF_ONE])
    found = (
        _held(rules.get((about, name), _UNLISTED), about, entity, name, told[name], clock) for name in names
    )
    return [fact for fact in found if fact is not None]


def _held(
    rule: FactRule, about: About, entity: str, attribute: str, told: Sequence[Fact], clock: int
) -> Held | None:
    """The best of those that hold, else of those that have expired; None: none of them says anything."""
    shelf = None if rule.shelf_days is None else rule.shelf_days * DAY_MS
    spelled = [(fact, value) for fact in told if (value := standard(rule.kind, fact.value))]
    if not spelled:
        return None
    fresh = [pair for pair in spelled if shelf is None or clock <= pair[0].at + shelf]
    candidates = fresh or spelled
    best = candidates[0][0] if len(candidates) == 1 else best_fact(fact for fact, _ in candidates)
    return Held(
        about,
        entity,
        attribute,
        next(value for fact, value in candidates if fact is best),
        best.source,
        best.at,
        _CONFIDENCE.get(best.rank, _FORM),
        None if shelf is None else best.at + shelf,
        not fresh,
    )
