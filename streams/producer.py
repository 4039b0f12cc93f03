"""Sending: one produce batch per topic-partition, one future per batch, every acknowledgement awaited."""

import asyncio
from collections.abc import Sequence
from time import time
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.core import Output

Ends = dict[TopicPartition, int]


class Sender:
    """Sends outputs through an aiokafka producer and remembers the ends it was acknowledged.

    `ends` is what this process knows of the end of each topic-partition it wrote to (offset behind the last
    acknowledged record): the embedded broker's own answer cannot be trusted.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self.ends: Ends = {}

    async def send(self, outputs: Sequence[Output]) -> Ends:
        """Send all, in order within each partition; returns, once all are acknowledged, the new ends.

        Raises a KafkaError when one is not; what was sent may or may not be there then, and the caller sends
        all of it again.
        """
        by_partition: dict[tuple[str, int], list[Output]] = {}
        for output in outputs:
            by_partition.setdefault(output[:2], []).append(output)  # its topic and partition
        tps = [TopicPartition(*tp) for tp in by_partition]
        sent = await asyncio.gather(*map(self._send, tps, by_partition.values()))
        ends = dict(zip(tps, sent, strict=True))
        for tp, end in ends.items():
            self.ends[tp] = max(self.ends.get(tp, 0), end)
        return ends

    async def send_one(self, output: Output) -> int:
        """Send one record; returns its offset."""
        ends = await self.send([output])
        return ends[TopicPartition(output.topic, output.partition)] - 1

    async def _send(self, tp: TopicPartition, outputs: Sequence[Output]) -> int:
        """The end of the partition behind our last record."""
        producer = self._producer
        now = int(time() * 1000)
        pending: list[tuple[int, asyncio.Future[Any]]] = []
        batch = producer.create_batch()
        for _, _, key, value, headers in outputs:
            if batch.append(timestamp=now, key=key, value=value, headers=list(headers)) is not None:
                continue
            pending.append(
                (batch.record_count(), await producer.send_batch(batch, tp.topic, partition=tp.partition))
            )
            batch = producer.create_batch()
            # The first record of a batch always fits; whether it is too large is for the broker to say.
            batch.append(timestamp=now, key=key, value=value, headers=list(headers))
        pending.append(
            (batch.record_count(), await producer.send_batch(batch, tp.topic, partition=tp.partition))
        )
        end = 0
        for count, future in pending:
            metadata = await future
            end = metadata.offset + count
        return end
