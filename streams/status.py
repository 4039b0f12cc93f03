"""`journeys status`: who works on what, how far behind, and whether anything is left to do.

From the broker alone: the offsets that the two consumer groups have committed, the ends of their topics, the
members of the groups. No worker is asked, so it also answers when none is left.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from streams.embedded import Running, running
from streams.maturity import Phase, in_words
from streams.settings import Settings
from streams.sink.agent import STEP as SINK
from streams.sink.rows import INPUTS as SINK_INPUTS
from streams.topics import TopicsError, connected
from streams.worker import STEPS

SECONDS = 30.0  # for the broker to answer
RETRY_SECONDS = 0.2
MORE_SECONDS = 1.0  # beyond `settle`: between the two samples that must be equal

Offsets = dict[tuple[str, int], int]  # by topic and partition
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Partition:
    """One partition of one step: who has it, how many records are not committed yet."""

    partition: int
    owner: str | None  # member and host; None: nobody
    lag: int
    topics: dict[str, int]  # lag of each topic that has one


@dataclass(frozen=True)
class StepStatus:
    """One step over all its partitions."""

    step: str
    lag: int
    owned: int  # partitions that have an owner
    partitions: list[Partition]


@dataclass(frozen=True)
class Status:
    """All steps. `drained`: every partition has an owner and nothing is left to do anywhere."""

    broker: str
    group: str
    drained: bool
    steps: list[StepStatus]
    owners_known: bool = True  # the embedded broker does not tell them

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class Sample:
    """What the broker says at one moment; `committed` and `owners` by group."""

    ends: Offsets
    begins: Offsets
    committed: dict[str, Offsets]
    owners: dict[str, dict[tuple[str, int], str]]
    owners_known: bool = True


def reads(settings: Settings) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every step: its name, its consumer group, the topics it reads."""
    steps = [(step.name, settings.group, step.inputs) for step in STEPS]
    return [*steps, (SINK, f"{settings.group}-sink", SINK_INPUTS)]


def steps_of(sample: Sample, step_inputs: Iterable[tuple[str, str, tuple[str, ...]]]) -> list[StepStatus]:
    """The sample by step and partition.

    A topic of which nothing was ever committed is read from its beginning.
    """
    found: list[StepStatus] = []
    for step, group, inputs in step_inputs:
        committed, owners = sample.committed[group], sample.owners[group]
        count = 1 + max(partition for topic, partition in sample.ends if topic in inputs)
        partitions: list[Partition] = []
        for partition in range(count):
            lags = {}
            for topic in inputs:
                at = topic, partition
                lags[topic] = sample.ends[at] - committed.get(at, sample.begins[at])
            holders = {owners.get((topic, partition)) for topic in inputs}
            owner = holders.pop() if len(holders) == 1 else None  # a step's topics belong together
            late = {topic: lag for topic, lag in lags.items() if lag}
            partitions.append(Partition(partition, owner, sum(lags.values()), late))
        lag = sum(partition.lag for partition in partitions)
        owned = sum(partition.owner is not None for partition in partitions)
        found.append(StepStatus(step, lag, owned, partitions))
    return found


def idle(steps: Iterable[StepStatus]) -> bool:
    """Whether every partition has an owner and no lag."""
    return all(
        partition.owner is not None and not partition.topics
        for step in steps
        for partition in step.partitions
    )


def status(settings: Settings) -> Status:
    """Ask the broker, twice where it may be drained. Raises TopicsError."""
    logging.getLogger("kafka.admin").setLevel(logging.ERROR)  # it warns that it cannot read Faust's metadata
    step_inputs = reads(settings)
    with connected(settings.broker) as admin:
        first = take(admin, step_inputs)
        steps = steps_of(first, step_inputs)
        drained = False
        if idle(steps):
            # A joined account is told only after `settle`, from offsets committed before.
            time.sleep(settings.settle_seconds + MORE_SECONDS)
            second = take(admin, step_inputs)
            steps = steps_of(second, step_inputs)
            drained = idle(steps) and (first.ends, first.committed) == (second.ends, second.committed)
    return Status(settings.broker, settings.group, drained, steps, first.owners_known)


def take(admin: Any, step_inputs: Iterable[tuple[str, str, tuple[str, ...]]]) -> Sample:
    """One sample. Committed offsets are asked for before the ends: what seems done is done."""
    step_inputs = list(step_inputs)
    groups = sorted({group for _, group, _ in step_inputs})
    topics = sorted({topic for _, _, inputs in step_inputs for topic in inputs})
    described = {topic["name"]: topic for topic in admin.describe_topics(topics)}
    missing = [name for name in topics if described.get(name, {"error_code": -1})["error_code"]]
    if missing:
        raise TopicsError(f"topics are missing: {', '.join(missing)}; create them with `journeys topics`")
    tps = [TopicPartition(name, n) for name in topics for n in range(len(described[name]["partitions"]))]
    committed = {
        group: {(tp.topic, tp.partition): at.offset for tp, at in offsets.items() if at.offset >= 0}
        for group, offsets in _asked(lambda: admin.list_group_offsets(groups)).items()
    }
    members = _members(admin, groups)
    owners = {group: _owners(told) for group, told in (members or {}).items()}
    return Sample(
        ends=_offsets(admin, tps, OffsetSpec.LATEST),
        begins=_offsets(admin, tps, OffsetSpec.EARLIEST),
        committed={group: committed.get(group, {}) for group in groups},
        owners={group: owners.get(group, {}) for group in groups},
        owners_known=members is not None,
    )


def _members(admin: Any, groups: list[str]) -> dict[str, Any] | None:
    """The groups as the broker describes them; None: the embedded broker tells them unreadably."""
    try:
        described: dict[str, Any] = _asked(lambda: admin.describe_groups(groups))
    except ValueError:
        return None
    return described


def _asked(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is somebody to answer: a broker that has just started looks for coordinators first."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
            time.sleep(RETRY_SECONDS)


def _offsets(admin: Any, tps: list[TopicPartition], spec: Any) -> Offsets:
    told = admin.list_partition_offsets(dict.fromkeys(tps, spec))
    return {(tp.topic, tp.partition): at.offset for tp, at in told.items()}


def _owners(described: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    """Of each topic-partition the member that has it; nobody while the group forms anew."""
    owners: dict[tuple[str, int], str] = {}
    for member in described["members"]:
        assignment = member["member_assignment"]
        if not assignment:
            continue
        name = f"{member['member_id']}@{member['client_host'].removeprefix('/')}"
        for topic in assignment["assigned_partitions"]:
            owners |= dict.fromkeys(((topic["topic"], n) for n in topic["partitions"]), name)
    return owners


@dataclass(frozen=True)
class Embedded:
    """What is known of an embedded stack without asking its broker, whose answers lie."""

    data_dir: Path
    running: Running | None

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        found = self.running
        return {"data_dir": str(self.data_dir), "running": None if found is None else asdict(found)}


def embedded(data_dir: Path) -> Embedded:
    """The embedded stack on `data_dir`, as its `stack.json` tells."""
    return Embedded(data_dir, running(data_dir))


def show(told: Status | Embedded, maturity: tuple[Phase, ...] | None = None) -> None:
    """The answer for people; `maturity`: what there is enough data for, where that is known."""
    if isinstance(told, Embedded):
        for line in _in_words(told):
            Console().print(line, soft_wrap=True)
    else:
        _show(told)
    if maturity is not None:
        Console().print(f"maturity: {in_words(maturity)}", soft_wrap=True)


def _show(told: Status) -> None:
    table = Table("step", "partitions", "lag", "owners", box=None)
    for step in told.steps:
        owners: dict[str, list[int]] = {}
        for partition in step.partitions:
            nobody = "nobody" if told.owners_known else "unknown"
            owners.setdefault(partition.owner or nobody, []).append(partition.partition)
        held = "\n".join(f"{name}: {ranges(numbers)}" for name, numbers in owners.items())
        table.add_row(step.step, str(len(step.partitions)), f"{step.lag:,}", held)
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    if told.owners_known:
        console.print("drained: nothing is left to do" if told.drained else "not drained")
    else:
        console.print("this broker does not tell who works on what, nor, so, whether all is drained")


def _in_words(told: Embedded) -> list[str]:
    found = told.running
    if found is None:
        return [f"nothing runs on {told.data_dir}"]
    return [
        f"process {found.pid} runs on {told.data_dir}, generation {found.generation}",
        f"Kafka: {found.kafka or 'not started'}; ClickHouse: {found.clickhouse or 'not started'}",
    ]


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers in few characters.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
