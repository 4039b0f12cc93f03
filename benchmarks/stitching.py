"""`python -m benchmarks.stitching [febrl|market] [--quick] [--write]`: who is found to be one person."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import febrl, report
from benchmarks.pairs import measure
from benchmarks.report import Figures
from streams.market import QUERIES, Found, Market, compare

JOURNEYS = str(Path(sys.executable).with_name("journeys"))
COLUMNS = [
    "set",
    "records",
    "people",
    "true pairs",
    "knowable",
    "found",
    "precision",
    "recall",
    "of the knowable",
]
PRECISION, RECALL = 0.999, 0.98  # what simulated markets are to reach
MARKETS = ((20_000, 1), (20_000, 2), (20_000, 3), (60_000, 4), (200_000, 5))  # touchpoints, seed
QUICK_MARKETS = ((5_000, 1),)
SHARES = {
    "Pairs joined rightly": "precision",
    "Pairs found": "recall",
    "People recognised": "people",
    "Erased people gone": "erased gone",
    "Devices given to their owner": "devices",
    "Firms recognised": "firms",
    "Buying groups complete": "groups",
    "Stages right, to the second": "stages",
}
"""Figures of `streams.market.compare`, and their columns."""


def run(lines: Iterable[bytes], folder: Path) -> dict[str, Any]:
    """Feed lines to `journeys run` with its data in `folder`; returns the summary."""
    file = folder / "lines.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    command = [JOURNEYS, "run", str(file), "--data-dir", str(folder / "data"), "--json"]
    summary: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return summary


def ask(sql: str, folder: Path) -> list[dict[str, Any]]:
    """Rows of a view."""
    command = [JOURNEYS, "query", sql, "--data-dir", str(folder / "data"), "--format", "json"]
    rows: list[dict[str, Any]] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    return rows


def percent(share: float) -> str:
    """A share to the second decimal; only what is complete is called so.

    >>> percent(1.0), percent(0.99999), percent(0.5)
    ('100 %', '99.99 %', '50.00 %')
    """
    return "100 %" if share == 1 else f"{min(share, 0.9999):.2%}".replace("%", " %")


def febrl_figures(quick: bool) -> Figures:
    """FEBRL through the real pipeline, every set in every way, each a tenant of its own."""
    sets = ("febrl1",) if quick else tuple(febrl.SETS)
    sent = {(name, way): febrl.touchpoints(name, way) for way in febrl.WAYS for name in sets}
    with tempfile.TemporaryDirectory(prefix="journeys-quality-") as made:
        folder = Path(made)
        summary = run((one.line for all_sent in sent.values() for one in all_sent), folder)
        found = ask("SELECT tenant, contact_id, identifiers FROM v_contacts", folder)
    contact_of: dict[str, dict[str, str]] = {}
    for row in found:
        for identifier in row["identifiers"]:
            contact_of.setdefault(row["tenant"], {})[identifier] = row["contact_id"]
    tables: Figures = []
    for way, title in febrl.WAYS.items():
        rows, apart = [], 0
        for name in sets:
            all_sent, contacts = sent[name, way], contact_of[f"{name}-{way}"]
            quality = measure([one.person for one in all_sent], [one.strong for one in all_sent], contacts)
            apart += len(febrl.unexplained(all_sent, contacts))
            counts = (quality.records, quality.people, quality.true, quality.knowable, quality.found)
            shares = (quality.precision, quality.recall, quality.recall_of_knowable)
            rows.append([name, *(f"{n:,}" for n in counts), *map(percent, shares)])
        remark = f"Links that no limit of a contact keeps apart, and that are apart: {apart}."
        tables.append((f"FEBRL, {title}", COLUMNS, rows, remark))
    *before, (title, columns, rows, remark) = tables
    told = f"All: {summary['lines']:,} touchpoints in one `journeys run`, {summary['dead_letters']} refused."
    return [*before, (title, columns, rows, f"{remark} {told}")]


def market_figures(quick: bool) -> Figures:
    """Simulated markets, with all their difficulties, through the real pipeline."""
    rows = []
    for touchpoints, seed in QUICK_MARKETS if quick else MARKETS:
        market = Market(touchpoints, seed)
        with tempfile.TemporaryDirectory(prefix="journeys-quality-") as made:
            folder = Path(made)
            summary = run(market.lines(), folder)
            views = {name: ask(sql, folder) for name, sql in QUERIES.items()}
        counts = {name: summary[name] for name in ("applied", "duplicates", "dead_letters")}
        figures = {figure.what: figure for figure in compare(market.truth(), Found(**views, **counts))}
        joined, found = figures["Pairs joined rightly"], figures["Pairs found"]
        shares = [percent(figures[name].share) for name in SHARES]
        rows.append([f"{touchpoints:,}, {seed}", f"{found.of:,}", f"{joined.of:,}", *shares])
    columns = ["touchpoints, seed", "knowable", "found", "precision", "recall", *list(SHARES.values())[2:]]
    aim = f"Aim: precision at least {percent(PRECISION)}, recall at least {percent(RECALL)}."
    return [("Simulated markets, all difficulties on", columns, rows, aim)]


PARTS: dict[str, Callable[[bool], Figures]] = {"febrl": febrl_figures, "market": market_figures}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="Little data: to see that it runs.")
@click.option("--write", "writes", is_flag=True, help="Write the figures into docs/quality.md.")
def main(parts: Sequence[str], quick: bool, writes: bool) -> None:
    """Measure PARTS (all of them): precision and recall of pairs."""
    console = Console(width=None if Console().is_terminal else 150)
    report.measure(parts, PARTS, console, "quality.md", quick=quick, writes=writes)


if __name__ == "__main__":
    main()
