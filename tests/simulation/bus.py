"""The steps of the product around logs in one process, driven one effect at a time by whoever tests them.

Simpler than `world`: one partition, no zombies, no compaction; a session per step, which can crash.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from schemas import topics
from schemas.keys import hasher
from streams.core import Output, Record, Step, StepConfig
from streams.session import CLAIM, Session, Work, pack_version

NOW_MS = 1_767_225_600_000  # 2026-01-01


class Process:
    """One step: its changelog, its offsets, and a session that may crash between any two effects."""

    def __init__(self, bus: "Bus", step: type[Step]) -> None:
        self.bus = bus
        self.step = step
        self.changelog: list[tuple[bytes, bytes]] = []
        self.committed = dict.fromkeys(step.inputs, 0)
        self._life: Iterator[None] | None = None
        self.restart()

    def restart(self) -> None:
        """What was in memory is gone."""
        self.session = Session(self.step(self.bus.config), 0, 0)
        self.position = dict(self.committed)
        self._life = None
        if not self.step.stateful:
            self.session.recovered([])
            return
        epoch = len(self.changelog)
        self.changelog.append((CLAIM, pack_version(0, epoch, 0)))
        self.session.claimed(epoch)
        owed = self.session.recovered(self.changelog)
        self._run(self._answer(owed if self.bus.owes else Work(owed.version, owed.rows)))

    @property
    def behind(self) -> dict[str, int]:
        """How many records of each topic it has not fetched."""
        return {
            topic: lag
            for topic, position in self.position.items()
            if (lag := len(self.bus.log(topic)) - position)
        }

    @property
    def busy(self) -> bool:
        return self._life is not None

    def deliver(self, most: int, effects: int | None = None) -> None:
        """Work on at most so many records of each topic, unless it is busy; so many effects (None: all)."""
        life = self._life if self._life is not None else self._batch(self._fetch(most))
        self._life = life
        left = effects
        while left is None or left:
            if next(life, life) is life:
                self._life = None
                return
            left = None if left is None else left - 1

    def _fetch(self, most: int) -> list[Record]:
        found = []
        for topic, lag in self.behind.items():
            start = self.position[topic]
            self.position[topic] = start + min(most, lag)
            found += self.bus.log(topic)[start : self.position[topic]]
        return found

    def _batch(self, records: Sequence[Record]) -> Iterator[None]:
        """The effects of a batch, in their order."""
        if records:
            done = dict(self.position)
            yield from self._answer(self.session.work(records, NOW_MS))
            self.committed = done
            yield

    def _answer(self, work: Work) -> Iterator[None]:
        for row in work.rows:
            self.changelog.append(row)
            yield
        for output in work.outputs:
            self.bus.send(output)
            yield
        self.session.sent(work)

    def _run(self, life: Iterator[None]) -> None:
        for _ in life:
            pass


class Bus:
    """The topics, one partition each, and a process per step."""

    def __init__(self, steps: Sequence[type[Step]], *, anonymous: bool, owes: bool = True) -> None:
        self.owes = owes  # after a crash what is owed is sent again
        self.anonymous = anonymous
        policy = {"device_policy": "anonymous" if anonymous else "last_known"}
        self.config = StepConfig(0, 1, 0, hasher("simulation"), live=False, settings=policy)
        self._logs: dict[str, list[Record]] = {}
        self.processes = {step.name: Process(self, step) for step in steps}

    def log(self, topic: str) -> list[Record]:
        return self._logs.setdefault(topic, [])

    def send(self, output: Output) -> None:
        """The broker takes a record."""
        log = self.log(output.topic)
        log.append(Record(output.topic, 0, len(log), NOW_MS, output.key, output.value, output.headers))

    def again(self, topic: str, start: int, size: int) -> None:
        """Records come again."""
        for record in self.log(topic)[start : start + size]:
            self.send(Output(topic, 0, record.key, record.value, record.headers))

    def reorder(self, topic: str, shuffle: Callable[[list[Record]], None]) -> None:
        """What nobody has fetched yet comes in another order."""
        log = self.log(topic)
        readers = [process for process in self.processes.values() if topic in process.position]
        start = max((process.position[topic] for process in readers), default=0)
        left = log[start:]
        shuffle(left)
        log[start:] = [record._replace(offset=start + n) for n, record in enumerate(left)]

    def rest(self) -> None:
        """Until nothing is left to do."""
        while any(process.behind or process.busy for process in self.processes.values()):
            for process in self.processes.values():
                process.deliver(1_000)

    def drain(self, at: int, number: int) -> None:
        """The end of the input, and rest."""
        value = b'{"at":%d,"drain":%d}' % (at, number)
        self.send(Output(topics.CLOCK.name, 0, None, value))
        self.rest()

    # ---- what can be seen at the end

    def seen(self, topic: str) -> Iterator[Output]:
        """Everything that was ever said on a topic."""
        for record in self.log(topic):
            yield Output(record.topic, record.partition, record.key, record.value, record.headers)

    def state(self, step: str) -> Mapping[tuple[int, bytes], bytes]:
        """(0, row key) -> value, of the rows that a step holds."""
        rows = self.processes[step].session.rows
        return {
            (0, group + member): value
            for group in rows.groups()
            for member, value in rows.group(group).items()
        }
