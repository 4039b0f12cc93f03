"""The four steps of the product in the simulated world, and everything that is compared at the end."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas import topics
from schemas.events import AccountProfile, JourneyEvent
from schemas.identity import MapRow
from schemas.internal import Owner, Snapshot, Tick, Told, Touch
from schemas.times import rfc3339
from streams.core import Output, Step
from streams.fragments import row as fragment_row
from streams.fragments.step import Fragments
from streams.identity.step import Identity
from streams.ingest.step import Ingest
from streams.journeys.step import Journeys
from tests.simulation import oracle
from tests.simulation.oracle import Tenant, differences, fold
from tests.simulation.people import Line
from tests.simulation.world import CALM, World

STEPS: tuple[type[Step], ...] = (Ingest, Fragments, Identity, Journeys)

POISON = b"\xc1"  # what no step can read, on a topic that only steps write
INTERNAL = (topics.VALID.name, topics.LINKS.name, topics.MAP.name, topics.SNAPSHOTS.name)

_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick).decode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_event = msgspec.json.Decoder(JourneyEvent).decode
_profile = msgspec.json.Decoder(AccountProfile).decode
_map = msgspec.json.Decoder(MapRow).decode


def records(world: World, lines: Iterable[Line]) -> list[Output]:
    """The lines, each on any partition and with any key."""
    partitions = world.config.partitions
    return [
        Output(topics.TOUCHPOINTS.name, world.rng.randrange(partitions), None, line.value) for line in lines
    ]


def poison(world: World) -> list[Output]:
    """Now and then records that no step can process: each is refused by itself and harms nothing else."""
    rng = world.rng
    return [
        Output(rng.choice(INTERNAL), rng.randrange(world.config.partitions), rng.randbytes(16), POISON)
        for _ in range(rng.choice((0, 0, 0, 1, 3)))
    ]


def read(world: World, topic: str) -> Iterator[bytes]:
    """The values of a topic, as readers outside have seen them."""
    return (output.value for output in world.seen(topic) if output.value and output.value != POISON)


def drain(world: World, at: int, number: int) -> list[Output]:
    """The end of the input: a clock record for every INGEST partition."""
    value = msgspec.json.encode({"at": at, "drain": number})
    return [Output(topics.CLOCK.name, p, None, value) for p in range(world.config.partitions)]


def reference(lines: Sequence[Line], clock: int) -> World:
    """An undisturbed run: one partition, everything at once, one batch per step."""
    world = World(STEPS, random.Random(0), 1)
    world.feed(records(world, lines))
    world.run(CALM)
    world.feed(drain(world, clock, 1))
    world.run(CALM)
    return world


# ---- what is compared


def results(world: World) -> dict[str, dict[Any, Any]]:
    """Everything that must be the same whatever happened on the way."""
    return {
        "identity-map": {key: (row["spans"], row["accounts"]) for key, row in maps(world).items()},
        "journey-events": events(world),
        "account-profiles": profiles(world),
        "fragments": fragments(world),
        "snapshots in JOURNEYS": snapshots(world),
    }


def maps(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    rows = [_map(value) for value in read(world, topics.MAP.name)]
    folded = fold(((row.tenant, row.identifier), row.version, row) for row in rows)
    return {key: msgspec.to_builtins(row) for key, row in folded.items()}


def events(world: World) -> dict[tuple[str, str, str, str], Any]:
    """(tenant, subject, kind, natural key) -> what holds; how the account looked on the way is left out."""
    made = [_event(value) for value in read(world, topics.EVENTS.name)]
    folded = fold(((e.tenant, e.subject, e.kind, e.natural_key), e.version, e) for e in made)
    return {
        key: (
            "stage" if event.kind == "stage" else event.type,  # entered, or corrected: the way differs
            event.occurred_at,
            event.caused_by,
            event.contact.id if event.contact else None,
            {name: value for name, value in event.details.items() if name not in ("was", "now")},
        )
        for key, event in folded.items()
        if not event.retracted
    }


def profiles(world: World) -> dict[tuple[str, str], Any]:
    """(tenant, account) -> profile; one that is gone is as good as none."""
    made = [_profile(value) for value in read(world, topics.PROFILES.name)]
    folded = fold(((p.tenant, p.subject), p.version, p) for p in made)
    untouched = {key: p.first_seen is None for key, p in folded.items()}  # then it occurred when it was sent
    return {
        key: msgspec.to_builtins(
            msgspec.structs.replace(
                p,
                id="",
                version=(0, 0, 0),
                emitted_at="",
                occurred_at="" if untouched[key] else p.occurred_at,
            )
        )
        for key, p in folded.items()
        if not p.gone
    }


def fragments(world: World) -> dict[tuple[str, str], Any]:
    """(tenant, identifier) -> row, without what remembers the way."""
    clock = world.config.key_of("clock")
    found = {}
    for (_, key), value in world.state(Fragments.name).items():
        if key != clock:
            row = fragment_row.decode(value)
            row.left = []
            if row.mapped is not None:
                row.mapped = msgspec.structs.replace(row.mapped, version=(0, 0, 0))
            if row != fragment_row.Fragment(row.tenant, row.identifier):
                found[row.tenant, row.identifier] = msgspec.to_builtins(row)
    return found


def snapshots(world: World) -> dict[tuple[str, str, str], Any]:
    """(tenant, account, identifier) -> parts and facts, of the snapshots that stand."""
    found = {}
    for (_, key), value in world.state(Journeys.name).items():
        if len(key) == 32:
            one = _snapshot(value)
            if not one.withdrawn:
                found[one.tenant, one.account, one.identifier] = (
                    msgspec.to_builtins(one.parts),
                    msgspec.to_builtins(one.facts),
                )
    return found


# ---- what must hold by itself


def problems(world: World, lines: Sequence[Line]) -> list[str]:
    """What is wrong with a run, other than differing from another run."""
    return [*_one_each(world, lines), *_ids(world)]


def _one_each(world: World, lines: Sequence[Line]) -> list[str]:
    """Every record is applied or refused: one of the two, never both, never neither."""
    wanted = Counter((line.event["tenant"], line.event["event_id"], line.at) for line in lines if line.event)
    applied = set()
    for value in read(world, topics.VALID.name):
        message = _valid(value)
        if isinstance(message, Touch):
            applied.add((message.tenant, message.event_id, message.occurred_at))
    wrong = differences("applied", dict.fromkeys(applied, 1), dict.fromkeys(wanted, 1))
    good = {line.value for line in lines if line.event}
    refused = set()
    for output in world.seen(topics.DEAD.name):
        headers = dict(output.headers)
        where = (headers["topic"].decode(), int(headers["partition"]), int(headers["offset"]))
        if output.value in good or (headers["reason"] == b"processing_error") != (output.value == POISON):
            wrong.append(f"dead letter: {headers} {output.value!r}")
        if int(headers["generation"]) == world.generation:
            refused.add(where)
    bad = {
        (record.topic, record.partition, record.offset)
        for topic in (topics.TOUCHPOINTS.name, *INTERNAL)
        for record in world.broker.records(topic)
        if (record.value not in good if topic == topics.TOUCHPOINTS.name else record.value == POISON)
    }
    return wrong + differences("refused", dict.fromkeys(refused, 1), dict.fromkeys(bad, 1))


def _ids(world: World) -> Iterator[str]:
    """One id says one thing; one (key, version) has one id."""
    said: dict[str, Any] = {}
    made: dict[Any, str] = {}
    for value in read(world, topics.EVENTS.name):
        event = _event(value)
        key = (event.tenant, event.subject, event.kind, event.natural_key)
        what = (key, event.occurred_at, event.caused_by, event.retracted, event.corrects)
        if said.setdefault(event.id, what) != what:
            yield f"ids: {event.id} says {said[event.id]} and {what}"
        if made.setdefault((key, event.version), event.id) != event.id:
            yield f"ids: {key} has two of version {event.version}"


# ---- against the naive oracle


def against_oracle(world: World, lines: Sequence[Line], clock: int) -> list[str]:
    """What differs from the rules, computed naively."""
    wrong: list[str] = []
    tenants: dict[str, set[oracle.Said]] = {}
    for line in lines:
        if line.event is not None:
            tenants.setdefault(line.event["tenant"], set()).add(oracle.said(line.at, line.event))
    for name, events_of in tenants.items():
        tenant = Tenant(events_of)
        if not tenant.crowded():
            wrong += [f"{name}: {problem}" for problem in _tenant(world, name, tenant, clock)]
    return wrong


def _tenant(world: World, name: str, tenant: Tenant, clock: int) -> Iterator[str]:
    rows = {identifier: row for (t, identifier), row in maps(world).items() if t == name}
    ids: dict[frozenset[str], str] = {}  # naive contact or account -> our id
    for identifier, contact in tenant.contact.items():
        found = {span["contact_id"] for span in rows[identifier]["spans"]}
        if found != {ids.setdefault(contact, next(iter(found)))}:
            yield f"contact of {identifier}: {found}, others of {sorted(contact)}: {ids[contact]}"
    accounts: dict[frozenset[str], str] = {}
    for key, account in tenant.account.items():
        found = {span["account_id"] for span in rows[key]["spans"]}
        if found != {accounts.setdefault(account, next(iter(found)))}:
            yield f"account of {key}: {found}, others of {sorted(account)}: {accounts[account]}"
    placed = tenant.placed()
    for person, firm in placed.values():
        if firm is not None and firm not in accounts:  # of kind person
            accounts[firm] = next(s["account_id"] for i in person or () for s in rows[i]["spans"])
    if len(set(ids.values())) < len(ids) or len(set(accounts.values())) < len(accounts):
        yield f"one id for several: {ids} {accounts}"
    wanted = {
        key: (ids[contact] if contact else "", accounts[account])
        for key, (contact, account) in placed.items()
        if account is not None
    }
    yield from differences("touch", _placed(world, name), wanted)
    yield from differences("journeys", _journeys(world, name), _expected(tenant, accounts, clock))


def _placed(world: World, name: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for (tenant, account, identifier), (parts, _) in snapshots(world).items():
        if tenant == name:
            for part in parts:
                for touch in part[3]:
                    key = (touch[3], touch[2], identifier)
                    assert key not in found, f"{key} lies in two accounts"
                    found[key] = (part[0], account)
    return found


def _journeys(world: World, name: str) -> dict[Any, str]:
    kinds = ("journey", "stage", "journey_end")
    return {key[1:]: value[1] for key, value in events(world).items() if key[0] == name and key[2] in kinds}


def _expected(tenant: Tenant, accounts: Mapping[frozenset[str], str], clock: int) -> dict[Any, str]:
    expected = {}
    for account, touches in tenant.touches().items():
        subject = accounts[account]
        for number, journey in enumerate(oracle.journeys(touches, clock), 1):
            expected[subject, "journey", str(number)] = rfc3339(journey.opened)
            for stage, at in journey.stages.items():
                expected[subject, "stage", f"{number}/{stage}"] = rfc3339(at)
            if journey.closed is not None:
                expected[subject, "journey_end", str(number)] = rfc3339(journey.closed)
    return expected
