"""What the commands share: settings, one clear line for what fails, where data is asked."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from pydantic import ValidationError

from streams.children import ChildError
from streams.embedded import StackError, attach
from streams.settings import Settings, address, explain


class Failure(click.ClickException):
    """One line on stderr, exit code 1."""


def settings_for(data_dir: Path | None = None) -> Settings:
    """The settings in force; a bad one ends the command with exit code 2."""
    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        raise click.UsageError(explain(error)) from None


@contextmanager
def explained(interrupted: str = "interrupted", clickhouse: str = "") -> Iterator[None]:
    """Failures that people can act on become one line and exit code 1; Ctrl-C says `interrupted`.

    `clickhouse`: the DSN of the server that is asked.
    """
    try:
        yield
    except (StackError, ChildError) as error:
        raise Failure(str(error)) from None
    except OperationalError as error:
        if not clickhouse:
            raise Failure(" ".join(str(error).split())) from None
        raise Failure(f"ClickHouse does not answer at {address(clickhouse)}: {_why(error)}") from None
    except ClickHouseError as error:
        raise Failure(" ".join(str(error).split())) from None
    except sqlite3.Error as error:
        raise Failure(f"the state in the data directory: {error}") from None
    except KeyboardInterrupt:
        click.echo(interrupted, err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")) from None


def _why(error: Exception) -> str:
    """The shortest account of what the client raised: what the system said where that is in it."""
    text = " ".join(str(error).split())
    found = re.search(r"\[Errno -?\d+\] ([^\"')]+)", text)
    return found[1] if found else text


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data directory of the embedded stack (else JOURNEYS_DATA_DIR, else ./journeys-data).",
)


def configured(settings: Settings, data_dir: Path | None, name: str) -> bool:
    """Whether a command uses the configured `broker` or `clickhouse` and not the embedded stack."""
    return data_dir is None and name in settings.model_fields_set


@contextmanager
def clickhouse(settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """The DSN to ask: the configured one where there is one and no --data-dir, else an embedded one."""
    if configured(settings, data_dir, "clickhouse"):
        with explained(clickhouse=settings.clickhouse):
            yield settings.clickhouse
    else:
        with attach(settings.data_dir) as dsn:
            yield dsn


def ask(sql: str, data_dir: Path | None, format_: Any) -> str:
    """The answer to a question, as text."""
    from streams.clickhouse import query

    with clickhouse(settings_for(data_dir), data_dir) as dsn:
        return query(dsn, sql, format_)
