"""The stage benchmark: one worker, the same work three ways, in turn on one broker; medians and ratios."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from statistics import median

from aiokafka import AIOKafkaProducer

from benchmarks.broker import Broker, broker
from benchmarks.work import PARTITIONS, events
from streams.core import Output
from streams.producer import Sender

INPUT = "bench-events"
BLOCK = 20_000  # events fed at once
SECONDS = 300.0  # for one run

# Module, name, events of a full and of a quick run.
VARIANTS = (
    ("variant_session", "this product's transport", 200_000, 100_000),
    ("variant_raw", "raw aiokafka", 200_000, 100_000),
    ("variant_faust", "naive Faust", 10_000, 4_000),
)


@dataclass(frozen=True)
class Result:
    """Medians of one variant."""

    name: str
    events: int
    per_second: float
    cpu_us: float  # per event, of its process


@dataclass(frozen=True)
class Stage:
    """What the stage benchmark found."""

    broker: str
    repeats: int
    results: list[Result]

    def ratio(self, other: int) -> float:
        """Our events per second over those of another variant."""
        return self.results[0].per_second / self.results[other].per_second


async def _feed(address: str, count: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=address, acks="all", max_batch_size=512 << 10, max_request_size=16 << 20
    )
    await producer.start()
    try:
        sender = Sender(producer)
        made = (Output(INPUT, partition, key, value) for partition, key, value in events(count))
        while block := list(islice(made, BLOCK)):
            await sender.send(block)
    finally:
        await producer.stop()


def _run(on: Broker, module: str, count: int, number: int) -> tuple[float, float]:
    """One run of a variant: events per second, CPU microseconds an event."""
    group = f"{module.replace('_', '-')}-{number}"
    output = f"{group}-out"
    on.create([output, f"{group}-stage-changelog"], PARTITIONS)
    command = [sys.executable, "-m", f"benchmarks.{module}", on.address, INPUT, output, group, str(count)]
    with tempfile.TemporaryDirectory(prefix="journeys-bench-") as folder:  # variants end without tidying up
        environment = os.environ | {"TMPDIR": folder}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{module} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return told["events"] / told["seconds"], told["cpu"] / told["events"] * 1e6


def measure(quick: bool) -> Stage:
    """Run all variants in turn, several times."""
    repeats = 1 if quick else 3
    counts = [variant[3] if quick else variant[2] for variant in VARIANTS]
    found: list[list[tuple[float, float]]] = [[] for _ in VARIANTS]
    with broker() as on:
        on.create([INPUT], PARTITIONS)
        asyncio.run(_feed(on.address, max(counts)))
        for repeat in range(repeats):
            for runs, count, (module, *_) in zip(found, counts, VARIANTS, strict=True):
                runs.append(_run(on, module, count, repeat))
        return Stage(
            on.name,
            repeats,
            [
                Result(name, count, median(rate for rate, _ in runs), median(cpu for _, cpu in runs))
                for runs, count, (_, name, *_) in zip(found, counts, VARIANTS, strict=True)
            ],
        )
