"""The embedded stack: starts, remembers its generation, owns its directory, leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams import embedded
from streams.embedded import Running, Stack, StackError, attach, knows_topics, pings, running

pytestmark = pytest.mark.embedded


def port_of(address: str | None) -> int:
    assert address is not None
    return int(address.rpartition(":")[2])


def ask(dsn: str | None, sql: str) -> str:
    assert dsn is not None
    with urllib.request.urlopen(dsn, sql.encode(), timeout=10) as answer:
        return str(answer.read().decode().strip())


def test_both_answer_while_it_runs_and_neither_afterwards(tmp_path: Path) -> None:
    with Stack(tmp_path / "new" / "data") as stack:
        stack.start()
        kafka, clickhouse = port_of(stack.kafka), port_of(stack.clickhouse)
        assert knows_topics(kafka)
        assert pings(clickhouse)
        assert ask(stack.clickhouse, "SELECT 1 + 1") == "2"
        found = running(stack.data_dir)
        assert found == Running(os.getpid(), 1, stack.kafka, stack.clickhouse, found.pids if found else ())
        assert (stack.data_dir / "logs" / "kafka.log").stat().st_size > 0
    assert not knows_topics(kafka)
    assert not pings(clickhouse)
    assert running(stack.data_dir) is None
    assert sorted(path.name for path in stack.data_dir.iterdir()) == [
        "clickhouse",
        "generation",
        "lock",
        "logs",
        "state",
    ]


def test_one_part_alone(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        stack.start(clickhouse=False)
        assert stack.clickhouse is None
        assert knows_topics(port_of(stack.kafka))
    with Stack(tmp_path) as stack:
        stack.start(kafka=False)
        assert stack.kafka is None
        assert pings(port_of(stack.clickhouse))
        assert stack.generation == 1  # no broker was started


def test_what_clickhouse_was_told_is_there_at_the_next_start(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        stack.start(kafka=False)
        ask(stack.clickhouse, "CREATE TABLE t ENGINE = MergeTree ORDER BY a AS SELECT 42 AS a")
    with attach(tmp_path) as dsn:
        assert ask(dsn, "SELECT a FROM t") == "42"


def test_the_generation_rises_with_every_broker(tmp_path: Path) -> None:
    for generation in (1, 2, 3):
        with Stack(tmp_path) as stack:
            assert stack.generation == generation - 1
            stack.start(clickhouse=False)
            assert stack.generation == generation


def test_the_generation_is_kept_before_the_broker_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broker"
    broken.write_text("#!/bin/sh\necho no luck\nexit 5\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    with Stack(tmp_path / "data") as stack:
        with pytest.raises(
            StackError, match=r"Kafka ended early \(exit code 5\)\. Its last lines:\n  no luck"
        ):
            stack.start(clickhouse=False)
        assert (stack.data_dir / "generation").read_text() == "1\n"
        assert stack.kafka is None


def test_a_damaged_generation_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "generation").write_text("what?")
    with pytest.raises(StackError, match="generation does not hold a number"), Stack(tmp_path):
        pass
    (tmp_path / "generation").write_text("7")
    with Stack(tmp_path) as stack:  # and it left no lock
        assert stack.generation == 7


OWNER = """
import sys, time
from pathlib import Path
from streams.embedded import Stack
with Stack(Path(sys.argv[1])) as stack:
    stack.start(clickhouse=sys.argv[2] == "both")
    print("up", flush=True)
    time.sleep(60)
"""


def owner_of(data_dir: Path, parts: str) -> subprocess.Popen[str]:
    """Another process that runs a stack there."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir), parts], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    return owner


def test_a_directory_in_use_is_refused_and_free_again_soon_after_its_owner_was_killed(tmp_path: Path) -> None:
    with owner_of(tmp_path, "both") as owner:
        with pytest.raises(StackError) as raised, Stack(tmp_path):
            pass
        assert str(raised.value) == f"{tmp_path} is in use by process {owner.pid}"
        found = running(tmp_path)
        assert found is not None
        with attach(tmp_path) as dsn:
            assert dsn == found.clickhouse
        owner.kill()
        owner.wait()
        assert running(tmp_path) is None
        started = time.monotonic()
        with Stack(tmp_path) as stack:
            stack.start()
            assert stack.generation == 2
        assert time.monotonic() - started < 8
        assert not knows_topics(port_of(found.kafka))
        assert not pings(port_of(found.clickhouse))


def test_the_directory_stays_locked_until_the_last_child_of_a_killed_owner_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner_of(tmp_path, "kafka") as owner:
        found = running(tmp_path)
        assert found is not None
        (guard,) = found.pids
        os.kill(guard, signal.SIGSTOP)  # so it does not end its child
        owner.kill()
        owner.wait()
        try:
            monkeypatch.setattr(embedded, "ENDING_SECONDS", 0.3)
            with pytest.raises(StackError, match="is in use by process"), Stack(tmp_path):
                pass
        finally:
            os.kill(guard, signal.SIGCONT)
        monkeypatch.undo()
        with Stack(tmp_path):
            assert not knows_topics(port_of(found.kafka))


def test_asking_where_no_clickhouse_runs_says_so(tmp_path: Path) -> None:
    with owner_of(tmp_path, "kafka") as owner:
        with (
            pytest.raises(StackError, match=f"process {owner.pid}, which runs without ClickHouse"),
            attach(tmp_path),
        ):
            pass
        owner.terminate()


def test_commands_that_ask_take_turns(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        stack.start(kafka=False)

    def question(number: int) -> str:
        with attach(tmp_path) as dsn:
            time.sleep(0.1)
            return ask(dsn, f"SELECT {number}")

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(question, range(3))) == ["0", "1", "2"]


def test_asking_where_there_is_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="there is no data in"), attach(tmp_path / "nowhere"):
        pass
    assert not (tmp_path / "nowhere").exists()


def test_asking_gives_up_when_it_stays_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "BUSY_SECONDS", 0.2)
    with (
        Stack(tmp_path),  # locked, and nothing started
        pytest.raises(StackError, match=f"in use by process {os.getpid()}"),
        attach(tmp_path),
    ):
        pass


@pytest.mark.parametrize(("part", "option"), [("kafka", "--kafka-port"), ("clickhouse", "--clickhouse-port")])
def test_a_port_in_use_is_named(tmp_path: Path, part: str, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = Stack(tmp_path, **{f"{part}_port": port})
        with (
            stack,
            pytest.raises(StackError, match=f"cannot listen on port {port}: Address .*in use.*{option}"),
        ):
            stack.start()
        assert stack.generation == 0


def test_a_port_that_is_asked_for_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with Stack(tmp_path, kafka_port=port) as stack:
        stack.start(clickhouse=False)
        assert stack.kafka == f"127.0.0.1:{port}"


def test_directories_that_cannot_be_had(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StackError, match=r"cannot use the data directory .*/file: it is a file"), Stack(file):
        pass
    with (
        pytest.raises(StackError, match=r"cannot use the data directory .*: Not a directory"),
        Stack(file / "data"),
    ):
        pass
    with (
        pytest.raises(StackError, match="cannot use the data directory /proc/"),
        Stack(Path("/proc/journeys")),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_must_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StackError, match="Permission denied"), Stack(tmp_path / "data"):
        pass


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, 1 << 30, 5 << 20))
    with Stack(tmp_path) as stack, pytest.raises(StackError, match=r"the disk of .* is full: 5 MiB left"):
        stack.start()


def test_the_end_of_a_child_is_reported(tmp_path: Path) -> None:
    told: list[str] = []
    ended = threading.Event()

    def on_end(message: str) -> None:
        told.append(message)
        ended.set()

    with Stack(tmp_path, on_end=on_end) as stack:
        stack.start(clickhouse=False)
        found = running(tmp_path)
        assert found is not None
        (guard,) = found.pids
        (broker,) = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        os.kill(int(broker), signal.SIGKILL)
        assert ended.wait(5)
        assert told[0].startswith("Kafka ended unexpectedly (killed by signal 9).")
    with Stack(tmp_path, on_end=on_end) as stack:
        stack.start(clickhouse=False)
    time.sleep(0.1)
    assert len(told) == 1


def test_a_stale_or_damaged_file_of_a_stack_is_no_stack(tmp_path: Path) -> None:
    with Stack(tmp_path):
        pass
    for text in ("", "[]", "{}", '{"pid": 1, "what": 2}'):
        (tmp_path / "stack.json").write_text(text)
        assert running(tmp_path) is None
    alive = Running(os.getpid(), 1, "127.0.0.1:1", "http://127.0.0.1:1")
    (tmp_path / "stack.json").write_text(json.dumps(alive.__dict__))
    with attach(tmp_path) as dsn:  # it claims to live but does not answer
        assert ask(dsn, "SELECT 1") == "1"
