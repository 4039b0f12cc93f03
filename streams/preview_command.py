"""`journeys preview`: reads the state of JOURNEYS, embedded or on the configured Kafka; writes nothing."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.keys import KEY_BYTES, hasher
from schemas.topics import changelog
from streams.console import Failure, configured, data_dir_option, explained, settings_for
from streams.core import Rows
from streams.definition import DefinitionError, load
from streams.embedded import StackError
from streams.preview import Kept, accounts, in_words, preview
from streams.session import VERSION_BYTES, Found
from streams.settings import Settings
from streams.store import Row, as_read
from streams.summary import STATE_FORMAT

STEP: Final = "journeys"
POLL_MS: Final = 500


def recovered(entries: Iterable[Row]) -> Rows:
    """The rows of a partition as a session of JOURNEYS would find them."""
    rows = Rows()
    for key, value in Found(list(entries)).best.items():
        if state := value[VERSION_BYTES:]:
            rows.put(key[:KEY_BYTES], key[KEY_BYTES:], state)
    rows.keep()
    return rows


def on_disk(data_dir: Path) -> Iterator[Rows]:
    """The rows in a data directory, partition by partition; StackError where there are none."""
    path = data_dir / "state" / "state.sqlite"
    if not path.is_file():
        raise StackError(f"there is no data in {data_dir}: nothing has been processed there yet")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        made_by = connection.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()
        if made_by != (STATE_FORMAT,):
            raise StackError(f"{data_dir} was made by another version of dmu-journeys: feed everything again")
        partitions = connection.execute(
            "SELECT DISTINCT partition FROM rows WHERE step = ? ORDER BY partition", (STEP,)
        ).fetchall()
        for (partition,) in partitions:
            entries = connection.execute(
                "SELECT key, value FROM rows WHERE step = ? AND partition = ?", (STEP, partition)
            ).fetchall()
            yield recovered(entries)
    finally:
        connection.close()


def on_kafka(settings: Settings) -> Iterator[Rows]:
    """The rows on the configured Kafka, partition by partition."""
    topic = changelog(settings.group, STEP).name
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.broker.split(","),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            partitions = consumer.partitions_for_topic(topic)
            if not partitions:
                raise Failure(f"Kafka at {settings.broker} has no topic {topic}: no worker has kept anything")
            for partition in sorted(partitions):
                yield recovered(_entries(consumer, TopicPartition(topic, partition)))
        finally:
            consumer.close()
    except KafkaError as error:
        raise Failure(f"Kafka at {settings.broker}: {error}") from None


def _entries(consumer: Any, tp: TopicPartition) -> list[Row]:
    consumer.assign([tp])
    consumer.seek_to_beginning(tp)
    end = consumer.end_offsets([tp])[tp]
    rows: list[Row] = []
    while consumer.position(tp) < end:
        for records in consumer.poll(POLL_MS).values():
            rows += [(record.key, as_read(record)) for record in records]
    return rows


def kept(settings: Settings, data_dir: Path | None) -> Iterator[Kept]:
    """All accounts."""
    with_broker = configured(settings, data_dir, "broker")
    for rows in on_kafka(settings) if with_broker else on_disk(settings.data_dir):
        yield from accounts(rows, hasher(settings.hash_key))


@click.command("preview")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="What differs from the default definition, as JOURNEYS_DEFINITION names it.",
)
@click.option("--all", "all_", is_flag=True, help="Show every account that moves, not only the first.")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, all_: bool, data_dir: Path | None, as_json: bool) -> None:
    """What another journey definition would change, before anyone uses it. Feeds and changes nothing.

    Counts per stage, hand-offs, and the accounts that would move.
    """
    settings = settings_for(data_dir)
    was = settings.rules
    try:
        now = load(file.read_text(encoding="utf-8"), str(file))
    except DefinitionError as error:
        raise click.UsageError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from None
    with explained():
        found = preview(kept(settings, data_dir), was, now, hasher(settings.hash_key))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False))
        return
    for line in in_words(found, was, now, all_=all_):
        click.echo(line)
