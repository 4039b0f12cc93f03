"""What to ask next: the fact that is worth most at this stage for what asking costs, and is not known."""

from collections.abc import Collection, Iterable, Sequence

from schemas.events import Question
from schemas.times import DAY_MS, day_text
from streams.definition.model import FactRule
from streams.journeys.facts import Held
from streams.journeys.roles import INITIATOR


def next_question(
    rules: Sequence[FactRule],
    stage: str,
    held: Iterable[Held],
    contact: str = "",
    roles: Collection[str] = (),
) -> Question | None:
    """The question with the highest value for its cost; None: all that matters is known.

    `contact` is whom one would ask (empty: nobody is known; then only what is about the account is asked) and
    `roles` are theirs: who has one that says more than who began need not be asked for it. Of equal ones the
    first in the definition is asked.

    >>> from schemas.internal import Fact
    >>> from streams.definition import default
    >>> from streams.journeys.facts import used
    >>> firm = {name: Fact(1, 0, "crm", "x") for name in ("name", "industry", "intention")}
    >>> found = next_question(default().facts, "consideration", used(default().facts, "a1", firm, {}, 0))
    >>> found.text, found.why
    ('In which country would this be used?', 'unknown; matters in consideration (worth 4 for 1)')
    """
    told = {
        (fact.about, fact.attribute): fact
        for fact in held
        if fact.about == "account" or fact.entity == contact
    }
    best: FactRule | None = None
    for rule in rules:
        if not rule.question or (rule.stages and stage not in rule.stages):
            continue
        if rule.entity == "contact" and (not contact or _has_role(rule, roles)):
            continue
        fact = told.get((rule.entity, rule.attribute))
        if (fact is None or fact.expired) and (
            best is None or rule.value / rule.cost > best.value / best.cost
        ):
            best = rule
    if best is None:
        return None
    fact = told.get((best.entity, best.attribute))
    where = f"matters in {stage}" if best.stages else "always matters"
    why = f"{_state(fact)}; {where} (worth {best.value:g} for {best.cost:g})"
    return Question(best.attribute, best.question, why)


def _has_role(rule: FactRule, roles: Collection[str]) -> bool:
    return rule.attribute == "role" and any(role != INITIATOR for role in roles)


def _state(fact: Held | None) -> str:
    if fact is None or fact.expires is None:
        return "unknown"
    return f"told by {fact.source}, held until {day_text(fact.expires // DAY_MS)}"
