"""The ClickHouse engine in-process (chDB) behind ClickHouse's own HTTP interface, on loopback.

    python -m streams.chdb_server --path DIR --port 8123

One process holds the database in DIR; the worker, `journeys query`, BI tools and tests share it as clients,
by the same code that talks to a ClickHouse server. There is no authentication (names and passwords are
accepted and ignored), no session (`session_id` is ignored: `SET`, `USE` and temporary tables last one
request) and no external data. Results are made in memory, not streamed.

It prints `ready PORT` when it answers, stops on SIGTERM or SIGINT after the requests under way, and exits 1
with one line on stderr when another process holds DIR or the port is taken.
"""

import argparse
import asyncio
import fcntl
import gzip
import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import lz4.frame
from aiohttp import web
from backports import zstd
from chdb._exceptions import ChdbError
from chdb.state.sqlitelike import Connection

HOST: Final = "127.0.0.1"
MAX_BODY: Final = 1 << 30  # bytes; a larger request is refused with status 413
THREADS: Final = 16  # requests under way at once; each holds one connection to the engine
STOP_SECONDS: Final = 20.0  # a stop waits this long for requests under way

# Parameters of the HTTP interface itself: never settings of the engine.
TRANSPORT: Final = frozenset(
    {
        *("query", "query_id", "database", "default_format", "user", "password", "role", "quota_key"),
        *("session_id", "session_timeout", "session_check", "close_session", "client_protocol_version"),
        *("compress", "decompress", "enable_http_compression", "http_zlib_compression_level"),
        *("wait_end_of_query", "buffer_size", "send_progress_in_http_headers", "add_http_cors_header"),
        *("http_headers_progress_interval_ms", "http_write_exception_in_output_format"),
        "cancel_http_readonly_queries_on_client_close",
    }
)
SETTING: Final = re.compile(r"[A-Za-z_]\w*")
FORM: Final = re.compile(rb"(?:query|database|default_format|param_\w+)=")
NAME: Final = rb"(?:`[^`]+`|\"[^\"]+\"|\w+)"
INSERT: Final = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:TABLE\s+)?" + NAME + rb"(?:\." + NAME + rb")?(?:\s*\([^()]*\))?"
    rb"(?:\s+SETTINGS\s+[^;()]*?)?)\s+FORMAT\s+(\w+)[ \t]*(?:;?[ \t]*\Z|\r?\n)",
    re.IGNORECASE,
)
INSERT_HEAD: Final = 65_536  # bytes in which the clause before the data of an insert must end
FORMAT: Final = re.compile(rb"\bFORMAT\s+(\w+)(?:\s+SETTINGS\s[^;]*)?[\s;]*\Z", re.IGNORECASE)
BLANK: Final = re.compile(rb"(?:\s+|--[^\n]*\n|/\*.*?\*/|\()*", re.DOTALL)
NOTHING: Final = re.compile(rb"(?>[\s;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*+", re.DOTALL)
ANSWERS: Final = frozenset(b"SELECT WITH FROM VALUES SHOW DESC DESCRIBE EXPLAIN EXISTS CHECK".split())

# HTTP status of an exception code of ClickHouse; 500 where none is given. The reason is in the body.
STATUS: Final = {
    "36": 400,  # bad arguments
    "48": 501,  # not implemented
    "60": 404,  # unknown table
    "62": 400,  # syntax error
    "81": 404,  # unknown database
    "115": 404,  # unknown setting
    "164": 403,  # read only
}

DECODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
}
ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {  # the first that the client accepts is used
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
    "gzip": gzip.compress,
}


class QueryError(Exception):
    """The request cannot be carried out; `code` is ClickHouse's exception code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(
            message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}"
        )
        self.code = code


@dataclass(frozen=True)
class Query:
    """What one request asks of the engine."""

    sql: bytes  # may end in the data of an insert
    data: bytes  # of an insert whose statement came in the URL
    database: str
    settings: Mapping[str, str]
    params: Mapping[str, str]  # values of {name:Type} in the SQL
    format: str  # of the answer, where the SQL names none
    read_only: bool


@dataclass(frozen=True)
class Answer:
    """The engine's answer; `format` is empty for a statement that has no result."""

    body: bytes
    format: str = ""
    summary: Mapping[str, int] = field(default_factory=dict)


def quote(value: str) -> str:
    """A value as a literal of ClickHouse.

    >>> print(quote("it's"))
    'it\\'s'
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def insert_of(sql: bytes, data: bytes) -> tuple[str, str, bytes] | None:
    """(statement without FORMAT, format, data) of an insert that brings its data along, else None.

    >>> insert_of(b"INSERT INTO t (a) FORMAT CSV\\n1\\n", b"")
    ('INSERT INTO t (a)', 'CSV', b'1\\n')
    >>> insert_of(b"INSERT INTO t SELECT 1 FORMAT CSV", b"") is None
    True
    """
    found = INSERT.match(sql[:INSERT_HEAD])
    if found is None:
        return None
    return found[1].decode(), found[2].decode(), sql[found.end() :] + data


def answers(sql: bytes) -> bool:
    """Whether the statement has a result, be it an empty one.

    >>> answers(b"/* who */ (SELECT 1)"), answers(b"DROP TABLE t")
    (True, False)
    """
    start = BLANK.match(sql)
    rest = sql[start.end() :] if start else sql
    return rest.split(None, 1)[:1] != [] and re.split(rb"\W", rest, maxsplit=1)[0].upper() in ANSWERS


class Engine:
    """The database in a directory. `run` may be called by many threads at once."""

    def __init__(self, path: Path) -> None:
        """Open or create it; raises BlockingIOError when another process holds it."""
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path = str(path.resolve())
        self._root = Connection(self._path)  # keeps the engine open between requests

    def run(self, query: Query) -> Answer:
        """Carry out one request on a connection of its own, so that nothing of it is left behind."""
        connection = Connection(self._path)
        try:
            return self._run(connection, query)
        except (ChdbError, RuntimeError) as error:
            message = str(error)
            message = message[max(message.find("Code: "), 0) :]
            code = re.match(r"Code: (\d+)", message)
            raise QueryError(code[1] if code else "1001", message) from None
        except UnicodeDecodeError as error:
            raise QueryError("62", f"the statement is no UTF-8: {error}") from None
        finally:
            connection.close()

    def close(self) -> None:
        """Flush and close; the directory is free for another process afterwards."""
        self._root.close()
        os.close(self._lock)

    def _run(self, connection: Connection, query: Query) -> Answer:
        if query.database:
            name = query.database.replace("\\", "\\\\").replace("`", "\\`")
            connection.query(f"USE `{name}`", "TabSeparated")
        if query.settings:
            pairs = ", ".join(f"{name} = {quote(value)}" for name, value in query.settings.items())
            connection.query(f"SET {pairs}", "TabSeparated")
        if query.read_only:
            connection.query("SET readonly = 2", "TabSeparated")
        insert = insert_of(query.sql, query.data)
        if insert is not None:
            return self._insert(connection, *insert)
        sql = query.sql + b"\n" + query.data if query.data else query.sql
        if NOTHING.fullmatch(sql):
            raise QueryError("62", "Syntax error: empty query (SYNTAX_ERROR)")
        named = FORMAT.search(sql)
        format_ = named[1].decode() if named else query.format
        result = connection.query(sql.decode(), format_, params=dict(query.params))
        body = bytes(result.bytes() or b"")
        summary = {"read_rows": int(result.rows_read()), "read_bytes": int(result.bytes_read())}
        return Answer(body, format_ if body or answers(sql) else "", summary)

    @staticmethod
    def _insert(connection: Connection, statement: str, format_: str, data: bytes) -> Answer:
        if not data.strip():
            return Answer(b"", summary={"written_rows": 0, "written_bytes": 0})
        with connection.send_insert(statement, format_) as stream:
            stream.append(data)
            done = stream.finish()
        return Answer(b"", summary={"written_rows": done.rows_written, "written_bytes": done.bytes_written})


def query_of(method: str, headers: Mapping[str, str], params: Mapping[str, str], body: bytes) -> Query:
    """The query in a request of ClickHouse's HTTP interface; raises QueryError where a name is none."""
    settings = {n: v for n, v in params.items() if n not in TRANSPORT and not n.startswith("param_")}
    for name in settings:
        if not SETTING.fullmatch(name):
            raise QueryError("115", f"Unknown setting {name!r}")
    in_url = "query" in params
    return Query(
        sql=params["query"].encode() if in_url else body,
        data=body if in_url else b"",
        database=params.get("database") or headers.get("X-ClickHouse-Database", ""),
        settings=settings,
        params={name[6:]: value for name, value in params.items() if name.startswith("param_")},
        format=headers.get("X-ClickHouse-Format") or params.get("default_format") or "TabSeparated",
        read_only=method == "GET",
    )


class Handler:
    """Answers HTTP requests from the engine, which works in threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(THREADS, "query")

    async def __call__(self, request: web.Request) -> web.Response:
        """One request, one response; errors in ClickHouse's way."""
        if "Origin" in request.headers:
            # A web page in the user's browser: without authentication it must not reach the database.
            return web.Response(status=403, text="requests of web pages are refused\n")
        params = dict(request.query)
        if request.path in ("/ping", "/replicas_status") or (
            request.method == "GET" and not params.get("query")
        ):
            return web.Response(text="Ok.\n")
        headers = {
            "X-ClickHouse-Query-Id": params.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": "chdb",
            "X-ClickHouse-Timezone": "UTC",
        }
        body = b""
        if request.content_type == "multipart/form-data":
            params |= {n: v for n, v in (await request.post()).items() if isinstance(v, str)}
        else:
            body = await request.read()
        work = partial(self._answer, request, params, body, headers)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _answer(
        self, request: web.Request, params: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> web.Response:
        began = time.monotonic_ns()
        try:
            answer = self._engine.run(
                query_of(request.method, request.headers, *self._read(request, params, body))
            )
        except QueryError as error:
            headers["X-ClickHouse-Exception-Code"] = error.code
            return web.Response(status=STATUS.get(error.code, 500), text=f"{error}\n", headers=headers)
        summary = {"read_rows": 0, "read_bytes": 0, "written_rows": 0, "written_bytes": 0, **answer.summary}
        summary["elapsed_ns"] = time.monotonic_ns() - began
        headers["X-ClickHouse-Summary"] = json.dumps({name: str(value) for name, value in summary.items()})
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        out = answer.body
        if params.get("enable_http_compression") == "1":
            accepted = request.headers.get("Accept-Encoding", "")
            for name, encode in ENCODERS.items():
                if name in accepted:
                    headers["Content-Encoding"] = name
                    out = encode(out)
                    break
        return web.Response(body=out, headers=headers, content_type="application/octet-stream")

    @staticmethod
    def _read(request: web.Request, params: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        encoding = request.headers.get("Content-Encoding", "")
        decode = DECODERS.get(encoding)
        if decode is None:
            raise QueryError("48", f"Content-Encoding {encoding} is not supported")
        try:
            body = decode(body)
        except Exception as error:  # each codec raises its own
            raise QueryError("354", f"the body is no {encoding}: {error}") from None
        if request.content_type == "application/x-www-form-urlencoded" and FORM.match(body):
            # curl -d sends plain SQL under this type too
            return params | dict(parse_qsl(body.decode(), keep_blank_values=True)), b""
        return params, body

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()


async def serve(engine: Engine, port: int) -> None:
    """Answer on the port (0: a free one) until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    handler = Handler(engine)
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/{path:.*}", handler)
    options: dict[str, Any] = {"auto_decompress": False, "access_log": None, "shutdown_timeout": STOP_SECONDS}
    runner = web.AppRunner(app, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        print(f"ready {runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
        handler.close()


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="chdb_server", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--path", type=Path, required=True, help="directory of the database, made where absent"
    )
    parser.add_argument("--port", type=int, required=True, help="0: a free one")
    options = parser.parse_args()
    try:
        engine = Engine(options.path)
    except BlockingIOError:
        print(f"{options.path} is in use by another process", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot open {options.path}: {error}", file=sys.stderr)
        return 1
    try:
        asyncio.run(serve(engine, options.port))
    except OSError as error:
        print(f"cannot listen on port {options.port}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    finally:
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
