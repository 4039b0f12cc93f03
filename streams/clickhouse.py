"""ClickHouse from a DSN: a client, the migrations, waiting until it answers, and questions for people."""

import logging
import re
import time
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from clickhouse_migrations.clickhouse_cluster import ClickhouseCluster

import schemas

DATABASE: Final = "journeys"
MIGRATIONS: Final = Path(schemas.__file__).with_name("clickhouse")  # numbered *.sql

# What it logs as an error it raises, too, and a command tells it in one line.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

Format = Literal["table", "json", "csv"]

_READ: Final[dict[Format, str]] = {
    "table": "PrettyCompactMonoBlock",
    "json": "JSONEachRow",
    "csv": "CSVWithNames",
}
_READING: Final[dict[str, Any]] = {
    "readonly": 2,  # reads, and settings of the question
    "date_time_output_format": "iso",  # RFC 3339 in UTC
    "session_timezone": "UTC",
    "output_format_json_array_of_rows": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_pretty_row_numbers": 0,
    "output_format_pretty_color": 0,
    "output_format_pretty_max_rows": 10_000,
    "output_format_pretty_single_large_number_tip_threshold": 0,  # no "-- 82 trillion" beside a number
}
_READ_ONLY: Final = 164  # ClickHouse's code of what a reader may not do
# Around the server's own words: the driver's, once or twice the code, the server's version and address.
_AROUND: Final = re.compile(
    r"^.*?(?:Code: \d+\. DB::Exception: )+|\s*\(version [\w.]+(?: \([^()]*\))?\)|\s*\(for url [^()]*\)$",
    re.DOTALL,
)


def database_of(dsn: str) -> str:
    """The database that a DSN names, else `journeys`.

    >>> database_of("http://127.0.0.1:8123"), database_of("https://me:secret@host/other?verify=0")
    ('journeys', 'other')
    """
    return unquote(urlsplit(dsn).path.strip("/")) or DATABASE


def connect(dsn: str, database: str | None = None, **options: Any) -> Client:
    """A client for many threads at once; `options` are those of clickhouse_connect.get_client.

    The scheme decides about TLS (`http`, `https`). Raises ClickHouseError when the server does not answer or
    there is no such database.
    """
    secure = urlsplit(dsn).scheme in ("https", "clickhouses")
    return clickhouse_connect.get_client(
        dsn=dsn,
        interface="https" if secure else "http",
        database=database or database_of(dsn),
        autogenerate_session_id=False,  # a session admits one thread at a time
        **options,
    )


def wait_until_up(dsn: str, seconds: float) -> None:
    """Return as soon as ClickHouse answers; raises TimeoutError, with its last words, after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        try:
            connect(dsn, database="default").close()
            return
        except ClickHouseError as error:
            if time.monotonic() > until:
                raise TimeoutError(f"ClickHouse does not answer: {error}") from error
            time.sleep(0.05)


def migrate(dsn: str) -> list[int]:
    """Create the database where absent and apply the migrations that are missing; returns their numbers.

    Raises MigrationException when an applied migration differs from its file here, ClickHouseError when a
    statement fails; it can be run again then, and by several workers at once.
    """
    database = database_of(dsn)
    with connect(dsn, database="default") as client:
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}` ENGINE = Atomic")
    scheme, host, _, options, _ = urlsplit(dsn)
    cluster = ClickhouseCluster(
        db_url=urlunsplit((scheme, host, "", options, "")), driver="clickhouse-connect"
    )
    applied = cluster.migrate(database, MIGRATIONS, create_db_if_no_exists=False)
    return [migration.version for migration in applied]


def query(dsn: str, sql: str, format_: Format) -> str:
    """The answer to a question, as text.

    `json` is one array of objects: times RFC 3339 in UTC, arrays and maps as JSON values, integers and
    decimals as numbers. `csv` has a line of names. What is no UTF-8 (a refused record may hold it) stands as
    U+FFFD; ask for `base64Encode(…)` where the bytes matter. Nothing can be changed. Raises ClickHouseError
    with the server's words.
    """
    wanted = {"X-ClickHouse-Format": _READ[format_]}
    with connect(dsn) as client:
        try:
            answer = client.raw_query(sql.rstrip().rstrip(";"), settings=_READING, transport_settings=wanted)
        except DatabaseError as error:
            raise DatabaseError(_said(error), code=error.code, name=error.name) from None
    return answer.decode(errors="replace")


def _said(error: DatabaseError) -> str:
    """What the server says about a question, without what surrounds it."""
    if error.code == _READ_ONLY:
        return "a question only reads: this statement would change something"
    return _AROUND.sub("", str(error))
