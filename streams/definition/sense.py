"""What a definition whose values are all allowed can still say wrongly."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from streams.definition.check import Problem
from streams.definition.model import FILLED, Clause, Definition

# Kind of clause -> the fields that it needs. A clause has no others.
_NEEDS = {
    "first": (),
    "any": ("types",),
    "repeated": ("types", "number", "days"),
    "topics": ("number", "days"),
    "contacts": ("stage", "number", "days"),
    "after_order": ("types",),
    "further_orders": ("number", "days"),
}
_UNSAID = {"types": (), "number": 1, "days": 0, "stage": ""}


def nonsense(definition: Definition) -> Iterator[Problem]:
    """All that does not go together."""
    for s, stage in enumerate(definition.stages):
        for c, clause in enumerate(stage.clauses):
            yield from _clause(clause, ("stages", s, "clauses", c))
    names = [("stages", s, stage.name) for s, stage in enumerate(definition.stages)]
    names += [("moments", m, moment.name) for m, moment in enumerate(definition.moments)]
    for m, moment in enumerate(definition.moments):
        if not (moment.types or moment.inspiration):
            yield Problem(("moments", m, "types"), "is missing; give it types, or inspiration = true")
    yield from _twice(names, "a stage or moment")
    yield from _twice(
        [("actions", a, action.name) for a, action in enumerate(definition.actions)], "an action"
    )
    for a, action in enumerate(definition.actions):
        for name in re.findall(r"\{(\w+)\}", action.message):
            if name not in FILLED:
                text = f"has {{{name}}}, which nothing fills; use {', '.join(f'{{{n}}}' for n in FILLED)}"
                yield Problem(("actions", a, "message"), text)
    for t, rule in enumerate(definition.topics):
        if not (rule.url or rule.title or rule.search or rule.inspiration):
            yield Problem(("topics", t), "fits nothing; give it url, title or search, or inspiration = true")
    try:
        msgspec.msgpack.encode(definition.segments)
    except OverflowError:
        yield Problem(("segments",), "has a number of more than 64 bits")
    silence = definition.silence
    if silence.silent >= silence.quiet:
        text = f"is {silence.silent:g}; it must be below silence.quiet, which is {silence.quiet:g}"
        yield Problem(("silence", "silent"), text)
    if silence.silent_days < silence.quiet_days:
        text = (
            f"is {silence.silent_days}; it must be at least silence.quiet_days, which is {silence.quiet_days}"
        )
        yield Problem(("silence", "silent_days"), text)


def _clause(clause: Clause, path: tuple[str | int, ...]) -> Iterator[Problem]:
    for field, unsaid in _UNSAID.items():
        said = getattr(clause, field) != unsaid
        if field in _NEEDS[clause.kind] and not said:
            yield Problem((*path, field), f"is missing; a clause of kind {clause.kind} needs it")
        if field not in _NEEDS[clause.kind] and said:
            yield Problem((*path, field), f"means nothing in a clause of kind {clause.kind}; leave it out")


def _twice(names: Iterable[tuple[str, int, str]], what: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for table, index, name in names:
        if name in seen:
            yield Problem((table, index, "name"), f"is {name!r}, which is the name of {what} before it")
        seen.add(name)
