"""Children under supervision, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.children import Child, ChildError

SLEEPER = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
POLITE = [
    sys.executable,
    "-S",
    "-c",
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(print('bye', flush=True))); "
    "print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child("sleeper", SLEEPER, tmp_path / "log")
    yield child
    child.kill()


def up(child: Child) -> None:
    child.wait_until(lambda: b"up" in child.log.read_bytes(), seconds=10)


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, pgrp = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
        except (OSError, ValueError):
            continue
        if pgrp == str(group) and state != "Z":
            found.append(int(entry.name))
    return found


def gone_within(group: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_stop_lets_the_child_end_by_itself(tmp_path: Path) -> None:
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(print('bye', flush=True))); "
    child = Child(
        "polite", [*SLEEPER[:3], code + "print('up', flush=True); time.sleep(60)"], tmp_path / "log"
    )
    child.start()
    up(child)
    child.stop(seconds=10)
    assert not child.alive
    assert child.tail().split() == ["up", "bye"]
    assert members(child.pid) == []


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    child = Child("stubborn", STUBBORN, tmp_path / "log")
    child.start()
    up(child)
    started = time.monotonic()
    child.stop(seconds=0.3)
    assert time.monotonic() - started < 3
    assert members(child.pid) == []


def test_kill_returns_when_it_is_gone_and_it_can_be_started_again(child: Child) -> None:
    for _ in range(2):
        child.start()
        up(child)
        child.kill()
        assert members(child.pid) == []


def test_stopping_what_does_not_run_is_nothing(child: Child) -> None:
    child.stop()
    child.start()
    child.stop()
    child.stop()
    assert not child.alive


def test_an_early_end_shows_the_last_lines(tmp_path: Path) -> None:
    child = Child(
        "broken", ["/bin/sh", "-c", "for i in 1 2 3; do echo line $i; done; exit 4"], tmp_path / "log"
    )
    child.start()
    with pytest.raises(
        ChildError, match=r"broken ended early \(exit code 4\)\. Its last lines:\n  line 1\n.*\n  line 3"
    ):
        child.wait_until(lambda: False, seconds=10)


def test_a_signal_is_named(child: Child) -> None:
    child.start()
    up(child)
    (command,) = [pid for pid in members(child.pid) if pid != child.pid]
    os.kill(command, signal.SIGSEGV)
    with pytest.raises(ChildError, match="signal 11"):
        child.wait_until(lambda: False, seconds=10)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    child = Child("nothing", ["/nowhere/program"], tmp_path / "log")
    child.start()
    with pytest.raises(ChildError, match="/nowhere/program: No such file"):
        child.wait_until(lambda: False, seconds=10)


def test_a_child_that_never_answers_is_reported_in_time(child: Child) -> None:
    child.start()
    up(child)
    with pytest.raises(ChildError, match=r"did not answer within 0\.1 s"):
        child.wait_until(lambda: False, seconds=0.1)


def test_an_unexpected_end_is_reported_and_a_wanted_one_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    ended = threading.Event()

    def on_end(message: str) -> None:
        told.append(message)
        ended.set()

    child = Child("short", ["/bin/sh", "-c", "echo oops; exit 9"], tmp_path / "log")
    child.start()
    child.watch(on_end)
    assert ended.wait(10)
    assert told == ["short ended unexpectedly (exit code 9). Its last lines:\n  oops"]
    child.kill()

    child = Child("long", SLEEPER, tmp_path / "log")
    child.start()
    child.watch(on_end)
    up(child)
    child.stop()
    time.sleep(0.1)
    assert len(told) == 1


def test_the_log_of_the_start_before_is_kept(child: Child) -> None:
    child.start()
    up(child)
    child.stop()
    child.start()
    up(child)
    assert child.log.with_name("log.old").read_text() == "up\n"


def test_descriptors_are_held_as_long_as_the_child_lives(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    child = Child("holder", SLEEPER, tmp_path / "log", holds=[writing])
    child.start()
    os.close(writing)
    up(child)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    child.kill()
    assert os.read(reading, 1) == b""
    os.close(reading)


PARENT = """
import sys, time
from pathlib import Path
from streams.children import Child
child = Child("orphan", {command!r}, Path({log!r}))
child.start()
child.wait_until(lambda: b"up" in child.log.read_bytes(), seconds=10)
def tell():
    print(child.pid, flush=True)
{then}
"""


def parent_of(
    command: list[str], log: Path, then: str = "tell()\ntime.sleep(60)"
) -> tuple[subprocess.Popen[str], int]:
    """A process with a running child, in a process group of its own; and the child's group."""
    source = PARENT.format(command=command, log=str(log), then=then)
    parent = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.parametrize("command", [SLEEPER, STUBBORN], ids=["polite", "stubborn"])
def test_no_child_outlives_a_killed_parent(tmp_path: Path, command: list[str]) -> None:
    parent, group = parent_of(command, tmp_path / "log")
    with parent:
        assert len(members(group)) == 2
        parent.kill()
    assert gone_within(group, 5)


def test_no_child_outlives_a_parent_that_forgets_it(tmp_path: Path) -> None:
    parent, group = parent_of(SLEEPER, tmp_path / "log", then="tell()")
    with parent:
        assert parent.wait(10) == 0
    assert gone_within(group, 5)


def test_no_child_outlives_a_killed_parent_whose_fork_holds_the_lifeline(tmp_path: Path) -> None:
    fork = "import os\nif os.fork() == 0: time.sleep(8)\nelse:\n  tell()\n  time.sleep(60)"
    parent, group = parent_of(SLEEPER, tmp_path / "log", then=fork)
    with parent:
        parent.kill()
        assert gone_within(group, 5)
        os.killpg(parent.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to the one that started it")
def test_no_child_outlives_its_guard(child: Child) -> None:
    child.start()
    up(child)
    os.kill(child.pid, signal.SIGKILL)
    assert gone_within(child.pid, 5)
    assert not child.alive


def test_ctrl_c_reaches_only_the_parent(tmp_path: Path) -> None:
    then = """
try:
    tell()
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    print(child.alive, flush=True)
    child.stop()
"""
    parent, group = parent_of(SLEEPER, tmp_path / "log", then=then)
    with parent:
        os.killpg(parent.pid, signal.SIGINT)  # what a terminal does
        assert parent.stdout is not None
        assert parent.stdout.readline() == "True\n"
        assert parent.wait(10) == 0
    assert members(group) == []
