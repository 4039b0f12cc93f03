"""Run a command that must not outlive the process that started it: `python guard.py LIFELINE COMMAND ...`.

LIFELINE is the reading end of a pipe whose writing end the parent holds and never writes to. However the
parent ends (`kill -9` too), the pipe ends with it; then the command is told to stop and soon after killed.
Should the guard itself be killed, Linux kills the command. SIGTERM for the group asks the command to stop,
SIGUSR1 for the guard kills the command; the guard ends once the command has ended and been reaped. Started by
`streams.children` in a session of its own, with nothing but the standard library, to be there within 20 ms.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

LOOK_SECONDS = 0.5  # how often to look for a parent that is gone while a fork of it still holds the pipe
GRACE_SECONDS = 2.0  # from SIGTERM to SIGKILL once the parent is gone
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PARENT_GONE = 3  # exit code
CANNOT_RUN = 127  # exit code, as in a shell


def run(lifeline: int, command: list[str]) -> int:
    """Run the command; returns its exit code, 128 + the signal if one ended it."""
    parent = os.getppid()
    os.set_inheritable(lifeline, False)
    woken = _woken_by_children()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes to the whole group: meant for the command
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, guard)
    signal.signal(signal.SIGUSR1, lambda *_: _kill(child))
    while True:
        ready, _, _ = select.select([lifeline, woken], [], [], LOOK_SECONDS)
        code = _ended(child)
        if code is not None:
            return code
        if lifeline in ready or os.getppid() != parent:
            _end(child)
            return PARENT_GONE
        if woken in ready:
            os.read(woken, 64)


def _woken_by_children() -> int:
    """A descriptor that becomes readable when a child ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _become(command: list[str], guard: int) -> None:
    """In the fork: turn into the command, tied to the guard where the system can do that."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == guard:
            os.execv(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    finally:
        os._exit(CANNOT_RUN)


def _ended(child: int) -> int | None:
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _end(child: int) -> None:
    os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        if _ended(child) is not None:
            return
        time.sleep(0.02)
    _kill(child)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
