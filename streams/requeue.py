"""Sending refused records again, to the topic they were on."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaProducer

from streams.run import INPUTS
from streams.settings import Settings


def requeue(settings: Settings, rows: Iterable[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Send each row's `bytes` (base64) to its `topic`, where that is an input topic.

    Returns how many were sent, how many not since they were cut, how many not since they are of other topics.
    Raises KafkaError when the broker does not take one.
    """
    producer = KafkaProducer(bootstrap_servers=settings.broker.split(","))
    sent = cut = others = 0
    try:
        for row in rows:
            if row["topic"] not in INPUTS:
                others += 1
                continue
            value = b64decode(row["bytes"])
            if len(value) < int(row["size"]):
                cut += 1
                continue
            producer.send(row["topic"], value=value).get(timeout=30)
            sent += 1
    finally:
        producer.close()
    return sent, cut, others
