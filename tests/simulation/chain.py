"""A small chain of steps for the harness itself: it has every habit of the real topology, and little else.

Words arrive under any key. ROUTE re-keys them (no state, refuses what is not `key=item`). SETS keeps a set
per key and tells it to the account named by its least item, as a snapshot; when the least item changes, the
set moves and the former account is told so. TOTALS keeps the snapshots of an account and publishes facts
about their union; facts that no longer hold are retracted.
"""

import random
from collections.abc import Iterable, Sequence

import msgspec

from schemas.keys import partition_of
from schemas.topics import DEAD
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from tests.simulation.compare import differences, fold
from tests.simulation.world import World

encode = msgspec.msgpack.Encoder().encode


class Keyed(msgspec.Struct, array_like=True):
    key: str
    item: str


class Set(msgspec.Struct, array_like=True):
    key: str
    items: list[str]
    left: list[str]  # accounts that it was in before


class Part(msgspec.Struct, array_like=True):
    account: str
    key: str
    version: bytes
    items: list[str]  # none: withdrawn


class Ledger(msgspec.Struct, array_like=True):
    account: str
    facts: dict[str, int | None]  # None: retracted


class Fact(msgspec.Struct):
    account: str
    name: str
    value: int | None
    version: bytes


def home(items: Iterable[str]) -> str:
    """The account of a set."""
    return min(items)[0]


def facts_of(items: set[str]) -> dict[str, int]:
    """What is to be published of an account. The size is a key of its own: it comes and goes."""
    return {f"size {len(items)}": len(items), **{f"has {item}": 1 for item in items}} if items else {}


class Plain:
    """What the three steps share."""

    name = ""
    inputs: tuple[str, ...] = ()
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self.config = config

    def recovered(self, rows: Rows) -> None:
        """Nothing is kept beside the rows."""

    def outputs(self, _rows: Rows, _group: Group, _member: Member, _version: Version) -> list[Output]:
        """A stateless step owes nothing."""
        return []

    def output(self, topic: str, value: object, *key: str) -> Output:
        hashed = self.config.key_of(*key)
        return Output(topic, partition_of(hashed, self.config.partitions), hashed, encode(value))


class Route(Plain):
    name = "route"
    inputs = ("words",)
    stateful = False

    def apply(self, _rows: Rows, records: Sequence[Record], _version: Version, _now: int) -> list[Output]:
        outputs = []
        for record in records:
            key, item = (record.value or b"").decode().split("=")
            outputs.append(self.output("keyed", Keyed(key, item), key))
        return outputs


class Sets(Plain):
    name = "sets"
    inputs = ("keyed",)
    decoder = msgspec.msgpack.Decoder(Keyed)
    row_decoder = msgspec.msgpack.Decoder(Set)

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, _now: int) -> list[Output]:
        outputs = []
        by_key: dict[str, set[str]] = {}
        for record in records:
            keyed = self.decoder.decode(record.value or b"")
            by_key.setdefault(keyed.key, set()).add(keyed.item)
        for key, items in by_key.items():
            group = self.config.key_of(key)
            row = rows.get(group)
            old = self.row_decoder.decode(row) if row else Set(key, [], [])
            union = items.union(old.items)
            if len(union) == len(old.items):
                continue
            before = {home(old.items)} if old.items else set()
            left = sorted(before.union(old.left) - {home(union)})
            new = Set(key, sorted(union), left)
            rows.put(group, b"", encode(new))
            outputs += self.snapshots(new, version)
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        row = rows.get(group, member)
        return self.snapshots(self.row_decoder.decode(row), version) if row else []

    def adopt(self, rows: Rows, group: Group, _member: Member, theirs: bytes) -> None:
        """Accounts that a stranger told of this set are told that it is not there."""
        other = self.row_decoder.decode(theirs)
        row = rows.get(group)
        ours = self.row_decoder.decode(row) if row else Set(other.key, [], [])
        told = {*other.left, home(other.items)} if other.items else {*other.left}
        left = sorted(told.union(ours.left) - ({home(ours.items)} if ours.items else set()))
        if left != ours.left:
            rows.put(group, b"", encode(Set(ours.key, ours.items, left)))

    def snapshots(self, row: Set, version: Version) -> list[Output]:
        parts: list[tuple[str, list[str]]] = [(account, []) for account in row.left]
        if row.items:
            parts.append((home(row.items), row.items))
        return [
            self.output("snapshots", Part(account, row.key, version, items), "account", account)
            for account, items in parts
        ]


class Totals(Plain):
    name = "totals"
    inputs = ("snapshots",)
    decoder = msgspec.msgpack.Decoder(Part)
    ledger_decoder = msgspec.msgpack.Decoder(Ledger)

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, _now: int) -> list[Output]:
        touched: dict[Group, str] = {}
        for record in records:
            part = self.decoder.decode(record.value or b"")
            group = self.config.key_of("account", part.account)
            member = self.config.key_of(part.key)
            row = rows.get(group, member)
            if row is None or self.decoder.decode(row).version < part.version:
                rows.put(group, member, encode(part))
                touched[group] = part.account  # only then: a work is kept as a whole or not at all
        return [out for g, account in touched.items() for out in self.publish(rows, g, account, version)]

    def publish(self, rows: Rows, group: Group, account: str, version: Version) -> list[Output]:
        members = rows.group(group)
        row = members.get(b"")
        ledger = self.ledger_decoder.decode(row) if row else Ledger(account, {})
        items = {item for m, v in members.items() if m for item in self.decoder.decode(v).items}
        now: dict[str, int | None] = {**dict.fromkeys(ledger.facts), **facts_of(items)}
        changed = {name: value for name, value in now.items() if ledger.facts.get(name, 0) != value}
        if not changed:
            return []
        rows.put(group, b"", encode(Ledger(account, now)))
        return [self.fact(account, name, value, version) for name, value in changed.items()]

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        row = rows.get(group, b"")
        if member or row is None:
            return []
        ledger = self.ledger_decoder.decode(row)
        return [self.fact(ledger.account, name, value, version) for name, value in ledger.facts.items()]

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """Facts that a stranger published and we have not are retracted."""
        if member:
            return
        other = self.ledger_decoder.decode(theirs)
        row = rows.get(group, b"")
        ours = self.ledger_decoder.decode(row) if row else Ledger(other.account, {})
        facts = {**dict.fromkeys(other.facts), **ours.facts}
        if facts != ours.facts:
            rows.put(group, b"", encode(Ledger(ours.account, facts)))

    def fact(self, account: str, name: str, value: int | None, version: Version) -> Output:
        return self.output("facts", Fact(account, name, value, version), "account", account)


STEPS = (Route, Sets, Totals)
BAD = b"no equals sign"


def words(rng: random.Random) -> list[bytes]:
    """Lines of input: a few keys, items that move a set from one account to another, bad lines."""
    keys = [f"k{i}" for i in range(rng.randint(2, 5))]
    items = [f"{account}{i}" for account in "abc" for i in range(3)]
    lines = [f"{rng.choice(keys)}={rng.choice(items)}".encode() for _ in range(rng.randint(8, 30))]
    return [BAD if rng.random() < 0.05 else line for line in lines]


def records(world: World, lines: Iterable[bytes]) -> list[Output]:
    """The lines, each on any partition."""
    return [Output("words", world.rng.randrange(world.config.partitions), None, line) for line in lines]


def expected(lines: Iterable[bytes]) -> dict[tuple[str, str], int]:
    """The facts that hold, from the whole set at once."""
    sets: dict[str, set[str]] = {}
    for line in lines:
        if line != BAD:
            key, item = line.decode().split("=")
            sets.setdefault(key, set()).add(item)
    accounts: dict[str, set[str]] = {}
    for items in sets.values():
        accounts.setdefault(home(items), set()).update(items)
    return {(a, name): value for a, items in accounts.items() for name, value in facts_of(items).items()}


def problems(world: World, lines: Sequence[bytes]) -> list[str]:
    """What differs from the oracle at the end."""
    decode = msgspec.msgpack.Decoder(Fact).decode
    facts = [decode(output.value or b"") for output in world.seen("facts")]
    folded = fold(((fact.account, fact.name), fact.version, fact.value) for fact in facts)
    found = {key: value for key, value in folded.items() if value is not None}
    wrong = differences("facts", found, expected(lines))
    bad = {(r.partition, r.offset) for r in world.broker.records("words") if r.value == BAD}
    refused = {(int(h["partition"]), int(h["offset"])) for h in map(header, world.seen(DEAD.name))}
    if world.generation == 0 and bad != refused:
        wrong.append(f"dead letters: {sorted(refused)}, expected {sorted(bad)}")
    return wrong


def header(output: Output) -> dict[str, bytes]:
    return dict(output.headers)
