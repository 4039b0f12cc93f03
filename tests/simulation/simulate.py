"""One seed: an input, a climate, a run through it, and what was wrong at the end."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from traceback import format_exc
from typing import Any

from streams.core import Step
from tests.simulation import chain, checks, checks_sales, people, seen, topology
from tests.simulation.compare import differences
from tests.simulation.people import DAY_MS, HARSH, NORMAL, Kind, Line
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


def simulate_topology(
    seed: int, build: Build = RIGHT, *, kind: Kind = NORMAL, trace: list[str] | None = None
) -> Outcome:
    """The steps of the product, against an undisturbed run and the naive oracle."""
    rng = random.Random(seed)
    live, anonymous = rng.random() < 0.4, rng.random() < 0.15
    parts = people.lines(rng, recent=live, anonymous=anonymous, kind=kind)
    lines = [line for part in parts for line in part]
    last = max(line.at for line in lines)
    end = last + rng.choice((0, 10, 100, 200)) * DAY_MS
    run = _Run(seed, topology.STEPS, rng, build, live=live, now=last, anonymous=anonymous, trace=trace)
    # Nobody's devices are forgotten 120 days later: until all has come, the clock is not that far.
    within = min((line.at for line in lines if line.event), default=0) + 119 * DAY_MS
    number = 0
    for portion in (cut for part in parts for cut in _portions(rng, part)):
        number += 1
        at = min(within, max((line.at for line in portion), default=0))
        run.portion(
            lambda: topology.records(run.world, _fed(rng, portion)) + topology.poison(run.world),  # noqa: B023
            lambda: [] if live else topology.drain(run.world, at, number),  # noqa: B023
        )
    run.end(end, lambda: topology.drain(run.world, end, number + 1))
    run.again(
        lambda: topology.records(run.world, topology.again(lines, anonymous=anonymous)),
        lambda: topology.drain(run.world, end, number + 2),
    )
    return run.outcome(lambda: _topology_problems(run.world, parts, end))


def _topology_problems(world: World, parts: Sequence[Sequence[Line]], end: int) -> list[str]:
    lines = [line for part in parts for line in part]
    wrong = checks.problems(world, lines)
    reference = topology.reference(parts, end, anonymous=world.anonymous)
    wrong += checks_sales.undisturbed(reference)
    wanted = seen.results(reference)
    left_out = checks.hearsay(world, lines)
    for what, found in seen.results(world).items():
        pair = (
            {key: one for key, one in of.items() if left_out.isdisjoint((key[0], part) for part in key[1:])}
            for of in (found, wanted[what])
        )
        wrong += differences(what, *pair)
    wrong += checks.told(world, seen.events(reference))
    return wrong + checks.against_oracle(world, lines, end)


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
        anonymous: bool = False,
        trace: list[str] | None,
    ) -> None:
        self.seed = seed
        self.rng = rng
        self.embedded = rng.random() < 0.25
        partitions = rng.choice((1, 2, 3))
        self.world = World(
            steps,
            rng,
            partitions,
            build,
            disk=self.embedded,
            live=live,
            now=now,
            anonymous=anonymous,
            trace=trace,
        )
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

    def end(self, at: int, drain: Callable[[], list[Any]]) -> None:
        """All has come, and the clock goes on to `at`."""
        if self.world.config.live:
            self.world.now = max(self.world.now, at)
        else:
            self.world.feed(drain())
        self.world.run(CALM)

    def again(self, feed: Callable[[], list[Any]], drain: Callable[[], list[Any]]) -> None:
        """Once more, after the end."""
        self.world.feed(feed())
        self.world.run(CALM)
        if not self.world.config.live:
            self.world.feed(drain())
            self.world.run(CALM)

    def outcome(self, problems: Callable[[], list[str]]) -> Outcome:
        """Everybody crashes once more, so that what is compared was read back; then compare."""
        self.world.crash_all()
        self.world.run(CALM)
        world = self.world
        return Outcome(self.seed, problems(), world.crashes, world.moves, self.restarts, world.trace or [])


SIMULATIONS: dict[str, Simulation] = {
    "product": simulate_topology,
    "harsh": partial(simulate_topology, kind=HARSH),
    "chain": simulate_chain,
}


def attempted(topology: str, seed: int, build: Build = RIGHT, *, trace: bool = False) -> Outcome:
    """The outcome of a seed; an exception is a problem like any other."""
    kept: list[str] = []
    try:
        return SIMULATIONS[topology](seed, build, trace=kept if trace else None)
    except Exception:
        return Outcome(seed, [format_exc()], 0, 0, 0, kept)
