import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import schemas
from schemas import deadletter
from schemas.events import AccountProfile, AccountRef, ContactRef, JourneyEvent, Member
from schemas.identifiers import place
from schemas.identity import MapRow, Period, Span
from schemas.internal import Asserted, Command, Evidence, Line, Outcome, Owner, Tick, Told, Touch
from schemas.keys import erased_name, hasher
from schemas.privacy import PrivacyResult
from schemas.times import from_rfc3339
from schemas.topics import DEAD, EVENTS, EVIDENCE, MAP, PROFILES, RESULTS, VALID
from schemas.touchpoint import FACT_TYPES
from streams.core import Record
from streams.identity.contacts import contact_id
from streams.sink.erased import EVER, Erased, short
from streams.sink.rows import plan as planned_of
from streams.sink.rows import version_number
from streams.sink.tables import COLUMNS, Plan

SQL = Path(schemas.__file__).with_name("clickhouse")
pack = msgspec.msgpack.Encoder().encode
encode = msgspec.json.Encoder().encode


key_of = hasher("s")


def plan(records: Iterable[Record], erased: Erased | None = None) -> Plan:
    return planned_of(records, erased or Erased(key_of))


def record(topic: str, value: bytes | None, headers=(), offset: int = 7) -> Record:
    return Record(topic, 3, offset, 1_738_570_324_050, b"key", value, headers)


def touch(**changes) -> Touch:
    plain = Touch(
        tenant="acme",
        source="web",
        event_id="e1",
        type="page_viewed",
        type_name="",
        occurred_at=1_738_570_324_050,
        digest=5,
        identifier="email:jane@acme.nl",
        account="",
        strong=["email:jane@acme.nl"],
        weak=["anonymous_id:a1"],
        actor=0,
        channel="web",
        rank=3,
        content={},
        commerce={},
        lines=[],
        campaign={},
        contact={},
        organisation={},
        consent={},
        extra={},
    )
    return msgspec.structs.replace(plain, **changes)


def row(table: str, *records: Record) -> dict:
    """The one row that the records become, by column, as JSON has it."""
    planned = plan(records)
    assert planned.refused == []
    assert list(planned.blocks) == [table]
    [values] = planned.blocks[table].rows
    assert planned.blocks[table].records == list(records)
    return dict(zip(COLUMNS[table], json.loads(encode(values)), strict=True))


def test_a_touch_without_anything_else() -> None:
    found = row("touchpoints", record(VALID.name, pack(touch())))
    assert found["occurred_at"] == "2025-02-03T08:12:04.050Z"
    assert (found["actor"], found["digest"], found["identifier"]) == ("person", 5, "email:jane@acme.nl")
    assert (found["url"], found["topic"], found["order_id"], found["order_value"]) == ("", "", "", None)
    assert (found["contact_facts"], found["extra"], found["lines"], found["consent"]) == ("", "", [], {})


def test_a_touch_with_everything() -> None:
    full = touch(
        actor=2,
        content={"url": "u", "topic": "pumps", "search_terms": ["heat", "pump"], "content_id": "c"},
        commerce={"order_id": "9", "order_namespace": "default", "value": "4612.75", "currency": "EUR"},
        lines=[Line("s", "f", "b", "2", "12.5"), Line("t", "", "", "", "")],
        campaign={"campaign_id": "k", "name": "Spring", "medium": "mail", "source": "s"},
        contact={"name": "Jane", "age": 4},
        organisation={"name": "Acme"},
        consent={"email": True},
        extra={"x": {"y": [1]}},
    )
    found = row("touchpoints", record(VALID.name, pack(full)))
    assert (found["actor"], found["search_terms"], found["order_value"]) == ("us", "heat pump", "4612.75")
    assert found["lines"] == [["s", "f", "b", "2", "12.5"], ["t", "", "", None, None]]
    assert (found["campaign_id"], found["campaign_name"]) == ("k", "Spring")
    assert json.loads(found["contact_facts"]) == {"name": "Jane", "age": 4}
    assert (found["organisation_facts"], found["extra"]) == ('{"name":"Acme"}', '{"x":{"y":[1]}}')
    assert found["consent"] == {"email": True}


def test_what_is_no_touch_gives_no_row() -> None:
    others = [
        Owner("t", "phone:1", "email:a@b.nl", 1),
        Told("t", "domain:b.nl", [], "crm", 1, 1, {}),
        Tick(0, 1, 0),
    ]
    planned = plan([record(VALID.name, pack(other)) for other in others])
    assert (planned.blocks, planned.refused) == ({}, [])


def test_a_map_row_and_its_deletion() -> None:
    spans = [Span(None, "c1", "a1"), Span("2025-06-01T00:00:00Z", None, None)]
    value = encode(MapRow("acme", "phone:1", (1, 2, 3), spans, {"domain:b.nl": "a2"}))
    found = row("identity_map", record(MAP.name, value))
    assert found["version"] == str((1 << 128) + (2 << 64) + 3)
    assert found["span_from"] == ["1970-01-01T00:00:00Z", "2025-06-01T00:00:00Z"]
    assert (found["span_contact"], found["span_account"]) == (["c1", ""], ["a1", ""])
    assert found["accounts"] == {"domain:b.nl": "a2"}
    assert plan([record(MAP.name, None), record(PROFILES.name, None)]).blocks == {}


def test_versions_compare_as_their_parts_do() -> None:
    big = 2**64 - 1
    versions = [(0, 0, 1), (0, 1, 0), (0, 1, big), (0, big, 0), (1, 0, 0), (big, big, big)]
    numbers = [int(version_number(version)) for version in versions]
    assert numbers == sorted(set(numbers))


def test_a_journey_event() -> None:
    event = JourneyEvent(
        id="id2",
        type="stage_corrected",
        tenant="acme",
        subject="a1",
        kind="stage",
        natural_key="1/purchase",
        occurred_at="2025-02-03T08:12:04Z",
        emitted_at="2025-02-04T08:12:04Z",
        version=(0, 0, 9),
        account=AccountRef("a1", ["domain:b.nl"], "B", "purchase", "a1.1"),
        definition_version="1",
        caused_by=["e1"],
        contact=ContactRef("c1", ["email:j@b.nl"]),
        details={"stage": "purchase", "was": None, "n": 2, "list": ["x"]},
        corrects="id1",
        retracted=True,
    )
    found = row("journey_events", record(EVENTS.name, encode(event)))
    assert found["details"] == {"stage": "purchase", "was": "", "n": "2", "list": '["x"]'}
    assert (found["contact_id"], found["corrects"], found["retracted"]) == ("c1", "id1", True)
    assert (found["journey_id"], found["account_keys"], found["version"]) == ("a1.1", ["domain:b.nl"], "9")
    bare = msgspec.structs.replace(event, contact=None, corrects=None, retracted=False)
    found = row("journey_events", record(EVENTS.name, encode(bare)))
    assert (found["contact_id"], found["contact_identifiers"], found["corrects"]) == ("", [], "")


def test_a_profile_carries_its_members() -> None:
    member = Member(
        "c1", "Jane", ["email:j@b.nl"], None, None, "2025-02-03T08:12:04Z", None, 3, "", 1.5, {"email": False}
    )
    found = row("accounts", record(PROFILES.name, encode(profile(member))))
    assert found["account_id"] == "a1"
    assert found["members"] == [
        [
            *("c1", "Jane", ["email:j@b.nl"], None, None, "2025-02-03T08:12:04Z", None, 3, "", 1.5),
            *({"email": False}, "", [], 0.0, False, "", "unknown", None, []),
            [short(key_of("acme", "email:j@b.nl"))],
        ]
    ]


def profile(*members: Member) -> AccountProfile:
    return AccountProfile(
        **dict.fromkeys(
            ("id", "type", "occurred_at", "emitted_at", "crm_account_id", "industry", "country"), ""
        ),
        tenant="acme",
        subject="a1",
        version=(0, 0, 9),
        kind="organisation",
        name="B",
        keys=["domain:b.nl"],
        stage="purchase",
        stage_since="2025-02-03T08:12:04Z",
        journey_id="a1.1",
        members=[*members],
        touches=3,
        first_seen=None,
        last_seen=None,
        employees=None,
        dense=False,
        gone=False,
        definition_version="1",
    )


def test_a_dead_letter_is_named_by_the_refused_record() -> None:
    headers = deadletter.headers(
        reason="bad_time",
        field="occurred_at",
        error="no offset",
        topic="touchpoints",
        partition=2,
        offset=11,
        generation=4,
        original=b"\xff" * 100_000,
    )
    found = row("dead_letters", record(DEAD.name, b"\xff\x00", headers))
    assert (found["generation"], found["topic"], found["partition"], found["offset"]) == (
        4,
        "touchpoints",
        2,
        11,
    )
    assert (found["reason"], found["field"], found["error"]) == ("bad_time", "occurred_at", "no offset")
    assert (found["original_base64"], found["size"]) == ("/wA=", 100_000)
    assert found["told_tenant"] == ""
    told = row("dead_letters", record(DEAD.name, b"", (*headers, ("tenant", b"w01"))))
    assert told["told_tenant"] == "w01"


@pytest.mark.parametrize(("told", "kept"), [(b"-12", -12), (b"12", 12), (b"--1", 7), (b"-", 7), (b"", 7)])
def test_the_offset_of_an_accounts_dead_letter_stays_negative(told: bytes, kept: int) -> None:
    assert row("dead_letters", record(DEAD.name, b"{}", (("offset", told),)))["offset"] == kept


def test_a_dead_letter_without_headers_is_kept_under_its_own_place() -> None:
    found = row("dead_letters", record(DEAD.name, None, (("partition", b"many"),)))
    assert (found["topic"], found["partition"], found["offset"]) == (DEAD.name, 3, 7)
    assert found["original_base64"] == ""


@pytest.mark.parametrize("topic", [VALID.name, MAP.name, EVENTS.name, PROFILES.name])
def test_what_cannot_be_read_is_refused_and_the_rest_kept(topic: str) -> None:
    bad = record(topic, b'{"x":', offset=8)
    planned = plan([bad, record(VALID.name, pack(touch()))])
    assert [(r.record, r.reason) for r in planned.refused] == [(bad, "processing_error")]
    assert len(planned.blocks["touchpoints"].rows) == 1


def test_the_same_record_gives_the_same_row() -> None:
    one = record(VALID.name, pack(touch(content={"url": "u"}, consent={"email": False})))
    assert plan([one]).blocks == plan([one]).blocks


def test_tables_have_the_columns_that_rows_fill() -> None:
    sql = "".join(path.read_text() for path in sorted(SQL.glob("*.sql")))
    for table, columns in COLUMNS.items():
        body = re.search(rf"CREATE TABLE IF NOT EXISTS {table} \((.*?)\nENGINE", sql, re.S)
        assert body is not None
        there = re.findall(r"^    (\w+) (?!.*MATERIALIZED)", body[1], re.M)
        for changed in re.findall(rf"ALTER TABLE {table}\n(.*?);\n", sql, re.S):
            there += re.findall(r"ADD COLUMN IF NOT EXISTS (\w+) (?!.*MATERIALIZED)", changed)
        assert set(columns) <= set(there), table


def test_the_views_know_the_types_that_are_no_touch() -> None:
    sql = "".join(path.read_text() for path in SQL.glob("*views.sql"))
    lists = re.findall(r"type NOT IN \(([^)]*)\)", sql)
    assert lists
    for names in lists:
        assert set(re.findall(r"'(\w+)'", names)) == FACT_TYPES


AT = "2025-02-03T08:12:04.051Z"  # just after the touch
JANE = "email:jane@acme.nl"
JANES = short(key_of("acme", JANE))
ANEW = contact_id(key_of, "acme", JANE, from_rfc3339(AT) - 1)  # who she is when she comes back


def erasing(identifier: str = erased_name(key_of("acme", JANE)), contact: str | None = None) -> MapRow:
    return MapRow("acme", identifier, (0, 1, 9), [Span(None, contact)], erased=[Period(None, AT)])


def erased(*contacts: str, row: MapRow | None = None) -> Erased:
    found = Erased(key_of)
    found.learn(replace(found.told(row or erasing()), contacts=frozenset(contacts), person=True))
    return found


def of(planned: Plan, table: str) -> dict:
    [values] = planned.blocks[table].rows
    return dict(zip(COLUMNS[table], json.loads(encode(values)), strict=True))


def test_an_erased_touch_only_counts() -> None:
    planned = plan([record(VALID.name, pack(touch()))], erased())
    assert list(planned.blocks) == ["erased_touchpoints"]
    found = of(planned, "erased_touchpoints")
    assert found["event_key"] == int.from_bytes(key_of("acme", "event", "web", "e1")[:8])
    assert (found["tenant"], found["held"]) == ("acme", 0)
    later = plan([record(VALID.name, pack(touch(occurred_at=touch().occurred_at + 1)))], erased())
    assert list(later.blocks) == ["touchpoints"]


def test_a_touch_counts_again_and_is_a_cause_again_when_the_map_takes_its_erasure_back() -> None:
    found = erased()
    plan([record(VALID.name, pack(touch()))], found)
    assert found.causes("acme", ["e1"])[0] == []
    other = MapRow("acme", JANE, (0, 1, 10), [Span(None, "c1")])
    mapped = Record(MAP.name, 0, 0, 0, key_of("acme", JANE), encode(other))
    older = msgspec.structs.replace(other, version=(0, 1, 8))
    [news] = found.news([Record(MAP.name, 0, 0, 0, key_of("acme", JANE), encode(older))])
    assert news.periods == found.find(JANES).periods  # type: ignore[union-attr]
    [news] = found.news([mapped])
    assert (news.periods, news.until, news.gone, news.keeps) == ((), EVER, False, {"c1"})
    found.learn(news)
    assert list(plan([record(VALID.name, pack(touch()))], found).blocks) == ["touchpoints"]
    assert found.causes("acme", ["e1"])[0] == ["e1"]
    assert found.news([mapped]) == [news]
    assert not found.learn(news)


def test_a_touch_that_an_older_build_erased_stays_so() -> None:
    found = erased(row=MapRow("acme", JANE, (0, 1, 10), [Span(None)]))
    found.forget_touch(found.cause("acme", "e1"), 0, 0)
    assert found.causes("acme", ["e1", "e2"])[0] == ["e2"]


def test_an_erased_identifier_is_taken_off_somebody_elses_touch() -> None:
    bobs = touch(identifier="user_id:bob", strong=["user_id:bob", JANE])
    found = of(plan([record(VALID.name, pack(bobs))], erased()), "touchpoints")
    assert (found["strong"], found["strong_keys"]) == (["user_id:bob"], [found["identifier_key"]])
    later = msgspec.structs.replace(bobs, occurred_at=bobs.occurred_at + 1)
    assert of(plan([record(VALID.name, pack(later))], erased()), "touchpoints")["strong"] == bobs.strong


def test_map_rows_older_than_an_erasure_do_not_come_back() -> None:
    old, new = (MapRow("acme", JANE, (0, 1, seq), [Span(None, "c1", "a1")]) for seq in (8, 10))
    planned = plan([record(MAP.name, encode(row)) for row in (old, erasing(), new)], erased("c1"))
    assert [row[2] for row in planned.blocks["identity_map"].rows] == [version_number((0, 1, 10))]
    again = erasing(JANE, "c2")
    assert of(plan([record(MAP.name, encode(again))], erased("c1", row=again)), "identity_map")[
        "span_contact"
    ] == ["c2"]


@pytest.mark.parametrize(
    ("row", "contact", "at", "named"),
    [
        (erasing(), "c7", "2026-01-01T00:00:00Z", False),  # nothing later is known of her
        (erasing(), ANEW, "2026-01-01T00:00:00Z", True),  # the map will tell that she came back
        (erasing(), ANEW, "2025-01-01T00:00:00Z", False),
        (erasing(JANE), "c1", "2026-01-01T00:00:00Z", False),  # she came back, but as another contact
        (erasing(JANE), "c2", "2025-01-01T00:00:00Z", False),
        (erasing(JANE), "c2", "2026-01-01T00:00:00Z", True),
    ],
)
def test_events_do_not_name_the_erased(row: MapRow, contact: str, at: str, named: bool) -> None:
    known = erased("c1", row=row)
    known.forget_touch(known.cause("acme", "e1"), JANES, 0)
    event = JourneyEvent(
        **dict.fromkeys(("id", "type", "kind", "natural_key", "definition_version"), "x"),
        tenant="acme",
        subject="a1",
        occurred_at=at,
        emitted_at=at,
        version=(0, 0, 9),
        account=AccountRef("a1", [], "Jane", "", ""),
        caused_by=["e1", "e2"],
        contact=ContactRef(contact, [JANE, "user_id:7"]),
    )
    found = of(plan([record(EVENTS.name, encode(event))], known), "journey_events")
    assert found["contact_identifiers"] == ([JANE] if named else []) + ["user_id:7"]
    assert len(found["identifier_keys"]) == len(found["contact_identifiers"])
    assert (found["caused_by"], len(found["caused_keys"])) == (["e2"], 1)
    assert found["account_name"] == ("" if row == erasing() or at < "2025-06" else "Jane")


@pytest.mark.parametrize(
    ("row", "contact", "anew", "named"),
    [
        (erasing(), "c1", {}, False),
        (erasing(), "c9", {}, False),  # nobody knows yet whose it was
        (erasing(), "c9", {JANE: AT}, True),  # she came back, as part of a contact that began elsewhere
        (erasing(), "c9", {JANE: "2025-01-01T00:00:00Z"}, False),  # that was after an erasure before this one
        (erasing(JANE, "c9"), "c9", {}, True),
        (erasing(JANE, "c9"), "c1", {}, False),
        (erasing(JANE, "c8"), "c9", {JANE: AT}, True),  # the map is not as far as the profile, or the reverse
    ],
)
def test_profiles_do_not_name_the_erased_but_whoever_came_back(
    row: MapRow, contact: str, anew: dict[str, str], named: bool
) -> None:
    members = [
        Member(contact, "Jane", [JANE, "user_id:7"], None, None, None, None, 1, "", None),
        Member("c5", "Jane D.", [JANE], None, None, None, None, 1, "", None),
    ]
    told = msgspec.structs.replace(profile(), members=members[: 1 if anew else 2], anew=anew)
    found = of(plan([record(PROFILES.name, encode(told))], erased("c1", row=row)), "accounts")
    seven = short(key_of("acme", "user_id:7"))
    [(_, name, identifiers, *_, keys)] = found["members"]
    assert (name, identifiers) == (("Jane", [JANE, "user_id:7"]) if named else ("", ["user_id:7"]))
    assert keys == ([JANES, seven] if named else [seven])
    assert found["anew"] == {str(JANES): from_rfc3339(at) for at in anew.values()}


def test_links_and_their_tombstones_in_order() -> None:
    def link(name: str, state: str) -> Record:
        evidence = Evidence("acme", name, "user_id:7", "crm", 1, 5, state, "", bytes(23) + b"\1")
        return record(EVIDENCE.name, pack(evidence))._replace(key=name.encode() + bytes(9))

    gone = record(EVIDENCE.name, None)._replace(key=b"email:a" + bytes(9))
    planned = plan([link("email:a", "held"), link("email:b", "held"), gone, link("email:a", "void")])
    assert [(row[3], row[10]) for row in planned.blocks["identity_links"].rows] == [
        ("email:b", "held"),
        ("email:a", "void"),
    ]
    assert planned.tombstones == [int.from_bytes(b"email:a\0")]
    assert plan([link(JANE, "held")], erased()).blocks == {}


def test_a_statement_about_an_erased_person_names_nobody() -> None:
    said = Asserted("acme", "s1", "link", JANE, "user_id:7", 5, "marleen")
    found = of(plan([record(VALID.name, pack(said))], erased()), "assertions")
    assert (found["a"], found["b"], found["said_by"]) == (f"#{JANES:016x}", "user_id:7", "marleen")
    late = msgspec.structs.replace(said, at=touch().occurred_at + 1)
    assert of(plan([record(VALID.name, pack(late))], erased()), "assertions")["a"] == JANE
    assert row("assertions", record(VALID.name, pack(said)))["a_key"] == JANES


def test_an_outcome() -> None:
    firm = ["account_id:1", "domain:acme.nl"]
    said = Outcome("acme", "o1", "won", "a1.1.1", firm, "cheap", "other", "1250.5", "EUR", 5, "marleen")
    found = row("lead_outcomes", record(VALID.name, pack(said)))
    assert found == {
        **{"tenant": "acme", "event_id": "o1", "outcome": "won", "handoff_id": "a1.1.1"},
        **{"precedence": 2**63 - 6, "account_keys": firm, "reason": "cheap", "reason_code": "other"},
        **{"value": "1250.5", "currency": "EUR", "said_at": "1970-01-01T00:00:00.005Z", "said_by": "marleen"},
    }
    assert (
        row("lead_outcomes", record(VALID.name, pack(msgspec.structs.replace(said, value=""))))["value"]
        is None
    )


def test_a_command_about_an_erased_person_does_not_name_them() -> None:
    said = Command(
        "acme", "c1", "assign_role", ["domain:acme.nl"], ["user_id:7", JANE], "user", *"ost", 5, "me"
    )
    found = of(plan([record(VALID.name, pack(said))], erased()), "account_commands")
    assert found == {
        **{"tenant": "acme", "event_id": "c1", "command": "assign_role", "precedence": 2**63 - 6},
        **{"account_keys": ["domain:acme.nl"], "identifiers": ["user_id:7", f"#{JANES:016x}"]},
        **{"identifier_keys": [found["identifier_keys"][0], JANES], "role": "user", "owner": "o"},
        **{"scheme": "s", "segment": "t", "said_at": "1970-01-01T00:00:00.005Z", "said_by": "me"},
    }
    late = msgspec.structs.replace(said, at=touch().occurred_at + 1)
    found = of(plan([record(VALID.name, pack(late))], erased()), "account_commands")
    assert found["identifiers"] == ["user_id:7", JANE]


def test_a_privacy_result() -> None:
    answer = PrivacyResult(
        **dict.fromkeys(("id", "type"), "x"),
        **{"tenant": "acme", "subject": "r1", "occurred_at": AT, "emitted_at": AT, "version": (0, 1, 2)},
        **{"request": "erase", "result": "done", "counts": {"identifiers": 2}, "contact_ids": ["c1"]},
        caused_by=["r1"],
    )
    found = row("privacy_results", record(RESULTS.name, encode(answer)))
    assert (found["request_id"], found["result"], found["counts"]) == ("r1", "done", {"identifiers": 2})


@pytest.mark.parametrize(
    "original",
    [
        b'{"tenant":"acme","occurred_at":"2025-01-01T00:00:00Z","identifiers":{"email":" Jane@ACME.nl "}}',
        b'{"tenant":"acme","identifiers":{"email":"jane@acme.nl"',  # its time is not known
        b'{"tenant":"acme","url":"https://x.nl/?m=jane@acme.nl&p=1","occurred_at":"yesterday"}',
        b'{"tenant":"acme","identifiers":{"user_id":["8","Jane <jane@acme.nl>"]}}',
    ],
)
def test_refused_bytes_that_name_the_erased_are_gone(original: bytes) -> None:
    letter = record(DEAD.name, original, (("error", b"'jane@acme.nl' is no phone"),))
    before = row("dead_letters", letter)
    assert (before["size"], JANES in before["identifier_keys"]) == (len(original), True)
    found = of(plan([letter], erased()), "dead_letters")
    assert (found["original_base64"], found["size"], found["identifier_keys"]) == ("", len(original), [])
    assert "jane" not in found["error"]


def test_the_tenant_that_a_trusted_header_named_is_the_tenant_of_refused_bytes() -> None:
    original = b'{"identifiers":{"email":"jane@acme.nl"}}'
    for tenant, kept in ((b" acme ", False), (b"b", True)):
        letter = record(DEAD.name, original, (("tenant", tenant),))
        found = of(plan([letter], erased()), "dead_letters")
        assert bool(found["original_base64"]) is kept


def test_refused_bytes_dated_later_or_of_others_stay() -> None:
    later = b'{"tenant":"acme","occurred_at":"2025-03-01T00:00:00Z","identifiers":{"email":"jane@acme.nl"}}'
    other = b'{"tenant":"acme","identifiers":{"email":"joe@acme.nl"}}'
    elsewhere = b'{"tenant":"b","identifiers":{"email":"jane@acme.nl"}}'
    for original in (later, other, elsewhere):
        assert of(plan([record(DEAD.name, original)], erased()), "dead_letters")["original_base64"]


def test_an_address_places_a_touch_of_a_stronger_identifier_that_names_no_account() -> None:
    placed = touch(identifier="user_id:7", strong=["user_id:7", "email:jane@mail.acme.nl"])
    assert place(placed) == "domain:acme.nl"
    assert place(touch()) == ""
    assert place(msgspec.structs.replace(placed, account="domain:b.nl")) == ""
    assert place(msgspec.structs.replace(placed, strong=["user_id:7", "email:jane@gmail.com"])) == ""
