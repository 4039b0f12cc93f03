"""The four steps of the product in the simulated world, and everything that is compared at the end."""

import random
from collections.abc import Iterable, Sequence

import msgspec

from schemas import topics
from streams.core import Output, Step
from streams.fragments.step import Fragments
from streams.identity.step import Identity
from streams.ingest.step import Ingest
from streams.journeys.step import Journeys
from tests.simulation.people import Line, erased, lost
from tests.simulation.world import CALM, World

STEPS: tuple[type[Step], ...] = (Ingest, Fragments, Identity, Journeys)

POISON = b"\xc1"  # what no step can read, on a topic that only steps write
INTERNAL = (
    topics.VALID.name,
    topics.LINKS.name,
    topics.MAP.name,
    topics.SNAPSHOTS.name,
    *(("account-records",) if "account-records" in Journeys.inputs else ()),
)


def records(world: World, lines: Iterable[Line]) -> list[Output]:
    """The lines, each on any partition and with any key."""
    partitions = world.config.partitions
    return [Output(line.topic, world.rng.randrange(partitions), None, line.value) for line in lines]


def poison(world: World) -> list[Output]:
    """Now and then records that no step can process: each is refused by itself and harms nothing else."""
    rng = world.rng
    return [
        Output(rng.choice(INTERNAL), rng.randrange(world.config.partitions), rng.randbytes(16), POISON)
        for _ in range(rng.choice((0, 0, 0, 1, 3)))
    ]


def again(lines: Sequence[Line], *, anonymous: bool) -> list[Line]:
    """What comes once more at the end: all that is erased, and what may be lost."""
    return [*erased(lines, anonymous=anonymous), *lost(lines, anonymous=anonymous)]


def drain(world: World, at: int, number: int) -> list[Output]:
    """The end of the input: a clock record for every INGEST partition."""
    value = msgspec.json.encode({"at": at, "drain": number})
    return [Output(topics.CLOCK.name, p, None, value) for p in range(world.config.partitions)]


def reference(portions: Sequence[Sequence[Line]], clock: int, *, anonymous: bool) -> World:
    """An undisturbed run: one partition, a portion at once, one batch per step; then what comes once more."""
    world = World(STEPS, random.Random(0), 1, anonymous=anonymous)
    for portion in portions:
        world.feed(records(world, portion))
        world.run(CALM)
    world.feed(drain(world, clock, 1))
    world.run(CALM)
    lines = [line for portion in portions for line in portion]
    world.feed(records(world, again(lines, anonymous=anonymous)))
    world.run(CALM)
    world.feed(drain(world, clock, 2))
    world.run(CALM)
    return world
