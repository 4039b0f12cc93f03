"""The inserter: blocks of rows into ClickHouse, whatever happens on the way.

An insert is acknowledged, or it is tried again with the same bytes and the same token for as long as it takes
(so an outage pauses the caller), or the server says that a row is to blame: then the block is halved until
that row stands alone, which is handed back, and all other rows are kept.
"""

import asyncio
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, Final, TypeVar

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from streams import clickhouse
from streams.sink.tables import COLUMNS, Block, Refused

logger = logging.getLogger(__name__)

MAX_ROWS: Final = 50_000  # of one insert
MAX_BYTES: Final = 64_000_000  # of one insert
PAUSE_SECONDS: Final = (0.1, 10.0)  # first and longest pause between two tries of one insert
CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 120  # without an answer the outcome is unknown, and the insert is tried again
CHANGE_SECONDS: Final = 3_600  # the same for a mutation, which rewrites what a table has on disk

SETTINGS: Final[dict[str, Any]] = {
    "async_insert": 0,  # acknowledged means kept
    "date_time_input_format": "best_effort",  # RFC 3339
    "input_format_json_named_tuples_as_objects": 0,
}

# ClickHouse's exception codes that blame what a row holds. All others are about the server or its tables,
# which somebody mends: waiting loses nothing, and giving up rows would.
ROW_CODES: Final = frozenset(
    {
        *(6, 25, 26, 27, 32, 33, 72, 130, 467),  # cannot parse
        *(38, 41),  # no date or time
        *(53, 70, 117, 349),  # of another type, or null
        *(69, 128, 131, 407),  # out of range, too large
        *(469, 691),  # against a constraint, not in the enum
    }
)
TOO_MANY: Final = 252  # parts: wait until they are merged; or partitions in one block: waiting never helps
PARTITIONS: Final = "partitions for single INSERT block"

Send = Callable[[str, bytes, str], None]
Answer = TypeVar("Answer")
_lines = msgspec.json.Encoder().encode_lines


class Server:
    """Speaks with the ClickHouse that a DSN names; several threads may do so at once."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._clients: dict[int, Client] = {}  # by how long they wait for an answer

    def _connected(self, seconds: int = ANSWER_SECONDS) -> Client:
        with self._lock:
            client = self._clients.get(seconds)
            if client is None:
                client = self._clients[seconds] = clickhouse.connect(
                    self._dsn, connect_timeout=CONNECT_SECONDS, send_receive_timeout=seconds
                )
            return client

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of an answer; raises ClickHouseError."""
        return [tuple(row) for row in self._connected().query(sql).result_rows]

    def do(self, sql: str) -> None:
        """Carry out a statement, which may take long; raises ClickHouseError."""
        self._connected(CHANGE_SECONDS).command(sql)

    def insert(self, table: str, body: bytes, token: str) -> None:
        """One insert of JSON lines; returns once it is acknowledged, else raises ClickHouseError."""
        self._connected().raw_insert(
            table,
            COLUMNS[table],
            body,
            settings=SETTINGS | {"insert_deduplication_token": token},
            fmt="JSONCompactEachRow",
        )


class Inserter:
    """Inserts blocks of rows; several `insert` may be under way at once.

    `send` is `Server(dsn).insert`; it is called in a thread.
    """

    def __init__(self, send: Send, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._send = send
        self._sleep = sleep
        self._down_since: float | None = None

    async def insert(self, blocks: Mapping[str, Block]) -> list[Refused]:
        """Returns when every row is acknowledged, but for those handed back as refused by ClickHouse."""
        refused: list[Refused] = []
        for table, block in blocks.items():
            parts = [block[n : n + MAX_ROWS] for n in range(0, len(block.rows), MAX_ROWS)]
            while parts:
                part = parts.pop()
                body = _lines(part.rows)
                error = await self._insert(table, body) if len(body) <= MAX_BYTES else "too large"
                half = len(part.rows) // 2
                if error and half:
                    parts += [part[:half], part[half:]]
                elif error:
                    refused.append(Refused(part.records[0], "refused_by_clickhouse", f"{table}: {error}"))
        return refused

    async def _insert(self, table: str, body: bytes) -> str:
        """One insert, until its outcome is known: empty, or why the server will never take it."""
        try:
            await self.patiently(f"inserts into {table}", self._send, table, body, uuid.uuid4().hex)
        except ClickHouseError as error:
            return first_line(error)
        return ""

    async def patiently(self, what: str, do: Callable[..., Answer], *arguments: Any) -> Answer:
        """`do`, in a thread, again until its outcome is known; raises what trying again can never mend."""
        pause, longest = PAUSE_SECONDS
        while True:
            try:
                answer = await asyncio.to_thread(do, *arguments)
            except ClickHouseError as error:
                if hopeless(error):
                    raise
                self._went_down(what, error)
                await self._sleep(pause)
                pause = min(2 * pause, longest)
            else:
                self._came_up()
                return answer

    def _went_down(self, what: str, error: ClickHouseError) -> None:
        if self._down_since is None:
            self._down_since = monotonic()
            logger.warning("ClickHouse takes no %s, trying again: %s", what, first_line(error))

    def _came_up(self) -> None:
        if self._down_since is not None:
            logger.warning("ClickHouse answers again after %.1f s", monotonic() - self._down_since)
            self._down_since = None


def hopeless(error: ClickHouseError) -> bool:
    """Whether trying the same bytes again can never succeed.

    >>> hopeless(Error("Too many parts (300)", code=252)), hopeless(Error("Cannot parse", code=27))
    (False, True)
    """
    code = error.code if isinstance(error, Error) else None
    return code in ROW_CODES or (code == TOO_MANY and PARTITIONS in str(error))


def first_line(error: Exception) -> str:
    """The first line of what went wrong, at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
