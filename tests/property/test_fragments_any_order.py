"""FRAGMENTS: whatever the order, repetition, cut or crash, the same rows and the same folded outputs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import MapRow, Span
from schemas.internal import Employed, Link, Mini, Named, Owner, Owns, Seen, Snapshot, Tick, Told, Touch
from schemas.keys import hasher
from schemas.times import DAY_MS, rfc3339
from streams.core import Output, Record, StepConfig
from streams.fragments import row
from streams.fragments.row import Fragment
from streams.fragments.statements import Statement, moments, statements
from streams.fragments.step import Fragments
from streams.fragments.thinning import Level, settle
from streams.session import Session, Work

KEY_OF = hasher("secret")
CONFIG = StepConfig(partition=0, partitions=2, generation=0, key_of=KEY_OF)
START = 1_735_689_600_000  # 2025-01-01
PACK = msgspec.msgpack.Encoder().encode
STATED = msgspec.msgpack.Decoder(Seen | Link | Owns | Named | Employed)
SENT = msgspec.msgpack.Decoder(Snapshot | Tick)

Message = Touch | Owner | Told | Tick | MapRow

STRONG = ["contact_id:1", "user_id:u", "email:a@x.nl"]
WEAK = ["phone:+31201234567", "anonymous_id:c"]
KEYS = ["account_id:7", "domain:x.nl"]
TIMES = st.integers(0, 8).map(lambda n: START + n * DAY_MS // 3)
FACTS = st.dictionaries(st.sampled_from(["name", "job_title"]), st.sampled_from(["a", "b", 1]), max_size=2)


def subsets(values: list[str]) -> st.SearchStrategy[list[str]]:
    """In the order of strength."""
    return st.sets(st.sampled_from(values)).map(lambda chosen: [v for v in values if v in chosen])


@st.composite
def touches(draw: st.DrawFn) -> Touch:
    strong, weak, keys = draw(subsets(STRONG)), draw(subsets(WEAK)), draw(subsets(KEYS))
    kind = draw(st.sampled_from(["page_viewed", "order_placed", "identified", "consent_given"]))
    return Touch(
        tenant=draw(st.sampled_from(["t", "t", "u"])),
        source=draw(st.sampled_from(["web", "crm"])),
        event_id=draw(st.sampled_from("abc")),
        type=kind,
        type_name="",
        occurred_at=draw(TIMES),
        digest=draw(st.integers(0, 2)),
        identifier=(strong + weak + keys + [""])[0],
        account=keys[0] if keys else "",
        strong=strong,
        weak=weak,
        actor=draw(st.sampled_from([0, 0, 2])),
        channel="",
        rank=draw(st.sampled_from([1, 3])),
        # One digest, one content: what the digest covers must follow from it.
        content={},
        commerce={"order_id": "1", "order_namespace": "n"} if kind == "order_placed" else {},
        lines=[],
        campaign={},
        contact=draw(FACTS),
        organisation=draw(FACTS),
        consent={"email": draw(st.booleans())} if kind == "consent_given" else {},
        extra={},
    )


def with_true_digest(touch: Touch) -> Touch:
    """A copy has the digest of its content, as INGEST computes it."""
    content = (touch.type, touch.actor, touch.rank, touch.account, touch.digest)
    touch.digest = int.from_bytes(KEY_OF(*map(str, content))[:7], "big")
    return touch


owners = st.builds(Owner, st.just("t"), st.sampled_from(WEAK), st.sampled_from(STRONG), TIMES)
tolds = st.builds(
    lambda keys, source, rank, at, facts: Told("t", keys[0], keys, source, rank, at, facts),
    subsets(KEYS).filter(bool),
    st.sampled_from(["erp", "crm"]),
    st.sampled_from([1, 2, 3]),
    TIMES,
    FACTS,
)
ticks = st.builds(Tick, st.integers(0, 1), TIMES, st.integers(0, 2))
ids = st.sampled_from(["1", "2", "3", None])
spans = st.lists(st.tuples(st.none() | TIMES, ids, ids), max_size=3, unique_by=lambda span: span[0]).map(
    lambda drawn: [
        Span(None if at is None else rfc3339(at), contact and f"c{contact}", account and f"a{account}")
        for at, contact, account in sorted(drawn, key=lambda span: span[0] or 0)
    ]
)
maps = st.builds(
    MapRow,
    st.just("t"),
    st.sampled_from(STRONG + WEAK + KEYS),
    st.just((0, 0, 0)),
    spans,
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a1", "a2"])),
)


def versioned(messages: list[Message]) -> list[Message]:
    """IDENTITY never gives one version twice."""
    for seq, message in enumerate(messages):
        if isinstance(message, MapRow):
            message.version = (0, 1, seq)
    return messages


inputs = st.lists(st.one_of(touches().map(with_true_digest), owners, tolds, ticks, maps), max_size=30).map(
    versioned
)


def record(message: Message) -> Record:
    if isinstance(message, MapRow):
        key = KEY_OF(message.tenant, message.identifier)
        return Record("identity-map", 0, 0, 0, key, msgspec.json.encode(message))
    about: tuple[str, ...] = ("nobody",)
    if isinstance(message, Touch):
        about = (message.tenant, message.identifier)
    elif isinstance(message, Owner):
        about = (message.tenant, message.weak)
    elif isinstance(message, Told):
        about = (message.tenant, message.account)
    return Record("touchpoints.valid", 0, 0, 0, KEY_OF(*about), PACK(message))


@dataclass
class World:
    """Sessions one after the other over one changelog, and everything that reached the topics."""

    changelog: list[tuple[bytes, bytes]] = field(default_factory=list)
    sent: list[Output] = field(default_factory=list)
    epoch: int = 0
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new session: rows read back, outputs owed sent."""
        self.epoch += 1
        self.session = Session(Fragments(CONFIG), 0, 0)
        self.session.claimed(self.epoch)
        self.done(self.session.recovered(self.changelog))

    def batch(self, messages: Sequence[Message], crash: int | None) -> None:
        """One batch; after a crash (0: before its rows are written, 1: after, 2: amid the outputs) again."""
        records = [record(message) for message in messages]
        if crash is not None:
            work = self.session.work(records, 0)
            self.changelog += work.rows if crash else []
            self.sent += work.outputs[: len(work.outputs) // 2] if crash == 2 else []
            self.start()
        self.done(self.session.work(records, 0))

    def done(self, work: Work) -> None:
        self.changelog += work.rows
        self.sent += work.outputs
        self.session.sent(work)

    def fragments(self) -> dict[bytes, Fragment]:
        """The rows, without the memory of what was withdrawn: that tells which map rows came first."""
        found = {}
        for group, value in self.values().items():
            fragment = row.decode(value)
            fragment.left = []
            found[group] = fragment
        return found

    def values(self) -> dict[bytes, bytes]:
        rows = self.session.rows
        return {
            g: value for g in rows.groups() if g != KEY_OF("clock") and (value := rows.get(g)) is not None
        }

    def clock(self) -> bytes | None:
        return self.session.rows.get(KEY_OF("clock"))

    def folded(self) -> dict[tuple[str, str, str], Snapshot]:
        """The snapshots that stand at JOURNEYS; of one version the later."""
        stand: dict[tuple[str, str, str], Snapshot] = {}
        for sent in self.snapshots():
            of = sent.tenant, sent.account, sent.identifier
            if of not in stand or sent.version >= stand[of].version:
                stand[of] = sent
        for each in stand.values():
            each.version = b""
        return {of: each for of, each in stand.items() if not each.withdrawn}

    def snapshots(self) -> list[Snapshot]:
        sent = [SENT.decode(out.value or b"") for out in self.sent if out.topic == "fragment-snapshots"]
        return [each for each in sent if isinstance(each, Snapshot)]

    def ticks(self) -> list[Tick]:
        sent = [
            SENT.decode(o.value or b"") for o in self.sent if o.topic != "identity-links" and o.partition == 0
        ]
        return [each for each in sent if isinstance(each, Tick)]

    def stated(self) -> set[Statement]:
        return {STATED.decode(out.value or b"") for out in self.sent if out.topic == "identity-links"}


def run(messages: Sequence[Message], seed: int) -> World:
    """Shuffled, partly repeated, cut and crashed as the seed says; seed 0: as it is, in one batch."""
    world, rnd = World(), Random(seed)
    if not seed:
        world.batch(messages, None)
        return world
    order = [*messages, *rnd.choices(messages, k=len(messages) // 3)] if messages else []
    rnd.shuffle(order)
    while order:
        size = rnd.randint(1, max(1, len(order) // 2))
        world.batch(order[:size], rnd.choice([None, None, None, 0, 1, 2]))
        order = order[size:]
    return world


def settled(stated: set[Statement]) -> dict[Any, Any]:
    """What IDENTITY makes of statements: the earliest of each; of owners and employments the changes."""
    earliest: dict[Any, int] = {}
    claims: dict[Any, set[row.Claim]] = {}
    for each in stated:
        match each:
            case Owns(tenant, weak, strong, at):
                claims.setdefault((tenant, weak), set()).add((at, strong, "", 0))
            case Employed(tenant, identifier, contact, source, rank, at, account):
                claims.setdefault((tenant, identifier, contact), set()).add((at, account, source, rank))
            case _:
                key = (type(each), *(getattr(each, name) for name in each.__struct_fields__ if name != "at"))
                earliest[key] = min(each.at, earliest.get(key, each.at))
    changes = {of: first_of_each_moment(moments(sorted(told))) for of, told in claims.items()}
    return {**earliest, **changes}


def first_of_each_moment(claims: list[row.Claim]) -> list[tuple[int, str, str, int]]:
    """Of claims of one moment the smallest holds; then only changes count."""
    holds: list[row.Claim] = []
    firsts = {(claim[0], claim[2], claim[3]): claim for claim in reversed(claims)}
    last: dict[tuple[str, int], str] = {}
    for claim in sorted(firsts.values()):
        if last.get(claim[2:]) != claim[1]:
            holds.append(claim)
            last[claim[2:]] = claim[1]
    return holds


def naive(messages: Sequence[Message]) -> dict[tuple[str, str, str], Counter[str]]:
    """Event ids per (tenant, account, identifier), told touch by touch from all messages."""
    latest: dict[tuple[str, str], MapRow] = {}
    winners: dict[tuple[str, str, str, str], Touch] = {}
    for each in messages:
        if isinstance(each, MapRow):
            of = each.tenant, each.identifier
            latest[of] = max(each, latest.get(of, each), key=lambda one: one.version)
        elif isinstance(each, Touch) and each.type not in ("identified", "consent_given"):
            event = each.tenant, each.identifier, each.source, each.event_id
            winners[event] = min(each, winners.get(event, each), key=attrgetter("occurred_at", "digest"))
    found: dict[tuple[str, str, str], Counter[str]] = {
        (*of, span.account_id): Counter()
        for of, mapped in latest.items()
        for span in mapped.spans
        if span.account_id
    }
    for (tenant, identifier, _, event_id), touch in winners.items():
        mapped = latest.get((tenant, identifier))
        if mapped is None:
            continue
        if touch.account not in ("", identifier):
            account = mapped.accounts.get(touch.account)
        else:
            at = rfc3339(touch.occurred_at)  # of one length: texts compare as times
            holding = [span for span in mapped.spans if span.since is None or span.since <= at]
            account = holding[-1].account_id if holding else None
        if account is not None:
            found.setdefault((tenant, identifier, account), Counter())[event_id] += 1
    return found


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(1, 1 << 30))
def test_any_order_repetition_cut_and_crash_end_the_same(messages: list[Message], seed: int) -> None:
    straight, crooked = run(messages, 0), run(messages, seed)
    assert crooked.fragments() == straight.fragments()
    assert crooked.clock() == straight.clock()
    assert crooked.folded() == straight.folded()
    assert crooked.ticks()[-1:] == straight.ticks()[-1:]
    assert crooked.ticks() == sorted(crooked.ticks(), key=lambda tick: (tick.at, tick.drain))
    stated = crooked.stated()
    assert settled(stated) == settled(straight.stated())
    for fragment in crooked.fragments().values():
        assert stated.issuperset(statements(fragment))


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(0, 1 << 30))
def test_every_touch_is_where_it_belongs_once(messages: list[Message], seed: int) -> None:
    found = {
        (tenant, identifier, account): Counter(each.event_id for part in sent.parts for each in part.touches)
        for (tenant, account, identifier), sent in run(messages, seed).folded().items()
    }
    assert found == naive(messages)


def test_rows_of_the_same_messages_are_the_same_bytes() -> None:
    messages = [with_true_digest(touch) for n in range(20) for touch in [many(Random(n), n)]]
    forth, back = World(), World()
    for message in messages:
        forth.batch([message], None)
    back.batch(messages[::-1], None)
    assert forth.values() == back.values()


def many(rnd: Random, n: int) -> Touch:
    """A touch of one busy identifier over three years; one in nine event ids has two copies."""
    kind = rnd.choice(["page_viewed", "price_viewed", "email_sent", "order_placed", "faq_viewed"])
    return Touch(
        tenant="t", source="web", event_id=f"event-{n * 8 // 9:07d}", type=kind, type_name="",
        occurred_at=START + rnd.randrange(3 * 365 * DAY_MS), digest=rnd.getrandbits(62),
        identifier="email:a@x.nl", account=rnd.choice(["", "", "", "domain:x.nl"]), strong=["email:a@x.nl"],
        weak=[], actor=2 if kind == "email_sent" else 0, channel="web", rank=3,
        content={"topic": rnd.choice(["pumps", "valves", ""])}, commerce={}, lines=[], campaign={},
        contact={rnd.choice(["name", "job_title", "role"]): "x"}, organisation={}, consent={}, extra={},
    )  # fmt: skip


@pytest.mark.parametrize("number", [1_001, 1_500, 4_000])
def test_a_dense_fragment_does_not_depend_on_order(number: int) -> None:
    rnd = Random(number)
    messages: list[Message] = [many(rnd, n) for n in range(number)]
    spans = [Span(None, "c1", "a1"), Span(rfc3339(START + 400 * DAY_MS), "c1", "a2")]
    messages.append(MapRow("t", "email:a@x.nl", (0, 1, 1), spans, {"domain:x.nl": "a3"}))
    straight = run(messages, 0)
    (kept,) = straight.fragments().values()
    assert kept.level > 0
    assert len(next(iter(straight.values().values()))) < 65_536
    for seed in (1, 2):
        crooked = run(messages, seed)
        assert crooked.fragments() == straight.fragments()
        assert crooked.folded() == straight.folded()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(2, 1_200), st.sampled_from([7, 40, 1_000]), st.booleans())
def test_an_account_with_touches_never_becomes_withdrawn_by_thinning(
    seed: int, firms: int, most: int, heavy: bool
) -> None:
    """At every level each account that counts keeps its first and last touch of every type and actor.

    Where that is too heavy, of every actor.
    """
    rnd = Random(seed)
    messages: list[Message] = [many(rnd, n) for n in range(1_600)]
    for n, each in enumerate(messages):
        assert isinstance(each, Touch)
        each.event_id = str(n)
        each.account = each.account and f"domain:{rnd.randrange(firms):04d}.nl"
    known = {f"domain:{n:04d}.nl": f"a{n}" for n in range(firms)}
    messages.append(MapRow("t", "email:a@x.nl", (0, 1, 1), [Span(None, "c1", "home")], known))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row, "NAMED", most)
        patch.setattr(row, "ACCOUNTS_BYTES", 0 if heavy else row.ACCOUNTS_BYTES)
        straight, crooked = run(messages, 0), run(messages, seed + 1)
    assert crooked.fragments() == straight.fragments()
    assert crooked.folded() == straight.folded()
    (kept,) = straight.fragments().values()
    assert kept.level > 0
    expected: dict[tuple[str, str, int], list[int]] = {}
    counting = sorted({each.account for each in messages if isinstance(each, Touch) and each.account})[:most]
    for each in messages:
        if isinstance(each, Touch) and each.account in ("", *counting):
            of = known.get(each.account, "home"), "" if heavy else each.type, each.actor
            expected.setdefault(of, []).append(each.occurred_at)
    found: dict[tuple[str, str, int], list[int]] = {}
    for (_, account, _), sent in straight.folded().items():
        for touch in sent.parts[0].touches:
            found.setdefault((account, "" if heavy else touch.type, touch.actor), []).append(touch.at)
    assert {of: (min(at), max(at)) for of, at in found.items()} == {
        of: (min(at), max(at)) for of, at in expected.items()
    }


@settings(max_examples=300, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 99), st.integers(1, 9)), min_size=1), st.randoms())
def test_thinning_is_a_function_of_the_set(items: set[tuple[int, int]], rnd: Random) -> None:
    def by(bucket: int, kind: int) -> Callable[[tuple[int, int]], int]:
        return lambda item: item[0] // bucket * 1000 + item[1] // kind

    ladder: list[Level[tuple[int, int]]] = [
        Level((), 2, 12, 90),
        Level((by(5, 1),), 2, 10, 60),
        Level((by(10, 2), by(20, 1)), 2, 10, 60),
        Level((by(20, 4), by(20, 2)), 1, 10, 60),
        Level((by(100, 4),), 1, 10, 60),
    ]

    def all_at_once() -> tuple[int, list[tuple[int, int]]]:
        return settle(ladder, 0, sorted(items), max(item[1] for item in items))

    level, kept, widest = 0, list[tuple[int, int]](), 1
    order = sorted(items)
    rnd.shuffle(order)
    while order:
        size = rnd.randint(1, 4)
        widest = max(widest, *(item[1] for item in order[:size]))
        level, kept = settle(ladder, level, sorted({*kept, *order[:size]}), widest)
        order = order[size:]
    assert (level, kept) == all_at_once()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from("abc")), min_size=1, max_size=50), st.randoms()
)
def test_owners_beyond_their_bound_do_not_depend_on_order(drawn: list[tuple[int, str]], rnd: Random) -> None:
    pairs = [(at * 3_600_000 + minute * 60_000, who) for at, who in drawn for minute in range(12)]
    messages: list[Message] = [Owner("t", WEAK[1], f"email:{who}@x.nl", START + at) for at, who in pairs]
    straight = World()
    straight.batch(messages, None)
    rnd.shuffle(messages)
    crooked = World()
    for cut in range(0, len(messages), 100):
        crooked.batch(messages[cut : cut + 100], None)
    assert crooked.values() == straight.values()
    (kept,) = crooked.fragments().values()
    assert len(kept.claims) <= row.CLAIMS
    assert crooked.stated().issuperset(statements(kept))


def test_a_level_groups_what_the_level_before_groups() -> None:
    """What thinning rests on: each grouping is made of whole groups of some grouping of the level before."""
    rnd = Random(7)
    sample = [sampled(rnd, n) for n in range(3_000)]
    for finer, coarser in zip(row.TOUCH_LADDER[1:], row.TOUCH_LADDER[2:], strict=False):
        for grouping in coarser.groupings:
            assert any(refines(fine, grouping, sample) for fine in finer.groupings)


def sampled(rnd: Random, n: int) -> Mini:
    kind, topic = rnd.choice(["page_viewed", "order_placed"]), rnd.choice(["", "pumps"])
    actor, account = rnd.choice([0, 2]), rnd.choice(["", "domain:x.nl"])
    month = START // row.MONTH_MS + rnd.randrange(30)  # half of them at the very edge of a bucket
    at = month * row.MONTH_MS + rnd.choice([rnd.randrange(row.MONTH_MS), rnd.randrange(-2, 2)])
    return Mini(at, n, str(n), "web", kind, actor, 3, account, topic, "", "", "web")


def refines(fine: Callable[[Mini], Any], coarse: Callable[[Mini], Any], sample: list[Mini]) -> bool:
    """Whether every group of `coarse` is a union of groups of `fine`."""
    into: dict[Any, Any] = {}
    for each in sample:
        if (group := coarse(each)) is None:
            continue
        if fine(each) is None or into.setdefault(fine(each), group) != group:
            return False
    return True
