"""`python -m benchmarks [stage|pipeline|memory|models] [--quick] [--write]`."""

import logging
import os
from collections.abc import Callable, Sequence

import click
from rich.console import Console

from benchmarks import memory, models, pipeline, report, stage
from benchmarks.report import Figures

MB = 1 << 20

# What each is to reach: docs/benchmarks.md.
OF_RAW, OF_NAIVE = 0.75, 40.0  # ratios of the stage
PIPELINE_EVENTS = 10_000  # per second on two cores
EVENT_BYTES = 3_000  # of memory, embedded


def stage_figures(quick: bool) -> Figures:
    """The stage beside raw aiokafka and naive Faust."""
    found = stage.measure(quick)
    rows = [
        [
            one.name,
            f"{one.events:,}",
            f"{one.per_second:,.0f}",
            f"{one.cpu_us:.1f}",
            f"{found.ratio(number):.2f}" if number else "",
            f"{one.cpu_us / found.results[0].cpu_us:.2f}" if number else "",
        ]
        for number, one in enumerate(found.results)
    ]
    columns = ["stage", "events", "events/s", "CPU µs/event", "ours ÷ it", "by CPU"]
    aim = f"Aim: at least {OF_RAW} × raw aiokafka and {OF_NAIVE:g} × naive Faust."
    return [(f"One stage on {found.broker}, medians of {found.repeats}", columns, rows, aim)]


def pipeline_figures(quick: bool) -> Figures:
    """`journeys run`: speed, CPU and memory per process, time per step."""
    small, large = pipeline.runs(quick)
    each = pipeline.per_event(small, large)
    processes = [
        [name, f"{cost.cpu:.1f}", f"{each[name][0]:.1f}", f"{cost.peak / MB:,.0f}", f"{each[name][1]:,.0f}"]
        for name, cost in large.costs.items()
    ]
    cpu, size = (sum(one[part] for one in each.values()) for part in (0, 1))
    processes.append(["all", f"{large.cpu:.1f}", f"{cpu:.1f}", f"{large.peak / MB:,.0f}", f"{size:,.0f}"])
    steps = [
        [
            name,
            f"{step['records']:,}",
            f"{step['records'] / step['batches']:,.0f}",
            f"{step['apply'] / large.lines * 1e6:.1f}",
            f"{step['keep']:.1f}",
            f"{step['send']:.1f}",
        ]
        for name, step in large.steps.items()
    ]
    speed = (
        f"{small.lines:,} touchpoints: {small.events_per_second:,.0f} events/s "
        f"({large.lines:,}: {large.events_per_second:,.0f}). Aim: {PIPELINE_EVENTS:,} on two quiet cores; "
        f"{cpu:.0f} µs of CPU an event allow {2e6 / cpu:,.0f} there."
    )
    growth = (
        f"Per event: growth from {small.lines:,} to {large.lines:,} touchpoints. "
        f"Aim: at most {EVENT_BYTES:,} bytes an event."
    )
    waits = "Per partition's session, added up: with eight sessions a step, eight may wait at once."
    cost_columns = ["process", "CPU s", "CPU µs/event", "peak MB", "bytes/event"]
    step_columns = ["step", "records", "a batch", "CPU µs/event", "rows safe, s", "outputs safe, s"]
    return [
        (f"The whole pipeline, {large.lines:,} touchpoints", cost_columns, processes, f"{speed} {growth}"),
        ("Where the time goes", step_columns, steps, waits),
    ]


def memory_figures(quick: bool) -> Figures:
    """A worker's resident set."""
    found = memory.measure(quick)
    rows = [[f"{events:,}", f"{size / MB:,.0f}"] for events, size in found.resident.items()]
    _, few, *_, many = sorted(found.resident)  # the first round also fills caches
    growth = (found.resident[many] - found.resident[few]) / (many - few)
    remark = (
        f"The same {found.contacts} contacts: {growth:,.0f} bytes an event after the first round. Aim: flat."
    )
    return [(f"A worker on {found.broker}", ["events", "resident MB"], rows, remark)]


def models_figures(quick: bool) -> Figures:
    """A call of each model."""
    rows = [
        [cost.name, f"{cost.us:.1f}", f"{cost.aim:g}" if cost.aim else ""] for cost in models.measure(quick)
    ]
    remark = "Medians of batches of ten calls."
    return [("A call of each model", ["call", "µs", "aim, at most"], rows, remark)]


PARTS: dict[str, Callable[[bool], Figures]] = {
    "stage": stage_figures,
    "pipeline": pipeline_figures,
    "memory": memory_figures,
    "models": models_figures,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="Smaller and once: to see that it runs.")
@click.option("--write", "writes", is_flag=True, help="Write the figures into docs/benchmarks.md.")
def main(parts: Sequence[str], quick: bool, writes: bool) -> None:
    """Measure PARTS (all of them), and print figures and ratios."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic's first sends are tried again
    console = Console(width=None if Console().is_terminal else 110)
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
    report.measure(parts, PARTS, console, "benchmarks.md", quick=quick, writes=writes)


if __name__ == "__main__":
    main()
