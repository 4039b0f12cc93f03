"""Where in a TOML text each key and each element stands: `tomllib` reads values, and tells no lines.

Only for text that `tomllib` has read: what is no TOML is not noticed here.
"""

import re
from collections.abc import Iterator
from typing import Final

Path = tuple[str | int, ...]  # keys, and indices of elements from 0

_TOKEN: Final = re.compile(
    r"""
      (?P<skip>[ \t\r]+|\#[^\n]*)
    | (?P<text>"{3}(?:\\.|[^\\])*?"{3,5}(?!") | '{3}.*?'{3,5}(?!') | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<bare>[^\s\[\]{}=,.\#"']+)
    | (?P<mark>[\[\]{}=,.\n])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)", re.DOTALL)


def places(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and element of a list.

    >>> places('a = 1\\n[[b]]\\nc.d = [\\n  {e = 2},\\n  {e = 3}]\\n')[("b", 0, "c", "d", 1, "e")]
    5
    """
    return _Reader(text).lines


class _Reader:
    """Walks over the tokens once."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._lists: dict[Path, int] = {}  # tables in [[double brackets]]: how many so far
        self._tokens = _tokens(text)
        self._next()
        self._statements()

    def _next(self) -> None:
        self._kind, self._token, self._line = next(self._tokens, ("end", "", 0))

    def _at(self, mark: str) -> bool:
        return self._kind == "mark" and self._token == mark

    def _statements(self) -> None:
        table: Path = ()
        while self._kind != "end":
            if self._at("\n"):
                self._next()
            elif self._at("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self._line
        self._next()
        double = self._at("[")
        if double:
            self._next()
        keys = self._keys()
        while not self._at("\n") and self._kind != "end":
            self._next()
        path = self._resolved(keys[:-1] if double else keys)
        if double:
            path = (*path, keys[-1])
            self._put(path, line)
            number = self._lists[path] = self._lists.get(path, 0) + 1
            path = (*path, number - 1)
        self._put(path, line)
        return path

    def _resolved(self, keys: list[str]) -> Path:
        """The path that these keys lead to: what is in a list of tables is in its last one."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._lists:
                path = (*path, self._lists[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line
        path: Path = (*table, *self._keys())
        self._next()  # the equals sign
        self._put(path, line)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while self._kind in {"bare", "text"}:
            keys.append(_plain(self._token) if self._kind == "text" else self._token)
            self._next()
            if self._at("."):
                self._next()
        return keys

    def _value(self, path: Path) -> None:
        if self._at("["):
            self._next()
            number = 0
            while not self._at("]") and self._kind != "end":
                if self._at("\n") or self._at(","):
                    self._next()
                    continue
                self._put((*path, number), self._line)
                self._value((*path, number))
                number += 1
            self._next()
        elif self._at("{"):
            self._next()
            while not self._at("}") and self._kind != "end":
                if self._at(","):
                    self._next()
                else:
                    self._pair(path)
            self._next()
        else:
            self._next()
            while self._kind in {"bare", "text"} or self._at("."):
                self._next()

    def _put(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "skip":
            yield found.lastgroup or "", found[0], line
        line += found[0].count("\n")


def _plain(key: str) -> str:
    """A key without its quotes."""
    if key[0] == "'":
        return key[1:-1]
    return _ESCAPE.sub(lambda e: chr(int(e[1] or e[2], 16)) if e[1] or e[2] else e[3], key[1:-1])
