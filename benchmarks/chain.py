"""The pure steps in a row, in one process and one partition, with what each costs."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from time import process_time

from schemas import topics
from schemas.keys import hasher
from streams.core import Output, Record, Rows, Step, StepConfig
from streams.fragments.step import Fragments
from streams.identity.step import Identity
from streams.ingest.step import Ingest
from streams.journeys.step import Journeys
from streams.session import pack_version

BATCH = 1_000  # records that a step takes at once
SETTLE_MS = 2_000
BEGIN_MS = 1_764_547_200_000  # wall time at the start; it moves a second a batch

CONFIG = StepConfig(0, 1, 1, hasher("bounds"), tick_ms=10**12, settle_ms=SETTLE_MS)
STEPS = (Ingest, Fragments, Identity, Journeys)


@dataclass
class Cost:
    """Of one step so far."""

    records: int = 0
    outputs: int = 0
    cpu: float = 0.0  # seconds
    longest: float = 0.0  # of one batch
    largest_row: int = 0  # bytes
    largest_output: int = 0


@dataclass
class Link:
    """One step with its rows."""

    step: Step
    rows: Rows = field(default_factory=Rows)
    waiting: deque[Record] = field(default_factory=deque)
    cost: Cost = field(default_factory=Cost)


class Chain:
    """INGEST, FRAGMENTS, IDENTITY and JOURNEYS, as they run live."""

    def __init__(self) -> None:
        self.links = {kind.name: Link(kind(CONFIG)) for kind in STEPS}
        self.now = BEGIN_MS
        self.seq = 0
        for link in self.links.values():
            link.step.recovered(link.rows)

    def reset(self) -> None:
        """Count from here."""
        for link in self.links.values():
            link.cost = Cost()

    def cost(self, name: str) -> Cost:
        """Of a step since the last reset."""
        return self.links[name].cost

    def feed(self, lines: Iterable[bytes], at_once: int = BATCH) -> None:
        """Lines for `touchpoints`, so many at once; all that follows from them is done before the next."""
        lines = iter(lines)
        while block := list(islice(lines, at_once)):
            for line in block:
                self._deliver(Output(topics.TOUCHPOINTS.name, 0, None, line))
            self._work()

    def settle(self) -> None:
        """Time passes, until accounts that were waiting to be still have told what they have to tell."""
        self.now += 2 * SETTLE_MS
        self._work()
        self._apply(self.links["journeys"], [])
        self._work()

    def _deliver(self, output: Output) -> None:
        for link in self.links.values():
            if output.topic in link.step.inputs:
                link.waiting.append(Record(output.topic, 0, 0, self.now, output.key, output.value))

    def _work(self) -> None:
        while any(link.waiting for link in self.links.values()):
            for link in self.links.values():
                while link.waiting:
                    records = [link.waiting.popleft() for _ in range(min(BATCH, len(link.waiting)))]
                    self._apply(link, records)

    def _apply(self, link: Link, records: list[Record]) -> None:
        self.seq += 1
        self.now += 1_000
        begun = process_time()
        outputs = link.step.apply(link.rows, records, pack_version(1, 1, self.seq), self.now)
        kept = link.rows.keep()
        took = process_time() - begun
        cost = link.cost
        cost.records += len(records)
        cost.outputs += len(outputs)
        cost.cpu += took
        cost.longest = max(cost.longest, took)
        cost.largest_row = max([cost.largest_row, *(len(value) for _, _, value in kept if value)])
        cost.largest_output = max([cost.largest_output, *(len(output.value or b"") for output in outputs)])
        for output in outputs:
            self._deliver(output)

    def recovered(self, name: str) -> float:
        """Seconds of CPU that a new session of the step needs once its rows are there."""
        link = self.links[name]
        begun = process_time()
        type(link.step)(CONFIG).recovered(link.rows)
        return process_time() - begun

    def state_bytes(self, name: str) -> int:
        """All rows of a step."""
        rows = self.links[name].rows
        return sum(len(value) for group in rows.groups() for value in rows.group(group).values())
