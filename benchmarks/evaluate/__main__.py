"""`python -m benchmarks.evaluate [silence|segments|conversion] [--quick] [--write]`."""

from collections.abc import Callable, Sequence

import click
from rich.console import Console

from benchmarks import report
from benchmarks.evaluate import segmenting, silence, winning
from benchmarks.report import Figures

PARTS: dict[str, Callable[[bool], Figures]] = {
    "segments": segmenting.figures,
    "silence": silence.figures,
    "conversion": winning.figures,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="Smaller: to see that it runs.")
@click.option("--write", "writes", is_flag=True, help="Write the tables into docs/models.md.")
def main(parts: Sequence[str], quick: bool, writes: bool) -> None:
    """Evaluate the models named by PARTS (all of them); plots go to docs/models/."""
    console = Console(width=None if Console().is_terminal else 110)
    report.measure(parts, PARTS, console, "models.md", quick=quick, writes=writes)


if __name__ == "__main__":
    main()
