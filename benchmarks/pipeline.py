"""The whole pipeline: a simulated market through `journeys run`, and where the time goes."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import Cost, watched
from streams.market import write

SIZES = (200_000, 600_000)  # touchpoints; the growth between the two is what an event costs
QUICK_SIZES = (20_000, 60_000)
JOURNEYS = str(Path(sys.executable).with_name("journeys"))
STATUS_SECONDS = 2.0


@dataclass
class Ran:
    """One run: lines, events per second as its summary says, cost per process, seconds per step."""

    lines: int
    events_per_second: float
    costs: dict[str, Cost]
    steps: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return sum(cost.cpu for cost in self.costs.values())

    @property
    def peak(self) -> int:
        return sum(cost.peak for cost in self.costs.values())


def run(touchpoints: int, folder: Path) -> Ran:
    """Simulate a market and run it through the embedded stack."""
    lines, data = folder / f"{touchpoints}.jsonl", folder / f"{touchpoints}"
    write(lines, folder / f"{touchpoints}.truth", touchpoints=touchpoints, seed=1)
    command = [JOURNEYS, "run", str(lines), "--data-dir", str(data), "--json"]
    steps: dict[str, dict[str, float]] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        costs = watched(
            running.pid, lambda: running.poll() is not None, lambda costs: steps.update(_steps(costs))
        )
        told = running.stdout.read() if running.stdout else b""
    if running.returncode:
        raise RuntimeError(f"journeys run ended with {running.returncode}; see {data}/logs")
    summary = json.loads(told)
    return Ran(summary["lines"], summary["events_per_second"], costs, steps)


def _steps(costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """What the workers' status pages say of each step so far."""
    found: dict[str, dict[str, float]] = {}
    for cost in costs.values():
        for step in _status(cost.port).get("steps", []) if cost.port else []:
            found[step.pop("step")] = step
    return found


def _status(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=STATUS_SECONDS) as answer:
            status: dict[str, Any] = json.load(answer)
            return status
    except (OSError, ValueError):
        return {}  # not up yet, or gone


def runs(quick: bool) -> list[Ran]:
    """The small and the large run."""
    with tempfile.TemporaryDirectory(prefix="journeys-bench-") as folder:
        return [run(size, Path(folder)) for size in (QUICK_SIZES if quick else SIZES)]


def per_event(small: Ran, large: Ran) -> dict[str, tuple[float, float]]:
    """Of each process what an event more costs: microseconds of CPU and bytes of memory."""
    events = large.lines - small.lines
    return {
        name: (
            (cost.cpu - small.costs[name].cpu) / events * 1e6,
            (cost.peak - small.costs[name].peak) / events,
        )
        for name, cost in large.costs.items()
    }
