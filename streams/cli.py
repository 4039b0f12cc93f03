"""The command `journeys`. Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted."""

import json
from base64 import b64decode
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click

from streams import (
    explain_command,
    identity_command,
    outcome_command,
    preview_command,
    show_command,
    steward,
)
from streams.console import Failure, ask, configured, data_dir_option, explained, settings_for
from streams.settings import PREFIX, shown_value

GOES_ON = "interrupted; nothing is lost: the same command again goes on"
BEGINS_ANEW = "interrupted; the same command again begins anew, in another temporary folder"
KAFKA_IS_GONE = (
    "interrupted; what Kafka held is gone, and with it what workers knew: feed everything again, "
    "into a fresh data directory"
)

ORIGINAL = "base64Encode(original)"  # a refused record may be no UTF-8, which JSON cannot carry


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
    from streams.progress import shown, summary_table
    from streams.run import read_lines
    from streams.summary import parse_as_of, run_lines

    settings = settings_for(data_dir)
    try:
        clock = None if as_of is None else parse_as_of(as_of)
    except ValueError as error:
        raise click.UsageError(f"--as-of: {error}") from None
    with ExitStack() as opened, explained(GOES_ON):
        inputs = [_open(name) for name in files]
        tell = opened.enter_context(shown())
        summary = run_lines(read_lines(inputs), settings.data_dir, settings, clock, tell)
    if as_json:
        click.echo(json.dumps(summary.as_json(), ensure_ascii=False))
    else:
        summary_table(summary)


def _open(name: str) -> IO[bytes]:
    """Left open: a thread that reads it may be waiting for a pipe, and closing would wait for that."""
    try:
        return open(0, "rb", closefd=False) if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None


@main.command()
@click.argument("sql")
@data_dir_option
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
def query(sql: str, data_dir: Path | None, format_: Any) -> None:
    """Ask ClickHouse, e.g. `journeys query "SELECT * FROM v_accounts"`; also while a worker runs."""
    with explained():
        answer = ask(sql, data_dir, format_)
    click.echo(answer, nl=not answer.endswith("\n"))


@main.command()
@click.option("--only", type=click.Choice(["processor", "sink"]), help="Run only this part.")
def worker(only: Any) -> None:
    """The processor against the configured Kafka and ClickHouse; start as many as you like."""
    settings = settings_for()
    from streams.topics import TopicsError
    from streams.worker import StartError, work

    try:
        work(settings, (only,) if only else ("processor", "sink"))
    except (TopicsError, StartError) as error:
        raise Failure(str(error)) from None


@main.command()
def topics() -> None:
    """Create the topics that are missing, verify those that are there."""
    from streams import topics as wanted
    from streams.summary import STATEFUL

    settings = settings_for()
    try:
        created = wanted.ensure(
            settings.broker, settings.partitions, settings.group, STATEFUL, settings.replication
        )
    except wanted.TopicsError as error:
        raise Failure(str(error)) from None
    for name in created:
        click.echo(f"created {name}")
    if not created:
        click.echo("all topics are there")


@main.command()
def migrate() -> None:
    """Bring ClickHouse's tables and views up to date."""
    from streams import clickhouse

    settings = settings_for()
    with explained(clickhouse=settings.clickhouse):
        applied = clickhouse.migrate(settings.clickhouse)
    click.echo(f"{len(applied)} migrations applied" if applied else "nothing to do")


@main.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(data_dir: Path | None, as_json: bool) -> None:
    """Who works on what, how far behind, and whether anything is left to do."""
    from streams import maturity
    from streams import status as statuses
    from streams.topics import TopicsError

    settings = settings_for(data_dir)
    try:
        with_broker = configured(settings, data_dir, "broker")
        told = statuses.status(settings) if with_broker else statuses.embedded(settings.data_dir)
    except TopicsError as error:
        raise Failure(str(error)) from None
    phases = maturity.asked(settings, data_dir)
    if as_json:
        known = None if phases is None else [asdict(phase) for phase in phases]
        click.echo(json.dumps({**told.as_json(), "maturity": known}))
    else:
        statuses.show(told, phases)


@main.command()
def config() -> None:
    """What is in force, whether it was set, and what it means; the journey definition among it.

    Where there is data, also what it is enough for.
    """
    from streams import maturity
    from streams.definition.shown import main_values

    settings = settings_for()
    for name, field in type(settings).model_fields.items():
        origin = "set" if name in settings.model_fields_set else "default"
        click.echo(f"{PREFIX}{name.upper()}={shown_value(settings, name)}  [{origin}]  {field.description}")
    origin = "default" if settings.definition is None else f"{settings.definition}, over the default"
    click.echo(f"\njourney definition {settings.rules.version}  [{origin}]")
    for name, value in main_values(settings.rules).items():
        click.echo(f"  {name:<15} {value}")
    if (phases := maturity.asked(settings, None)) is not None:
        click.echo(f"\nmaturity: {maturity.in_words(phases)}")


@main.command()
@click.option("--touchpoints", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The lines (JSON)."
)
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), required=True, help="What is true.")
def simulate(touchpoints: int, seed: int, out: Path, truth: Path) -> None:
    """Write a simulated market as JSON lines, and its truth."""
    from streams.market import write

    with explained():
        write(out, truth, touchpoints=touchpoints, seed=seed)


@main.command()
@click.option("--touchpoints", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the data stays (default: a new temporary folder).",
)
def demo(touchpoints: int, seed: int, data_dir: Path | None) -> None:
    """A simulated market through the whole pipeline, then what was found against the truth."""
    from streams.demo import show

    with explained(GOES_ON if data_dir else BEGINS_ANEW):
        show(touchpoints, seed, data_dir, settings_for(data_dir))


@main.command()
@click.option("--only", type=click.Choice(["kafka", "clickhouse"]), help="Start only this one.")
@click.option("--kafka-port", type=click.IntRange(1, 65535), default=9092, show_default=True)
@click.option("--clickhouse-port", type=click.IntRange(1, 65535), default=8123, show_default=True)
@data_dir_option
def dev(only: str | None, kafka_port: int, clickhouse_port: int, data_dir: Path | None) -> None:
    """Embedded Kafka and ClickHouse on loopback, until Ctrl-C. Kafka keeps everything in memory."""
    from streams.demo import serve

    with explained("interrupted" if only == "clickhouse" else KAFKA_IS_GONE):
        serve(settings_for(data_dir), only, kafka_port, clickhouse_port)


@main.command()
@click.argument("file", type=click.Path(path_type=str))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding.")
def validate(file: str, as_json: bool) -> None:
    """What of FILE (JSON lines; - is stdin) would be refused or left unattributed, and why. Feeds nothing."""
    from streams.run import numbered
    from streams.validate import findings

    settings = settings_for()
    lines = found = 0
    unknown: Counter[str] = Counter()
    with explained():
        for finding in findings(numbered(_open(file)), settings, unknown):
            lines += 1
            if finding is not None:
                found += 1
                click.echo(json.dumps(finding.as_json(), ensure_ascii=False) if as_json else str(finding))
    if not as_json:
        if unknown:
            told = ", ".join(f"{name} ({count:,})" for name, count in sorted(unknown.items()))
            click.echo(f"types not known: {told}")
        click.echo(f"{lines:,} lines, {found:,} to look at")


@main.group("dead-letters")
def dead_letters() -> None:
    """What was refused, why, and sending it again."""


_where = click.option(
    "--where", default="1", help="SQL condition on v_dead_letters, e.g. \"reason = 'bad_time'\"."
)


def _letters(columns: str, where: str, data_dir: Path | None, format_: Any) -> str:
    return ask(
        f"SELECT {columns} FROM v_dead_letters WHERE {where} ORDER BY at, topic, partition, offset",
        data_dir,
        format_,
    )


@dead_letters.command("list")
@_where
@data_dir_option
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
def list_letters(where: str, data_dir: Path | None, format_: Any) -> None:
    """Refused records: when, why, which field, where they were."""
    with explained():
        click.echo(
            _letters("at, reason, field, error, topic, partition, offset", where, data_dir, format_), nl=False
        )


@dead_letters.command("show")
@_where
@data_dir_option
def show_letters(where: str, data_dir: Path | None) -> None:
    """The original bytes, a line each: mend them, and feed them again."""
    with explained():
        for row in json.loads(_letters(f"{ORIGINAL} AS line", where, data_dir, "json")):
            click.echo(b64decode(row["line"]))


@dead_letters.command("requeue")
@_where
def requeue_letters(where: str) -> None:
    """Send refused records of the configured Kafka again, as they came."""
    from kafka.errors import KafkaError

    from streams.requeue import requeue

    settings = settings_for()
    with explained():
        # Of erased people nothing is kept that could be sent.
        left = f"({where}) AND reason != 'erased'"
        rows = json.loads(_letters(f"tenant, topic, {ORIGINAL} AS bytes, size", left, None, "json"))
        try:
            sent, cut, others = requeue(settings, rows)
        except KafkaError as error:
            raise Failure(f"Kafka at {settings.broker}: {error}") from None
    click.echo(f"{sent} sent again" + (f", {cut} not: only their beginning was kept" if cut else ""))
    if others:
        raise Failure(f"{others} not sent: they were on topics that only the processor writes")


COMMANDS = (
    *steward.COMMANDS,
    identity_command.identity,
    show_command.show,
    explain_command.explain,
    outcome_command.outcome,
    preview_command.command,
)
for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
