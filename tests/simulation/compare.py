"""Folding outputs as consumers do, and what differs between two results."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def fold(outputs: Iterable[tuple[Key, Any, Value]]) -> dict[Key, Value]:
    """Of each key the value with the highest version; of equal versions the last."""
    best: dict[Key, tuple[Any, Value]] = {}
    for key, version, value in outputs:
        if key not in best or best[key][0] <= version:
            best[key] = (version, value)
    return {key: value for key, (_, value) in best.items()}


def differences(what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    """One line per key whose values differ."""
    return [
        f"{what}: {key}: {found.get(key)!r}, expected {wanted.get(key)!r}"
        for key in sorted({*found, *wanted}, key=repr)
        if found.get(key) != wanted.get(key)
    ]
