"""What transport, host and runner rely on in Faust and aiokafka: an upgrade that changes it fails here."""

import asyncio
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import CommitFailedError, IllegalGenerationError, UnknownMemberIdError
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.assignor.partition_assignor import PartitionAssignor
from faust.events import Event
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.host import NEVER_SECONDS, make_app
from streams.settings import Settings
from streams.transport import FETCH_WAIT_MS, Consumer, ConsumerThread

TOPICS = ("a", "b", "c")


@pytest.fixture
async def app() -> faust.App:
    return make_app(Settings(partitions=4), "group", web=False)


def test_versions_are_the_ones_that_were_looked_at() -> None:
    assert (version("faust-streaming"), version("aiokafka"), version("mode-streaming")) == (
        "0.15.3",
        "0.14.0",
        "0.7.1",
    )


# ---- streams


def message(offset: int, generation: int) -> ConsumerMessage:
    tp = TP("a", 0)
    return ConsumerMessage(
        topic="a",
        partition=0,
        offset=offset,
        timestamp=0.0,
        timestamp_type=0,
        headers=None,
        key=b"",
        value=None,
        checksum=None,
        tp=tp,
        generation_id=generation,
    )


async def taken(app: faust.App, events: list[tuple[str, ConsumerMessage]]) -> list[str]:
    """What an agent without acks gets of these events."""
    stream = app.topic("a").stream().noack()
    for value, one in events:
        stream.channel.queue.put_nowait(Event(app, None, value, None, one))
    got: list[str] = []

    async def take() -> None:
        async for value in stream:
            got.append(value)
            if value == "last":
                return

    await asyncio.wait_for(take(), 5)
    return got


async def test_a_stream_skips_events_of_another_group_generation(app: faust.App) -> None:
    app.flow_control.resume()
    app.consumer_generation_id = 7
    events = [
        ("old", message(0, 6)),
        ("new", message(1, 7)),
        ("early", message(2, 8)),
        ("last", message(3, 7)),
    ]
    assert await taken(app, events) == ["new", "last"]


async def test_a_stream_without_acks_acknowledges_nothing(app: faust.App) -> None:
    app.flow_control.resume()
    app.consumer_generation_id = 7
    first = message(1, 7)
    assert await taken(app, [("first", first), ("last", message(2, 7))]) == ["first", "last"]
    assert not first.acked
    assert not app.consumer._acked[first.tp]


async def test_a_channel_of_several_topics_is_one_queue_found_by_partition(app: faust.App) -> None:
    channel = app.topic(*TOPICS)
    app.topics.add(channel)
    tps = {TP(topic, n) for topic in TOPICS for n in range(2)}
    await app.topics.on_partitions_assigned(tps)
    for tp in tps:
        (found,) = app.topics._tp_index[tp]
        assert found.queue is channel.queue
    for n in range(channel.queue.maxsize):
        assert not channel.queue.full()
        channel.queue.put_nowait(n)
    assert channel.queue.full()


async def test_a_suspended_queue_is_cleared(app: faust.App) -> None:
    app.flow_control.resume()
    queue = app.topic("a").queue
    queue.put_nowait(1)
    app.flow_control.suspend()
    app.flow_control.clear()
    assert queue.empty()


async def test_recovery_can_be_told_that_it_is_over(app: faust.App) -> None:
    assert not app.tables.recovery.completed.is_set()
    app.tables.recovery.completed.set()


# ---- the consumer


async def test_the_consumer_is_ours_with_a_short_fetch_wait_and_never_leaves_by_itself(
    app: faust.App,
) -> None:
    assert isinstance(app.consumer, Consumer)
    assert isinstance(app.consumer, ThreadDelegateConsumer)
    assert isinstance(app.consumer._thread, ConsumerThread)
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    assert consumer._fetch_max_wait_ms == FETCH_WAIT_MS
    assert consumer._max_poll_interval_ms == NEVER_SECONDS * 1000
    assert consumer._enable_auto_commit is False
    await consumer.stop()


def test_what_is_overridden_is_there() -> None:
    for name in (
        "on_partitions_revoked",
        "on_partitions_assigned",
        "perform_seek",
        "commit",
        "maybe_wait_for_commit_to_finish",
        "_drain_messages",
        "_new_consumer_thread",
        "verify_event_path",
        "on_stop",
        "stop_flow",
        "resume_flow",
    ):
        assert callable(getattr(driver.Consumer, name)), name
    for name in (
        "_create_worker_consumer",
        "getmany",
        "seek_wait",
        "seek_to_committed",
        "_commit",
        "on_start",
    ):
        assert callable(getattr(driver.AIOKafkaConsumerThread, name)), name


# ---- commits


async def test_a_commit_of_a_member_that_was_given_up_says_already_rebalanced() -> None:
    for refused in (UnknownMemberIdError, IllegalGenerationError):

        async def refuse(*_: Any, error: type[Exception] = refused) -> None:
            raise error("group")

        coordinator = SimpleNamespace(
            ensure_coordinator_known=lambda: asyncio.sleep(0),
            _commit_lock=asyncio.Lock(),
            _do_commit_offsets=refuse,
        )
        with pytest.raises(CommitFailedError, match="already rebalanced"):
            await GroupCoordinator.commit_offsets(coordinator, None, {})


async def test_faust_answers_false_to_it(app: faust.App) -> None:
    thread = app.consumer._thread

    async def commit(_: Any) -> None:
        raise CommitFailedError("the group has already rebalanced")

    thread._consumer = SimpleNamespace(assignment=lambda: {TP("a", 0)}, commit=commit)
    assert await thread._commit({TP("a", 0): 5}) is False


async def started(app: faust.App, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, list[Any]]:
    """Our consumer thread on a stand-in for aiokafka's coordinator, and what that was asked to commit."""
    sent: list[Any] = []

    async def send(_: Any, offsets: Any) -> None:
        sent.append(offsets)

    coordinator = SimpleNamespace(generation=7, _do_commit_offsets=send)
    assignment = SimpleNamespace(active=True)

    async def commit(offsets: Any) -> None:
        try:
            await coordinator._do_commit_offsets(assignment, offsets)
        except IllegalGenerationError:
            raise CommitFailedError("already rebalanced") from None

    consumer = SimpleNamespace(_coordinator=coordinator, assignment=lambda: {TP("a", 0)}, commit=commit)
    thread = app.consumer._thread

    async def start(self: Any) -> None:
        self._consumer = consumer

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", start)
    await thread.on_start()
    return thread, SimpleNamespace(coordinator=coordinator, assignment=assignment), sent


async def test_commits_belong_to_a_generation(app: faust.App, monkeypatch: pytest.MonkeyPatch) -> None:
    thread, at, sent = await started(app, monkeypatch)
    offsets = {TP("a", 0): 5}
    assert await thread._commit_as(7, offsets)
    assert len(sent) == 1
    assert not await thread._commit_as(6, offsets)  # of a lease that is over
    at.coordinator.generation = -1  # given up; Kafka takes this when the group has no other member
    assert not await thread._commit_as(-1, offsets)
    at.coordinator.generation = 7
    at.assignment.active = False  # another rebalance while it waited for its turn
    assert not await thread._commit_as(7, offsets)
    assert len(sent) == 1


def test_aiokafka_commits_through_what_we_guard() -> None:
    assert "_do_commit_offsets" in GroupCoordinator.commit_offsets.__code__.co_names
    assert "generation" in GroupCoordinator._do_commit_offsets.__code__.co_names


# ---- the assignor


def cluster(topics: tuple[str, ...], partitions: int) -> ClusterMetadata:
    found = ClusterMetadata()
    found._partitions = {topic: dict.fromkeys(range(partitions)) for topic in topics}
    return found


async def test_a_worker_gets_the_same_partitions_of_every_topic(app: faust.App) -> None:
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    assert consumer._partition_assignment_strategy == [app.assignor]
    await consumer.stop()
    assignors = [PartitionAssignor(app, replicas=1) for _ in range(3)]
    for members in (1, 2, 3, 2, 1):  # each told by the one before, as in a group that grows and shrinks
        told = {
            f"member-{n}": ConsumerProtocolMemberMetadata(
                0, sorted(TOPICS), assignors[n].metadata(set(TOPICS)).user_data
            )
            for n in range(members)
        }
        assigned = assignors[0].assign(cluster(TOPICS, 4), told)
        owned: dict[int, set[str]] = {}
        for member, assignment in assigned.items():
            for topic, numbers in assignment.assignment:
                assert topic in TOPICS
                for number in numbers:
                    owned.setdefault(number, set()).add(member)
        assert sorted(owned) == [0, 1, 2, 3]
        assert all(len(owners) == 1 for owners in owned.values())
        for n in range(members):
            assignors[n].on_assignment(assigned[f"member-{n}"])


# ---- produce batches


def builder(size: int) -> BatchBuilder:
    return BatchBuilder(size, 0, is_transactional=False, key_serializer=None, value_serializer=None)


def test_a_batch_takes_headers_and_refuses_what_does_not_fit_any_more() -> None:
    batch = builder(2_000)
    headers = [("ce_id", b"1"), ("ce_type", b"stage_entered")]
    assert batch.append(timestamp=1, key=b"k", value=b"v" * 1_500, headers=headers) is not None
    assert batch.append(timestamp=1, key=b"k", value=b"v" * 1_500, headers=headers) is None
    assert batch.record_count() == 1
    assert batch.append(timestamp=1, key=b"k", value=None, headers=[]) is None  # it is closed then


def test_a_record_larger_than_a_batch_has_one_of_its_own() -> None:
    batch = builder(1_000)
    assert batch.append(timestamp=1, key=b"k", value=b"v" * 100_000, headers=[]) is not None
    assert batch.append(timestamp=1, key=b"k", value=b"v", headers=[]) is None
