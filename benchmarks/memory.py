"""Memory of a worker on Apache Kafka: its resident set after N, 2N, 3N, 4N events of the same contacts."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.broker import broker
from benchmarks.processes import resident_bytes
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
CONTACTS, ACCOUNTS = 40, 10
ROUNDS = 4
EVENTS, QUICK_EVENTS = 50_000, 10_000  # N; with 50,000 every contact is beyond the touches kept one by one
BEGIN_MS, PERIOD_MS = 1_735_689_600_000, 300 * 86_400_000  # all events lie in these days, however many
TYPES = ("page_viewed", "product_viewed", "price_viewed", "site_searched", "email_opened", "offer_clicked")
BLOCK = 5_000
POLL_SECONDS = 0.5
SECONDS = 600.0  # for all events


@dataclass(frozen=True)
class Memory:
    """Resident bytes after so many events; `broker`: where."""

    broker: str
    contacts: int
    resident: dict[int, int]


def touchpoints(begin: int, end: int, of: int) -> Iterator[bytes]:
    """Touchpoints `begin` to `end`, out of `of` that cover the period evenly in a mixed order."""
    for number in range(begin, end):
        contact = number % CONTACTS
        at = BEGIN_MS + (number * 7_919 % of) * (PERIOD_MS // of)
        yield json.dumps(
            {
                "event_id": f"e-{number}",
                "type": TYPES[number // CONTACTS % len(TYPES)],
                "occurred_at": rfc3339(at),
                "source": "web",
                "identifiers": {"email": f"person{contact}@firm{contact % ACCOUNTS}.nl"},
                "content": {"url": f"https://www.example.com/{number % 50}", "topic": f"topic-{number % 20}"},
            }
        ).encode()


def measure(quick: bool) -> Memory:
    """Feed N events, wait until nothing is left to do, look; several times."""
    count = QUICK_EVENTS if quick else EVENTS
    with broker(apache=True) as on:
        ensure(on.address, PARTITIONS, "bench", STATEFUL)
        port = free_port()
        environment = dict(os.environ) | {
            "JOURNEYS_BROKER": on.address,
            "JOURNEYS_GROUP": "bench",
            "JOURNEYS_PARTITIONS": str(PARTITIONS),
            "JOURNEYS_WEB_PORT": str(port),
        }
        command = [str(Path(sys.executable).with_name("journeys")), "worker", "--only", "processor"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as worker:
            try:
                resident = asyncio.run(_watch(on.address, worker, port, count))
            finally:
                worker.kill()
        return Memory(on.name, CONTACTS, resident)


async def _watch(address: str, worker: subprocess.Popen[bytes], port: int, count: int) -> dict[int, int]:
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", max_batch_size=512 << 10)
    await producer.start()
    resident: dict[int, int] = {}
    deadline = time.monotonic() + SECONDS
    try:
        sender, drain = Sender(producer), Drain(sessions=PARTITIONS * len(STEPS))
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
            for end in range(count, (ROUNDS + 1) * count, count):
                lines = touchpoints(end - count, end, ROUNDS * count)
                outputs = [
                    Output(topics.TOUCHPOINTS.name, number // 500 % PARTITIONS, None, line)
                    for number, line in enumerate(lines)
                ]
                for start in range(0, len(outputs), BLOCK):
                    await sender.send(outputs[start : start + BLOCK])
                for tp, last in sender.ends.items():
                    drain.ends[tp.topic, tp.partition] = last
                while not drain.look([await report(http, port)]):
                    if worker.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("the worker ended, or did not get through the events in time")
                    await asyncio.sleep(POLL_SECONDS)
                resident[end] = resident_bytes(worker.pid)
    finally:
        await producer.stop()
    return resident
