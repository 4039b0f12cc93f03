"""Topics on Apache Kafka and on the embedded broker: created once, verified ever after."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_kafka import ApacheKafka
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from schemas.topics import ALL, EVENTS, MAP
from streams import topics
from streams.embedded import Stack

STEPS = ("fragments", "identity")


@pytest.fixture(
    params=[
        pytest.param("apache", marks=pytest.mark.kafka),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ]
)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A broker without topics."""
    if request.param == "apache":
        apache = request.getfixturevalue("apache")
        apache.empty()
        yield apache.broker
    else:
        with Stack(tmp_path) as stack:
            stack.start(clickhouse=False)
            assert stack.kafka is not None
            yield stack.kafka


@pytest.fixture
def admin(broker: str) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    yield admin
    admin.close()


def test_every_topic_is_created_once_with_the_same_number_of_partitions(
    broker: str, admin: KafkaAdminClient
) -> None:
    created = topics.ensure(broker, 3, "group", STEPS)
    assert set(created) == {t.name for t in ALL} | {"group-fragments-changelog", "group-identity-changelog"}
    assert {len(topic["partitions"]) for topic in admin.describe_topics(created)} == {3}
    assert topics.ensure(broker, 3, "group", STEPS) == []
    assert topics.ensure(broker, 3, "group", (*STEPS, "journeys")) == ["group-journeys-changelog"]


def test_another_number_of_partitions_is_an_error_that_says_what_to_do(
    broker: str, admin: KafkaAdminClient
) -> None:
    admin.create_topics({EVENTS.name: {"num_partitions": 5, "replication_factor": 1}}, wait_for_metadata=True)
    with pytest.raises(topics.TopicsError) as raised:
        topics.ensure(broker, 3, "group", ())
    assert str(raised.value).startswith(
        "topic journey-events has 5 partitions, 3 are expected: set JOURNEYS_PARTITIONS=5"
    )
    assert len(str(raised.value).splitlines()) == 1
    assert {name for name in admin.list_topics() if not name.startswith("__")} == {EVENTS.name}


def test_a_check_names_what_is_missing_and_creates_nothing(broker: str, admin: KafkaAdminClient) -> None:
    with pytest.raises(
        topics.TopicsError, match=r"^topics are missing: journey-events, identity-map; create"
    ):
        topics.check(broker, 3, [EVENTS, MAP])
    assert [name for name in admin.list_topics() if not name.startswith("__")] == []
    topics.ensure(broker, 3, "group", ())
    topics.check(broker, 3, [EVENTS, MAP])
    with pytest.raises(topics.TopicsError, match="topic journey-events has 3 partitions, 4 are expected"):
        topics.check(broker, 4, [EVENTS])


@pytest.mark.kafka
def test_compaction_is_set_and_its_absence_is_an_error(apache: ApacheKafka) -> None:
    apache.empty()
    admin = KafkaAdminClient(bootstrap_servers=apache.broker)
    admin.create_topics({MAP.name: {"num_partitions": 3, "replication_factor": 1}})
    with pytest.raises(
        topics.TopicsError, match=r"identity-map has cleanup\.policy=delete, compact is expected"
    ):
        topics.ensure(apache.broker, 3, "group", STEPS)
    told = admin.describe_configs([ConfigResource("TOPIC", "group-identity-changelog")])["topic"]
    assert told["group-identity-changelog"]["cleanup.policy"]["value"] == "compact"
    assert told["group-identity-changelog"]["min.compaction.lag.ms"]["value"] == "600000"
    admin.close()


@pytest.mark.kafka
def test_what_the_broker_refuses_is_told_in_its_words(apache: ApacheKafka) -> None:
    apache.empty()
    with pytest.raises(topics.TopicsError, match=r"topic touchpoints: .*replication factor of 3"):
        topics.ensure(apache.broker, 3, "group", STEPS, replication=3)


def test_a_broker_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "SECONDS", 0.3)
    with pytest.raises(topics.TopicsError, match=r"Kafka does not answer at 127\.0\.0\.1:1:"):
        topics.ensure("127.0.0.1:1", 3, "group", STEPS)
