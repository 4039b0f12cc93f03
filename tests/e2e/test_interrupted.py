"""Ctrl-C and `kill -9` in the middle of a run: nothing is left running, and the next run finds it all."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Undisturbed
from journeys_command import VIEWS, Rows, Started, opened, processes, run, until, views

pytestmark = pytest.mark.embedded

Disturbance = Callable[[Started, dict[int, str]], None]  # of a run and its processes


def ctrl_c(started: Started, _: dict[int, str]) -> None:
    """What a terminal does."""
    os.killpg(started.process.pid, signal.SIGINT)


def sigint_alone(started: Started, _: dict[int, str]) -> None:
    started.process.send_signal(signal.SIGINT)


def kill_parent(started: Started, _: dict[int, str]) -> None:
    started.process.kill()


def kill_processor(_: Started, running: dict[int, str]) -> None:
    (processor,) = [
        pid
        for pid, command in running.items()
        if "worker --only processor" in command and "guard.py" not in command
    ]
    os.kill(processor, signal.SIGKILL)


@dataclass(frozen=True)
class Disturbed:
    """A run that was disturbed, and the next one with the same file."""

    code: int
    out: str
    err: str
    locked: set[bool]  # of each process then, whether it held the directory's lock
    seconds: float  # from the disturbance until it had ended
    left: dict[int, str]  # processes, `LEFT_SECONDS` later at most
    summary: dict[str, object]  # of the next run
    views: dict[str, Rows]


LEFT_SECONDS = 5.0  # children of a killed parent may take this long to notice


def holds_lock(pid: int, data_dir: Path) -> bool:
    return str(data_dir / "lock") in opened(Path(f"/proc/{pid}"))


def disturb(market: Undisturbed, data_dir: Path, by: Disturbance) -> Disturbed:
    """Feed half of the file, let some arrive in ClickHouse, feed more, disturb once a step has kept of it."""
    lines = market.file.read_bytes().splitlines(keepends=True)
    with Started(data_dir) as started:
        started.feed(b"".join(lines[:1000]))
        until(started.touchpoints)
        running = processes(data_dir)
        locked = {holds_lock(pid, data_dir) for pid in running}
        with sqlite3.connect(data_dir / "state" / "state.sqlite") as state:
            kept = state.execute("PRAGMA data_version").fetchone()
            started.feed(b"".join(lines[1000:1500]))
            while state.execute("PRAGMA data_version").fetchone() == kept:
                time.sleep(0.0005)
        state.close()
        disturbed = time.monotonic()
        by(started, running)
        code, out, err = started.end(30)
        seconds = time.monotonic() - disturbed
        while (left := processes(data_dir)) and time.monotonic() < disturbed + LEFT_SECONDS:
            time.sleep(0.05)
    return Disturbed(
        code, out, err, locked, seconds, left, run(market.file, data_dir=data_dir), views(data_dir)
    )


def check_next_run(market: Undisturbed, disturbed: Disturbed) -> None:
    summary = disturbed.summary
    assert summary["applied"] + summary["duplicates"] + summary["dead_letters"] == summary["lines"] == 2000  # type: ignore[operator]
    assert summary["dead_letters"] == market.summary["dead_letters"]
    told = ("unattributed", "contacts", "accounts", "stages", "as_of")
    assert {name: summary[name] for name in told} == {name: market.summary[name] for name in told}
    for name in VIEWS:
        assert disturbed.views[name] == market.views[name], name


@pytest.mark.parametrize("by", [ctrl_c, sigint_alone])
def test_ctrl_c(market: Undisturbed, tmp_path: Path, by: Disturbance) -> None:
    disturbed = disturb(market, tmp_path / "data", by)
    assert disturbed.code == 130
    assert disturbed.seconds < 10
    assert disturbed.out == ""
    assert disturbed.err == "interrupted; nothing is lost: the same command again goes on\n"
    assert disturbed.left == {}
    check_next_run(market, disturbed)


def test_kill_9_of_the_command(market: Undisturbed, tmp_path: Path) -> None:
    disturbed = disturb(market, tmp_path / "data", kill_parent)
    assert disturbed.code == -signal.SIGKILL
    assert disturbed.locked == {True}  # nobody else begins before the last of them has ended
    assert disturbed.left == {}
    check_next_run(market, disturbed)


def test_kill_9_of_the_processor(market: Undisturbed, tmp_path: Path) -> None:
    disturbed = disturb(market, tmp_path / "data", kill_processor)
    assert disturbed.code == 1
    assert disturbed.out == ""
    assert disturbed.err == "Error: processor ended unexpectedly (killed by signal 9).\n"
    assert disturbed.seconds < 15
    assert disturbed.left == {}
    check_next_run(market, disturbed)
