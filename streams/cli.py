"""The command `journeys`. Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import ValidationError

from streams.children import ChildError
from streams.embedded import StackError
from streams.settings import Settings, explain

Command = TypeVar("Command", bound=Callable[..., Any])


class Failure(click.ClickException):
    """One line on stderr, exit code 1."""


def settings_for(data_dir: Path | None = None) -> Settings:
    """The settings in force; a bad one ends the command with exit code 2."""
    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        raise click.UsageError(explain(error)) from None


@contextmanager
def explained() -> Iterator[None]:
    """Failures that people can act on become one line and exit code 1."""
    try:
        yield
    except (StackError, ChildError, ClickHouseError) as error:
        raise Failure(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")) from None


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data directory of the embedded stack (else JOURNEYS_DATA_DIR, else ./journeys-data).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dmu-journeys")
def main() -> None:
    """Composite customer journeys of B2B buying groups: Kafka in, ClickHouse out."""


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=str))
@data_dir_option
@click.option("--as-of", metavar="TIME", help="The clock at the end (RFC 3339 with an offset).")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def run(files: tuple[str, ...], data_dir: Path | None, as_of: str | None, as_json: bool) -> None:
    """Process FILES of touchpoints (JSON lines; - is stdin) on the embedded stack, then end.

    The data stays in the data directory: `journeys query` asks it, another run goes on from it.
    """
    from streams.progress import shown, summary_table  # noqa: PLC0415  (start-up time of other commands)
    from streams.run import read_lines  # noqa: PLC0415
    from streams.summary import parse_as_of, run_lines  # noqa: PLC0415

    settings = settings_for(data_dir)
    try:
        clock = None if as_of is None else parse_as_of(as_of)
    except ValueError as error:
        raise click.UsageError(f"--as-of: {error}") from None
    with ExitStack() as opened, explained():
        inputs = [_open(name, opened) for name in files]
        tell = opened.enter_context(shown())
        summary = run_lines(read_lines(inputs), settings.data_dir, settings, clock, tell)
    if as_json:
        click.echo(json.dumps(summary.as_json(), ensure_ascii=False))
    else:
        summary_table(summary)


def _open(name: str, opened: ExitStack) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return opened.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None


@main.command()
@click.argument("sql")
@data_dir_option
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
def query(sql: str, data_dir: Path | None, format_: Any) -> None:
    """Ask ClickHouse, e.g. `journeys query "SELECT * FROM v_accounts"`; also while a worker runs."""
    from streams.clickhouse import query as ask  # noqa: PLC0415
    from streams.embedded import attach  # noqa: PLC0415

    settings = settings_for(data_dir)
    with explained():
        if data_dir is None and "clickhouse" in settings.model_fields_set:
            answer = ask(settings.clickhouse, sql, format_)
        else:
            with attach(settings.data_dir) as dsn:
                answer = ask(dsn, sql, format_)
    click.echo(answer, nl=not answer.endswith("\n"))


@main.command()
@click.option("--only", type=click.Choice(["processor", "sink"]), help="Run only this part.")
def worker(only: Any) -> None:
    """The processor against the configured Kafka and ClickHouse; start as many as you like."""
    settings = settings_for()
    from streams.worker import work  # noqa: PLC0415

    work(settings, (only,) if only else ("processor", "sink"))


@main.command()
def topics() -> None:
    """Create the topics that are missing, verify those that are there."""
    from streams import topics as wanted  # noqa: PLC0415
    from streams.summary import STATEFUL  # noqa: PLC0415

    settings = settings_for()
    with explained():
        for line in wanted.ensure(settings.broker, settings.partitions, settings.group, STATEFUL):
            click.echo(line)


@main.command()
def migrate() -> None:
    """Bring ClickHouse's tables and views up to date."""
    from streams import clickhouse  # noqa: PLC0415

    settings = settings_for()
    with explained():
        applied = clickhouse.migrate(settings.clickhouse)
    click.echo(f"{len(applied)} migrations applied" if applied else "nothing to do")


@main.command()
def config() -> None:
    """What is in force, and from where."""
    settings = settings_for()
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        origin = "environment" if name in settings.model_fields_set else "default"
        shown = "…" if name == "hash_key" and origin == "environment" else value
        click.echo(f"JOURNEYS_{name.upper()} = {shown}  ({origin}: {field.description})")


if __name__ == "__main__":
    main()
