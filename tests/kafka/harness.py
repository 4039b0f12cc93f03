"""Workers on Apache Kafka and ClickHouse that are killed, scaled and cut off while events come in.

A `World` is one deployment with its own topics, database and worker processes; the same lines fed to two
worlds stand at the same partitions and offsets. `World.found()` is everything that can be seen of it from
outside, folded, so that a disturbed world can be compared with an undisturbed one, row for row.
"""

import itertools
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import found
from apache_kafka import ApacheKafka
from found import PARTITIONS, Found
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from streams import clickhouse, topics
from streams.children import Child
from streams.embedded import free_port, pings
from streams.run import as_output
from streams.settings import Settings
from streams.status import Sample, reads, status, steps_of, take
from streams.summary import STATEFUL
from streams.topics import TopicsError

BLOCK = 20  # consecutive lines that go to one partition, of the topic that each names
SETTLE_SECONDS = 0.5
SESSION_SECONDS = 2
FORGOTTEN_SECONDS = 20  # after which the sinks have heard of each other's erasures: they ask every 5 s
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
                topic, partition, key, value, headers = as_output(line, number % PARTITIONS)
                sent.append(producer.send(topic, value, key, list(headers), partition))
            self.fed = min(start + BLOCK, len(self.lines))
            ahead = self.fed / self.rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
        producer.flush(timeout=300)
        for one in sent:
            one.get(timeout=1)
        producer.close()


class World:
    """One deployment. `command` is how a worker is started; `extra` adds to its environment; `gone` are the
    identifiers of which nothing is to be left at the end.
    """

    def __init__(
        self,
        apache: ApacheKafka,
        database: Database,
        folder: Path,
        name: str,
        command: Sequence[str] = WORKER,
        extra: dict[str, str] | None = None,
        gone: Sequence[str] = (),
    ) -> None:
        self.apache = apache
        self.database = database
        self.name = name
        self.gone = gone
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

    def found(self) -> Found:
        """Everything that can be seen, once what is erased is nowhere any more (or ought not to be)."""
        deadline = time.monotonic() + FORGOTTEN_SECONDS
        while left := found.remains(self.dsn, self.apache.broker, self.name, self.gone):
            if time.monotonic() > deadline:
                break
            self.watch()
            time.sleep(1)
        self.note(f"{len(left)} traces of who is erased")
        return found.look(self.dsn, self.apache.broker, left)


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
