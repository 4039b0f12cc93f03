"""Apache Kafka for the tests in this folder."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("apache")))

from apache_kafka import ApacheKafka, UnavailableError

from streams import topics

SKIPPED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def apache_node(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ApacheKafka]:
    try:
        node = ApacheKafka(tmp_path_factory.mktemp("apache-kafka"))
    except UnavailableError as reason:
        pytestconfig.stash[SKIPPED] = str(reason)
        if os.environ.get("JOURNEYS_REQUIRE_KAFKA") == "1":
            pytest.fail(f"Apache Kafka is required here (JOURNEYS_REQUIRE_KAFKA=1) but {reason}")
        pytest.skip(f"no Apache Kafka: {reason}")
    yield node
    node.kill()


@pytest.fixture
def apache(apache_node: ApacheKafka) -> ApacheKafka:
    """A running Apache Kafka node, whatever the test before did to it; `apache.broker` is its host:port."""
    apache_node.start()
    return apache_node


@pytest.fixture
def fresh_topics(apache: ApacheKafka) -> Callable[..., str]:
    """`fresh_topics(partitions, group="journeys", steps=())`: all topics, empty; returns host:port."""

    def fresh(partitions: int, group: str = "journeys", steps: tuple[str, ...] = ()) -> str:
        apache.empty()
        topics.ensure(apache.broker, partitions, group, steps)
        return apache.broker

    return fresh


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reason = config.stash.get(SKIPPED, None)
    if reason is not None:
        terminalreporter.write_line(f"APACHE KAFKA WAS NOT TESTED: {reason}", red=True, bold=True)
