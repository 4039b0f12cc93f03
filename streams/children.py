"""Child processes under supervision: they log to a file, end with their parent, and are missed when they end.

A child runs under a guard (`streams.guard`) in a session of its own: Ctrl-C in the terminal reaches only the
parent, and no child outlives its parent, whatever ends it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_SECONDS = 0.02
KILL_SECONDS = 5.0  # how long the guard may take to kill the command and end
TAIL_BYTES = 8_192  # of a log, looked at for its last lines
WHY = "Error: "  # a last line that begins so says it all

_GUARD = str(Path(__file__).with_name("guard.py"))


class ChildError(Exception):
    """A child process did not start, ended early or did not answer in time; the message is for people."""


class Child:
    """One child process.

    `command[0]` is the path of a program. Both its outputs go to the file `log`; the log of the start before
    is kept beside it as `….old`. `env` replaces the environment, `holds` are descriptors that stay open
    (and locks on them held) until the child is gone.

    >>> import tempfile
    >>> child = Child("greeter", ["/bin/sh", "-c", "echo hello; exit 7"], Path(tempfile.mkdtemp()) / "log")
    >>> child.start()
    >>> child.wait_until(lambda: False, seconds=10)
    Traceback (most recent call last):
        ...
    streams.children.ChildError: greeter ended early (exit code 7). Its last lines:
      hello
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        holds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._env = env
        self._holds = tuple(holds)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start it; returns at once. Raises ChildError when it runs, OSError when it cannot write the log."""
        if self.alive:
            raise ChildError(f"{self.name} is running already")
        self._stopping.clear()
        if self.log.exists():
            self.log.replace(self.log.with_name(self.log.name + ".old"))
        reading, writing = os.pipe()
        try:
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", _GUARD, str(reading), *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._env,
                    pass_fds=(reading, *self._holds),
                    start_new_session=True,
                    cwd="/",  # nothing of ours is found, or blocked from being unmounted, by where it stands
                )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._lifeline = writing

    def watch(self, on_end: Callable[[str], None]) -> None:
        """Until it is stopped: call `on_end` from a thread, with a message, should it end unasked."""
        threading.Thread(target=self._watch, args=(on_end,), daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process group; 0 before it is started."""
        return self._process.pid if self._process is not None else 0

    def tail(self, lines: int = 10) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            text = log.read().decode(errors="replace").rstrip()
            return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
        return ""

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Wait until `answers()`; raises ChildError, with the end of the log, if it does not come to that."""
        deadline = time.monotonic() + seconds
        while True:
            if not self.alive:
                raise ChildError(self._how_it_ended("ended early"))
            if answers():
                return
            if time.monotonic() > deadline:
                raise ChildError(f"{self.name} did not answer within {seconds:g} s.{self._last_lines()}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to stop (SIGTERM), kill it after `seconds`. Nothing happens when it does not run."""
        self._stopping.set()
        if self.alive:
            self._signal(os.killpg, signal.SIGTERM)
            self._wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill it (SIGKILL); returns when it is gone."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._signal(os.kill, signal.SIGUSR1)  # the guard kills the command and waits for it
            self._wait(KILL_SECONDS)
        if process.poll() is None or process.returncode < 0:  # the guard itself hangs, or was killed
            self._signal(os.killpg, signal.SIGKILL)
            process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _wait(self, seconds: float) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def _signal(self, send: Callable[[int, int], None], which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            send(self.pid, which)

    def _watch(self, on_end: Callable[[str], None]) -> None:
        if self._process is not None:
            self._process.wait()
        if not self._stopping.is_set():
            on_end(self._how_it_ended("ended unexpectedly"))

    def _how_it_ended(self, what: str) -> str:
        code = self._process.poll() if self._process is not None else None
        if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
            return f"{self.name} {what} (killed by signal 9)."  # of which its log cannot know
        if code is None:
            how = "not started"
        elif code < 0 or code > 128:
            how = f"signal {-code if code < 0 else code - 128}"
        else:
            how = f"exit code {code}"
        return f"{self.name} {what} ({how}).{self._last_lines()}"

    def _last_lines(self) -> str:
        tail = self.tail()
        last = tail.rpartition("\n")[2].strip()
        if last.startswith(WHY):
            return f" {last.removeprefix(WHY)}"
        return f" Its last lines:\n{tail}" if tail else f" It wrote nothing to {self.log}."
