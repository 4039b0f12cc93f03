"""Sending: order within a partition, ends from acknowledgements, a failure and a record that is too large."""

import asyncio
from collections import namedtuple
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.core import Output
from streams.producer import Sender

BATCH_BYTES = 500
Acknowledged = namedtuple("Acknowledged", "offset")
EVENTS, EVENTS_1, MAP = TopicPartition("events", 0), TopicPartition("events", 1), TopicPartition("map", 0)


class Broker:
    """A producer with real batches, whose broker acknowledges them in the order it is told to."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Any]] = {}
        self.batches: list[tuple[TopicPartition, int]] = []
        self.base: dict[TopicPartition, int] = {}
        self.trouble: KafkaError | None = None
        self.slow = False

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> asyncio.Future[Acknowledged]:
        tp = TopicPartition(topic, partition)
        batch.close()
        kept = self.records.setdefault(tp, [])
        future = asyncio.get_running_loop().create_future()
        offset = self.base.get(tp, 0) + len(kept)
        records = MemoryRecords(bytes(batch._build()))
        found = list(records.next_batch()) if records.has_next() else []
        kept += found
        self.batches.append((tp, len(found)))
        if self.trouble:
            future.set_exception(self.trouble)
        elif self.slow:
            asyncio.get_running_loop().call_later(0.05, future.set_result, Acknowledged(offset))
        else:
            future.set_result(Acknowledged(offset))
        return future


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def sender(broker: Broker) -> Sender:
    return Sender(cast(AIOKafkaProducer, broker))


def output(tp: TopicPartition, value: str | None, **rest: Any) -> Output:
    return Output(tp.topic, tp.partition, b"key", None if value is None else value.encode(), **rest)


async def test_order_within_a_partition_and_the_new_ends(broker: Broker, sender: Sender) -> None:
    broker.base = {MAP: 1_000}
    outputs = [output((EVENTS, MAP, EVENTS_1)[n % 3], f"{n} {'x' * (n % 50)}") for n in range(100)]
    assert await sender.send(outputs) == {EVENTS: 34, MAP: 1_033, EVENTS_1: 33}
    for tp in (EVENTS, MAP, EVENTS_1):
        sent = [one.value for one in outputs if (one.topic, one.partition) == tp]
        assert [record.value for record in broker.records[tp]] == sent
    assert len(broker.batches) > 6  # several for each
    assert all(count for _, count in broker.batches)
    assert await sender.send([output(EVENTS, "more")]) == {EVENTS: 35}
    assert sender.ends == {EVENTS: 35, MAP: 1_033, EVENTS_1: 33}


async def test_keys_empty_values_and_headers(broker: Broker, sender: Sender) -> None:
    await sender.send([output(EVENTS, None, headers=(("reason", b"bad_time"), ("field", b"")))])
    (record,) = broker.records[EVENTS]
    assert (record.key, record.value) == (b"key", None)
    assert tuple(record.headers) == (("reason", b"bad_time"), ("field", b""))


async def test_nothing_to_send(broker: Broker, sender: Sender) -> None:
    assert await sender.send([]) == {}
    assert broker.batches == []


async def test_the_offset_of_one(broker: Broker, sender: Sender) -> None:
    broker.base = {EVENTS: 7}
    assert [await sender.send_one(output(EVENTS, "a")), await sender.send_one(output(EVENTS, "b"))] == [7, 8]


async def test_it_returns_when_all_is_acknowledged(broker: Broker, sender: Sender) -> None:
    broker.slow = True
    sending = asyncio.ensure_future(sender.send([output(EVENTS, "x" * 300), output(EVENTS, "y" * 300)]))
    await asyncio.sleep(0.01)
    assert len(broker.batches) == 2
    assert not sending.done()
    assert await sending == {EVENTS: 2}


async def test_what_is_not_acknowledged_is_raised_and_no_end_is_known(broker: Broker, sender: Sender) -> None:
    await sender.send([output(EVENTS, "a")])
    broker.trouble = KafkaConnectionError("away")
    with pytest.raises(KafkaConnectionError):
        await sender.send([output(EVENTS, "b"), output(MAP, "c")])
    assert sender.ends == {EVENTS: 1}


async def test_an_end_never_goes_back(broker: Broker, sender: Sender) -> None:
    broker.base = {EVENTS: 10}
    await sender.send([output(EVENTS, "a")])
    broker.base = {EVENTS: 0}  # an acknowledgement that overtakes
    assert await sender.send([output(EVENTS, "b")]) == {EVENTS: 2}
    assert sender.ends == {EVENTS: 11}


@pytest.mark.parametrize("before", [0, 1])
async def test_a_record_larger_than_a_batch_goes_alone(broker: Broker, sender: Sender, before: int) -> None:
    outputs = [output(EVENTS, "a")] * before + [output(EVENTS, "x" * BATCH_BYTES), output(EVENTS, "b")]
    assert await sender.send(outputs) == {EVENTS: before + 2}
    assert broker.batches == [(EVENTS, 1)] * (before + 2)
    assert [record.value for record in broker.records[EVENTS]] == [one.value for one in outputs]


async def test_a_record_that_the_broker_finds_too_large_is_raised(broker: Broker, sender: Sender) -> None:
    broker.trouble = MessageSizeTooLargeError("too large")
    with pytest.raises(MessageSizeTooLargeError):
        await sender.send([output(EVENTS, "x" * BATCH_BYTES)])
