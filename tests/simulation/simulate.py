"""One seed: an input, a climate, a run through it, and what was wrong at the end."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from traceback import format_exc
from typing import Any

from streams.core import Step
from tests.simulation import chain, people, topology
from tests.simulation.oracle import differences
from tests.simulation.people import DAY_MS, Line
from tests.simulation.world import CALM, NOW_MS, RIGHT, Build, Chaos, World


@dataclass
class Outcome:
    """Of one seed."""

    seed: int
    problems: list[str]
    crashes: int
    moves: int
    restarts: int
    trace: list[str] = field(default_factory=list)


Simulation = Callable[..., Outcome]


def simulate_chain(seed: int, build: Build = RIGHT, *, trace: list[str] | None = None) -> Outcome:
    """The chain of `chain`."""
    rng = random.Random(seed)
    lines = chain.words(rng)
    run = _Run(seed, chain.STEPS, rng, build, trace=trace)
    for portion in _portions(rng, lines):
        run.portion(lambda: chain.records(run.world, _fed(rng, portion)), lambda: [])  # noqa: B023
    return run.outcome(lambda: chain.problems(run.world, lines))


def simulate_topology(seed: int, build: Build = RIGHT, *, trace: list[str] | None = None) -> Outcome:
    """The steps of the product, against an undisturbed run and the naive oracle."""
    rng = random.Random(seed)
    lines = people.lines(rng)
    end = max(line.at for line in lines) + rng.choice((0, 10, 100, 200)) * DAY_MS
    run = _Run(seed, topology.STEPS, rng, build, live=rng.random() < 0.4, now=end, trace=trace)
    portions = _portions(rng, lines)
    done = 0
    for number, portion in enumerate(portions, 1):
        done += len(portion)
        at = end if number == len(portions) else max((line.at for line in lines[:done]), default=0)
        run.portion(
            lambda: topology.records(run.world, _fed(rng, portion)) + topology.poison(run.world),  # noqa: B023
            lambda: [] if run.world.config.live else topology.drain(run.world, at, number),  # noqa: B023
        )
    return run.outcome(lambda: _topology_problems(run.world, lines, end))


def _topology_problems(world: World, lines: Sequence[Line], end: int) -> list[str]:
    wrong = topology.problems(world, lines)
    wanted = topology.results(topology.reference(lines, end))
    for what, found in topology.results(world).items():
        wrong += differences(what, found, wanted[what])
    return wrong + topology.against_oracle(world, lines, end)


def _portions(rng: random.Random, lines: Sequence[Any]) -> list[Sequence[Any]]:
    """One to three parts of the input; between two everything comes to rest."""
    cuts = sorted(rng.randint(0, len(lines)) for _ in range(rng.choice((0, 0, 1, 2))))
    return [lines[start:end] for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]


def _fed(rng: random.Random, lines: Sequence[Any]) -> list[Any]:
    """The lines in another order, some of them twice."""
    fed = [*lines, *(line for line in lines if rng.random() < 0.15)]
    rng.shuffle(fed)
    return fed


class _Run:
    """A world through which portions of input are sent, on a Kafka or on an embedded broker that forgets."""

    def __init__(
        self,
        seed: int,
        steps: Sequence[type[Step]],
        rng: random.Random,
        build: Build,
        *,
        live: bool = False,
        now: int = NOW_MS,
        trace: list[str] | None,
    ) -> None:
        self.seed = seed
        self.rng = rng
        self.embedded = rng.random() < 0.25
        partitions = rng.choice((1, 2, 3))
        self.world = World(steps, rng, partitions, build, disk=self.embedded, live=live, now=now, trace=trace)
        self.restarts = 0

    def portion(self, feed: Callable[[], list[Any]], drain: Callable[[], list[Any]]) -> None:
        """Feed it, come to rest, drain; an embedded broker may die at any point, then it is fed again."""
        world, rng = self.world, self.rng
        for _ in range(rng.choice((0, 1, 2)) if self.embedded else 0):
            world.feed(feed())
            world.run(Chaos.drawn(rng), at_most=rng.randint(1, 600), stop=True)
            world.restart(clean=False)
            self.restarts += 1
        world.feed(feed())
        world.run(Chaos.drawn(rng), at_most=rng.randint(100, 1500))
        world.feed(drain())
        world.run(Chaos.drawn(rng), at_most=rng.randint(100, 600))
        if self.embedded:  # a run ends when nothing is left to do; the next one has another broker
            world.restart(clean=True)
            self.restarts += 1

    def outcome(self, problems: Callable[[], list[str]]) -> Outcome:
        """Everybody crashes once more, so that what is compared was read back; then compare."""
        self.world.crash_all()
        self.world.run(CALM)
        world = self.world
        return Outcome(self.seed, problems(), world.crashes, world.moves, self.restarts, world.trace or [])


SIMULATIONS: dict[str, Simulation] = {"product": simulate_topology, "chain": simulate_chain}


def attempted(topology: str, seed: int, build: Build = RIGHT, *, trace: bool = False) -> Outcome:
    """The outcome of a seed; an exception is a problem like any other."""
    kept: list[str] = []
    try:
        return SIMULATIONS[topology](seed, build, trace=kept if trace else None)
    except Exception:
        return Outcome(seed, [format_exc()], 0, 0, 0, kept)
