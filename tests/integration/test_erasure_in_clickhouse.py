"""Who is erased is gone from every table, and from the files; what others did stays, and counts go on."""

import asyncio
import contextlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chdb_process import ChdbServer
from warehouse import Warehouse, encode, group, involved, key_of, letter, member

from schemas import deadletter
from schemas.events import AccountRef, ContactRef, JourneyRow, StageEntered
from schemas.identity import MapRow, Period, Span
from schemas.internal import Outcome
from schemas.keys import erased_name, event_key
from schemas.times import from_rfc3339
from schemas.topics import DEAD, MAP, VALID
from streams import clickhouse, summary
from streams.core import Record, StepConfig
from streams.letters import letter as refusal
from streams.run import Worked
from streams.sink.insert import Server

pytestmark = pytest.mark.embedded

JANE, CRM, BOB, PHONE = (
    "email:jane.doe@acme.nl",
    "contact_id:C-JANE",
    "email:bob@acme.nl",
    "phone:+31611112222",
)
BEFORE, T, AFTER = "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z", "2025-09-01T00:00:00Z"
END = "2025-06-01T00:00:00.001Z"
PLAIN = ("jane.doe", "C-JANE", "Jane Doe", "secret-campaign")  # nothing of these is left


def erasing(at: Warehouse, identifier: str, seq: int, *spans: Span, **changes: Any) -> Record:
    """The map row of an identifier that is erased; with spans: something later is known of it."""
    name = identifier if spans else erased_name(key_of(at.tenant, identifier))
    plain = {"erased": [Period(None, END)]}
    row = MapRow(at.tenant, name, (0, 1, seq), list(spans) or [Span(None)], **plain | changes)
    return Record(MAP.name, 0, 0, 0, key_of(at.tenant, identifier), encode(row))


def erasure(at: Warehouse) -> list[Record]:
    """Jane is erased; her phone was Bob's later."""
    bobs = Span(END, "cbob", "a1")
    period = {"erased": [Period("2025-01-01T00:00:00Z", END)]}
    return [
        erasing(at, JANE, 20),
        erasing(at, CRM, 20),
        erasing(at, PHONE, 20, Span(None), bobs, **period),
        at.link(CRM, JANE, "", seq=9),
    ]


def life(at: Warehouse) -> list[Record]:
    """Jane's and Bob's."""
    her = {"contact": {"name": "Jane Doe"}, "extra": {"x": "secret-campaign"}}
    stage = StageEntered("awareness", BEFORE, ["j1", "b1"], False)
    both = [
        msgspec.structs.replace(involved(member("cjane", "Jane Doe")), identifiers=[JANE, CRM, PHONE]),
        msgspec.structs.replace(involved(member("cbob", "Bob"), "Bob"), identifiers=[BOB, PHONE]),
    ]
    journey = JourneyRow(1, BEFORE, None, "", [stage], {"first_order": T}, AFTER)
    body = encode(
        {"tenant": at.tenant, "occurred_at": BEFORE, "identifiers": {"email": "Jane.Doe@acme.nl", "x": 1}}
    )
    return [
        at.touch("j1", JANE, BEFORE, **her),
        at.touch("j2", CRM, T, strong=[CRM, JANE], **her),
        at.touch("j3", PHONE, "2025-02-01T00:00:00Z"),
        at.touch("b1", BOB, BEFORE, strong=[BOB, JANE], weak=[PHONE]),
        at.touch("b2", PHONE, AFTER),
        *(at.mapped(name, Span(None, "cjane", "a1"), seq=3) for name in (JANE, CRM)),
        at.mapped(BOB, Span(None, "cbob", "a1"), seq=3),
        at.mapped(PHONE, Span(None, "cjane", "a1"), Span(END, "cbob", "a1"), seq=3),
        at.profile(1, both, **group()),
        at.profile(2, both, journeys=[journey], **group()),
        at.profile(1, both[:1], subject="ajane", kind="person", name="Jane Doe", keys=[], **group()),
        at.event("member", "1", BEFORE, 1, contact=ContactRef("cjane", [JANE]), caused_by=["j1"]),
        at.event("member", "2", AFTER, 1, contact=ContactRef("cjane", [CRM, JANE]), caused_by=["b1", "j2"]),
        at.event("member", "3", AFTER, 1, contact=ContactRef("cbob", [BOB, PHONE]), caused_by=["b2"]),
        at.event("journey", "1", AFTER, 1, account=AccountRef("ajane", [], "Jane Doe", "", "")),
        at.handed(1),
        at.link(CRM, JANE, "held", seq=1),
        at.link(BOB, JANE, "refused", seq=1, source="web"),
        at.said("s1", "link", CRM, JANE, BEFORE),
        at.said("s2", "cannot_link", BOB, JANE, BEFORE),
        at.ordered("k1", "assign_role", BEFORE, JANE, BOB, role="user"),
        at.ordered("k2", "remove_role", T, CRM, PHONE, role="user"),
        at.ordered("k3", "assign_role", AFTER, PHONE, role="user"),
        letter(1, body, generation=5),
        letter(2, b'{"tenant": "%s", "email": "jane.doe@acme.nl' % at.tenant.encode(), generation=5),
        letter(3, encode({"tenant": at.tenant, "identifiers": {"email": "bob@acme.nl"}}), generation=5),
    ]


def left(at: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """What analysts and tables show."""
    return {
        "touches": at.rows("touchpoints FINAL", "event_id, strong, weak, length(strong_keys)"),
        "contacts": at.rows("v_contacts", "contact_id, identifiers, devices"),
        "members": at.rows("v_members", "account_id, contact_id, name, identifiers"),
        "roles": at.rows(
            "v_members", "job_title, roles, evidence, engagement, reach, status, p_active, steps"
        ),
        "accounts": at.rows("v_accounts", "account_id, name, next_best_action.message"),
        "stages": at.rows("v_stage_transitions", "caused_by"),
        "journeys": at.rows("v_journeys", "journey_id, moments, last_touch"),
        "handoffs": at.rows(
            "v_handoffs", "account_id, status, reasons, call_first.name, outcome_reason, value"
        ),
        "silences": at.rows("v_inactivity", "account_id, contact_id, level"),
        "others": [at.rows(view, "account_id") for view in ("v_crossings", "v_score_parts")],
        "facts": at.rows("accounts", "sum(length(facts)) AS facts", "facts"),
        "events": at.rows(
            "journey_events FINAL", "natural_key, kind, contact_identifiers, caused_by, account_name"
        ),
        "links": at.rows("identity_links FINAL", "a, b"),
        "said": at.rows("v_assertions", "event_id, a, b"),
        "commands": at.rows("v_account_commands", "event_id, identifiers"),
        "letters": at.ask(
            "SELECT offset, original, error FROM dead_letters FINAL WHERE generation = 5 ORDER BY offset"
        ),
        "erased": at.rows("erased_touchpoints FINAL", "caused_key, held"),
    }


def short(*parts: str) -> int:
    return int.from_bytes(key_of(*parts)[:8])


def hashed(at: Warehouse, identifier: str) -> str:
    return f"#{short(at.tenant, identifier):016x}"


def expected(at: Warehouse) -> dict[str, list[Any]]:
    bob = encode({"tenant": at.tenant, "identifiers": {"email": "bob@acme.nl"}}).decode()
    gone = "it told of a person who is erased"
    return {
        "touches": [("b1", [BOB], [], 1), ("b2", [], [], 0)],
        "contacts": [("cbob", [BOB], [PHONE])],
        "members": [("a1", "cbob", "Bob", [BOB, PHONE])],
        "roles": [
            (
                *("Head of Bob", ["decider", "user"], {"decider": "Bob decides", "user": "how-to"}),
                *(0.0, "Bob gave consent", "active", 0.75, ["order placed, Bob (2025-03-10)"]),
            )
        ],
        "accounts": [("a1", "Acme", ""), ("ajane", "", "")],
        "stages": [(["b1"],)],
        "journeys": [("a1.1", {"first_order": f"{T[:-1]}.000Z"}, f"{AFTER[:-1]}.000Z")],
        "handoffs": [
            (account, status, [], "", reason, value)
            for account in ("a1", "ajane")
            for status, reason, value in (("withdrawn", "", None), ("won", "cheap", 1250.5))
        ],
        "silences": [("a1", "", "quiet"), ("ajane", "", "quiet")],
        "others": [[], []],
        "facts": [(0,)],
        "events": [
            ("1", "journey", [], [], ""),
            ("1", "member", [], [], "Acme"),
            ("2", "member", [], ["b1"], "Acme"),
            ("3", "member", [BOB, PHONE], ["b2"], "Acme"),
        ],
        "links": [],
        "said": [
            ("s1", hashed(at, CRM), hashed(at, JANE)),
            ("s2", BOB, hashed(at, JANE)),
        ],
        "commands": [
            ("k1", [hashed(at, JANE), BOB]),
            ("k2", [hashed(at, CRM), hashed(at, PHONE)]),
            ("k3", [PHONE]),
        ],
        "letters": [
            {"offset": 1, "original": "", "error": gone},
            {"offset": 2, "original": "", "error": gone},
            {"offset": 3, "original": bob, "error": "no offset"},
        ],
        "erased": sorted((short(at.tenant, "cause", f"j{n}"), 1) for n in (1, 2, 3)),
    }


@pytest.fixture
def at(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with ChdbServer(tmp_path / "clickhouse") as server:
        clickhouse.migrate(server.dsn)
        found = Warehouse(server.dsn, request.node.name[:40])
        found.path = tmp_path  # type: ignore[attr-defined]
        yield found


def plain_text(at: Warehouse) -> list[str]:
    """Files that hold what is erased."""
    found = subprocess.run(
        ["grep", "-rlaiE", "|".join(PLAIN), str(at.path)],  # type: ignore[attr-defined]
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()


def test_everything_of_a_person_is_gone_from_tables_and_files(at: Warehouse) -> None:
    with clickhouse.connect(at.dsn) as client:
        client.command("ALTER TABLE touchpoints MODIFY SETTING min_bytes_for_wide_part = 0")
    at.feed(*life(at))
    assert plain_text(at)
    at.feed(*erasure(at))
    assert left(at) == expected(at)
    assert plain_text(at) == []
    at.feed(*erasure(at))
    assert left(at) == expected(at)


@pytest.mark.parametrize("first", [0, 1])
def test_of_a_member_who_lost_an_identifier_no_words_are_left(at: Warehouse, first: int) -> None:
    both = msgspec.structs.replace(involved(member("cjane", "Jane Doe")), identifiers=[JANE, "user_id:7"])
    steps = [[at.profile(1, [both], **group())], [erasing(at, JANE, 20)]]
    at.feed(at.mapped(JANE, Span(None, "cjane", "a1")))
    at.feed(*steps[first])
    at.feed(*steps[1 - first])
    columns = "name, identifiers, job_title, roles, evidence, engagement, reach, status, steps"
    assert at.rows("v_members", columns) == [
        (
            *("", ["user_id:7"], "", ["decider", "user"], {"decider": "", "user": ""}),
            *(0.0, "", "active", []),
        )
    ]
    assert plain_text(at) == []


def test_what_is_erased_does_not_come_back_whatever_the_order(at: Warehouse) -> None:
    at.feed(*erasure(at))
    at.feed(*life(at))
    again = Warehouse(at.dsn, at.tenant)  # after a restart
    asyncio.run(again.writer.refresh())
    again.feed(*life(at))
    want = expected(at)
    want["erased"] = [(cause, 0) for cause, _ in want["erased"]]
    assert left(at) == want
    assert plain_text(at) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_cut_and_order_with_repetition_ends_the_same(at: Warehouse, seed: int) -> None:
    rng = random.Random(seed)
    first, rest = life(at), [*life(at), *erasure(at), *erasure(at)]
    rng.shuffle(first)
    rng.shuffle(rest)
    for records in (first, rest):
        for n in range(0, len(records), 9):
            at.feed(*records[n : n + 9])
    at.feed(*erasure(at))
    assert left(at) == expected(at)


def test_who_comes_back_is_somebody_else(at: Warehouse) -> None:
    at.feed(*life(at))
    at.feed(*erasure(at)[1:], erasing(at, JANE, 20, Span(None, "cnew", "a1")))
    at.feed(
        at.touch("j9", JANE, AFTER),
        at.profile(9, [msgspec.structs.replace(member("cnew", "Jane"), identifiers=[JANE])]),
        at.event("member", "9", AFTER, 9, contact=ContactRef("cnew", [JANE]), caused_by=["j9"]),
    )
    assert at.rows("v_contacts", "contact_id, identifiers") == [
        ("cbob", [BOB]),
        ("cnew", [JANE]),
    ]
    assert at.rows("v_members", "account_id, contact_id, name, identifiers") == [
        ("a1", "cnew", "Jane", [JANE]),
    ]
    events = at.rows("journey_events FINAL", "natural_key, contact_identifiers", "natural_key")
    assert ("9", [JANE]) in events
    assert ("2", []) in events


def comeback(at: Warehouse) -> list[Record]:
    """She is erased, and comes back as part of a contact whose id does not tell that it is hers."""
    old = [msgspec.structs.replace(member("cjane", "Jane Doe"), identifiers=[JANE, CRM])]
    new = [msgspec.structs.replace(member("cnew", "Jane"), identifiers=[JANE])]
    return [
        *(at.mapped(name, Span(None, "cjane", "a1"), seq=3) for name in (JANE, CRM)),
        at.profile(1, old),
        *(erasing(at, name, 20) for name in (JANE, CRM)),
        at.profile(9, new, anew={JANE: END}),
        at.touch("j9", JANE, AFTER, contact={"name": "Jane"}),
        erasing(at, JANE, 30, Span(None, "cnew", "a1")),
    ]


def test_who_comes_back_keeps_what_is_told_of_her_whatever_the_cut_and_order(at: Warehouse) -> None:
    rng = random.Random(0)
    places = list(range(8))
    orders = [places, [5, *places[:5], 6, 7], [7, *places[:7]], *(rng.sample(places, 8) for _ in range(5))]
    for n, order in enumerate(orders):
        one = Warehouse(at.dsn, f"{at.tenant[:30]}{n}")
        records = comeback(one)
        for place in order:
            one.feed(records[place])
        assert one.rows("v_members", "contact_id, name, identifiers") == [("cnew", "Jane", [JANE])], order
        assert one.rows("v_contacts", "contact_id, name, identifiers") == [("cnew", "Jane", [JANE])], order
        superseded = one.rows("accounts", "members.name", "version")[:-1]
        assert superseded in ([], [([],)]), order


@pytest.mark.parametrize("shorter", [None, Period("2025-03-01T00:00:00Z", END)])
def test_what_is_erased_no_longer_counts_again_when_it_is_sent_again(
    at: Warehouse, shorter: Period | None
) -> None:
    """Somebody says that the phone never was hers, or only later."""
    other = Warehouse(at.dsn, at.tenant)
    asyncio.run(other.writer.refresh())
    at.feed(*life(at), *erasure(at))
    at.feed(at.touch("j4", PHONE, "2025-02-02T00:00:00Z"), at.touch("j5", PHONE, "2025-04-01T00:00:00Z"))
    asyncio.run(other.writer.refresh())
    counted = summary._APPLIED.replace("{valid: String}", "''")
    before = at.ask(counted)
    erased = [] if shorter is None else [shorter]
    at.feed(erasing(at, PHONE, 30, Span(None), Span(END, "cbob", "a1"), erased=erased))
    told = [at.touch(event, PHONE, f"2025-0{month}-01T00:00:00Z") for event, month in (("j3", 2), ("j5", 4))]
    causes = [at.event("member", "4", AFTER, 30, caused_by=["j3", "j2", "j5"])]
    again = Warehouse(at.dsn, at.tenant)  # after a restart
    for writer in (other, again):
        asyncio.run(writer.writer.refresh())
        writer.feed(*told, *causes)
    [(named,)] = at.rows("journey_events FINAL", "if(natural_key = '4', caused_by, [])", "1 DESC LIMIT 1")
    if shorter is None:
        assert at.rows("v_touchpoints", "event_id") == [("b1",), ("b2",), ("j3",), ("j5",)]
        assert named == ["j3", "j5"]
    else:
        assert at.rows("v_touchpoints", "event_id") == [("b1",), ("b2",), ("j3",)]
        assert named == ["j3"]
    assert at.ask(counted) == before


class CrashError(Exception):
    pass


def test_a_crash_at_any_point_is_made_good(at: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    at.feed(*life(at))
    left_over = 0

    def breaks(name: str) -> None:
        whole = getattr(Server, name)

        def fails(*arguments: Any) -> Any:
            nonlocal left_over
            left_over -= 1
            if left_over == 0:
                raise CrashError
            return whole(*arguments)

        monkeypatch.setattr(Server, name, fails)

    for name in ("do", "ask", "insert"):
        breaks(name)
    crashes = 0
    while left_over == 0:
        crashes += 1
        left_over = crashes
        with contextlib.suppress(CrashError):
            Warehouse(at.dsn, at.tenant).feed(*erasure(at))
    monkeypatch.undo()
    assert crashes > 20
    assert left(at) == expected(at)
    assert plain_text(at) == []


def test_a_sink_hears_of_what_another_one_erased(at: Warehouse) -> None:
    other = Warehouse(at.dsn, at.tenant)
    asyncio.run(other.writer.refresh())
    at.feed(*life(at)[:1], *erasure(at))
    other.feed(at.touch("b1", BOB, BEFORE, strong=[BOB, JANE]), at.touch("j1", JANE, BEFORE))
    assert at.rows("v_touchpoints", "event_id") == [("b1",), ("j1",)]
    asyncio.run(other.writer.refresh())
    assert at.rows("touchpoints", "event_id, strong") == [("b1", [BOB])]


@pytest.mark.parametrize("loaded", [True, False])
def test_a_sink_takes_out_the_causes_that_another_one_erased(at: Warehouse, loaded: bool) -> None:
    other = Warehouse(at.dsn, at.tenant)
    if loaded:
        asyncio.run(other.writer.refresh())
    at.feed(*life(at)[:1], *erasure(at))
    stage = StageEntered("awareness", BEFORE, ["j1", "b1"], False)
    journeys = [JourneyRow(1, BEFORE, None, "", [stage])]
    other.feed(
        at.event("member", "1", AFTER, 1, caused_by=["j1", "b1"]), at.profile(1, [], journeys=journeys)
    )
    assert at.rows("journey_events", "caused_by") == [(["j1", "b1"],)]
    for _ in range(2):
        asyncio.run(other.writer.refresh())
        assert at.rows("journey_events", "caused_by") == [(["b1"],)]
        assert at.rows("accounts", "journeys[1].stages[1].caused_by") == [(["b1"],)]


def refused(at: Warehouse, event_id: str, generation: int) -> Record:
    key = event_key(key_of, at.tenant, "web", event_id)
    headers = deadletter.headers(
        **{"reason": "erased", "field": "", "error": "", "topic": VALID.name, "partition": 0},
        **{"offset": -1 - int.from_bytes(key[:6]), "generation": generation, "original": b""},
    )
    return Record(DEAD.name, 0, 0, 0, None, b"", headers)


def letter_of(at: Warehouse, event_id: str, generation: int) -> Record:
    """The dead letter of an outcome."""
    said = Outcome(at.tenant, event_id, "lost", "", ["domain:acme.nl"], *[""] * 4, 0, "")
    config = StepConfig(partition=0, partitions=1, generation=generation, key_of=key_of)
    sent = refusal(said, "no_handoff", "", config)
    return Record(DEAD.name, 0, 0, 0, None, sent.value, sent.headers)


def test_counts_go_on_after_an_erasure(at: Warehouse) -> None:
    def counted(generation: int, lines: int, *records: Record) -> tuple[int, int, int]:
        with clickhouse.connect(at.dsn) as client:
            found = summary._Found(client, generation)
            before = found.before()
            for record in records:
                at.feed(record)
            told = found.summary(Worked(lines=lines), before)
            summary.clear(client)
        return told.applied, told.duplicates, told.dead_letters

    touches = [at.touch("j1", JANE, BEFORE), at.touch("j2", JANE, T), at.touch("b1", BOB, BEFORE)]
    maps = [at.mapped(JANE, Span(None, "cjane", "a1"))]
    assert counted(1, 4, *touches, *maps) == (3, 1, 0)
    # The request is accepted; the touches stay accepted.
    assert counted(2, 1, *erasure(at), at.answer("r1", ["cjane"])) == (1, 0, 0)
    # The same touches come again.
    again = [refused(at, "j1", 3), refused(at, "j2", 3)]
    assert counted(3, 3, *touches, *again) == (0, 1, 2)
    # A touch that never was accepted; one that FRAGMENTS had before it knew, and ClickHouse after.
    late = [at.touch("j5", JANE, BEFORE), refused(at, "j5", 4), at.touch("j6", JANE, BEFORE)]
    assert counted(4, 2, *late) == (1, 0, 1)
    assert counted(5, 1, at.said("s1", "link", BOB, "user_id:7", AFTER)) == (1, 0, 0)
    lost = at.happened("o1", "lost", AFTER, "domain:acme.nl")
    owner = at.ordered("k1", "set_owner", AFTER, owner="marleen")
    assert counted(6, 5, lost, lost, owner, lost) == (2, 3, 0)
    # An outcome is refused in its own run; then one that had been accepted, as its hand-off is no more.
    late = at.happened("o2", "won", AFTER, "domain:acme.nl")
    assert counted(7, 2, late, late, letter_of(at, "o2", 7)) == (0, 1, 1)
    assert counted(8, 1, at.said("s2", "link", BOB, "user_id:8", AFTER), letter_of(at, "o1", 8)) == (1, 0, 0)
    assert counted(9, 2, lost, late) == (0, 2, 0)


def test_only_touches_move_the_clock(at: Warehouse) -> None:
    with clickhouse.connect(at.dsn) as client:
        found = summary._Found(client, 1)
        at.feed(
            at.said("s1", "link", BOB, "user_id:7", AFTER),
            at.answer("r1", [], occurred_at=AFTER),
            at.happened("o1", "lost", AFTER, "domain:acme.nl"),
            at.ordered("k1", "set_owner", AFTER, owner="marleen"),
        )
        assert found.clock(None) == 0  # so many were accepted, and none is a touch
        at.feed(at.touch("b1", BOB, BEFORE))
        assert found.clock(None) == from_rfc3339(BEFORE)


def test_a_touch_in_clickhouse_before_it_is_refused_counts_once(at: Warehouse) -> None:
    with clickhouse.connect(at.dsn) as client:
        found = summary._Found(client, 1)
        before = found.before()
        at.feed(at.touch("j1", JANE, BEFORE))
        at.feed(*erasure(at), refused(at, "j1", 1))
        told = found.summary(Worked(lines=1), before)
    assert (told.applied, told.duplicates, told.dead_letters) == (0, 0, 1)


def test_thousands_are_erased_at_once(at: Warehouse) -> None:
    people = [f"email:p{n}@acme.nl" for n in range(1_200)]
    at.feed(*(at.touch(f"e{n}", name, BEFORE) for n, name in enumerate(people)))
    at.feed(*(at.mapped(name, Span(None, f"c{n}", "a1")) for n, name in enumerate(people)))
    at.feed(*(erasing(at, name, 20) for name in people[:1_100]))
    assert len(at.rows("touchpoints", "event_id")) == 100
    assert len(at.rows("identity_map", "identifier")) == 100
    assert json.dumps(at.rows("erasures", "count()", "1")) == "[[1100]]"
