"""Checks tables against the annotations of a struct: each value that may not be is a problem."""

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import inspect

from schemas.message import show
from schemas.touchpoint import FACT_TYPES, TYPES
from streams.definition.model import (
    CHANNELS,
    CURRENCY,
    FOR_EVER,
    GROUPS,
    HANDOFFS,
    MOST,
    NAME,
    NO_ROLE,
    ROLES,
    SOURCES,
    STATUSES,
)
from streams.definition.places import Path

_TYPES: Final = tuple(name for name in TYPES if name not in FACT_TYPES)
# What a text must be one of -> (what it is called, those there are).
_NAMES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "type": ("touchpoint type", _TYPES),
    "type or group": ("touchpoint type", (*GROUPS, *_TYPES)),
    "role": ("role", ROLES),
    "role or none": ("role", (*ROLES, NO_ROLE)),
    "source": ("source of roles", SOURCES),
    "status": ("status", STATUSES),
    "hand-off state": ("state of a hand-off that is not over", HANDOFFS),
    "channel": ("channel", CHANNELS),
    "addressee": ("addressee", ("call_first", "last_active", "account", *ROLES)),
}


class Problem(NamedTuple):
    """What is wrong, and where: the path of keys and indices."""

    path: Path
    text: str  # to follow the name of the field


def problems(struct: type[msgspec.Struct], table: Mapping[str, Any]) -> list[Problem]:
    """All that keeps `table` from being a `struct`.

    >>> from streams.definition.model import CrossingRule
    >>> [problem] = problems(CrossingRule, {"ignore": ["home", 5]})
    >>> problem.path, problem.text
    (('ignore', 1), 'is 5; it must be text')
    """
    stages = table.get("stages")
    names = (
        [stage.get("name") for stage in stages if isinstance(stage, dict)] if isinstance(stages, list) else []
    )
    check = _Check(tuple(name for name in names if isinstance(name, str)))
    check.look(_type_of(struct), table, ())
    return check.problems


@cache
def _type_of(struct: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(struct)


class _Check:
    def __init__(self, stages: tuple[str, ...]) -> None:
        self.problems: list[Problem] = []
        self._names = {
            **_NAMES,
            "stage": ("stage", stages),
            "stage or nothing": ("stage", (*stages, "")),
        }

    def look(self, kind: inspect.Type, told: Any, path: Path) -> None:
        """Note what keeps `told` from being of this kind."""
        match kind:
            case inspect.Metadata():
                before = len(self.problems)
                self.look(kind.type, told, path)
                if len(self.problems) == before:
                    self._meaning((kind.extra or {})["one_of"], told, path)
            case inspect.UnionType():  # of something and nothing
                before = len(self.problems)
                if told is not None:
                    self.look(kind.types[0], told, path)
                if len(self.problems) > before:
                    self.problems[-1] = Problem(path, f'{self.problems[-1].text}, or "{FOR_EVER}"')
            case inspect.StructType() | inspect.DictType():
                if self._is(told, dict, "a table", path):
                    self._table(kind, told, path)
            case inspect.VarTupleType():
                if self._is(told, list, "a list", path):
                    self._list(kind, told, path)
            case inspect.LiteralType():
                self._one_of("", tuple(map(str, kind.values)), told, path)
            case _:
                self._plain(kind, told, path)

    def _table(
        self, kind: inspect.StructType | inspect.DictType, told: Mapping[str, Any], path: Path
    ) -> None:
        if isinstance(kind, inspect.StructType):
            self._struct(kind, told, path)
            return
        for key, value in told.items():
            self.look(kind.key_type, key, (*path, key))
            self.look(kind.value_type, value, (*path, key))

    def _list(self, kind: inspect.VarTupleType, told: list[Any], path: Path) -> None:
        if len(told) < (kind.min_length or 0):
            self._say(path, "is empty; it must have at least one element")
        for index, value in enumerate(told):
            self.look(kind.item_type, value, (*path, index))

    def _struct(self, kind: inspect.StructType, told: Mapping[str, Any], path: Path) -> None:
        known = {field.name: field for field in kind.fields}
        for key, value in told.items():
            if key in known:
                self.look(known[key].type, value, (*path, key))
            else:
                self._say((*path, key), f"is not known; {_rather(key, tuple(known))}")
        for name, field in known.items():
            if field.required and name not in told:
                self._say((*path, name), "is missing")

    def _plain(self, kind: inspect.Type, told: Any, path: Path) -> None:
        match kind:
            case inspect.StrType():
                if self._is(told, str, "text", path):
                    if kind.min_length and not told.strip():
                        self._say(path, "is empty")
                    elif kind.pattern and not re.search(kind.pattern, told):
                        self._say(path, f"is {show(told)}; it must be {_SPELLED[kind.pattern]}")
            case inspect.BoolType():
                self._is(told, bool, "true or false", path)
            case inspect.IntType():
                low, high = kind.ge or 0, kind.le or MOST
                if not isinstance(told, int) or isinstance(told, bool) or not low <= told <= high:
                    self._say(path, f"is {shown(told)}; it must be a whole number from {low} to {high}")
            case inspect.FloatType():
                if not _fits(kind, told):
                    above = f"above {kind.gt:g}" if kind.gt is not None else f"of at least {kind.ge or 0:g}"
                    most = "" if kind.le is None else f" and at most {kind.le:g}"
                    self._say(path, f"is {shown(told)}; it must be a number {above}{most}")

    def _meaning(self, names: str, told: Any, path: Path) -> None:
        """A text that must mean something."""
        if names in self._names:
            self._one_of(*self._names[names], told, path)
        elif names == "pattern":
            try:
                re.compile(told)
            except (re.error, RecursionError, OverflowError) as error:
                self._say(path, f"is {show(told)}, which is no regular expression: {error}")
        else:
            try:
                ZoneInfo(told)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                self._say(path, f"is {show(told)}, which is no time zone; write e.g. Europe/Amsterdam")

    def _one_of(self, what: str, allowed: tuple[str, ...], told: Any, path: Path) -> None:
        if told not in allowed:
            no = f", which is no {what}" if what else ""
            known = tuple(name for name in allowed if name)
            self._say(path, f"is {shown(told)}{no}; {_rather(told, known)}")

    def _is(self, told: Any, kind: type, words: str, path: Path) -> bool:
        if isinstance(told, kind):
            return True
        self._say(path, f"is {shown(told)}; it must be {words}")
        return False

    def _say(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))


_SPELLED: Final = {  # pattern of the model -> what it allows, in words
    NAME: "a lower-case letter, then lower-case letters, digits and _",
    CURRENCY: "a currency as ISO 4217 has it, e.g. EUR",
}


def _fits(kind: inspect.FloatType, told: Any) -> bool:
    if not isinstance(told, int | float) or isinstance(told, bool) or not math.isfinite(told):
        return False
    return (
        (kind.ge is None or told >= kind.ge)
        and (kind.gt is None or told > kind.gt)
        and (kind.le is None or told <= kind.le)
    )


def _rather(told: Any, allowed: Iterable[str]) -> str:
    """The nearest name that there is, else all of them."""
    names = tuple(allowed)
    near = get_close_matches(told, names, 1, 0.5) if isinstance(told, str) else []
    return f"do you mean {near[0]}?" if near else f"use one of {', '.join(names)}"


def shown(told: Any) -> str:
    """A value as it would be written; times and what else JSON does not have as Python writes it."""
    try:
        return show(told)
    except TypeError:
        return str(told)
