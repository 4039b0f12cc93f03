"""A broker for the benchmarks: Apache Kafka where Java and Maven are there, else the embedded one."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient

from streams.embedded import Stack

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kafka" / "apache"))

from apache_kafka import ApacheKafka, UnavailableError

SECONDS = 30.0


@dataclass(frozen=True)
class Broker:
    """Its name for people, its address."""

    name: str
    address: str

    def create(self, names: list[str], partitions: int) -> None:
        """Create topics; changelogs are compacted."""
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            topics = {
                name: {
                    "num_partitions": partitions,
                    "replication_factor": 1,
                    "configs": {
                        "cleanup.policy": "compact" if name.endswith("changelog") else "delete",
                        "retention.ms": "-1",
                    },
                }
                for name in names
            }
            admin.create_topics(topics, timeout_ms=int(SECONDS * 1000))
            admin.wait_for_topics(names, timeout_ms=int(SECONDS * 1000))
        finally:
            admin.close()


@contextmanager
def broker(apache: bool = False) -> Iterator[Broker]:
    """One node, empty. `apache`: no other one will do; raises UnavailableError."""
    with tempfile.TemporaryDirectory(prefix="journeys-bench-kafka-") as folder:
        try:
            node = ApacheKafka(Path(folder))
        except UnavailableError:
            if apache:
                raise
            with Stack(Path(folder)) as stack:
                stack.start(clickhouse=False)
                yield Broker("the embedded broker", stack.kafka or "")
            return
        try:
            node.start()
            yield Broker("Apache Kafka 3.9", node.broker)
        finally:
            node.kill()
