"""The stage without Faust, aiokafka alone in a loop: `python -m benchmarks.variant_raw …`."""

import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from time import monotonic, time
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.work import State, Stopwatch, advance, encode

BROKER, INPUT, OUTPUT, GROUP = sys.argv[1:5]
WATCH = Stopwatch(int(sys.argv[5]))
CHANGELOG = f"{GROUP}-stage-changelog"
COMMIT_SECONDS = 1.0  # as the product's


def work(states: dict[bytes, State], records: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Rows for the changelog, one per key, and outputs, one per event."""
    touched: dict[bytes, State] = {}
    outputs = []
    for record in records:
        state = touched.get(record.key)
        if state is None:
            state = touched[record.key] = states.setdefault(record.key, State(by={}, recent=[]))
        outputs.append((record.key, advance(state, record.value)))
    return [(key, encode(state)) for key, state in touched.items()], outputs


async def send(producer: Any, topic: str, partition: int, pairs: Sequence[tuple[bytes, bytes]]) -> list[Any]:
    """Send in as few batches as they fit in; returns the futures of their acknowledgements."""
    now = int(time() * 1000)
    pending = []
    batch = producer.create_batch()
    for key, value in pairs:
        if batch.append(timestamp=now, key=key, value=value) is None:
            pending.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(timestamp=now, key=key, value=value)
    pending.append(await producer.send_batch(batch, topic, partition=partition))
    return pending


async def main() -> None:
    consumer = AIOKafkaConsumer(
        INPUT,
        bootstrap_servers=BROKER,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=1 << 20,
        check_crcs=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=BROKER, acks="all", max_batch_size=512 << 10, max_request_size=16 << 20
    )
    await producer.start()
    await consumer.start()
    states: dict[TopicPartition, dict[bytes, State]] = {}
    done, committed = 0, monotonic()
    while done < WATCH.events:
        fetched = await consumer.getmany(timeout_ms=500)
        if fetched:
            WATCH.first()
        pending: list[Any] = []
        for tp, records in fetched.items():
            rows, outputs = work(states.setdefault(tp, {}), records)
            pending += await send(producer, CHANGELOG, tp.partition, rows)
            pending += await send(producer, OUTPUT, tp.partition, outputs)
            done += len(records)
        await asyncio.gather(*pending)
        if monotonic() - committed > COMMIT_SECONDS:
            committed = monotonic()
            await consumer.commit()
    WATCH.last()
    os._exit(0)


if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
    uvloop.run(main())
