"""Every story of a journey in the simulated topology: as told, and in many orders with crashes and moves."""

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.events import AccountProfile, Member
from schemas.handoff import LeadHandoff
from schemas.times import rfc3339
from streams.core import Output
from tests.simulation.compare import fold
from tests.simulation.seen import folded_profiles, places, read
from tests.simulation.topology import STEPS, drain
from tests.simulation.world import CALM, Chaos, World
from tests.stories.journeys import STORIES
from tests.stories.told import Line
from tests.stories.told_journeys import END_MS, Entry, JourneyStory, differences

ORDERS = 25
TENANT = "story"

_handoff = msgspec.json.Decoder(LeadHandoff).decode


def lived(story: JourneyStory, seed: int) -> World:
    """A world in which the story was told in some order; seed 0: as it stands, undisturbed."""
    rng = random.Random(seed)
    world = World(STEPS, rng, rng.choice((1, 2, 3)) if seed else 1)
    parts = story.parts
    if seed:
        lines = list(story.lines)
        lines += rng.sample(lines, rng.randint(0, len(lines)))
        rng.shuffle(lines)
        parts = [lines]
    for number, part in enumerate([*parts, story.after], 1):
        if part:
            world.feed(_records(world, story, part))
            world.run(Chaos.drawn(rng) if seed else CALM)
            world.run(CALM)
            world.feed(drain(world, END_MS, number))
            world.run(CALM)
    return world


def _records(world: World, story: JourneyStory, lines: Iterable[Line]) -> list[Output]:
    ids = {key: one.subject for one in folded_profiles(world) for key in _keys(one)}
    return [_record(world, story.ready(line, TENANT, ids)) for line in lines]


def _record(world: World, line: Line) -> Output:
    topic, told = (line["topic"], line["message"]) if "topic" in line else (topics.TOUCHPOINTS.name, line)
    partition = world.rng.randrange(world.config.partitions)
    return Output(topic, partition, None, msgspec.json.encode(told))


def found(world: World, key: str) -> Entry | None:
    """What the world says of the account with this key."""
    there = [one for one in folded_profiles(world) if key in _keys(one) and not one.gone]
    if len(there) != 1:
        return None
    handoffs = fold(
        (one.handoff_id, one.version, one) for one in map(_handoff, read(world, topics.HANDOFFS.name))
    )
    return entry(there[0], handoffs)


def _keys(profile: AccountProfile) -> list[str]:
    """What the account is known by: its keys, or else its person's identifiers."""
    return profile.keys or [i for member in profile.members for i in member.identifiers]


def entry(profile: AccountProfile, messages: dict[str, LeadHandoff]) -> Entry:
    """A profile in the words of the stories."""
    names = {member.contact_id: _name(member) for member in profile.members} | {"": ""}
    crossings: dict[int, list[Any]] = {}
    for one in profile.crossings:
        who = tuple(sorted(names.get(contact, contact) for contact in one.contacts))
        crossings.setdefault(one.journey, []).append((one.type, one.topic, one.at, who))
    return {
        "journeys": [
            {
                "stages": {stage.stage: stage.entered_at for stage in one.stages},
                "closed": (one.closed_by, one.closed_at) if one.closed_by else None,
            }
            for one in profile.journeys
        ],
        "moments": [one.moments for one in profile.journeys],
        "handoffs": [
            {
                "journey": one.journey,
                "at": one.at,
                "call": names.get(one.call_first.contact, one.call_first.contact),
                "status": one.status,
                "outcome": one.outcome,
                "lines": {what for what in ("email", "phone") if getattr(one.call_first, what)},
                "shown": _shown(messages.get(one.handoff_id), names),
                "reason": one.outcome_reason,
                "code": one.outcome_code,
                "value": float(one.value) if one.value else None,
                "earlier": [e.outcome for e in messages[one.handoff_id].earlier_handoffs]
                if one.handoff_id in messages
                else None,
            }
            for one in profile.handoffs
            if one.status != "withdrawn"
        ],
        "crossings": crossings,
        "roles": {names[m.contact_id]: sorted(role.role for role in m.roles) for m in profile.members},
        "missing": sorted(profile.roles_missing),
        "silences": [
            (names.get(s.contact_id, s.contact_id), s.level, s.since, s.ended_at) for s in profile.silences
        ],
        "status": {"": profile.status} | {names[m.contact_id]: m.status for m in profile.members},
        "reachable": {names[m.contact_id]: m.reachable for m in profile.members},
        "facts": {
            (
                names.get(fact.entity, "" if fact.entity == profile.subject else fact.entity),
                fact.attribute,
            ): fact.value
            for fact in profile.facts
            if fact.expires_at is None or fact.expires_at > rfc3339(END_MS)
        },
        "orders": profile.orders,
        "revenue": float(profile.revenue),
        "aov": profile.aov,
        "return_rate": profile.return_rate,
        "unconverted": {currency: float(value) for currency, value in profile.unconverted.items()},
        "families": profile.product_families,
        "owner": profile.owner,
        "segments": profile.segments,
        "contact_points": profile.contact_points,
        "stage": profile.stage,
    }


def _name(member: Member) -> str:
    address = next((i for i in sorted(member.identifiers) if i.startswith("email:")), member.contact_id)
    return address.removeprefix("email:").partition("@")[0]


def _shown(message: LeadHandoff | None, names: dict[str, str]) -> set[str] | None:
    """Whose address or number the message tells."""
    if message is None:
        return None
    told = {one.contact for one in message.members if one.email or one.phone}
    if message.call_first and (message.call_first.email or message.call_first.phone):
        told.add(message.call_first.contact)
    return {names.get(contact, contact) for contact in told}


def letters(world: World) -> list[str]:
    """The reasons of the refused outcomes."""
    return sorted(
        {
            (value, dict(output.headers)["reason"].decode())
            for output in world.seen(topics.DEAD.name)
            if (value := output.value or b"")
            and dict(output.headers)["topic"] == topics.OUTCOMES.name.encode()
        }
    )


def problems(story: JourneyStory, world: World, *, exact: bool) -> list[str]:
    """In what the world differs from the story."""
    wrong = [text for firm in story.firms for text in differences(story, firm, found(world, firm.key))]
    reasons = [reason for _, reason in letters(world)]
    if sorted(reasons) != sorted(story.letters):
        wrong.append(f"{story.name}: letters: expected {story.letters}, found {reasons}")
    for where, value in places(world):
        wrong += [f"{story.name}: {text} is in {where}" for text in story.erased if text.encode() in value]
    return wrong + (untold(story, world) if exact else [])


def untold(story: JourneyStory, world: World) -> list[str]:
    """What should have been told and was not."""
    told: set[tuple[Any, ...]] = set()
    for value in (*read(world, topics.EVENTS.name), *read(world, topics.HANDOFFS.name)):
        event = msgspec.json.decode(value)
        told |= {(event["type"],), (event["type"], event["occurred_at"])}
        details = event.get("details", {})
        if event["type"] == "stage_corrected":
            told.add((event["type"], details["stage"], details.get("was"), details.get("now")))
    missing = []
    for type, *what in story.told:
        wanted = (type, *(one if isinstance(one, str) or one is None else story.at(one) for one in what))
        if wanted not in told:
            missing.append(
                f"{story.name}: not told: {wanted}; {sorted(map(str, (t for t in told if t[0] == type)))}"
            )
    return missing


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.name.replace(" ", "_"))
def test_as_it_stands(story: JourneyStory) -> None:
    assert problems(story, lived(story, 0), exact=True) == []


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.name.replace(" ", "_"))
def test_in_many_orders(story: JourneyStory) -> None:
    for seed in range(1, ORDERS + 1):
        assert problems(story, lived(story, seed), exact=False) == [], f"seed {seed}"
