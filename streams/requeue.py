"""Sending refused records again, to the topic they were on."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaProducer

from streams.ingest.step import TENANT_HEADER
from streams.run import INPUTS
from streams.settings import Settings


def requeue(settings: Settings, rows: Iterable[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Send each row's `bytes` (base64) to its `topic`, where that is an input topic, and whose they are.

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
            tenant = row["tenant"].encode() if settings.trust_headers else b""
            headers = [(TENANT_HEADER, tenant)] if tenant else []
            producer.send(row["topic"], value=value, headers=headers).get(timeout=30)
            sent += 1
    finally:
        producer.close()
    return sent, cut, others
