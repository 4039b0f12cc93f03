"""Reads a journey definition: a file, laid over the default and checked; every mistake gets a line."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from streams.definition.check import Problem, problems, shown
from streams.definition.model import FOR_EVER, NO_ROLE, Definition
from streams.definition.places import Path, places
from streams.definition.sense import nonsense

DEFAULT_NAME: Final = "journeys.toml"
_ENTITIES: Final = ("account", "contact")

Table = dict[str, Any]


class DefinitionError(Exception):
    """A definition that cannot be used.

    `problems` has one line each: file and line, field (elements of lists count from 1), value, what may be.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@cache
def default() -> Definition:
    """The definition that is in force where nothing else is said.

    >>> [stage.name for stage in default().stages][:3]
    ['awareness', 'consideration', 'evaluation']
    """
    return load("", DEFAULT_NAME)


def of(settings: Mapping[str, Any]) -> Definition:
    """The definition that a step is told to follow (`StepConfig.settings`), else the default."""
    found: Definition = settings.get("definition") or default()
    return found


def load(text: str, name: str) -> Definition:
    """The definition that `text`, the content of file `name`, makes of the default; raises DefinitionError.

    >>> load("[score.points]\\npage_viewed = 2", "journeys.toml").score.points["page_viewed"]
    2.0
    >>> load("[orders]\\nrate = {}", "my.toml")
    Traceback (most recent call last):
    streams.definition.load.DefinitionError: my.toml:2: orders.rate is not known; do you mean rates?
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError([_no_toml(text, name, str(error))]) from None
    whole = _over(_without_stages(tomllib.loads(default_text()), told), told)
    facts = _Facts(whole.get("facts"))
    shaped = {"topics": [], **whole, "facts": facts.row}
    found = [*facts.problems, *problems(Definition, shaped)]
    if not found:
        made = msgspec.convert(shaped, Definition)
        found = list(nonsense(made))
        if not found:
            return _canonical(made)
    lines = places(text)
    told_of = [(facts.place(path), text) for path, text in found]
    raise DefinitionError(
        [
            f"{name}:{at}: {field} {text}"
            for at, field, text in sorted((_at(lines, path), _field(path), text) for path, text in told_of)
        ]
    )


def default_text() -> str:
    """The commented file of the default."""
    return files("streams.definition").joinpath("journeys.toml").read_text(encoding="utf-8")


def _no_toml(text: str, name: str, error: str) -> str:
    found = re.search(r" \(at line (\d+), column (\d+)\)", error)
    if found:
        return f"{name}:{found[1]}: is no TOML: {error[: found.start()]}, column {found[2]}"
    last = text.rstrip().count("\n") + 1
    return f"{name}:{last}: is no TOML: {error.removesuffix(' (at end of document)')} (at the end)"


def _over(base: Any, told: Any) -> Any:
    """`told` laid over `base`: tables merge key by key, everything else replaces."""
    if not isinstance(base, dict) or not isinstance(told, dict):
        return told
    return {**base, **{key: _over(base[key], value) if key in base else value for key, value in told.items()}}


def _without_stages(base: Table, told: Table) -> Table:
    """The default without what it says of stages that `told` does not have any more."""
    stages = told.get("stages")
    if not isinstance(stages, list):
        return base
    names = {stage.get("name") for stage in stages if isinstance(stage, dict)}

    def still(rule: Table) -> bool:
        """Whether the rule still has a stage; those it had lose the others."""
        given = rule.get("stages")
        if given is not None:
            rule["stages"] = [stage for stage in given if stage in names]
        return given is None or bool(rule["stages"])

    base["actions"] = [action for action in base["actions"] if still(action)]
    for facts in base["facts"].values():
        for rule in facts.values():
            if not still(rule):
                rule["question"] = ""
    required = base["roles"]["required"]
    base["roles"]["required"] = {stage: groups for stage, groups in required.items() if stage in names}
    return base


class _Facts:
    """The facts as a `Definition` has them: in a row, each with its attribute and entity."""

    def __init__(self, told: Any) -> None:
        self.problems: list[Problem] = []
        self.row: list[Table] = []
        self._paths: list[Path] = []
        for entity, rules in self._tables(("facts",), told):
            if entity not in _ENTITIES:
                self.problems.append(
                    Problem(("facts", entity), f"is not known; use {' or '.join(_ENTITIES)}")
                )
                continue
            for attribute, rule in sorted(self._tables(("facts", entity), rules)):
                path = ("facts", entity, attribute)
                self.problems += [
                    Problem((*path, key), "is not known") for key in ("attribute", "entity") if key in rule
                ]
                shelf = {"shelf_days": None} if rule.get("shelf_days") == FOR_EVER else {}
                self.row.append({**rule, **shelf, "attribute": attribute, "entity": entity})
                self._paths.append(path)

    def _tables(self, path: Path, told: Any) -> Iterator[tuple[str, Table]]:
        """The tables in a table; what is none is a problem."""
        if not isinstance(told, dict):
            self.problems.append(Problem(path, f"is {shown(told)}; it must be a table"))
            return
        for key, value in told.items():
            if isinstance(value, dict):
                yield key, value
            else:
                self.problems.append(Problem((*path, key), f"is {shown(value)}; it must be a table"))

    def place(self, path: Path) -> Path:
        """Where in the file a place in a `Definition` stands."""
        if path[0] == "facts" and len(path) > 1 and isinstance(path[1], int):
            return (*self._paths[path[1]], *path[2:])
        return path


def _at(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a problem. What does not stand in the file itself does not go together with its stages."""
    end = len(path)
    while end and path[:end] not in lines:
        end -= 1
    return lines[path[:end]] if end else lines.get(("stages",), 1)


def _field(path: Path) -> str:
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def _canonical(made: Definition) -> Definition:
    """With groups of types written out, without what means nothing: equal rules have equal versions."""
    groups = {"orders": made.journey.orders, "after_sales": made.journey.after_sales}

    def types(given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in given for name in groups.get(one, (one,))))

    def shown(roles: Mapping[str, str]) -> dict[str, str]:
        return {of: role for of, role in roles.items() if role != NO_ROLE}

    replace = msgspec.structs.replace
    return replace(
        made,
        stages=tuple(
            replace(stage, clauses=tuple(replace(c, types=types(c.types)) for c in stage.clauses))
            for stage in made.stages
        ),
        moments=tuple(replace(moment, types=types(moment.types)) for moment in made.moments),
        roles=replace(
            made.roles,
            required={stage: groups for stage, groups in made.roles.required.items() if groups},
            titles={role: titles for role, titles in made.roles.titles.items() if titles},
            behaviour=shown(made.roles.behaviour),
            topics=shown(made.roles.topics),
        ),
        score=replace(made.score, points={of: points for of, points in made.score.points.items() if points}),
    )
