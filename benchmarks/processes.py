"""What processes cost: CPU seconds and memory of a process and all its descendants, from Linux's /proc."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
GUARD = "guard.py"

# How to tell the processes of a run apart: a word of their command line, the name in the tables.
NAMES = (
    ("--only processor", "processor"),
    ("--only sink", "sink"),
    ("streams.chdb_server", "ClickHouse"),
    ("tansu", "broker"),
    ("journeys run", "feeder"),
)


@dataclass
class Cost:
    """Of one process: CPU seconds, peak resident bytes, loopback port of its status page (0: none)."""

    cpu: float = 0.0
    peak: int = 0
    port: int = 0


def children(pid: int) -> list[int]:
    """The ids of a process's children."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for one in found:
        found += children(one)
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_bytes(pid: int) -> int:
    """The largest resident set so far (VmHWM)."""
    return status_bytes(pid, "VmHWM:")


def resident_bytes(pid: int) -> int:
    """The resident set now."""
    return status_bytes(pid, "VmRSS:")


def status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def web_port(pid: int) -> int:
    """The port of a worker's status page, as its environment names it."""
    for setting in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if setting.startswith(b"JOURNEYS_WEB_PORT="):
            return int(setting.partition(b"=")[2])
    return 0


def sample(pid: int, costs: dict[str, Cost]) -> None:
    """Take the cost of every named process of a run so far; those that have ended keep theirs."""
    for one in descendants(pid):
        try:
            line = command_line(one)
            name = next((name for word, name in NAMES if word in line), None)
            if name is None or GUARD in line:
                continue
            cpu, peak = cpu_seconds(one), peak_bytes(one)
            cost = costs.setdefault(name, Cost())
            if peak:  # 0: it is ending
                cost.cpu, cost.peak = cpu, max(cost.peak, peak)
                cost.port = cost.port or web_port(one)
        except OSError:
            continue  # it has ended meanwhile


def watched(pid: int, ended: Callable[[], bool], look: Callable[[dict[str, Cost]], None]) -> dict[str, Cost]:
    """Sample until `ended()`; `look` is told of each sample."""
    costs: dict[str, Cost] = {}
    while not ended():
        sample(pid, costs)
        look(costs)
        time.sleep(0.1)
    return costs
