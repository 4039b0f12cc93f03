"""What transport and sender rely on in aiokafka that only a broker shows (the rest: tests/unit)."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import TOUCHPOINTS
from streams.core import Output
from streams.producer import Sender

pytestmark = pytest.mark.kafka

FIRST, SECOND = (TopicPartition(TOUCHPOINTS.name, n) for n in range(2))


async def test_a_batch_is_answered_with_the_offset_of_its_first_record(
    fresh_topics: Callable[..., str],
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=fresh_topics(partitions=2), max_batch_size=1_000)
    await producer.start()
    try:
        for begin in (0, 3):
            batch = producer.create_batch()
            for n in range(3):
                assert batch.append(timestamp=None, key=None, value=b"%d" % n, headers=[("h", b"1")])
            future = await producer.send_batch(batch, FIRST.topic, partition=FIRST.partition)
            assert (await future).offset == begin
        # the sender counts from it, over several batches and with a record larger than one
        values = [b"a" * 400, b"b" * 400, b"c" * 5_000, b"d"]
        sender = Sender(producer)
        ends = await sender.send([Output(*SECOND, None, value) for value in values])
        assert ends == {SECOND: 4}
    finally:
        await producer.stop()


async def test_records_of_partitions_that_were_not_asked_for_are_kept(
    fresh_topics: Callable[..., str],
) -> None:
    broker = fresh_topics(partitions=2)
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        await Sender(producer).send([Output(*tp, None, b"1") for tp in (FIRST, SECOND) for _ in range(3)])
        consumer.assign([FIRST, SECOND])
        fetcher = consumer._fetcher
        for tp in (FIRST, SECOND):
            found = await fetcher.fetched_records({tp}, timeout=5)
            assert [record.offset for record in found[tp]] == [0, 1, 2]
            assert list(found) == [tp]
    finally:
        await consumer.stop()
        await producer.stop()


async def test_what_was_fetched_before_a_seek_is_not_delivered_after_it(
    fresh_topics: Callable[..., str],
) -> None:
    broker = fresh_topics(partitions=2)
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        await Sender(producer).send([Output(*FIRST, None, b"1") for _ in range(5)])
        consumer.assign([FIRST])
        fetcher = consumer._fetcher
        assert (await fetcher.fetched_records({FIRST}, timeout=5))[FIRST][0].offset == 0
        consumer.seek(FIRST, 1)
        for _ in range(500):
            if FIRST in fetcher._records:  # fetched from 1, not taken yet
                break
            await asyncio.sleep(0.01)
        assert FIRST in fetcher._records
        consumer.seek(FIRST, 3)
        found = await fetcher.fetched_records({FIRST}, timeout=0) or await fetcher.fetched_records({FIRST}, 5)
        assert found[FIRST][0].offset == 3
    finally:
        await consumer.stop()
        await producer.stop()


async def test_a_member_that_does_not_fetch_leaves_the_group_and_stays_away(
    fresh_topics: Callable[..., str],
) -> None:
    """Why `broker_max_poll_interval` is never: full queues would do this."""
    consumer = AIOKafkaConsumer(
        TOUCHPOINTS.name,
        bootstrap_servers=fresh_topics(partitions=2),
        group_id="full",
        session_timeout_ms=2_000,
        heartbeat_interval_ms=300,
        max_poll_interval_ms=1_000,
    )
    await consumer.start()
    try:
        await consumer.getmany(timeout_ms=100)
        assert len(consumer.assignment()) == 2
        for _ in range(100):
            if consumer._coordinator.generation < 0:
                break
            await asyncio.sleep(0.1)
        assert consumer._coordinator.generation < 0
        await asyncio.sleep(2)
        assert consumer._coordinator.generation < 0
    finally:
        await consumer.stop()
