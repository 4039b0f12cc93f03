"""Creating and verifying the product's topics, on Apache Kafka and on the embedded broker alike."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from schemas.topics import ALL, Topic, changelog
from streams.embedded import CLUSTER

SECONDS = 30.0  # for the broker to answer, for each request, and for new topics to be usable


class TopicsError(Exception):
    """The topics are not as they must be; one clear line for each trouble."""


def wanted(group: str, steps: Iterable[str]) -> list[Topic]:
    """Every topic of a deployment: the public and internal ones, and a changelog for each of `steps`.

    >>> [topic.name for topic in wanted("journeys", ["identity"])][-2:]
    ['privacy-results', 'journeys-identity-changelog']
    """
    return [*ALL, *(changelog(group, step) for step in steps)]


def ensure(broker: str, partitions: int, group: str, steps: Iterable[str], replication: int = 1) -> list[str]:
    """Create the topics that are missing and verify the others; returns the names of those created.

    `broker` is `host:port,…`; `steps` are those that keep their state in changelog topics. Several processes
    may do it at once. Raises TopicsError when the broker does not answer or refuses a topic, or when one has
    another number of partitions or another cleanup policy: an existing topic is never changed.
    """
    topics = wanted(group, steps)
    with connected(broker) as admin:
        missing = _check_counts(admin, topics, partitions)
        created = _create(admin, missing, partitions, replication) if missing else []
        _check_counts(admin, missing, partitions)  # another process may have been faster, and meant otherwise
        _check_policies(admin, topics)
    return created


def check(broker: str, partitions: int, topics: list[Topic]) -> None:
    """Verify that the topics are there, without creating any.

    Raises TopicsError when the broker does not answer, or when a topic is missing or has another number of
    partitions.
    """
    with connected(broker) as admin:
        missing = _check_counts(admin, topics, partitions)
    if missing:
        names = ", ".join(topic.name for topic in missing)
        raise TopicsError(f"topics are missing: {names}; create them with `journeys topics`")


@contextmanager
def connected(broker: str) -> Iterator[Any]:
    """An admin client; trouble with the broker becomes a TopicsError of one line."""
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=broker.split(","),
            bootstrap_timeout_ms=int(SECONDS * 1000),
            request_timeout_ms=int(SECONDS * 1000),
        )
    except KafkaError as error:
        raise TopicsError(f"Kafka does not answer at {broker}: {error}") from error
    try:
        yield admin
    except KafkaError as error:
        raise TopicsError(f"Kafka at {broker}: {error}") from error
    finally:
        admin.close()


def _create(admin: Any, topics: list[Topic], partitions: int, replication: int) -> list[str]:
    missing = {
        topic.name: {
            "num_partitions": partitions,
            "replication_factor": replication,
            "configs": topic.config,
        }
        for topic in topics
    }
    created, troubles = [], []
    for result in admin.create_topics(missing, timeout_ms=int(SECONDS * 1000), raise_errors=False)["topics"]:
        error = for_code(result["error_code"])
        if error is NoError:
            created.append(result["name"])
        elif error is not TopicAlreadyExistsError:  # another process was faster
            why = result["error_message"] or error.__name__
            troubles.append(f"Kafka refuses to create topic {result['name']}: {why}")
    _raise(troubles)
    admin.wait_for_topics(list(missing), timeout_ms=int(SECONDS * 1000))
    return created


def _check_counts(admin: Any, topics: list[Topic], partitions: int) -> list[Topic]:
    """The topics that are not there."""
    described = admin.describe_topics([topic.name for topic in topics])
    found = {topic["name"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    _raise(
        f"topic {name} has {count} partitions, {partitions} are expected: set JOURNEYS_PARTITIONS={count} "
        "if all topics have as many, else delete the topic and rebuild under a new generation"
        for name, count in found.items()
        if count != partitions
    )
    return [topic for topic in topics if topic.name not in found]


def _check_policies(admin: Any, topics: list[Topic]) -> None:
    """Changelogs that are not compacted lose state, other topics that are lose events."""
    if admin.describe_cluster()["cluster_id"] == CLUSTER:
        return  # the embedded broker drops the connection when it is asked; it keeps everything anyway
    asked = [ConfigResource("TOPIC", topic.name, ["cleanup.policy"]) for topic in topics]
    told = admin.describe_configs(asked, config_filter="all")["topic"]
    policies = [(topic, told[topic.name]["cleanup.policy"]["value"]) for topic in topics]
    _raise(
        f"topic {topic.name} has cleanup.policy={policy}, {topic.config['cleanup.policy']} is expected: "
        "set it with Kafka's own tools before any worker starts"
        for topic, policy in policies
        if policy != topic.config["cleanup.policy"]
    )


def _raise(troubles: Iterable[str]) -> None:
    lines = list(troubles)
    if lines:
        raise TopicsError("\n".join(lines))
