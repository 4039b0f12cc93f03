"""From messages through the sink into the embedded ClickHouse, and what analysts then read in the views."""

import csv
import os
import random
import re
import threading
import time
from pathlib import Path

import pytest
from chdb_process import ChdbServer
from clickhouse_connect.driver.exceptions import ClickHouseError
from warehouse import Warehouse, encode, group, letter, member

from schemas.events import (
    ContactRef,
    JourneyRow,
    StageEntered,
)
from schemas.identity import Span
from schemas.internal import MACHINE, US, Line
from schemas.topics import INPUTS, SNAPSHOTS
from streams import clickhouse
from streams.core import Record
from streams.sink.tables import Refused

pytestmark = pytest.mark.embedded

VIEWS = {
    "v_account_commands",
    "v_accounts",
    "v_aliases",
    "v_assertions",
    "v_attribution",
    "v_channel_use",
    "v_contacts",
    "v_crossings",
    "v_data_quality",
    "v_dead_letters",
    "v_dropoff",
    "v_funnel",
    "v_handoff_messages",
    "v_handoffs",
    "v_identity_conflicts",
    "v_inactivity",
    "v_journey_events",
    "v_journeys",
    "v_lead_outcomes",
    "v_lead_results",
    "v_members",
    "v_merge_candidates",
    "v_message_response",
    "v_moments",
    "v_orders",
    "v_paths",
    "v_privacy_requests",
    "v_products",
    "v_profile_facts",
    "v_score_parts",
    "v_stage_transitions",
    "v_steps",
    "v_touchpoints",
    "v_trade",
}


def test_migrating_again_does_nothing(dsn: str) -> None:
    assert clickhouse.migrate(dsn) == []


def test_every_view_and_column_is_explained(at: Warehouse) -> None:
    tables = at.ask(
        "SELECT name, comment FROM system.tables WHERE database = 'journeys' AND name LIKE 'v\\_%'"
    )
    assert {t["name"] for t in tables} == VIEWS
    assert all(t["comment"] for t in tables)
    columns = at.ask(
        "SELECT table, groupArray(name) AS names, countIf(comment = '') AS silent FROM "
        "(SELECT * FROM system.columns WHERE database = 'journeys' AND NOT default_kind = 'MATERIALIZED' "
        "AND table NOT IN ('stitched', 'schema_versions', 'resolved', 'told_facts', "
        "'journey_results', 'journey_touches', 'split_journeys') "
        "ORDER BY table, position) GROUP BY table"
    )
    assert [c["table"] for c in columns if c["silent"]] == []
    assert {c["names"][0] for c in columns if c["table"] in VIEWS} == {"tenant"}
    assert len(columns) == len(VIEWS) + 14
    assert at.ask("SELECT engine FROM system.databases WHERE name = 'journeys'") == [{"engine": "Atomic"}]


def test_columns_have_the_type_that_their_view_declares(at: Warehouse) -> None:
    with clickhouse.connect(at.dsn) as client:
        for view in VIEWS:
            declared = client.query(
                "SELECT name, type FROM system.columns WHERE database = 'journeys' AND table = {view:String}",
                parameters={"view": view},
            ).result_rows
            answer = client.query(f"SELECT * FROM {view} LIMIT 0")
            types = [type_.name.replace("`", "") for type_ in answer.column_types]
            assert list(zip(answer.column_names, types, strict=True)) == declared


def test_the_documentation_tells_the_columns_as_they_are_and_its_queries_run(at: Warehouse) -> None:
    text = (Path(__file__).parents[2] / "docs" / "views.md").read_text()
    told = {}
    for section in text.split("\n## ")[1:]:
        columns = re.findall(r"^\| `(.*?)` \| `(.*?)` \| (.*) \|$", section, re.M)
        told[section.partition("\n")[0]] = [list(column) for column in columns]
    there = at.ask(
        "SELECT table, groupArray([name, type, comment]) AS columns FROM (SELECT * FROM system.columns "
        "WHERE database = 'journeys' AND table LIKE 'v\\_%' ORDER BY table, position) GROUP BY table"
    )
    assert told == {view["table"]: view["columns"] for view in there}
    queries = re.findall(r"^```sql\n(.*?)^```", text, re.M | re.S)
    assert len(queries) >= len(VIEWS)
    for query in queries:
        at.ask(query)


def test_a_touch_belongs_to_the_span_that_holds_it(at: Warehouse) -> None:
    cookie, jane = "anonymous_id:k", "email:jane@acme.nl"
    at.feed(
        at.touch("early", cookie, "2025-01-01T00:00:00Z"),
        at.touch("mine", cookie, "2025-02-01T00:00:00Z"),
        at.touch("hers", cookie, "2025-03-01T00:00:00Z"),
        at.touch("before", jane, "2025-05-31T23:59:59.999Z"),
        at.touch("after", jane, "2025-06-01T00:00:00Z"),
        at.touch("nobody", "anonymous_id:stray", "2025-01-01T00:00:00Z"),
    )
    nothing = [(e, "", "") for e in ("after", "before", "early", "hers", "mine", "nobody")]
    assert at.rows("v_touchpoints", "event_id, contact_id, account_id") == nothing
    at.feed(
        at.mapped(cookie, Span("2025-02-01T00:00:00Z", "c1", "a1"), Span("2025-03-01T00:00:00Z", "c2", "a2")),
        at.mapped(jane, Span(None, "c1", "a1"), Span("2025-06-01T00:00:00Z", "c1", "a2")),
    )
    assert at.rows("v_touchpoints", "event_id, contact_id, account_id") == [
        ("after", "c1", "a2"),
        ("before", "c1", "a1"),
        ("early", "", ""),
        ("hers", "c2", "a2"),
        ("mine", "c1", "a1"),
        ("nobody", "", ""),
    ]


def test_the_account_that_a_touch_names_comes_first(at: Warehouse) -> None:
    jane, key = "email:jane@acme.nl", "domain:client.nl"
    at.feed(
        at.touch("own", jane, "2025-01-01T00:00:00Z"),
        at.touch("for", jane, "2025-01-01T00:00:00Z", account="domain:client.nl"),
        at.touch("unresolved", jane, "2025-01-01T00:00:00Z", account="domain:new.nl"),
        at.touch("firm only", key, "2025-01-01T00:00:00Z", account=key),
        at.touch("facts", jane, "2025-01-01T00:00:00Z", account="vat_number:NL1", type="profile_updated"),
        at.mapped("vat_number:NL1", Span(None, None, "a3")),
        at.touch("no key", "", "2025-01-01T00:00:00Z"),
        at.mapped(jane, Span(None, "c1", "a1"), client="a2"),
        at.mapped(key, Span(None, None, "a2")),
    )
    assert at.rows("v_touchpoints", "event_id, contact_id, account_id") == [
        ("facts", "c1", "a3"),
        ("firm only", "", "a2"),
        ("for", "c1", "a2"),
        ("no key", "", ""),
        ("own", "c1", "a1"),
        ("unresolved", "c1", ""),
    ]


def test_the_latest_map_row_holds_whatever_came_last(at: Warehouse) -> None:
    jane = "email:jane@acme.nl"
    at.feed(at.touch("e", jane, "2025-01-01T00:00:00Z"), at.mapped(jane, Span(None, "c9", "a9"), seq=9))
    at.feed(at.mapped(jane, Span(None, "c1", "a1"), seq=1))
    assert at.rows("v_touchpoints", "contact_id, account_id") == [("c9", "a9")]
    assert at.rows("v_contacts", "contact_id") == [("c9",)]


def test_one_row_per_event_the_least_of_its_copies(at: Warehouse) -> None:
    first, second = "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.001Z"
    at.feed(
        at.touch("e", "email:b@acme.nl", second, digest=1), at.touch("e", "email:a@acme.nl", first, digest=9)
    )
    at.feed(at.touch("e", "email:c@acme.nl", first, digest=8))
    at.feed(
        at.touch("e", "email:a@acme.nl", first, digest=9), at.touch("e", "email:x@x.nl", first, source="app")
    )
    assert at.rows("v_touchpoints", "source, event_id, identifier, occurred_at") == [
        ("app", "e", "email:x@x.nl", "2025-01-01T00:00:00.000Z"),
        ("web", "e", "email:c@acme.nl", "2025-01-01T00:00:00.000Z"),
    ]


def test_tenants_never_meet(at: Warehouse) -> None:
    other = Warehouse(at.dsn, f"{at.tenant} other")
    jane = "email:jane@acme.nl"
    for one in (at, other):
        one.feed(one.touch("e", jane, "2025-01-01T00:00:00Z"))
    other.feed(other.mapped(jane, Span(None, "c1", "a1")))
    assert at.rows("v_touchpoints", "event_id, contact_id") == [("e", "")]
    assert at.rows("v_contacts", "contact_id") == []


def test_an_order_with_lines_facts_and_the_rest(at: Warehouse) -> None:
    lines = [
        Line("s1", "pumps", "b", "2", "12.5"),
        Line("s2", "pumps", "", "", ""),
        Line("s3", "", "", "1", "3"),
    ]
    at.feed(
        at.touch(
            "o",
            "email:j@acme.nl",
            "2025-01-01T00:00:00.050Z",
            type="order_placed",
            lines=lines,
            commerce={"order_id": "9", "value": "4612.7512345678", "currency": "EUR"},
            content={"topic": "pumps", "url": "https://x/?q='\\\"\n"},
            contact={"name": "Jan \U0001f600"},
            consent={"email": True},
            extra={"x": [1]},
        )
    )
    columns = (
        "order_value, currency, product_families, lines, url, contact_facts, consent, extra, occurred_at"
    )
    assert at.rows("v_touchpoints", columns, "event_id") == [
        (
            4612.751234,
            "EUR",
            ["pumps"],
            [
                {"sku": "s1", "product_family": "pumps", "brand": "b", "quantity": 2, "value": 12.5},
                {"sku": "s2", "product_family": "pumps", "brand": "", "quantity": None, "value": None},
                {"sku": "s3", "product_family": "", "brand": "", "quantity": 1, "value": 3},
            ],
            "https://x/?q='\\\"\n",
            '{"name":"Jan \U0001f600"}',
            {"email": True},
            '{"x":[1]}',
            "2025-01-01T00:00:00.050Z",
        )
    ]


def test_a_contact_is_the_union_of_its_identifiers(at: Warehouse) -> None:
    crm, jane, old, cookie = "contact_id:C-1", "email:jane@acme.nl", "email:old@acme.nl", "anonymous_id:k"
    at.feed(
        at.touch("1", cookie, "2025-01-01T00:00:00Z", contact={"name": "typed later"}),
        at.touch("2", jane, "2025-01-02T00:00:00Z", rank=1, contact={"name": "Jane"}),
        at.touch("3", crm, "2025-01-03T00:00:00Z", strong=[crm, jane]),
        at.touch("4", old, "2025-01-02T12:00:00Z"),
        at.touch(
            "5", crm, "2025-01-09T00:00:00Z", type="profile_updated", rank=1, contact={"name": "Jane Doe"}
        ),
        at.touch("6", "anonymous_id:stray", "2025-01-01T00:00:00Z"),
        at.touch("7", jane, "2025-02-01T00:00:00Z", type="profile_updated", rank=0, contact={"age": 4}),
        *(at.mapped(identifier, Span(None, "c1", "a1")) for identifier in (crm, jane, old)),
        at.mapped(cookie, Span("2025-01-01T00:00:00Z", "c1", "a1"), Span("2025-08-01T00:00:00Z", "c2", "a1")),
        at.touch("8", jane, "2024-12-01T00:00:00Z", type="email_sent", actor=US),
        at.touch("9", jane, "2025-12-01T00:00:00Z", type="email_opened", actor=MACHINE),
        at.touch("10", "email:late@acme.nl", "2025-03-01T00:00:00Z", type="email_sent", actor=US),
        at.mapped("email:late@acme.nl", Span(None, "c2", "a1")),
        at.mapped("domain:acme.nl", Span(None, None, "a1")),
    )
    columns = "contact_id, crm_contact_id, name, email, identifiers, devices, first_seen, last_seen, touches"
    assert at.rows("v_contacts", columns) == [
        (
            *("c1", "C-1", "Jane Doe", "jane@acme.nl", [crm, jane, old], [cookie]),
            *("2025-01-01T00:00:00.000Z", "2025-01-03T00:00:00.000Z", 6),
        ),
        ("c2", "", "", "late@acme.nl", ["email:late@acme.nl"], [cookie], None, None, 1),
    ]


def test_members_follow_the_latest_profile(at: Warehouse) -> None:
    left = "2025-06-01T00:00:00Z"
    at.feed(
        at.profile(2, [member("c1", "Jane", touches=4), member("c2", until=left), member("c1", until=left)])
    )
    assert at.rows(
        "v_members", "account_id, contact_id, name, valid_to, touches, lag_days", "name DESC, contact_id"
    ) == [
        ("a1", "c1", "Jane", None, 4, 0.5),
        ("a1", "c1", "", "2025-06-01T00:00:00.000Z", 1, 0.5),
        ("a1", "c2", "", "2025-06-01T00:00:00.000Z", 1, 0.5),
    ]
    assert at.rows("v_accounts", "account_id, name, keys, members, employees, dense") == [
        ("a1", "Acme", ["domain:acme.nl"], 1, None, False)
    ]
    at.feed(at.profile(3, [member("c1")], employees=40), at.profile(1, [member("c7")]))
    assert at.rows("v_members", "contact_id") == [("c1",)]
    assert at.rows("v_accounts", "members, employees") == [(1, 40)]
    at.feed(at.profile(4, gone=True))
    assert at.rows("v_members", "contact_id") == at.rows("v_accounts", "account_id") == []


def test_journeys_and_stages_as_they_now_hold(at: Warehouse) -> None:
    first = JourneyRow(
        *(1, "2025-01-01T00:00:00Z", "2025-07-01T00:00:00Z", "gap"),
        [
            StageEntered("awareness", "2025-01-01T00:00:00Z", ["e1"], True),
            StageEntered("evaluation", "2025-01-03T00:00:00Z", [], False),
            StageEntered("purchase", "2025-01-03T00:00:00Z", ["e3"], False),
        ],
    )
    second = JourneyRow(
        2, "2025-09-01T00:00:00Z", None, "", [StageEntered("awareness", "2025-09-01T00:00:00Z", [], False)]
    )
    at.feed(at.profile(2, journeys=[first, second]), at.profile(1, journeys=[second]))
    assert at.rows("v_journeys", "account_id, journey_id, opened_at, closed_at, closed_by") == [
        ("a1", "a1.1", "2025-01-01T00:00:00.000Z", "2025-07-01T00:00:00.000Z", "gap"),
        ("a1", "a1.2", "2025-09-01T00:00:00.000Z", None, ""),
    ]
    columns = "journey_id, from_stage, to_stage, occurred_at, caused_by, corrected"
    assert at.rows("v_stage_transitions", columns, "journey_id, occurred_at, from_stage") == [
        ("a1.1", "", "awareness", "2025-01-01T00:00:00.000Z", ["e1"], True),
        ("a1.1", "awareness", "evaluation", "2025-01-03T00:00:00.000Z", [], False),
        ("a1.1", "evaluation", "purchase", "2025-01-03T00:00:00.000Z", ["e3"], False),
        ("a1.2", "", "awareness", "2025-09-01T00:00:00.000Z", [], False),
    ]
    at.feed(at.profile(3, gone=True, journeys=[first]))
    assert at.rows("v_journeys", "journey_id") == at.rows("v_stage_transitions", "journey_id") == []


def test_the_journal_tells_every_event_once(at: Warehouse) -> None:
    contact = ContactRef("c1", ["email:j@acme.nl"])
    told = at.event(
        "stage", "1/purchase", "2025-01-03T00:00:00Z", 1, contact=contact, details={"was": None, "n": 2}
    )
    back = at.event(
        "stage", "1/purchase", "2025-01-03T00:00:00Z", 2, retracted=True, corrects="stage-1/purchase-1"
    )
    at.feed(told, told, back)
    at.feed(told)
    columns = "id, type, account_id, contact_id, details, corrects, retracted, journey_id"
    assert at.rows("v_journey_events", columns) == [
        ("stage-1/purchase-1", "stage_told", "a1", "c1", {"was": "", "n": "2"}, "", False, "a1.1"),
        ("stage-1/purchase-2", "stage_told", "a1", "", {}, "stage-1/purchase-1", True, "a1.1"),
    ]
    folded = at.ask(
        "SELECT subject, kind, natural_key, argMax(id, version) AS last, argMax(retracted, version) AS gone "
        f"FROM v_journey_events WHERE tenant = '{at.tenant}' GROUP BY ALL"
    )
    last = {"subject": "a1", "kind": "stage", "natural_key": "1/purchase"}
    assert folded == [last | {"last": "stage-1/purchase-2", "gone": True}]


def journey(n: int, closed_by: str = "") -> JourneyRow:
    stages = [StageEntered("awareness", f"2025-01-0{m + 1}T00:00:00Z", ["e"], False) for m in range(n)]
    day = "2025-01-01T00:00:00Z"
    return JourneyRow(
        1, day, "2025-09-01T00:00:00Z" if closed_by else None, closed_by, stages, {"first": day}
    )


def test_order_repetition_and_cuts_change_nothing(at: Warehouse) -> None:
    shuffled, rng = Warehouse(at.dsn, f"{at.tenant} shuffled"), random.Random(3)

    def told(by: Warehouse) -> list[Record]:
        days = [f"2025-01-{day:02}T00:00:00Z" for day in range(1, 29)]
        people = [f"email:p{n}@acme.nl" for n in range(5)]
        return [
            *(by.touch(f"e{n % 20}", people[n % 5], days[n % 28], digest=n % 7) for n in range(60)),
            *(by.mapped(people[n % 5], Span(None, f"c{n % 3}", f"a{n % 2}"), seq=n) for n in range(15)),
            *(by.event("stage", f"1/{n % 4}", days[n], n, retracted=n % 5 == 0) for n in range(20)),
            *(
                by.profile(n, [member(f"c{m}") for m in range(n)], journeys=[journey(n)], **group())
                for n in range(6)
            ),
            *(by.mapped(f"journeys_contact_id:c9{n % 2}", Span(None, f"c{n}"), seq=n) for n in range(6)),
            *(by.said(f"s{n % 7}", "link", people[n % 5], "user_id:7", days[n % 28]) for n in range(14)),
            *(by.happened(f"o{n % 7}", "lost", days[n % 28], f"domain:a{n}.nl") for n in range(14)),
            *(by.ordered(f"k{n % 7}", "set_owner", days[n % 28], owner=f"o{n}") for n in range(14)),
            *(by.link(people[n % 5], "user_id:7", "refused", seq=n) for n in range(12)),
            *(by.handed(n % 3) for n in range(6)),
            *(by.profile(n, subject="a0", journeys=[journey(3, "gap")]) for n in range(3)),
            *(by.touch(f"m{n % 3}", people[n % 5], days[n], type="email_sent", actor=US) for n in range(6)),
            *(by.answer(f"r{n % 3}", [f"c{n}"], seq=n) for n in range(9)),
        ]

    at.feed(*told(at))
    records = told(shuffled) * 2
    rng.shuffle(records)
    for n in range(0, len(records), 37):
        shuffled.feed(*records[n : n + 37])
    for view in VIEWS - {"v_dead_letters", "v_merge_candidates"}:
        first, second = (
            [row[0] for row in w.rows(view, "tuple(* EXCEPT tenant) AS row")] for w in (at, shuffled)
        )
        assert first == second, view
        assert first, view


def test_dead_letters_count_records_not_repeats(at: Warehouse) -> None:
    known = encode({"tenant": at.tenant})
    at.feed(letter(1, known), letter(1, known), letter(1, known, 2), letter(2, b"\xff\x00{"))
    assert at.rows("v_dead_letters", "at, reason, field, topic, partition, offset, generation") == [
        ("2025-02-03T08:12:04.050Z", "bad_time", "occurred_at", "touchpoints", 1, 1, generation)
        for generation in (1, 2)
    ]
    raw = at.ask(
        "SELECT hex(original) AS original, size FROM v_dead_letters WHERE tenant = '' AND offset = 2"
    )
    assert raw == [{"original": "FF007B", "size": 3}]


def test_the_dead_letters_of_one_account_are_one(at: Warehouse) -> None:
    body, place = encode({"tenant": at.tenant, "account": "a1"}), -1 - (2**48 - 1)
    at.feed(*(letter(place, body, topic=SNAPSHOTS.name, at=n) for n in range(3)))
    assert at.rows("v_dead_letters", "offset") == [(place,)]


def test_a_dead_letter_without_a_tenant_is_of_the_default_one_where_it_can_be_read(at: Warehouse) -> None:
    texts = (b'{"a":1}', b'{"tenant":null}', b'{"tenant":" "}', b"[1]", b'{"tena', b"")
    letters = [letter(n, text, generation=77) for n, text in enumerate(texts)]
    unnamed = letter(9, b'{"account":"00ff"}', generation=77, topic=SNAPSHOTS.name)
    others = [letter(20 + n, b'{"a":1}', generation=77, topic=topic.name) for n, topic in enumerate(INPUTS)]
    at.feed(*letters, unnamed, *others, letter(10, encode({"tenant": f" {at.tenant} "}), generation=77))
    found = at.ask("SELECT tenant FROM v_dead_letters WHERE generation = 77 ORDER BY offset")
    assert [row["tenant"] for row in found] == [
        *["default"] * 3,
        *[""] * 4,
        at.tenant,
        *["default"] * len(INPUTS),
    ]


def test_the_tenant_of_a_trusted_header_is_that_of_the_dead_letter(at: Warehouse) -> None:
    texts = (b'{"a":1}', b'{"tenant":"other"}', b'{"tena', b"")
    letters = [letter(n, text, generation=78) for n, text in enumerate(texts)]
    at.feed(*(one._replace(headers=(*one.headers, ("tenant", at.tenant.encode()))) for one in letters))
    assert at.rows("v_dead_letters", "offset, original") == [
        (n, text.decode()) for n, text in enumerate(texts)
    ]


def test_a_row_that_clickhouse_refuses_is_handed_back_alone(at: Warehouse) -> None:
    good = [at.touch(f"e{n}", "email:j@acme.nl", "2025-01-01T00:00:00Z") for n in range(20)]
    bad = at.touch("bad", "email:j@acme.nl", "2025-01-01T00:00:00Z", commerce={"value": "9" * 40})
    refused = at.feed(*good[:7], bad, *good[7:])
    assert [(r.record, r.reason) for r in refused] == [(bad, "refused_by_clickhouse")]
    assert "Too many digits" in refused[0].error
    assert len(at.rows("v_touchpoints", "event_id")) == 20


def test_answers_for_people(at: Warehouse) -> None:
    sql = (
        "SELECT toUInt64(5) AS n, toDateTime('2025-01-01 00:00:00', 'Europe/Amsterdam') AS t, [1, 2] AS a, "
        "map('k', toDecimal64('1.5', 2)) AS m, NULL AS x, 'a,\"b' AS s, currentDatabase() AS d;\n"
    )
    assert at.ask(sql) == [
        {
            "n": 5,
            "t": "2024-12-31T23:00:00Z",
            "a": [1, 2],
            "m": {"k": 1.5},
            "x": None,
            "s": 'a,"b',
            "d": "journeys",
        }
    ]
    assert at.ask("SELECT 1 AS n WHERE 0 -- nothing") == []
    head, line = csv.reader(clickhouse.query(at.dsn, sql, "csv").splitlines())
    assert (head[:2], line[:2], line[5]) == (["n", "t"], ["5", "2024-12-31T23:00:00Z"], 'a,"b')
    table = clickhouse.query(at.dsn, sql, "table")
    assert "2024-12-31T23:00:00Z" in table
    assert "\x1b" not in table
    assert at.ask("SELECT getSetting('max_threads') AS n SETTINGS max_threads = 3") == [{"n": 3}]


@pytest.mark.parametrize("format_", ["table", "json", "csv"])
@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM nothing_here", r"Unknown table expression identifier 'nothing_here'.*"),
        ("SELEC 1", r"Syntax error: failed at position 7 \(1\): 1\. Expected .*"),
        (" ; ", r"Syntax error: empty query \(SYNTAX_ERROR\)"),
        ("-- nothing", r"Syntax error: empty query \(SYNTAX_ERROR\)"),
    ],
)
def test_a_wrong_question_is_answered_in_the_servers_own_words(
    at: Warehouse, sql: str, says: str, format_: clickhouse.Format
) -> None:
    with pytest.raises(ClickHouseError) as caught:
        clickhouse.query(at.dsn, sql, format_)
    told = str(caught.value)
    assert re.fullmatch(says, told)
    for ours in ("FORMAT", "http:", "Code:", "version", "\n"):
        assert ours not in told


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW v_contacts",
        "SELECT 1; DROP VIEW v_contacts",
        "TRUNCATE TABLE accounts",
        "INSERT INTO accounts (tenant) VALUES ('x')",
        'INSERT INTO accounts FORMAT JSONEachRow\n{"tenant":"x"}',
        "ALTER TABLE accounts DELETE WHERE 1",
        "CREATE TABLE mine (a UInt8) ENGINE = Memory",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_a_question_changes_nothing(at: Warehouse, sql: str) -> None:
    at.feed(at.profile(1))
    with pytest.raises(ClickHouseError) as caught:
        clickhouse.query(at.dsn, sql, "json")
    assert str(caught.value) == "a question only reads: this statement would change something"
    assert at.rows("v_accounts", "account_id") == [("a1",)]
    at.ask("SELECT * FROM v_contacts LIMIT 1")


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far: other work on the machine does not count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_stitching_200_000_touches_of_50_000_identifiers_takes_well_under_a_second(
    at: Warehouse, chdb: ChdbServer
) -> None:
    who = "concat('email:p', toString(number % 50000), '@acme.nl')"
    with clickhouse.connect(at.dsn) as client:
        client.command(
            "INSERT INTO touchpoints (tenant, source, event_id, type, occurred_at, identifier) "
            f"SELECT '{at.tenant}', 'web', toString(number), 'page_viewed', "
            f"toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + toIntervalMinute(number), {who} "
            "FROM numbers(200000)"
        )
        client.command(
            "INSERT INTO identity_map (tenant, identifier, version, span_from, span_contact, span_account) "
            f"SELECT '{at.tenant}', {who}, 1, ['1970-01-01 00:00:00', '2025-03-01 00:00:00'], "
            "[concat('c', toString(number)), concat('c', toString(number))], ['a1', 'a2'] FROM numbers(50000)"
        )
        before = cpu_seconds(chdb.process.pid)
        for _ in range(3):
            found = client.query(
                "SELECT count(), uniqExact(contact_id), countIf(account_id = 'a1') FROM v_touchpoints "
                f"WHERE tenant = '{at.tenant}'"
            )
            assert found.result_rows == [(200_000, 50_000, 59 * 24 * 60)]
        assert (cpu_seconds(chdb.process.pid) - before) / 3 < 0.8


def test_an_identifier_of_many_spans_that_names_many_accounts_takes_little_memory(at: Warehouse) -> None:
    many = 20_000
    with clickhouse.connect(at.dsn) as client:
        client.command(
            "INSERT INTO touchpoints (tenant, source, event_id, type, occurred_at, identifier, account) "
            f"SELECT '{at.tenant}', 'web', toString(number), 'page_viewed', "
            "toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + toIntervalMinute(number), 'anonymous_id:k', "
            f"if(number % 2, concat('domain:d', toString(number), '.nl'), '') FROM numbers({many})"
        )
        client.command(
            "INSERT INTO identity_map (tenant, identifier, version, span_from, span_contact, span_account, "
            f"accounts) WITH range({many}) AS n SELECT '{at.tenant}', 'anonymous_id:k', 1, "
            "arrayMap(i -> toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + toIntervalMinute(i), n), "
            "arrayMap(i -> concat('c', toString(i)), n), arrayMap(i -> concat('a', toString(i)), n), "
            "mapFromArrays(arrayMap(i -> concat('domain:d', toString(i), '.nl'), n), "
            "arrayMap(i -> concat('f', toString(i)), n))"
        )
        client.command(
            "INSERT INTO identity_map (tenant, identifier, version, span_from, span_contact, span_account) "
            f"SELECT '{at.tenant}', concat('domain:d', toString(number), '.nl'), 1, [0], [''], "
            f"[concat('f', toString(number))] FROM numbers({many})"
        )
        found = client.query(
            "SELECT count(), uniqExact(contact_id), uniqExact(account_id), countIf(account_id LIKE 'f%') "
            f"FROM v_touchpoints WHERE tenant = '{at.tenant}'",
            settings={"max_memory_usage": 500_000_000},
        )
    assert found.result_rows == [(many, many, many, many // 2)]


def test_an_outage_pauses_the_sink_and_loses_nothing(tmp_path: Path) -> None:
    refused: list[list[Refused]] = []
    with ChdbServer(tmp_path) as server:
        clickhouse.migrate(server.dsn)
        at = Warehouse(server.dsn, "outage")
        at.feed(at.touch("before", "", "2025-01-01T00:00:00Z"))
    during = at.touch("during", "", "2025-01-01T00:00:00Z")
    waiting = threading.Thread(target=lambda: refused.append(at.feed(during)), daemon=True)
    waiting.start()
    time.sleep(1)
    assert waiting.is_alive()
    with ChdbServer(tmp_path, server.port):
        waiting.join(20)
        assert refused == [[]]
        assert at.rows("v_touchpoints", "event_id") == [("before",), ("during",)]


def test_waiting_for_a_server_that_never_comes() -> None:
    with pytest.raises(TimeoutError, match="ClickHouse does not answer"):
        clickhouse.wait_until_up("http://127.0.0.1:9", 0.1)
