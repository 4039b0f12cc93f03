"""The default definition as Markdown: the part of `docs/journeys.md` that is generated.

python -m streams.journeys.picture docs/journeys.md    writes it into the page, between its marks
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from streams.definition import Definition, default
from streams.definition.model import ActionRule, Clause
from streams.journeys.handoffs import OVER, TABLE
from streams.journeys.silence import TRANSITIONS

_V = TypeVar("_V", float, str)
_MARKED = re.compile(r"(<!-- (\w+): generated -->\n).*?(<!-- end -->)", re.DOTALL)


def stages(rules: Definition) -> str:
    """The diagram and the table of stages."""
    chart = ["```mermaid", "flowchart LR"]
    chart += [f"    {a.name} --> {b.name}" for a, b in pairwise(rules.stages)]
    chart.append("```")
    rows = [
        (f"`{stage.name}`", "; ".join(_clause(clause) for clause in stage.clauses), stage.meaning)
        for stage in rules.stages
    ]
    return "\n".join(
        [*chart, "", *_table(("stage", "entered when any of these is complete", "what it is"), rows)]
    )


def moments(rules: Definition) -> str:
    """The table of crucial moments."""
    rows = [(f"`{m.name}`", m.meaning, _names(m.types) or "all") for m in rules.moments]
    return "\n".join(_table(("moment", "what it is", "types of touchpoints"), rows))


def settings(rules: Definition) -> str:
    """What else a journey follows, and the version that all rules make."""
    rows = [
        ("a journey ends by a gap of", f"{rules.journey.gap_days} days"),
        ("an order is", _names(rules.journey.orders)),
        ("after-sales is", _names(rules.journey.after_sales)),
        ("counted, but no sign of life", _names(rules.journey.no_life)),
        ("no shared step", _names(rules.crossings.ignore)),
        ("`definition_version`", f"`{rules.version}`"),
    ]
    return "\n".join(_table(("setting", "value"), rows))


def roles(rules: Definition) -> str:
    """Who must have been seen in which stage; what roles weigh; what behaviour shows."""
    required = [
        (
            f"`{stage.name}`",
            "; ".join(" or ".join(f"`{role}`" for role in group) for group in groups) or "nobody",
            ", ".join(f"`{group[0]}`" for group in groups),
        )
        for stage in rules.stages
        for groups in [rules.roles.required.get(stage.name, ())]
    ]
    weights = _values({f"`{role}`": weight for role, weight in rules.roles.weights.items()})
    shown = {f"`{of}`": role for of, role in rules.roles.behaviour.items()}
    shown |= {f"topic `{topic}`": role for topic, role in rules.roles.topics.items()}
    sure = _values({f"`{source}`": value for source, value in rules.roles.confidence.items()})
    rows = [
        ("weight in the score", f"{weights}; else 1"),
        *((f"behaviour that shows `{role}`", ", ".join(of)) for role, of in _by_value(shown)),
        ("confidence", sure),
    ]
    return "\n".join(
        [
            *_table(("stage", "required: one of each", "named when one is missing"), required),
            "",
            *_table(("roles", "value"), rows),
        ]
    )


def points(rules: Definition) -> str:
    """The points of touches, by points."""
    rows = [(f"{value:g}", _names(types)) for value, types in _by_value(rules.score.points)]
    most = f"{rules.score.most_a_day:g} points"
    rows += [("at most", f"{most} of one person on one day")]
    rows += [("halved", f"every {rules.score.half_life_days} days, in whole days")]
    return "\n".join(_table(("points", "types of touchpoints"), rows))


def handoffs(rules: Definition) -> str:
    """When sales is told."""
    rule = rules.handoff
    rows = [
        ("always, for", _names(rule.requests)),
        ("else in stage", f"`{rule.stage}`, with an engagement of at least {rule.engagement:g}"),
        ("may be approached without having said yes by", _names(rule.legitimate) or "nothing"),
        ("feedback is due after", f"{rule.feedback_days} days"),
    ]
    return "\n".join(_table(("hand-off", "value"), rows))


def outcomes(_rules: Definition) -> str:
    """How a hand-off becomes what; the definition has no say in it."""
    chart = ["```mermaid", "stateDiagram-v2", "    [*] --> open: handoff_made"]
    chart += [
        f"    {state} --> {after}"
        for state, further in TABLE.items()
        for after in further.values()
        if after != state
    ]
    chart += [f"    {state} --> expired: the journey closes" for state in TABLE if state not in OVER]
    return "\n".join([*chart, "```"])


def silence(rules: Definition) -> str:
    """How a status becomes another one, and the levels of silence."""
    chart = ["```mermaid", "stateDiagram-v2", "    [*] --> unknown"]
    chart += [
        f"    {step.was} --> {step.now}: {step.when}" + (f" ({step.event})" if step.event else "")
        for step in TRANSITIONS
    ]
    chart.append("```")
    rule = rules.silence
    rows = [
        ("`unknown`", f"there were fewer than {rule.active_days} days with a touch"),
        (
            "`quiet`",
            f"the probability that it is alive is below {rule.quiet:g}, {rule.quiet_days} days at least",
        ),
        ("`silent`", f"that is below {rule.silent:g}, {rule.silent_days} days at least"),
        ("`active`", "none of these holds"),
    ]
    return "\n".join([*chart, "", *_table(("status", "when"), rows)])


def facts(rules: Definition) -> str:
    """How long facts hold, and what is asked."""
    rows = [
        (
            fact.entity,
            f"`{fact.attribute}`",
            fact.kind,
            "for ever" if fact.shelf_days is None else f"{fact.shelf_days} days",
            f"{fact.value:g} / {fact.cost:g}" if fact.question else "",
            ", ".join(fact.stages) or ("all" if fact.question else ""),
            fact.question,
        )
        for fact in rules.facts
    ]
    header = ("about", "fact", "kind", "holds", "value / cost", "asked in", "question")
    return "\n".join(_table(header, rows))


def actions(rules: Definition) -> str:
    """What to do next."""
    rows = [
        (
            f"`{action.name}`",
            "; ".join(_conditions(action)) or "always",
            f"{action.to}, by {' or '.join(action.channels)}, within {action.within_days} days",
            action.message,
            action.why,
        )
        for action in rules.actions
    ]
    return "\n".join(_table(("action", "when", "to whom", "message", "because"), rows))


def _conditions(action: ActionRule) -> Iterable[str]:
    if action.stages:
        yield " or ".join(f"`{stage}`" for stage in action.stages)
    if action.statuses:
        yield " or ".join(action.statuses)
    if action.handoff:
        yield f"a hand-off is {' or '.join(action.handoff)}"
    if action.customer:
        yield {"yes": "a customer", "no": "no customer"}[action.customer]
    if action.missing:
        yield f"no {' or '.join(action.missing)} seen"
    if action.topics:
        yield f"interest in {' or '.join(action.topics)}"


_PARTS: dict[str, Callable[[Definition], str]] = {
    part.__name__: part
    for part in (stages, moments, settings, roles, points, handoffs, outcomes, silence, facts, actions)
}


def filled(page: str) -> str:
    """The page with what stands between its marks written anew.

    >>> "| `awareness` |" in filled("<!-- stages: generated --><!-- end -->".replace("><", ">\\n<"))
    True
    """
    return _MARKED.sub(lambda found: f"{found[1]}{_PARTS[found[2]](default())}\n{found[3]}", page)


def _clause(clause: Clause) -> str:
    return f"{clause.text} ({_names(clause.types)})" if clause.types else clause.text


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _values(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _by_value(of: Mapping[str, _V]) -> list[tuple[_V, list[str]]]:
    """The values, ascending, each with the names that have it."""
    return [(value, [name for name in of if of[name] == value]) for value in sorted(set(of.values()))]


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [header, tuple("---" for _ in header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(filled(target.read_text()))
