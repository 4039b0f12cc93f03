"""What people see while something takes long, and the table at its end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.run import Progress
from streams.summary import Summary


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """Progress on a terminal (stderr), nothing on a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting Kafka and ClickHouse")

        def tell(progress: Progress) -> None:
            counts = f"{progress.fed:,} lines fed, {progress.processed:,} validated"
            bar.update(task, description=f"{progress.doing}: {counts}")

        yield tell


def summary_table(summary: Summary) -> None:
    """The summary of a run, for people."""
    table = Table(show_header=False, box=None)
    for name, value in summary.as_json().items():
        if name == "stages":
            text = ", ".join(f"{stage} {count:,}" for stage, count in value.items()) or "none"
        else:
            text = f"{value:,}" if isinstance(value, int | float) else str(value)
        table.add_row(name.replace("_", " "), text)
    Console(file=sys.stdout).print(table)
