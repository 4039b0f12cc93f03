"""Workers on Apache Kafka and ClickHouse that are killed, scaled and cut off while events come in.

A `World` is one deployment with its own topics, database and worker processes; the same lines fed to two
worlds stand at the same partitions and offsets. `World.found()` is everything that can be seen of it from
outside, folded, so that a disturbed world can be compared with an undisturbed one, row for row.
"""

import itertools
import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apache_kafka import ApacheKafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from schemas.topics import EVENTS, MAP, PROFILES, TOUCHPOINTS
from streams import clickhouse, topics
from streams.children import Child
from streams.embedded import free_port, pings
from streams.settings import Settings
from streams.status import Sample, reads, status, steps_of, take
from streams.summary import STATEFUL
from streams.topics import TopicsError

PARTITIONS = 4
BLOCK = 20  # consecutive lines that go to one partition
SETTLE_SECONDS = 0.5
SESSION_SECONDS = 2
GIVEN_UP_SECONDS = SESSION_SECONDS + 1  # after which a killed worker is no member any more
WORKER = (sys.executable, "-m", "streams.cli", "worker")
ENVIRONMENT = {
    "JOURNEYS_PARTITIONS": str(PARTITIONS),
    "JOURNEYS_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    "JOURNEYS_REBALANCE_TIMEOUT_SECONDS": "4",
    "JOURNEYS_COMMIT_SECONDS": "0.5",
    "JOURNEYS_TICK_SECONDS": "10",  # ticks keep a deployment from ever being drained: not too often
    "JOURNEYS_SETTLE_SECONDS": str(SETTLE_SECONDS),
}

# What depends on when it was told, not on what holds.
WHEN_TOLD = {"v_stage_transitions": {"corrected"}, "v_dead_letters": {"at"}}
VIEWS = (
    "v_touchpoints",
    "v_contacts",
    "v_members",
    "v_accounts",
    "v_journeys",
    "v_stage_transitions",
    "v_dead_letters",
)


logging.getLogger("kafka").setLevel(logging.ERROR)


class Database:
    """The embedded ClickHouse as a server of its own; it keeps its port and its data over stop and start."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-P", "-m", "streams.chdb_server"]
        command += ["--path", str(folder / "clickhouse"), "--port", str(self.port)]
        self._server = Child("ClickHouse", command, folder / "clickhouse.log", dict(os.environ))

    def start(self) -> None:
        if not self._server.alive:
            self._server.start()
            self._server.wait_until(lambda: pings(self.port), 60)

    def kill(self) -> None:
        self._server.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing."""
        os.killpg(self._server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._server.pid, signal.SIGCONT)

    def dsn(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@dataclass
class Feeder:
    """Feeds lines in the background, `rate` a second, each block of lines to the next partition."""

    broker: str
    lines: Sequence[bytes]
    rate: float
    fed: int = 0
    error: BaseException | None = None
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()
        if self.error is not None:
            raise self.error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as error:
            self.error = error

    def _feed(self) -> None:
        # Idempotent: after a broker's restart each line still stands once, and where it stands elsewhere.
        producer = KafkaProducer(
            bootstrap_servers=self.broker,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            delivery_timeout_ms=300_000,
            request_timeout_ms=20_000,
        )
        began = time.monotonic()
        blocks = range(0, len(self.lines), BLOCK)
        sent = []
        for number, start in enumerate(blocks):
            for line in self.lines[start : start + BLOCK]:
                sent.append(producer.send(TOUCHPOINTS.name, line, partition=number % PARTITIONS))
            self.fed = min(start + BLOCK, len(self.lines))
            ahead = self.fed / self.rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
        producer.flush(timeout=300)
        for one in sent:
            one.get(timeout=1)
        producer.close()


class World:
    """One deployment. `command` is how a worker is started; `extra` adds to its environment."""

    def __init__(
        self,
        apache: ApacheKafka,
        database: Database,
        folder: Path,
        name: str,
        command: Sequence[str] = WORKER,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.apache = apache
        self.database = database
        self.name = name
        self.dsn = database.dsn(name)
        self.workers: dict[int, Child] = {}
        self.notes: list[str] = []
        self._folder = folder
        self.command = command
        self._lives = itertools.count()
        self._began = time.monotonic()
        self._environment = {
            **os.environ,
            **ENVIRONMENT,
            **(extra or {}),
            "JOURNEYS_BROKER": apache.broker,
            "JOURNEYS_CLICKHOUSE": self.dsn,
            "JOURNEYS_GROUP": name,
        }
        self.settings = Settings(
            broker=apache.broker,
            clickhouse=self.dsn,
            group=name,
            partitions=PARTITIONS,
            settle_seconds=SETTLE_SECONDS,
        )
        apache.empty()
        topics.ensure(apache.broker, PARTITIONS, name, STATEFUL)
        clickhouse.migrate(self.dsn)

    def note(self, text: str) -> None:
        self.notes.append(f"{time.monotonic() - self._began:6.1f} s  {text}")

    # ---- workers

    def start(self, number: int) -> None:
        life = next(self._lives)
        log = self._folder / f"{self.name}-{number}-{life}.log"
        environment = {**self._environment, "JOURNEYS_WEB_PORT": str(free_port())}
        self.workers[number] = Child(f"worker {number}", self.command, log, environment)
        self.workers[number].start()
        self.note(f"start {number} (life {life})")

    def kill(self, number: int) -> None:
        """`kill -9`."""
        self.workers[number].kill()
        self.note(f"kill -9 {number}")

    def stop(self, number: int) -> float:
        """SIGTERM; returns how long the worker took, in seconds; AssertionError when it had to be killed."""
        worker = self.workers.pop(number)
        began = time.monotonic()
        worker.stop(10)
        took = time.monotonic() - began
        self.note(f"stop {number}: {took:.1f} s")
        assert took < 10, f"worker {number} did not stop in good order: {worker.tail()}"
        return took

    def end(self) -> None:
        """`kill -9` all."""
        for number in list(self.workers):
            self.workers.pop(number).kill()

    def watch(self) -> None:
        """Raises when a worker has ended unasked; one that was overtaken is started anew."""
        self.revive("a newer session wrote")
        for number, worker in self.workers.items():
            assert worker.alive, f"worker {number} ended on its own:\n{worker.tail(30)}"

    def freeze(self, number: int, seconds: float) -> None:
        """A worker that stands still, is given up, and goes on as if nothing had happened."""
        group = self.workers[number].pid
        os.killpg(group, signal.SIGSTOP)
        self.note(f"freeze {number}")
        time.sleep(seconds)
        os.killpg(group, signal.SIGCONT)
        self.note(f"thaw {number}")

    def revive(self, *reasons: str) -> None:
        """Start workers anew that ended for one of these reasons, as an orchestrator does."""
        for number, worker in list(self.workers.items()):
            if not worker.alive and any(reason in worker.log.read_text() for reason in reasons):
                self.start(number)

    # ---- progress

    def until_ready(self, seconds: float = 60) -> None:
        """Wait until every partition of every step has an owner that is alive."""
        time.sleep(GIVEN_UP_SECONDS)  # until then the group counts members that were killed
        step_inputs = reads(self.settings)
        self._until(
            lambda admin: all(
                partition.owner is not None
                for step in steps_of(take(admin, step_inputs), step_inputs)
                for partition in step.partitions
            ),
            seconds,
        )

    def until_commit(self, seconds: float = 10) -> None:
        """Wait until the processor commits offsets: what follows comes right after."""
        self._until_changed(lambda sample: sample.committed[self.name], seconds)

    def until_regrouped(self, seconds: float = 20) -> None:
        """Wait until the processor's partitions have other owners, all of them."""
        everything = PARTITIONS * sum(
            len(inputs) for _, group, inputs in reads(self.settings) if group == self.name
        )
        self._until_changed(
            lambda sample: dict(owners) if len(owners := sample.owners[self.name]) == everything else None,
            seconds,
        )

    def _until_changed(self, look: Callable[[Sample], Any], seconds: float) -> None:
        """Wait until `look` finds something else (None: nothing to be seen), or for `seconds`."""
        step_inputs = reads(self.settings)
        admin = KafkaAdminClient(bootstrap_servers=self.apache.broker)
        try:
            before = look(take(admin, step_inputs))
            deadline = time.monotonic() + seconds
            while (now := look(take(admin, step_inputs))) in (None, before) and time.monotonic() < deadline:
                before = before or now
        finally:
            admin.close()

    def _until(self, holds: Callable[[Any], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        admin = KafkaAdminClient(bootstrap_servers=self.apache.broker)
        try:
            while not holds(admin):
                if time.monotonic() > deadline:
                    raise AssertionError(self._why())
                self.watch()
                time.sleep(0.2)
        finally:
            admin.close()

    def until_drained(self, seconds: float = 180) -> float:
        """Wait until `journeys status` says so; returns after how many seconds."""
        began = time.monotonic()
        while True:
            self.watch()
            try:
                if status(self.settings).drained:
                    return time.monotonic() - began
            except (TopicsError, KafkaError):
                pass
            if time.monotonic() - began > seconds:
                raise AssertionError(self._why())
            time.sleep(0.3)

    def _why(self) -> str:
        told = status(self.settings)
        late = [
            f"{step.step}[{partition.partition}] {partition.owner}: {partition.topics}"
            for step in told.steps
            for partition in step.partitions
            if partition.topics or partition.owner is None
        ]
        tails = [worker.tail(25) for worker in self.workers.values()]
        return "\n".join([f"{self.name} stands still", *self.notes[-10:], *late, *tails])

    def log(self) -> str:
        """What all lives of all workers said."""
        return "".join(path.read_text() for path in sorted(self._folder.glob(f"{self.name}-*.log*")))

    # ---- what is found

    def found(self) -> "Found":
        with clickhouse.connect(self.dsn) as client:

            def rows(sql: str) -> list[dict[str, Any]]:
                told = client.raw_query(
                    sql,
                    fmt="JSONEachRow",
                    settings={
                        "date_time_output_format": "iso",
                        "session_timezone": "UTC",
                        "output_format_json_quote_64bit_integers": 0,
                    },
                )
                return [json.loads(line.replace(b".000Z", b"Z")) for line in told.splitlines()]

            views = {
                view: sorted(
                    canonical({k: v for k, v in row.items() if k not in WHEN_TOLD.get(view, ())})
                    for row in rows(f"SELECT * FROM {view}")
                )
                for view in VIEWS
            }
            told = rows("SELECT * FROM journey_events FINAL")
            identities = rows("SELECT * FROM identity_map FINAL")
            profiles = rows("SELECT * FROM v_accounts")
            by_id = rows("SELECT id FROM v_journey_events")
        events = fold(
            (
                (row["tenant"], row["subject"], row["kind"], row["natural_key"]),
                int(row["version"]),
                None if row["retracted"] else event_value(row, row["contact_id"]),
            )
            for row in told
        )
        views["v_journey_events"] = sorted(canonical([key, value]) for key, value in events.items())
        return Found(
            views=views,
            events=events,
            ids={row["id"] for row in by_id},
            profiles={(row["tenant"], row["account_id"]): profile_value(row) for row in profiles},
            identities={(row["tenant"], row["identifier"]): spans_of_table(row) for row in identities},
            sent=Sent.read(self.apache.broker),
        )


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def fold(facts: Iterable[tuple[Any, Any, Any]]) -> dict[Any, Any]:
    """Of each key the value of the highest version; keys whose value is None are gone."""
    best: dict[Any, tuple[Any, Any]] = {}
    for key, version, value in facts:
        if key not in best or best[key][0] <= version:
            best[key] = (version, value)
    return {key: value for key, (_, value) in best.items() if value is not None}


def event_value(event: dict[str, Any], contact: str) -> list[Any]:
    """What an event says, without when and in which words (entered or corrected) it was said."""
    kind = "stage_entered" if event["type"] == "stage_corrected" else event["type"]
    return [kind, event["occurred_at"], contact, event.get("caused_by", [])]


PROFILE = ("kind", "name", "keys", "crm_account_id", "stage", "stage_since", "journey_id", "touches")


def profile_value(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in (*PROFILE, "first_seen", "last_seen", "industry", "employees", "country")]


def spans_of_table(row: dict[str, Any]) -> list[Any]:
    spans = zip(row["span_from"], row["span_contact"], row["span_account"], strict=True)
    ever = "1970-01-01T00:00:00Z"
    return [[[None if f == ever else f, c or None, a or None] for f, c, a in spans], row["accounts"]]


@dataclass
class Sent:
    """What stands on the public topics, folded, and what was said more than once."""

    events: dict[Any, Any]
    ids: set[str]
    profiles: dict[Any, Any]
    identities: dict[Any, Any]
    repeats: Counter[str]  # of each topic, records that say again what an earlier one said
    records: Counter[str]
    torn: list[Any]  # repeats of one content and version under different ids

    @classmethod
    def read(cls, broker: str) -> "Sent":
        told = {topic.name: list(values(broker, topic.name)) for topic in (EVENTS, PROFILES, MAP)}
        events, profiles = told[EVENTS.name], told[PROFILES.name]
        ids: dict[Any, set[str]] = {}
        for event in events:
            said = {k: v for k, v in event.items() if k != "id"}
            ids.setdefault(canonical(said), set()).add(event["id"])
        repeats = Counter({name: len(rows) - len({same(row) for row in rows}) for name, rows in told.items()})
        return cls(
            events=fold(
                (
                    (e["tenant"], e["subject"], e["kind"], e["natural_key"]),
                    e["version"],
                    None if e.get("retracted") else event_value(e, (e.get("contact") or {}).get("id", "")),
                )
                for e in events
            ),
            ids={event["id"] for event in events},
            profiles=fold(
                ((p["tenant"], p["subject"]), p["version"], None if p["gone"] else profile_value(p))
                for p in profiles
            ),
            identities=fold(
                (
                    (m["tenant"], m["identifier"]),
                    m["version"],
                    [
                        [[s["from"], s["contact_id"], s["account_id"]] for s in m["spans"]],
                        m.get("accounts", {}),
                    ],
                )
                for m in told[MAP.name]
            ),
            repeats=repeats,
            records=Counter({name: len(rows) for name, rows in told.items()}),
            torn=[several for several in ids.values() if len(several) > 1],
        )


def same(row: dict[str, Any]) -> str:
    """What makes two records one output."""
    return row["id"] if "id" in row else canonical(row)


def values(broker: str, topic: str) -> Iterator[dict[str, Any]]:
    """The JSON values of a topic, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", group_id=None)
    try:
        tps = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        consumer.assign(tps)
        consumer.seek_to_beginning()
        for tp, end in consumer.end_offsets(tps).items():
            consumer.assign([tp])
            consumer.seek_to_beginning(tp)
            while consumer.position(tp) < end:
                for records in consumer.poll(timeout_ms=500, max_records=10_000).values():
                    yield from (json.loads(record.value) for record in records if record.value)
    finally:
        consumer.close()


@dataclass
class Found:
    """Everything that can be seen of a world from outside."""

    views: dict[str, list[str]]
    events: dict[Any, Any]
    ids: set[str]
    profiles: dict[Any, Any]
    identities: dict[Any, Any]
    sent: Sent

    def broken_promises(self) -> list[str]:
        """Where the topics and the views of this world say different things."""
        pairs = (
            ("journey-events", self.sent.events, self.events),
            ("account-profiles", self.sent.profiles, self.profiles),
            ("identity-map", self.sent.identities, self.identities),
        )
        wrong = [
            f"{name}: {key}: topic {on_topic.get(key)}, view {in_view.get(key)}"
            for name, on_topic, in_view in pairs
            for key in sorted(on_topic.keys() | in_view.keys(), key=str)
            if on_topic.get(key) != in_view.get(key)
        ]
        wrong += [f"event {id_} is on the topic or in the view only" for id_ in self.sent.ids ^ self.ids]
        return wrong + [f"one event under several ids: {sorted(ids)}" for ids in self.sent.torn]

    def differences(self, reference: "Found") -> list[str]:
        """Rows that only one of the two has."""
        found = []
        for view, rows in reference.views.items():
            expected, got = Counter(rows), Counter(self.views[view])
            found += [f"{view} lacks {row}" for row in (expected - got).elements()]
            found += [f"{view} has {row}" for row in (got - expected).elements()]
        return found


# ---- disturbances


@dataclass
class Chaos:
    """A seeded script of disturbances for a world that is being fed."""

    world: World
    rng: random.Random

    def kills(self, count: int, workers: Sequence[int], between: tuple[float, float]) -> None:
        """`kill -9` of random workers at random moments, some right after a commit; each comes back."""
        for _ in range(count):
            time.sleep(self.rng.uniform(*between))
            number = self.rng.choice(workers)
            if self.rng.random() < 1 / 3:
                self.world.until_commit()
            self.world.watch()
            self.world.kill(number)
            time.sleep(self.rng.choice([0, 0, 0.5, 2.5]))
            self.world.start(number)

    def blackouts(self, count: int, between: tuple[float, float]) -> None:
        """`kill -9` of all workers at once; input piles up until they are back."""
        numbers = list(self.world.workers)
        for _ in range(count):
            time.sleep(self.rng.uniform(*between))
            self.world.end()
            self.world.note("kill -9 all")
            for number in numbers:
                self.world.start(number)

    def freezes(self, count: int, workers: Sequence[int], seconds: tuple[float, float]) -> None:
        """Freeze random workers for longer than it takes to be given up."""
        for _ in range(count):
            time.sleep(self.rng.uniform(1, 4))
            self.world.freeze(self.rng.choice(workers), self.rng.uniform(*seconds))

    def handovers(self, count: int) -> None:
        """A second worker takes over; right after the first commit that follows, both are killed."""
        self.world.end()
        self.world.start(0)
        for _ in range(count):
            self.world.until_ready()
            time.sleep(self.rng.uniform(2, 4))
            self.world.start(1)
            self.world.until_regrouped()
            self.world.until_commit()
            self.world.end()
            self.world.note("kill -9 both")
            self.world.start(0)

    def scale(self, numbers: Sequence[int], pause: float) -> None:
        """Go through these counts of workers, a step every `pause` seconds."""
        for count in numbers:
            for number in range(count):
                if number not in self.world.workers:
                    self.world.start(number)
                    time.sleep(pause)
            for number in [n for n in self.world.workers if n >= count]:
                self.world.stop(number)
            time.sleep(pause)
            self.world.watch()

    def restart_broker(self) -> None:
        self.world.note("broker restarts")
        self.world.apache.restart()
        self.world.note("broker is back")
        time.sleep(5)
        self.world.revive("Unable to bootstrap", "Kafka does not answer")

    def clickhouse_gone(self, seconds: float) -> None:
        self.world.note("ClickHouse goes")
        self.world.database.kill()
        time.sleep(seconds)
        self.world.database.start()
        self.world.note("ClickHouse is back")


@contextmanager
def ended(world: World) -> Iterator[World]:
    """The world, whose workers end with the context."""
    try:
        yield world
    finally:
        world.end()


def undisturbed(world: World, lines: Sequence[bytes], rate: float = 4_000, workers: int = 1) -> Found:
    """Feed the lines to workers that nobody disturbs."""
    with ended(world):
        for number in range(workers):
            world.start(number)
        feeder = Feeder(world.apache.broker, lines, rate)
        feeder.start()
        feeder.wait()
        world.note("fed")
        took = world.until_drained()
        world.note(f"drained after another {took:.1f} s")
        return world.found()
