"""The embedded ClickHouse speaks ClickHouse's HTTP interface, to plain requests and to clickhouse-connect."""

import gzip
import http.client
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import lz4.frame
import pytest
from backports import zstd
from chdb_process import ChdbServer
from clickhouse_connect.driver.exceptions import DatabaseError

from streams import clickhouse

pytestmark = pytest.mark.embedded


class Web:
    """Plain HTTP to the server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(
        self, body: bytes | str = b"", method: str = "POST", headers=(), path: str = "/", **params: str
    ):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, f"{path}?{urlencode(params)}", body, dict(headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content


@pytest.fixture
def web(chdb: ChdbServer) -> Web:
    return Web(chdb.port)


@pytest.fixture
def table(web: Web):
    web(
        "CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 9"
    )
    yield "t"
    web("DROP TABLE t")


def test_ping_and_plain_queries(web: Web) -> None:
    assert web(method="GET", path="/ping")[1] == b"Ok.\n"
    assert web(method="GET")[1] == b"Ok.\n"
    assert web("SELECT 1 + 1")[1] == b"2\n"
    assert web(method="GET", query="SELECT 'it''s'")[1] == b"it\\'s\n"
    assert web(" + 1 AS two", query="SELECT 1")[1] == b"2\n"  # URL first, then body
    # What curl -d sends, and a real form.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert web("SELECT 3", headers=form)[1] == b"3\n"
    assert web(urlencode({"query": "SELECT {n:UInt8}", "param_n": "4"}), headers=form)[1] == b"4\n"


def test_formats_are_honoured_and_named(web: Web) -> None:
    response, content = web("SELECT 1 AS a FORMAT JSONEachRow;")
    assert (content, response.headers["X-ClickHouse-Format"]) == (b'{"a":1}\n', "JSONEachRow")
    response, content = web("SELECT 1 AS a", default_format="CSVWithNames")
    assert (content, response.headers["X-ClickHouse-Format"]) == (b'"a"\n1\n', "CSVWithNames")
    response, content = web("SELECT 1 AS a", headers={"X-ClickHouse-Format": "CSV"})
    assert content == b"1\n"
    response, content = web("/* nobody */ SELECT 1 WHERE 0")  # an empty result is a result
    assert (content, response.headers["X-ClickHouse-Format"]) == (b"", "TabSeparated")
    response, content = web("CREATE TABLE IF NOT EXISTS gone (a UInt8) ENGINE = Memory")
    assert (content, response.headers["X-ClickHouse-Format"]) == (b"", None)


def test_parameters_settings_and_database_last_one_request(web: Web) -> None:
    assert web("SELECT {s:String}, {a:Array(String)}", param_s="a\\tb'c", param_a="['x','y']")[1] == (
        b"a\\tb\\'c\t['x','y']\n"
    )
    assert web("SELECT getSetting('max_threads')", max_threads="1")[1] == b"1\n"
    assert web("SELECT getSetting('max_threads')")[1] != b"1\n"
    assert web("SELECT currentDatabase()", database="system")[1] == b"system\n"
    assert web("SELECT currentDatabase()", headers={"X-ClickHouse-Database": "system"})[1] == b"system\n"
    assert web("SELECT currentDatabase()")[1] == b"default\n"


@pytest.mark.parametrize(
    ("sql", "params", "status", "code"),
    [
        ("SELEC 1", {}, 400, "62"),
        ("", {}, 400, "62"),
        (" ;; /* a */\n-- nothing", {}, 400, "62"),
        ("/* a */" * 40 + "SELECT throwIf(1)", {}, 500, "395"),
        ("CREATE TABLE no (a UInt8) ENGINE = Memory", {"readonly": "2", "max_threads": "1"}, 403, "164"),
        ("INSERT INTO no FORMAT CSV\n1\n", {"readonly": "2"}, 404, "60"),
        ("SELECT * FROM nothing_here", {}, 404, "60"),
        ("SELECT 1", {"database": "nowhere"}, 404, "81"),
        ("SELECT 1", {"no_such_setting": "1"}, 404, "115"),
        ("SELECT 1", {"bad; name": "1"}, 404, "115"),
        ("SELECT throwIf(1)", {}, 500, "395"),
    ],
)
def test_errors_carry_clickhouses_code(web: Web, sql: str, params: dict, status: int, code: str) -> None:
    response, content = web(sql, **params)
    assert response.status == status
    assert response.headers["X-ClickHouse-Exception-Code"] == code
    assert content.startswith(f"Code: {code}. DB::Exception:".encode())


def test_a_get_only_reads(web: Web) -> None:
    response, _ = web(method="GET", query="CREATE TABLE no (a UInt8) ENGINE = Memory")
    assert response.headers["X-ClickHouse-Exception-Code"] == "164"


def test_a_web_page_is_refused(web: Web) -> None:
    response, content = web("SELECT 1", headers={"Origin": "https://evil.example"})
    assert (response.status, content) == (403, b"requests of web pages are refused\n")


@pytest.mark.parametrize(
    ("encoding", "encode"), [("lz4", lz4.frame.compress), ("zstd", zstd.compress), ("gzip", gzip.compress)]
)
def test_inserts_come_compressed_or_plain(web: Web, table: str, encoding: str, encode) -> None:
    body = encode(b"1,one\n2,two\n")
    response, _ = web(
        body, headers={"Content-Encoding": encoding}, query=f"INSERT INTO {table} (a, b) FORMAT CSV"
    )
    assert json.loads(response.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    whole = encode(b'INSERT INTO t FORMAT JSONEachRow\n{"a":3,"b":"three"}\n')
    web(whole, headers={"Content-Encoding": encoding})
    web("INSERT INTO t VALUES (4, 'FORMAT CSV\n')")
    assert web("SELECT groupArray(b) FROM (SELECT b FROM t ORDER BY a)")[1] == (
        b"['one','two','three','FORMAT CSV\\n']\n"
    )


def test_bad_compression_is_told(web: Web) -> None:
    assert (
        web(b"no lz4", headers={"Content-Encoding": "lz4"})[0].headers["X-ClickHouse-Exception-Code"] == "354"
    )
    assert web(b"", headers={"Content-Encoding": "br"})[0].status == 501


@pytest.mark.parametrize(
    ("encoding", "decode"),
    [("lz4", lz4.frame.decompress), ("zstd", zstd.decompress), ("gzip", gzip.decompress)],
)
def test_answers_are_compressed_where_asked(web: Web, encoding: str, decode) -> None:
    accept = {"Accept-Encoding": encoding}
    response, content = web("SELECT 1", headers=accept, enable_http_compression="1")
    assert (response.headers["Content-Encoding"], decode(content)) == (encoding, b"1\n")
    response, content = web("SELECT 1", headers=accept)
    assert (response.headers["Content-Encoding"], content) == (None, b"1\n")


def test_a_bad_row_keeps_the_whole_insert_out(web: Web, table: str) -> None:
    response, _ = web('{"a":1}\n{"a":"x"}\n', query=f"INSERT INTO {table} FORMAT JSONEachRow")
    assert response.headers["X-ClickHouse-Exception-Code"] in ("27", "72")
    assert web("SELECT count() FROM t")[1] == b"0\n"


def test_an_insert_token_counts_once(web: Web, table: str) -> None:
    for token in ("one", "one", "two"):
        web(
            "1,x\n",
            query=f"INSERT INTO {table} FORMAT CSV",
            insert_deduplication_token=token,
            async_insert="0",
        )
    assert web("SELECT count() FROM t")[1] == b"2\n"


def test_reading_goes_on_while_a_long_query_and_inserts_run(web: Web, table: str) -> None:
    slow = threading.Thread(target=web, args=("SELECT sleep(1.5)",))
    slow.start()
    began = time.monotonic()
    for n in range(20):
        web(f"{n},x\n", query=f"INSERT INTO {table} FORMAT CSV")
        assert web("SELECT count() FROM t")[1] == b"%d\n" % (n + 1)
    assert time.monotonic() - began < 1.4
    slow.join()


def test_clickhouse_connect_works_on_it(chdb: ChdbServer, table: str) -> None:
    with clickhouse.connect(chdb.dsn, "default", compress=True) as client:
        client.insert(table, [[1, "one"], [2, "it's\t"]], column_names=["a", "b"])
        assert client.query("SELECT * FROM t ORDER BY a").result_rows == [(1, "one"), (2, "it's\t")]
        bound = client.query("SELECT b FROM t WHERE b = {b:String}", parameters={"b": "it's\t"})
        assert bound.result_rows == [("it's\t",)]
        assert client.command("SELECT count() FROM t") == 2
        arrow = client.query_arrow("SELECT a FROM t ORDER BY a")
        assert arrow.column("a").to_pylist() == [1, 2]
        with client.query_rows_stream("SELECT number FROM numbers(100000)") as stream:
            assert sum(row[0] for row in stream) == 4999950000
        long = "x" * 100_000  # goes as a form, too long for a URL
        assert client.query("SELECT length({s:String})", parameters={"s": long}).result_rows == [(100_000,)]
        with pytest.raises(DatabaseError) as caught:
            client.query("SELECT * FROM nothing_here")
        assert caught.value.code == 60


def test_one_process_per_directory_and_a_port_that_is_taken(chdb: ChdbServer, tmp_path: Path) -> None:
    with ChdbServer(tmp_path) as first, ChdbServer(tmp_path) as second:
        assert first.ready == f"ready {first.port}\n"
        assert second.ready == ""
        assert second.stop() == (1, f"{tmp_path} is in use by another process\n")
        assert first.stop() == (0, "")
    with ChdbServer(tmp_path / "other", chdb.port) as busy:
        assert busy.stop() == (1, f"cannot listen on port {chdb.port}: Address already in use\n")


def test_what_was_acknowledged_survives_stop_and_kill(tmp_path: Path) -> None:
    for n, end in enumerate((ChdbServer.stop, ChdbServer.kill)):
        with ChdbServer(tmp_path) as server:
            web = Web(server.port)
            web("CREATE TABLE IF NOT EXISTS kept (a UInt64) ENGINE = MergeTree ORDER BY a")
            assert web(f"{n}\n", query="INSERT INTO kept FORMAT CSV")[0].status == 200
            end(server)
    with ChdbServer(tmp_path) as server:
        kept = Web(server.port)("SELECT groupArray(a) FROM (SELECT a FROM kept ORDER BY a)")
        assert kept[1] == b"[0,1]\n"
