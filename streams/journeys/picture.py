"""The tables of stages and moments as Markdown: the part of `docs/journeys.md` that is generated.

python -m streams.journeys.picture docs/journeys.md    writes it into the page, between its marks
"""

import re
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from streams.journeys.stages import (
    AFTER_SALES,
    DEFINITION_VERSION,
    JOURNEY_GAP_DAYS,
    MOMENTS,
    NO_LIFE,
    ORDERS,
    STAGES,
    Clause,
)

_MARKED = re.compile(r"(<!-- (\w+): generated -->\n).*?(<!-- end -->)", re.DOTALL)


def stages() -> str:
    """The diagram and the table of stages."""
    chart = ["```mermaid", "flowchart LR"]
    chart += [f"    {a.name} --> {b.name}" for a, b in pairwise(STAGES)]
    chart.append("```")
    rows = [
        (f"`{stage.name}`", "; ".join(_clause(clause) for clause in stage.clauses), stage.meaning)
        for stage in STAGES
    ]
    return "\n".join(
        [*chart, "", *_table(("stage", "entered when any of these is complete", "what it is"), rows)]
    )


def moments() -> str:
    """The table of crucial moments."""
    rows = [(f"`{m.name}`", m.meaning, _types(m.types)) for m in MOMENTS]
    return "\n".join(_table(("moment", "what it is", "types of touchpoints"), rows))


def settings() -> str:
    """The constants, and the version that they make."""
    rows = [
        ("a journey ends by a gap of", f"{JOURNEY_GAP_DAYS} days"),
        ("an order is", _types(ORDERS)),
        ("after-sales is", _types(AFTER_SALES)),
        ("counted, but no sign of life", _types(sorted(NO_LIFE))),
        ("`definition_version`", f"`{DEFINITION_VERSION}`"),
    ]
    return "\n".join(_table(("setting", "value"), rows))


def filled(page: str) -> str:
    """The page with what stands between its marks written anew.

    >>> "| `awareness` |" in filled("<!-- stages: generated --><!-- end -->".replace("><", ">\\n<"))
    True
    """
    parts = {"stages": stages, "moments": moments, "settings": settings}
    return _MARKED.sub(lambda found: f"{found[1]}{parts[found[2]]()}\n{found[3]}", page)


def _clause(clause: Clause) -> str:
    return f"{clause.text} ({_types(clause.types)})" if clause.types else clause.text


def _types(types: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in types)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [header, tuple("---" for _ in header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(filled(target.read_text()))
