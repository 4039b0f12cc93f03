"""What the embedded broker can and cannot do: the product is built around these, an upgrade must tell."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from kafka import KafkaAdminClient

from schemas.topics import TOUCHPOINTS
from streams import topics
from streams.embedded import Stack

pytestmark = pytest.mark.embedded

FIRST = TopicPartition(TOUCHPOINTS.name, 0)
PARTITIONS = 4


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with Stack(tmp_path) as stack:
        stack.start(clickhouse=False)
        assert stack.kafka is not None
        topics.ensure(stack.kafka, PARTITIONS, "group", ())
        yield stack.kafka


async def read(broker: str, count: int) -> list[bytes]:
    """The first records of the first partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=None)
    await consumer.start()
    consumer.assign([FIRST])
    await consumer.seek_to_beginning(FIRST)
    found: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found += [record.value for record in (await consumer.getmany(timeout_ms=200)).get(FIRST, [])]
    await consumer.stop()
    return found


async def test_it_keeps_records_in_order_and_lies_about_their_end(broker: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    batch = producer.create_batch()
    for number in range(3):
        batch.append(key=None, value=b"%d" % number, timestamp=None)
    acknowledged = await (await producer.send_batch(batch, FIRST.topic, partition=FIRST.partition))
    assert acknowledged.offset == 0
    assert (await producer.send_and_wait(FIRST.topic, b"3", partition=0)).offset == 3
    batch = producer.create_batch()
    for number in range(4, 9):
        batch.append(key=None, value=b"%d" % number, timestamp=None)
    await (await producer.send_batch(batch, FIRST.topic, partition=FIRST.partition))
    await producer.stop()
    assert await read(broker, 9) == [b"%d" % number for number in range(9)]

    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=None)
    await consumer.start()
    assert await consumer.end_offsets([FIRST]) == {FIRST: 5}  # 9: it forgets all of the last batch but one
    await consumer.stop()


async def test_it_takes_large_records(broker: str) -> None:
    large = os.urandom(5_000_000)
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_request_size=16 << 20)
    await producer.start()
    await producer.send_and_wait(FIRST.topic, large, partition=0)
    await producer.stop()
    assert await read(broker, 1) == [large]


async def test_a_record_arrives_at_once_only_where_a_fetch_waits_shortly(broker: str) -> None:
    """It looks for news a few times per fetch, so the longest wait of a fetch decides about the latency."""

    async def latency(fetch_max_wait_ms: int) -> float:
        """Seconds; the median of some."""
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        consumer = AIOKafkaConsumer(
            FIRST.topic, bootstrap_servers=broker, group_id=None, fetch_max_wait_ms=fetch_max_wait_ms
        )
        await asyncio.gather(producer.start(), consumer.start())
        await consumer.getmany(timeout_ms=600)
        took = []
        for _ in range(9):
            await asyncio.sleep(0.03)
            started = time.monotonic()
            await producer.send_and_wait(FIRST.topic, b"now", partition=0)
            while not await consumer.getmany(timeout_ms=1000):
                pass
            took.append(time.monotonic() - started)
        await asyncio.gather(producer.stop(), consumer.stop())
        return sorted(took)[4]

    assert await latency(20) < 0.1 < await latency(500)


async def test_a_group_shares_the_partitions_and_keeps_its_commits(broker: str) -> None:
    def member() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            FIRST.topic,
            bootstrap_servers=broker,
            group_id="members",
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
        )

    one, two = member(), member()
    started = time.monotonic()
    await one.start()
    assert 2 < time.monotonic() - started < 8  # a join takes 3 s, always
    assert len(one.assignment()) == PARTITIONS
    await one.commit(dict.fromkeys(one.assignment(), 7))
    joining = asyncio.create_task(two.start())
    while not joining.done() or len(one.assignment()) == PARTITIONS:
        assert time.monotonic() - started < 40
        await one.getmany(timeout_ms=100)
    await joining
    assert len(one.assignment()) == len(two.assignment()) == PARTITIONS // 2
    assert [await two.committed(partition) for partition in two.assignment()] == [7, 7]
    await asyncio.gather(one.stop(), two.stop())


async def test_it_has_no_idempotent_producer_of_aiokafka(broker: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def test_it_makes_a_topic_of_its_own_partition_count_for_whoever_names_it(broker: str) -> None:
    """So all topics must be there before any worker or client names one."""
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    assert len(await producer.partitions_for("journeys-new-changelog")) == 4
    await producer.stop()
    with pytest.raises(topics.TopicsError, match="journeys-new-changelog has 4 partitions, 3 are expected"):
        topics.ensure(broker, 3, "journeys", ["new"])


async def test_a_deleted_topic_comes_back_empty(broker: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    await producer.send_and_wait(FIRST.topic, b"old", partition=0)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_topics([FIRST.topic])
    assert topics.ensure(broker, PARTITIONS, "group", ()) == [FIRST.topic]
    admin.close()
    assert (await producer.send_and_wait(FIRST.topic, b"new", partition=0)).offset == 0
    await producer.stop()
    assert await read(broker, 1) == [b"new"]
