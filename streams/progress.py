"""What people see while something takes long, and the table at its end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.maturity import in_words
from streams.run import Progress
from streams.summary import Summary

# Lines of one run. The embedded broker and the steps keep everything in memory, about 3 KB a line
# (docs/benchmarks.md): 6 GB.
MANY_LINES = 2_000_000
_WIDE = 1_000  # columns
ADVICE = (
    f"more than {MANY_LINES:,} lines in one run: the embedded broker keeps all of them in memory, about 3 KB "
    "a line; for so many, bring Apache Kafka (JOURNEYS_BROKER, `journeys worker`)"
)


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """Progress on a terminal (stderr); on a pipe only the advice that a very large run is given, once."""
    console = Console(stderr=True, soft_wrap=True)
    if not console.is_terminal:
        yield advising(console.print, lambda _: None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting Kafka and ClickHouse")

        def tell(progress: Progress) -> None:
            counts = f"{progress.fed:,} lines fed, {progress.processed:,} validated"
            bar.update(task, description=f"{progress.doing}: {counts}")

        yield advising(bar.console.print, tell)


def advising(say: Callable[[str], object], tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """`tell`, and once, when more than `MANY_LINES` were fed, the advice to bring Apache Kafka.

    >>> hear = advising(lambda text: print(text[:30]), lambda progress: None)
    >>> for fed in (MANY_LINES, MANY_LINES + 1, MANY_LINES + 2):
    ...     hear(Progress("feeding", fed))
    more than 2,000,000 lines in o
    """
    advised = False

    def hear(progress: Progress) -> None:
        nonlocal advised
        if progress.fed > MANY_LINES and not advised:
            advised = True
            say(ADVICE)
        tell(progress)

    return hear


def summary_table(summary: Summary) -> None:
    """The summary of a run, for people."""
    table = Table(show_header=False, box=None)
    for name, value in vars(summary).items():
        if name == "open_handoffs":
            continue
        if name == "stages":
            text = ", ".join(f"{stage} {count:,}" for stage, count in value.items()) or "none"
        elif name == "maturity":
            text = in_words(value)
        elif name == "handoffs":
            text = f"{value:,}, of which {summary.open_handoffs:,} open"
        else:
            text = f"{value:,}" if isinstance(value, int | float) else str(value)
        table.add_row(name.replace("handoffs", "hand-offs").replace("_", " "), text)
    console = Console(file=sys.stdout)
    if not console.is_terminal:  # a line is a line for whoever reads the pipe
        console.width = _WIDE
    console.print(table)
