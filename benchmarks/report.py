"""Figures as tables: on the terminal, and between markers in a page of the docs."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

DOCS = Path(__file__).parents[1] / "docs"

Figures = list[tuple[str, list[str], list[list[str]], str]]  # title, columns, rows, remark


def show(console: Console, figures: Figures) -> None:
    for title, columns, rows, remark in figures:
        table = Table(title=title, title_justify="left", box=None)
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print(remark, end="\n\n")


def measure(
    parts: Sequence[str],
    of: Mapping[str, Callable[[bool], Figures]],
    console: Console,
    page: str,
    *,
    quick: bool,
    writes: bool,
) -> None:
    """Measure the parts, all where none is named; show them, and write them into `docs/<page>` if asked."""
    for part in parts or of:
        figures = of[part](quick)
        show(console, figures)
        if writes:
            write(page, part, figures)


def markdown(figures: Figures) -> str:
    """Tables as the docs have them."""
    parts = []
    for title, columns, rows, remark in figures:
        lines = [columns, ["---", *("---:" for _ in columns[1:])], *rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"**{title}**\n\n{table}\n\n{remark}\n")
    return "\n".join(parts)


def write(page: str, part: str, figures: Figures) -> None:
    """Put the figures between the part's markers in `docs/<page>`."""
    docs = DOCS / page
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}"
    text = f"<!-- {part} -->\n{when}\n\n{markdown(figures)}<!-- /{part} -->"
    pattern = re.compile(f"<!-- {part} -->.*<!-- /{part} -->", re.DOTALL)
    docs.write_text(pattern.sub(lambda _: text, docs.read_text()))
