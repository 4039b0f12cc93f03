"""A Kafka, consumer groups and workers in one process, driven by one seeded random number generator.

The sessions are the real ones (`streams.session`) around the real steps; what is simulated is what surrounds
them: the broker, the changelogs, the group's offsets and the order in which effects happen. A worker's life
is a generator of effects; between any two of them the scheduler may crash it, give its partition to another
(it then goes on as a zombie whose commits are refused), compact a log or let somebody else go first.

Only `Session`, `Step` and the messages are shared with the product. Where the shell decides something
(`streams.runner`, `streams.store.KafkaLog`), this file says the same in a few lines.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from schemas import topics
from schemas.keys import hasher
from streams.core import Output, Record, Step, StepConfig
from streams.session import CLAIM, FencedError, Session, Work, pack_version, unpack_version
from tests.simulation.builds import (
    CountsTwice,
    ForgetsNobody,
    HandsOverOnArrival,
    HearsNothing,
    NotErased,
    NotRestated,
    NotTakenBack,
    NumbersLetters,
)

NOW_MS = 1_767_225_600_000  # 2026-01-01: where the wall clock of a run begins, unless it is told otherwise
REST_MS, RESTS = 1_500, 5  # live: so often and so long nothing comes, at rest; `settle_ms` is 2,000
COMPACTED = frozenset(topic.name for topic in topics.ALL if topic.compacted)


@dataclass(frozen=True)
class Build:
    """How the shell orders its effects; everything but the default is broken on purpose."""

    order: tuple[str, ...] = ("rows", "outputs", "done")
    closed_commits: bool = False  # a closed session's batches still count as done
    last_row_wins: bool = False  # recovery believes the last row of a key, not the highest version
    confirms: bool = True  # a claim counts only once the session could still commit
    looks: bool = True  # looks for strangers' rows behind its claim
    owes: bool = True  # sends again, after recovery, what the newest rows owe
    steps: tuple[type[Step], ...] = ()  # in the place of those of the same name


RIGHT = Build()
BROKEN = {
    "outputs before the state is safe": Build(order=("outputs", "rows", "done")),
    "commit ahead of the outputs": Build(order=("rows", "done", "outputs")),
    "a session's work counts after it closed": Build(closed_commits=True),
    "the last row wins": Build(last_row_wins=True),
    "claims are not confirmed": Build(confirms=False),
    "strangers' rows stay": Build(looks=False),
    "nothing is owed after a crash": Build(owes=False),
    "what is left after an erasure is not told again": Build(steps=(NotRestated,)),
    "who was seen with the erased is not forgotten": Build(steps=(ForgetsNobody,)),
    "the erased come again": Build(steps=(NotErased,)),
    "what had been told before a merge is not heard": Build(steps=(HearsNothing,)),
    "hand-offs are made by arrival": Build(steps=(HandsOverOnArrival,)),
    "outcomes count as often as they come": Build(steps=(CountsTwice,)),
    "letters have other numbers each time": Build(steps=(NumbersLetters,)),
    "what only a zombie handed over stays": Build(steps=(NotTakenBack,)),
}


@dataclass(frozen=True)
class Chaos:
    """Chances per effect (crash … compact) or per occasion (the others)."""

    crash: float = 0.01
    move: float = 0.01
    compact: float = 0.02
    pieces: float = 0.4  # a send happens in several pieces
    again: float = 0.1  # its acknowledgement is lost: all of it is sent again
    commit: float = 0.4  # a commit follows a batch
    look: float = 0.3  # a look for strangers comes before a batch
    idle: float = 0.03  # a step hears that time has passed, though it is busy
    cut: float = 0.7  # a chunk is cut somewhere; 0: every batch is all there is, of all topics

    @staticmethod
    def drawn(rng: random.Random) -> "Chaos":
        """One of several climates: quiet, stormy, mostly crashes, mostly moves."""
        crash = rng.choice((0.005, 0.02, 0.06))
        move = rng.choice((0.005, 0.02, 0.06))
        return Chaos(
            crash=crash,
            move=move,
            compact=rng.choice((0.0, 0.02, 0.1)),
            pieces=rng.choice((0.2, 0.6)),
            again=rng.choice((0.0, 0.15)),
            commit=rng.choice((0.1, 0.4, 0.9)),
            look=rng.choice((0.1, 0.5)),
        )


CALM = Chaos(crash=0, move=0, compact=0, pieces=0, again=0, commit=1, look=1, idle=0, cut=0)


class Log:
    """One partition: an append-only list whose index is the offset; compacted entries become None."""

    __slots__ = ("entries", "gone", "looked")

    def __init__(self) -> None:
        self.entries: list[Record | None] = []
        self.gone: list[Record] = []  # what compaction took away
        self.looked = 0  # compaction lag: up to here the owner has looked and answered

    def append(self, output: Output, timestamp: int) -> int:
        """The record's offset."""
        offset = len(self.entries)
        self.entries.append(
            Record(
                output.topic, output.partition, offset, timestamp, output.key, output.value, output.headers
            )
        )
        return offset

    def rows(self, first: int, last: int) -> list[tuple[bytes, bytes]]:
        """Keys and values between two offsets, both included; claims with their offset as the epoch."""
        found = [entry for entry in self.entries[first : last + 1] if entry is not None]
        return [(entry.key or b"", _row_value(entry)) for entry in found]

    def compact(self, end: int) -> None:
        """Keep the last record per key of those before `end`."""
        seen: set[bytes | None] = set()
        for offset in range(end - 1, -1, -1):
            entry = self.entries[offset]
            if entry is None:
                continue
            if entry.key in seen:
                self.entries[offset] = None
                self.gone.append(entry)
            seen.add(entry.key)


def _row_value(entry: Record) -> bytes:
    value = entry.value or b""
    if entry.key != CLAIM:
        return value
    generation, _, seq = unpack_version(value)
    return pack_version(generation, entry.offset, seq)


class KafkaRows:
    """A changelog as `streams.store.KafkaLog` sees it."""

    drained = None

    def __init__(self, log: Log) -> None:
        self._log = log
        self._claimed = -1
        self._seen = 0
        self._began = 0

    @property
    def foreign_end(self) -> bool:
        """Whether there is anything behind what we know."""
        return len(self._log.entries) > self._seen

    def claim(self, generation: int) -> int:
        self._claimed = self._log.append(Output("", 0, CLAIM, pack_version(generation, 0, 0)), NOW_MS)
        self._seen = self._claimed + 1
        return self._claimed

    def read(self) -> list[tuple[bytes, bytes]]:
        return self._log.rows(0, self._claimed)

    def begin(self) -> None:
        """The rows of one work follow, in one or several pieces."""
        self._began = 0

    def append(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in rows:
            self._log.append(Output("", 0, key, value), NOW_MS)
        self._began += len(rows)

    def appended(self) -> None:
        """All of them are acknowledged."""
        if len(self._log.entries) == self._seen + self._began:
            self._seen += self._began

    def foreign(self) -> list[tuple[bytes, bytes]]:
        rows = self._log.rows(self._seen, len(self._log.entries))
        self._seen = len(self._log.entries)
        return rows

    def answered(self) -> None:
        """What was found by the last look has been answered: older rows may be compacted."""
        self._log.looked = max(self._log.looked, self._seen)


class DiskRows:
    """A changelog as `streams.store.DiskLog` keeps it: one value per key, a work in one transaction."""

    foreign_end = False

    def __init__(self, disk: dict[bytes, bytes], claims: list[int], drained: int) -> None:
        self._disk = disk
        self._claims = claims
        self.drained = pack_version(drained + 1, 0, 0)

    def claim(self, generation: int) -> int:  # noqa: ARG002
        self._claims.append(len(self._claims) + 1)
        return self._claims[-1]

    def read(self) -> list[tuple[bytes, bytes]]:
        return list(self._disk.items())

    def begin(self) -> None:
        """Nothing: a transaction has one piece."""

    def append(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        self._disk.update(rows)

    def appended(self) -> None:
        """Nothing."""

    def foreign(self) -> list[tuple[bytes, bytes]]:
        return []

    def answered(self) -> None:
        """Nothing."""


@dataclass
class Broker:
    """Topics and the group's offsets: what an embedded broker forgets."""

    logs: dict[tuple[str, int], Log] = field(default_factory=dict)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)

    def log(self, topic: str, partition: int) -> Log:
        found = self.logs.get((topic, partition))
        if found is None:
            found = self.logs[topic, partition] = Log()
        return found

    def records(self, topic: str) -> Iterator[Record]:
        """All that a topic has ever had: readers outside, ClickHouse among them, read before compaction.

        One who begins later may find that a zombie's older row was written last (docs/simulation.md).
        """
        for (name, _), log in sorted(self.logs.items()):
            if name == topic:
                yield from log.gone
                yield from (entry for entry in log.entries if entry is not None)


class Worker:
    """One session of one (step, partition), and the effects it has still to do."""

    def __init__(self, world: "World", step: type[Step], partition: int, number: int) -> None:
        self.world = world
        self.partition = partition
        self.name = f"{step.name}[{partition}]#{number}"
        self.step = step
        self.closed = False  # the group has given the partition to another session
        self.effects_left = 0  # of a zombie
        self.frozen_until = 0  # a zombie's next effect comes when the world has had so many
        self.idle = False
        self.due = False  # it is to hear that time has passed
        self._logs = {topic: world.broker.log(topic, partition) for topic in step.inputs}
        self.position = {t: world.broker.committed.get((t, partition), 0) for t in step.inputs}
        self._acked = dict(self.position)
        config = replace(world.config, partition=partition, generation=world.generation)
        self.session = Session(step(config), world.generation, partition)
        self._rows = world.changelog(step.name, partition) if step.stateful else None
        self.life = self._life()

    def lag(self) -> bool:
        """Whether there are records that it has not fetched."""
        return any(self.position[topic] < len(log.entries) for topic, log in self._logs.items())

    @property
    def ready(self) -> bool:
        """Whether it can do something."""
        return (
            not self.idle
            or self.due
            or self.lag()
            or (self._rows is not None and self._rows.foreign_end and self.looks)
        )

    @property
    def looks(self) -> bool:
        return self.world.build.looks

    def _life(self) -> Iterator[str]:
        yield "begins"
        if self._rows is None:
            self.session.recovered([])
        else:
            yield from self._recover(self._rows)
        while True:
            try:
                yield from self._answer_strangers()
            except FencedError:
                return
            chunks = self._fetch()
            records = [record for chunk in chunks for record in chunk]
            if not records and (self.due or self.world.chance(self.world.chaos.idle)):
                self.due = False
                work = self.session.work([], self.world.now)
                yield f"time has passed: {len(work.rows)} rows, {len(work.outputs)} outputs"
                yield from self._work(work, [])
            elif not records:
                self.idle = True
                yield "waits"
                self.idle = False
            else:
                work = self.session.work(records, self.world.now)
                yield f"worked on {len(records)} records: {len(work.rows)} rows, {len(work.outputs)} outputs"
                yield from self._work(work, chunks)

    def _recover(self, rows: KafkaRows | DiskRows) -> Iterator[str]:
        self.session.claimed(rows.claim(self.world.generation))
        yield f"claims, epoch {self.session.epoch}"
        while self.closed and self.world.build.confirms:
            yield "confirms, refused"
        entries = rows.read()
        if self.world.build.last_row_wins:
            entries = list(dict(entries).items())
        first = self.session.recovered(entries, rows.drained)
        yield f"recovers {len(entries)} rows, owes {len(first.rows)} rows and {len(first.outputs)} outputs"
        yield from self._keep(first)
        if self.world.build.owes:
            yield from self._send(first.outputs)
        self.session.sent(first)

    def _answer_strangers(self) -> Iterator[str]:
        rows = self._rows
        if rows is None or not rows.foreign_end or not self.looks:
            return
        if self.lag() and not self.world.chance(self.world.chaos.look):
            return
        answer = self.session.strangers(rows.foreign())
        if answer is not None:
            yield f"answers strangers: {len(answer.rows)} rows"
            yield from self._keep(answer)
            yield from self._send(answer.outputs)
            self.session.sent(answer)
        if not self.closed:
            rows.answered()

    def _fetch(self) -> list[list[Record]]:
        """A few chunks of any topics, cut anywhere: what one work gets."""
        rng, cut = self.world.rng, self.world.chaos.cut
        chunks = []
        for _ in range(rng.choice((1, 1, 2, 3)) if cut else len(self._logs)):
            behind = [topic for topic, log in self._logs.items() if self.position[topic] < len(log.entries)]
            if not behind:
                break
            topic = rng.choice(behind)
            entries = self._logs[topic].entries
            start = self.position[topic]
            size = len(entries) - start
            if self.world.chance(cut):
                size = rng.randint(1, min(size, 8))
            self.position[topic] = start + size
            chunks.append([entry for entry in entries[start : start + size] if entry is not None])
        return [chunk for chunk in chunks if chunk]

    def _work(self, work: Work, chunks: list[list[Record]]) -> Iterator[str]:
        """The effects of one work in the order of the build."""
        for effect in self.world.build.order:
            if effect == "rows":
                yield from self._keep(work)
            elif effect == "outputs":
                yield from self._send(work.outputs)
                self.session.sent(work)
            else:
                yield from self._done(chunks)

    def _keep(self, work: Work) -> Iterator[str]:
        rows = self._rows
        if rows is None or not work.rows:
            return
        rows.begin()
        atomic = isinstance(rows, DiskRows)
        while True:
            left = work.rows
            while left:
                size = len(left)
                if not atomic and size > 1 and self.world.chance(self.world.chaos.pieces):
                    size = self.world.rng.randint(1, size)
                rows.append(left[:size])
                left = left[size:]
                yield f"kept {size} rows"
            if not self.world.chance(self.world.chaos.again):
                break
        rows.appended()

    def _send(self, outputs: Sequence[Output]) -> Iterator[str]:
        """In order within a partition, in any order between them, in one or several pieces."""
        if not outputs:
            return
        world = self.world
        while True:
            queues: dict[tuple[str, int], list[Output]] = {}
            for output in outputs:
                queues.setdefault((output.topic, output.partition), []).append(output)
            if world.chance(1 - world.chaos.pieces):
                for queue in queues.values():
                    world.append(queue)
                yield f"sent {len(outputs)} outputs"
            else:
                yield from self._send_pieces(queues)
            if not world.chance(world.chaos.again):
                return

    def _send_pieces(self, queues: dict[tuple[str, int], list[Output]]) -> Iterator[str]:
        while queues:
            where = self.world.rng.choice(list(queues))
            queue = queues[where]
            size = self.world.rng.randint(1, len(queue))
            self.world.append(queue[:size])
            queues[where] = queue[size:]
            if not queues[where]:
                del queues[where]
            yield f"sent {size} outputs to {where[0]}[{where[1]}]"

    def _done(self, chunks: list[list[Record]]) -> Iterator[str]:
        for chunk in chunks:
            self._acked[chunk[-1].topic] = chunk[-1].offset + 1
        if self.world.chance(self.world.chaos.commit):
            yield self.commit()

    def commit(self) -> str:
        """Commit what is done; the group refuses a closed session's."""
        if self.closed and not self.world.build.closed_commits:
            return "commits, refused"
        committed = self.world.broker.committed
        for topic, offset in self._acked.items():
            key = (topic, self.partition)
            committed[key] = max(committed.get(key, 0), offset)
        return f"commits {self._acked}"


class World:
    """The broker, a session per (step, partition), zombies, and the scheduler."""

    def __init__(
        self,
        steps: Sequence[type[Step]],
        rng: random.Random,
        partitions: int = 3,
        build: Build = RIGHT,
        *,
        disk: bool = False,
        live: bool = False,
        now: int = NOW_MS,
        anonymous: bool = False,
        trace: list[str] | None = None,
    ) -> None:
        others = {step.name: step for step in build.steps}
        self.steps = [others.get(step.name, step) for step in steps]
        self.rng = rng
        self.build = build
        self.trace = trace
        self.generation = 0
        self.anonymous = anonymous  # after its first person an anonymous touch of a device is nobody's
        policy = {"device_policy": "anonymous" if anonymous else "last_known"}
        self.config = StepConfig(0, partitions, 0, hasher("simulation"), live=live, settings=policy)
        self.now = now  # wall time, ms; live it goes on
        self.chaos = CALM
        self.broker = Broker()
        self.disk: dict[tuple[str, int], dict[bytes, bytes]] | None = {} if disk else None
        self._claims: dict[tuple[str, int], list[int]] = {}
        self.drained = -1  # the last generation that ended with nothing left to do
        self.archive: list[Output] = []  # what readers outside have read of a broker that is gone
        self.inputs: deque[Output] = deque()
        self.crashes = 0
        self.moves = 0
        self.effects = 0
        self._number = 0
        self.owners: dict[tuple[str, int], Worker] = {}
        self.zombies: list[Worker] = []

    # ---- what workers use

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    def append(self, outputs: Iterable[Output]) -> None:
        """The broker takes records."""
        for output in outputs:
            self.broker.log(output.topic, output.partition).append(output, self.now)

    def changelog(self, step: str, partition: int) -> KafkaRows | DiskRows:
        """The changelog of (step, partition) for one session."""
        if self.disk is None:
            return KafkaRows(self.broker.log(topics.changelog("g", step).name, partition))
        where = (step, partition)
        return DiskRows(self.disk.setdefault(where, {}), self._claims.setdefault(where, []), self.drained)

    def feed(self, outputs: Iterable[Output]) -> None:
        """Records that arrive from outside, little by little."""
        self.inputs.extend(outputs)

    # ---- the scheduler

    def run(self, chaos: Chaos, at_most: int = 2_000, *, stop: bool = False) -> None:
        """Until nothing is left to do; after `at_most` effects the chaos ends, or (`stop`) the run does."""
        self.chaos = chaos
        self._assign()
        began, rests = self.effects, 0
        while True:
            if self.inputs and (not self.chaos.cut or self.chance(0.1)):
                self._feed()
            ready = self._ready()
            if not ready:
                if self.inputs:
                    self._feed()
                elif any(zombie.ready for zombie in self.zombies):
                    self._thaw()
                elif self.config.live and rests < RESTS:
                    rests += 1
                    self._rest()
                else:
                    return
                continue
            self._effect(self.rng.choice(ready))
            self.effects += 1
            if self.effects == began + at_most:
                if stop:
                    return
                self.chaos = CALM
            elif self.effects > began + at_most + 50_000:
                raise AssertionError("it never comes to rest")

    def _ready(self) -> list[Worker]:
        awake = [zombie for zombie in self.zombies if zombie.frozen_until <= self.effects]
        return [worker for worker in (*self.owners.values(), *awake) if worker.ready]

    def _thaw(self) -> None:
        for zombie in self.zombies:
            zombie.frozen_until = 0

    def _rest(self) -> None:
        """Nothing comes for a while; everybody hears of it."""
        self.now += REST_MS
        for worker in self.owners.values():
            worker.due = True

    def _feed(self) -> None:
        size = len(self.inputs) if not self.chaos.cut else self.rng.randint(1, 6)
        for _ in range(min(len(self.inputs), size)):
            self.append([self.inputs.popleft()])

    def _assign(self) -> None:
        for step in self.steps:
            for partition in range(self.config.partitions):
                if (step.name, partition) not in self.owners:
                    self._open(step, partition)

    def _open(self, step: type[Step], partition: int) -> None:
        self._number += 1
        self.owners[step.name, partition] = Worker(self, step, partition, self._number)

    def _effect(self, worker: Worker) -> None:
        if self.config.live:
            self.now += self.rng.randint(0, 60)
        what = next(worker.life, None)
        if self.trace is not None:
            self.trace.append(
                f"{worker.name}{' (zombie)' if worker.closed else ''}: {what or 'fenced, ends'}"
            )
        if what is None:
            if not worker.closed and self.build.confirms:
                raise AssertionError(f"{worker.name}: the owner was fenced")
            self._crash(worker)
            return
        if worker.closed:
            worker.effects_left -= 1
            if worker.effects_left <= 0:
                self._crash(worker)
            return
        luck = self.rng.random()
        chaos = self.chaos
        if luck < chaos.crash:
            self.crashes += 1
            self._crash(worker)
        elif luck < chaos.crash + chaos.move:
            if self.disk is None:  # one process owns the data directory
                self._move(worker)
        elif luck < chaos.crash + chaos.move + chaos.compact:
            self._compact()

    def crash_all(self) -> None:
        """Every owner crashes, and no zombie is left."""
        for worker in (*self.zombies, *self.owners.values()):
            self._crash(worker)

    def _crash(self, worker: Worker) -> None:
        """Its memory is gone; what it appended remains."""
        self._say(f"{worker.name}: is gone")
        worker.life.close()  # type: ignore[attr-defined]
        if worker.closed:
            self.zombies.remove(worker)
        else:
            self._open(worker.step, worker.partition)

    def _move(self, worker: Worker) -> None:
        """The partition goes to another session; the old one has not noticed yet."""
        self.moves += 1
        if self.chance(0.5):
            self._say(f"{worker.name}: {worker.commit()}")
        self._say(f"{worker.name}: becomes a zombie")
        worker.closed = True
        worker.effects_left = self.rng.choice((1, 3, 10, 40))
        worker.frozen_until = self.effects + self.rng.choice((0, 30, 150, 500))
        self.zombies.append(worker)
        self._open(worker.step, worker.partition)

    def _compact(self) -> None:
        """Compact one log, as far as its lag allows: owners have looked, readers inside have read."""
        (topic, partition), log = self.rng.choice(list(self.broker.logs.items()))
        if topic.endswith("-changelog"):
            end = log.looked if self.build.looks else len(log.entries)  # it does not wait for who never looks
        elif topic in COMPACTED:
            end = self.broker.committed.get((topic, partition), 0)
        else:
            return
        self._say(f"compaction of {topic}[{partition}] up to {end}")
        log.compact(end)

    def _say(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(what)

    # ---- the embedded broker

    def restart(self, *, clean: bool) -> None:
        """The process ends and begins again with an empty broker; only what is on disk stays.

        Readers outside have read everything when the end was clean, else each partition up to somewhere.
        """
        self._say(f"restart, {'clean' if clean else 'killed'}")
        if clean:
            self.drained = self.generation
        for (topic, partition), log in self.broker.logs.items():
            end = len(log.entries) if clean else self.rng.randint(0, len(log.entries))
            self.archive += [
                Output(topic, partition, entry.key, entry.value, entry.headers)
                for entry in (*log.gone, *log.entries[:end])
                if entry is not None
            ]
        for worker in (*self.owners.values(), *self.zombies):
            worker.life.close()  # type: ignore[attr-defined]
        self.owners, self.zombies = {}, []
        self.inputs.clear()
        self.broker = Broker()
        self.generation += 1

    # ---- what can be seen at the end

    def seen(self, topic: str) -> Iterator[Output]:
        """Everything that a reader outside has read of a topic, over all generations."""
        yield from (output for output in self.archive if output.topic == topic)
        for record in self.broker.records(topic):
            yield Output(record.topic, record.partition, record.key, record.value, record.headers)

    def state(self, step: str) -> Mapping[tuple[int, bytes], bytes]:
        """(partition, row key) -> value without its version, of the rows that the owners hold."""
        found = {}
        for (name, partition), worker in self.owners.items():
            if name == step:
                rows = worker.session.rows
                for group in rows.groups():
                    for member, value in rows.group(group).items():
                        found[partition, group + member] = value
        return found
