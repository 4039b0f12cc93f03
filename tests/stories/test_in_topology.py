"""Every story in the simulated topology: fifty orders, repeated lines, crashes, moves; the same answer."""

import random
from collections import defaultdict
from collections.abc import Mapping

import msgspec
import pytest

from schemas import topics
from schemas.internal import ACCOUNT_KINDS, STRONG_KINDS, Touch, kind_of
from schemas.times import from_rfc3339
from schemas.topics import INPUTS
from schemas.touchpoint import FACT_TYPES
from streams.core import Output
from streams.fragments import row as fragment_row
from streams.fragments.snapshots import counted, snapshots
from streams.fragments.step import Fragments
from tests.simulation.seen import maps
from tests.simulation.topology import STEPS, drain
from tests.simulation.world import CALM, Chaos, World
from tests.stories.identity import STORIES
from tests.stories.told import PERSON, Answer, Story, Touches, problems

ORDERS = 50
TENANT = "story"

_tagged = msgspec.msgpack.Decoder(Touch).decode


def lived(story: Story, seed: int) -> World:
    """A world in which the story was told in some order; seed 0: as it stands, undisturbed."""
    rng = random.Random(seed)
    lines = list(story.lines)
    if seed:
        lines += rng.sample(lines, rng.randint(0, len(lines)))
        rng.shuffle(lines)
    world = World(STEPS, rng, rng.choice((1, 2, 3)) if seed else 1)
    for part in (lines, story.last):
        world.feed([_record(world, line) for line in story.told(TENANT, list(part))])
        world.run(Chaos.drawn(rng) if seed else CALM)
        world.run(CALM)
    world.feed(drain(world, max(_times(story)), 1))
    world.run(CALM)
    return world


def _times(story: Story) -> list[int]:
    return [from_rfc3339(line.get("message", line)["occurred_at"]) for line in story.lines]


def _record(world: World, line: bytes) -> Output:
    told = msgspec.json.decode(line)
    topic, value = topics.TOUCHPOINTS.name, line
    if "message" in told:
        topic, value = told["topic"], msgspec.json.encode(told["message"])
    assert topic in {each.name for each in INPUTS}
    return Output(topic, world.rng.randrange(world.config.partitions), None, value)


def answer(world: World) -> Answer:
    """What the world says of the story."""
    contacts: defaultdict[str, set[str]] = defaultdict(set)
    accounts: defaultdict[str, set[str]] = defaultdict(set)
    devices: defaultdict[str, set[str]] = defaultdict(set)
    rows = {identifier: row.spans for (_, identifier), row in maps(world).items()}
    for identifier, spans in rows.items():
        for span in spans:
            if kind_of(identifier) in STRONG_KINDS and span.contact_id:
                contacts[span.contact_id].add(identifier)
            elif kind_of(identifier) in ACCOUNT_KINDS and span.account_id:
                accounts[span.account_id].add(identifier)
    for identifier, spans in rows.items():
        for owner in {span.contact_id for span in spans if span.contact_id}:
            devices[identifier] |= contacts[owner]
    touches = _touches(world, contacts, accounts)
    used = {frozenset(where) for _, where in touches.values() if where != PERSON}
    firms = [keys for keys in accounts.values() if frozenset(keys) in used or _told(keys)]
    return Answer(list(contacts.values()), firms, touches, dict(devices))


def _touches(world: World, contacts: Mapping[str, set[str]], accounts: Mapping[str, set[str]]) -> Touches:
    """Of each touch the contact and the account that it counts for."""
    touches: Touches = {}
    for value in (output.value for output in world.seen(topics.VALID.name)):
        try:
            touch = _tagged(value or b"")
        except msgspec.MsgspecError:
            continue
        if not touch.identifier and touch.type not in FACT_TYPES:
            touches[touch.event_id] = (frozenset(), frozenset())
    for key, value in world.state(Fragments.name).items():
        if key[1] == world.config.key_of("clock"):
            continue
        fragment = fragment_row.decode(value)
        for touch in counted(fragment.touches):
            touches.setdefault(touch.event_id, (frozenset(), frozenset()))
        for account, snapshot in snapshots(fragment).items():
            where = frozenset(accounts[account]) if account in accounts else PERSON
            for part in snapshot.parts:
                for touch in part.touches:
                    touches[touch.event_id] = (frozenset(contacts.get(part.contact, ())), where)
    return touches


def _told(keys: set[str]) -> bool:
    """An account of which somebody spoke: a domain alone is none before anybody belongs to it."""
    return any(kind_of(key) != "domain" for key in keys)


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.name.replace(" ", "_"))
def test_as_it_stands(story: Story) -> None:
    assert problems(story, answer(lived(story, 0))) == []


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.name.replace(" ", "_"))
def test_in_fifty_orders(story: Story) -> None:
    for seed in range(1, ORDERS + 1):
        assert problems(story, answer(lived(story, seed))) == [], f"seed {seed}"
