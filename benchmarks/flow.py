"""Extremes through a live worker: do other keys keep flowing, does a restart in the middle recover?"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.broker import broker
from benchmarks.processes import peak_bytes
from schemas import topics
from schemas.times import rfc3339
from streams.core import Output
from streams.embedded import free_port
from streams.producer import Sender
from streams.run import Drain, report
from streams.summary import STATEFUL
from streams.topics import ensure
from streams.worker import STEPS

PARTITIONS = 8
TENANTS = ("heavy", "other")  # where the extremes are; one with nothing else in it
PROBE_SECONDS = 0.25  # between two probes of a tenant
IDLE_SECONDS = 10.0  # of probes before the extremes come
SECONDS = 900.0  # for all of it
BLOCK = 200
RATE = 1_500  # touchpoints a second: below what a worker can do, so that nothing waits in a queue
WATCHED = (topics.LINKS, topics.MAP, topics.SNAPSHOTS, topics.EVENTS, topics.PROFILES)


@dataclass
class Flow:
    """What was seen. Latencies in seconds, by (phase, tenant): from a touch sent to its map row."""

    broker: str
    latencies: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)  # topic: bytes of the largest record
    lines: int = 0
    peak: int = 0  # bytes, of a worker
    drained: float = 0.0  # seconds, from the first line of the extremes to nothing left, the restart included
    recovered: float = 0.0  # seconds, from `kill -9` to the first answer of the worker that follows
    restarts: int = 0  # of workers, unasked

    def latency(self, phase: str, tenant: str) -> tuple[float, float]:
        """Median and longest."""
        seen = self.latencies.get((phase, tenant), [])
        return (median(seen), max(seen)) if seen else (float("nan"), float("nan"))


class _Workers:
    """One worker at a time."""

    def __init__(self, address: str) -> None:
        self.port = free_port()
        self._environment = dict(os.environ) | {
            "JOURNEYS_BROKER": address,
            "JOURNEYS_GROUP": "bounds",
            "JOURNEYS_PARTITIONS": str(PARTITIONS),
            "JOURNEYS_WEB_PORT": str(self.port),
            "JOURNEYS_TICK_SECONDS": "3600",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.peak = 0
        self.unasked = 0

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("journeys")), "worker", "--only", "processor"]
        self._process = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def look(self) -> None:
        """Take its memory; start another one where it has ended by itself."""
        assert self._process is not None
        if self._process.poll() is not None:
            self.unasked += 1
            self.start()
            return
        try:
            self.peak = max(self.peak, peak_bytes(self._process.pid))
        except OSError:
            return  # it is ending


class _Probes:
    """Touches of people of their own, and when their map rows come."""

    def __init__(self, sender: Sender, flow: Flow) -> None:
        self._sender = sender
        self._flow = flow
        self._sent: dict[str, tuple[float, str, str]] = {}  # identifier: when, phase, tenant
        self._numbers = count()
        self.phase = "idle"
        self.answered = 0.0  # when the last probe of the phase was answered

    async def send(self) -> None:
        while True:
            for tenant in TENANTS:
                number = next(self._numbers)
                email = f"probe{number}@probe{number}.nl"
                event = {
                    "event_id": f"probe-{number}",
                    "type": "page_viewed",
                    "occurred_at": rfc3339(1_735_689_600_000 + number),
                    "source": "probe",
                    "tenant": tenant,
                    "identifiers": {"email": email},
                }
                self._sent[f"email:{email}"] = (time.monotonic(), self.phase, tenant)
                line = json.dumps(event).encode()
                await self._sender.send([Output(topics.TOUCHPOINTS.name, number % PARTITIONS, None, line)])
            await asyncio.sleep(PROBE_SECONDS)

    async def hear(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            size = len(message.value or b"")
            self._flow.largest[message.topic] = max(self._flow.largest.get(message.topic, 0), size)
            if message.topic != topics.MAP.name or b'"email:probe' not in (message.value or b""):
                continue
            found = self._sent.pop(json.loads(message.value)["identifier"], None)
            if found is not None:
                sent, phase, tenant = found
                self._flow.latencies.setdefault((phase, tenant), []).append(time.monotonic() - sent)
                if phase == self.phase:
                    self.answered = time.monotonic()


def measure(lines: Sequence[bytes]) -> Flow:
    """Feed `lines` (of the tenant `heavy`), kill the worker half-way, wait until nothing is left."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic's first sends are tried again
    with broker() as on:
        ensure(on.address, PARTITIONS, "bounds", STATEFUL)
        flow, workers = Flow(on.name), _Workers(on.address)
        workers.start()
        try:
            asyncio.run(asyncio.wait_for(_measure(on.address, workers, flow, lines), SECONDS))
        finally:
            workers.kill()
        flow.peak, flow.restarts = workers.peak, workers.unasked
        return flow


async def _measure(address: str, workers: _Workers, flow: Flow, lines: Sequence[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", max_batch_size=512 << 10)
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic.name, n) for topic in WATCHED for n in range(PARTITIONS)])
    sender = Sender(producer)
    probes = _Probes(sender, flow)
    tasks: deque[asyncio.Task[None]] = deque()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
            probing = asyncio.create_task(probes.send())
            tasks += (probing, asyncio.create_task(probes.hear(consumer)))
            await _until(lambda: probes.answered > 0, workers)  # it works
            probes.phase = "quiet"
            await asyncio.sleep(IDLE_SECONDS)
            probes.phase, begun = "meanwhile", time.monotonic()
            feeding = asyncio.create_task(_feed(sender, lines, flow))
            tasks.append(feeding)
            await _until(lambda: flow.lines >= len(lines) // 2, workers)
            probes.phase, probes.answered, killed = "killed", 0.0, time.monotonic()
            workers.kill()
            workers.start()
            await _until(lambda: probes.answered > 0, workers)
            flow.recovered = time.monotonic() - killed
            probes.phase = "after"
            await _until(feeding.done, workers)
            await feeding
            probing.cancel()
            drain = Drain(sessions=PARTITIONS * len(STEPS))
            while not drain.look([await report(http, workers.port)]):
                for tp, last in sender.ends.items():
                    drain.ends[tp.topic, tp.partition] = last
                workers.look()
                await asyncio.sleep(0.5)
            flow.drained = time.monotonic() - begun
            await asyncio.sleep(1.0)  # for the last answers
    finally:
        for task in tasks:
            task.cancel()
        await consumer.stop()
        await producer.stop()


async def _until(holds: Callable[[], bool], workers: _Workers) -> None:
    while not holds():
        workers.look()
        await asyncio.sleep(0.1)


async def _feed(sender: Sender, lines: Sequence[bytes], flow: Flow) -> None:
    """Send at a steady rate."""
    begun = time.monotonic()
    for start in range(0, len(lines), BLOCK):
        block = lines[start : start + BLOCK]
        partition = start // BLOCK % PARTITIONS
        await sender.send([Output(topics.TOUCHPOINTS.name, partition, None, line) for line in block])
        flow.lines += len(block)
        await asyncio.sleep(max(0.0, begun + flow.lines / RATE - time.monotonic()))
