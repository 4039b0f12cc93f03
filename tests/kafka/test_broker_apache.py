"""The Apache Kafka node that tests run: it keeps its data over restarts and kills, and regroups quickly."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from apache_kafka import ApacheKafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from schemas.topics import TOUCHPOINTS

pytestmark = pytest.mark.kafka


def read(broker: str) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", group_id=None)
    partition = TopicPartition(TOUCHPOINTS.name, 0)
    consumer.assign([partition])
    (end,) = consumer.end_offsets([partition]).values()
    found: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(found) < end and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            found += [record.value for record in records]
    consumer.close()
    return found


def write(broker: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    producer.send(TOUCHPOINTS.name, value, partition=0).get(timeout=20)
    producer.close()


def test_data_survives_a_restart_and_a_kill(apache: ApacheKafka, fresh_topics: Callable[..., str]) -> None:
    broker = fresh_topics(partitions=2)
    write(broker, b"1")
    apache.restart()
    write(broker, b"2")
    apache.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(broker.rpartition(":")[2])), timeout=1)
    apache.start()
    write(broker, b"3")
    assert read(broker) == [b"1", b"2", b"3"]


def test_fresh_topics_are_empty(fresh_topics: Callable[..., str]) -> None:
    write(fresh_topics(partitions=2), b"1")
    broker = fresh_topics(partitions=3, steps=("identity",))
    assert read(broker) == []
    admin = KafkaAdminClient(bootstrap_servers=broker)
    assert "journeys-identity-changelog" in admin.list_topics()
    admin.close()


async def test_a_member_that_vanishes_is_missed_within_seconds(fresh_topics: Callable[..., str]) -> None:
    broker = fresh_topics(partitions=4)

    def member() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            TOUCHPOINTS.name,
            bootstrap_servers=broker,
            group_id="vanishing",
            session_timeout_ms=2_000,
            heartbeat_interval_ms=300,
        )

    stays, vanishes = member(), member()
    await asyncio.gather(stays.start(), vanishes.start())
    for _ in range(200):
        await asyncio.gather(stays.getmany(timeout_ms=20), vanishes.getmany(timeout_ms=20))
        if len(stays.assignment()) == len(vanishes.assignment()) == 2:
            break
    assert len(stays.assignment()) == len(vanishes.assignment()) == 2
    vanishes._coordinator._maybe_leave_group = lambda: asyncio.sleep(0)  # as killed: it does not say goodbye
    await vanishes.stop()
    started = time.monotonic()
    while len(stays.assignment()) < 4 and time.monotonic() - started < 10:
        await stays.getmany(timeout_ms=50)
    assert len(stays.assignment()) == 4
    await stays.stop()


async def test_a_producer_waits_while_the_node_restarts(
    apache: ApacheKafka, fresh_topics: Callable[..., str]
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=fresh_topics(partitions=1), acks="all")
    await producer.start()
    await producer.send_and_wait(TOUCHPOINTS.name, b"1")
    await asyncio.to_thread(apache.stop)
    sending = asyncio.create_task(producer.send_and_wait(TOUCHPOINTS.name, b"2"))
    await asyncio.to_thread(apache.start)
    assert (await asyncio.wait_for(sending, 30)).offset == 1
    await producer.stop()
