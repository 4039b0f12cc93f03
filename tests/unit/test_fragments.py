"""FRAGMENTS: what a row keeps, states and sends."""

from typing import Any

import msgspec
import pytest

from schemas.identity import MapRow
from schemas.internal import Employed, Fact, Link, Named, Owner, Owns, Seen, Tick, Touch
from schemas.times import DAY_MS
from streams.core import Record
from streams.fragments import row
from streams.fragments.statements import moments
from tests.unit.fragments_driven import (
    ACME,
    COOKIE,
    JANE,
    KEY_OF,
    START,
    Driven,
    mapped,
    records,
    told,
    touch,
)


@pytest.fixture
def driven() -> Driven:
    return Driven()


def test_a_fragment_waits_for_its_map_row_and_then_sends_all(driven: Driven) -> None:
    driven.take(touch(), touch(event_id="e2", at=START + 5))
    assert driven.snapshots == {}
    assert driven.stated == [Seen("t", JANE, START)]
    driven.take(mapped(JANE, (None, "c1", "a1")))
    assert driven.parts("a1") == [("c1", None, None, ["e1", "e2"])]
    assert driven.stated == []


def test_a_map_row_alone_tells_the_account_its_identifier_and_facts(driven: Driven) -> None:
    driven.take(told([ACME], facts={"name": "Acme"}), mapped(ACME, (None, None, "a1")))
    assert driven.parts("a1") == [("", None, None, [])]
    assert driven.snapshots["a1"].facts == {"name": Fact(1, START, "crm", "Acme")}


def test_what_changes_nothing_writes_and_sends_nothing(driven: Driven) -> None:
    messages = (touch(contact={"name": "Jane"}), mapped(JANE, (None, "c1", "a1")))
    driven.take(*messages)
    driven.take(*messages, mapped(JANE, (None, "c2", "a2"), seq=0))
    assert (driven.written, driven.stated, driven.snapshots) == (0, [], {})


def test_of_the_copies_of_an_event_the_least_counts_and_all_tell_facts(driven: Driven) -> None:
    driven.take(mapped(JANE, (None, "c1", "a1")))
    driven.take(touch(at=START + 9, digest=1, contact={"name": "Jane"}))
    driven.take(touch(at=START, digest=8), touch(at=START, digest=7), touch(source="app", at=START + 1))
    (part,) = driven.snapshots["a1"].parts
    assert [(each.source, each.at, each.digest) for each in part.touches] == [
        ("web", START, 7),
        ("app", START + 1, 1),
    ]
    assert driven.snapshots["a1"].facts["name"].value == "Jane"


def test_facts_only_types_are_no_touch(driven: Driven) -> None:
    driven.take(touch(type="profile_updated", contact={"name": "Jane"}), mapped(JANE, (None, "c1", "a1")))
    assert driven.parts("a1") == [("c1", None, None, [])]
    assert driven.stated == [Seen("t", JANE, START)]


def test_a_compact_touch_carries_what_a_journey_needs(driven: Driven) -> None:
    driven.take(
        touch(
            type="order_placed",
            content={"topic": "pumps", "content_id": "p1", "url": "https://acme.nl"},
            commerce={"order_id": "7", "order_namespace": "shop:nl"},
        ),
        mapped(JANE, (None, "c1", "a1")),
    )
    (mini,) = driven.snapshots["a1"].parts[0].touches
    assert (mini.type, mini.topic, mini.content_id, mini.order) == (
        "order_placed",
        "pumps",
        "p1",
        "shop%3Anl:7",
    )


def test_facts_the_lowest_rank_then_the_latest_then_the_smallest_value(driven: Driven) -> None:
    def fact(value: object, rank: int, at: int) -> Touch:
        return touch(type="profile_updated", rank=rank, at=START + at, contact={"job_title": value})

    driven.take(fact("web, later", 3, 99), fact("crm, later", 1, 5), fact("crm", 1, 0))
    assert driven.fragment(JANE).facts["job_title"].value == "crm, later"
    driven.take(fact("a", 1, 5))
    assert driven.fragment(JANE).facts["job_title"].value == "a"
    driven.take(fact(None, 0, 9), fact("x" * 600, 0, 9), fact("z", 1, 5))
    assert driven.fragment(JANE).facts["job_title"].value == "a"


def test_the_latest_word_on_consent_holds_whoever_said_it(driven: Driven) -> None:
    driven.take(
        touch(type="consent_withdrawn", rank=3, at=START + 5, consent={"email": False}),
        touch(type="consent_given", rank=1, at=START, consent={"email": True}),
        touch(type="consent_given", rank=1, at=START + 5, consent={"email": True}),
    )
    assert driven.fragment(JANE).facts["consent.email"].value is False


def test_facts_of_the_firm_are_kept_apart_and_go_with_the_account_where_one_is_named(driven: Driven) -> None:
    driven.take(touch(organisation={"industry": "steel"}))
    driven.take(touch(event_id="e2", account=ACME, organisation={"employees": 5}))
    assert set(driven.fragment(JANE).facts) == {"organisation.industry"}
    driven.take(touch(ACME, account=ACME, contact={"name": "nobody in particular"}))
    assert driven.fragment(ACME).facts == {}


def test_only_the_most_trusted_facts_fit(driven: Driven) -> None:
    driven.take(touch(contact={f"f{n:03d}": n for n in range(100)}))
    driven.take(touch(contact={"zip": 1}, rank=1))
    facts = driven.fragment(JANE).facts
    assert len(facts) == 64
    assert "zip" in facts
    assert "f062" in facts
    assert "f063" not in facts


def test_statements_are_made_once_and_again_when_earlier(driven: Driven) -> None:
    both = ["contact_id:1", JANE]
    link = Link("t", "contact_id:1", JANE, "web", 3, START)
    driven.take(touch("contact_id:1", strong=both, account=ACME))
    assert driven.stated == [Seen("t", "contact_id:1", START), link, Named("t", "contact_id:1", ACME, START)]
    driven.take(touch("contact_id:1", "e2", START + 1, strong=both, account=ACME))
    assert driven.stated == []
    driven.take(touch("contact_id:1", "e3", START - 1, strong=both))
    assert driven.stated == [
        Seen("t", "contact_id:1", START - 1),
        Link("t", "contact_id:1", JANE, "web", 3, START - 1),
    ]
    driven.recall("contact_id:1")
    assert set(driven.stated) == {
        Seen("t", "contact_id:1", START - 1),
        Link("t", "contact_id:1", JANE, "web", 3, START - 1),
        Named("t", "contact_id:1", ACME, START),
    }


def test_machines_and_we_assert_nothing(driven: Driven) -> None:
    driven.take(
        touch("contact_id:1", strong=["contact_id:1", JANE], actor=2, type="email_sent"),
        touch("contact_id:1", type="identified", account=ACME, rank=1, actor=1),
    )
    assert driven.stated == [Seen("t", "contact_id:1", START)]


def test_account_keys_of_one_message_are_linked_where_the_source_may(driven: Driven) -> None:
    keys = ["account_id:7", ACME]
    driven.take(told(keys, source="web", rank=3))
    assert driven.stated == [Seen("t", "account_id:7", START)]
    driven.take(told(keys))
    assert driven.stated == [Link("t", "account_id:7", ACME, "crm", 1, START)]


def test_employment_is_stated_where_it_changes(driven: Driven) -> None:
    def says(account: str, at: int, **fields: Any) -> Touch:
        return touch("contact_id:1", f"e{at}", at, type="identified", account=account, rank=1, **fields)

    def employed(account: str, at: int) -> Employed:
        return Employed("t", "contact_id:1", "contact_id:1", "web", 1, at, account)

    driven.take(says(ACME, 100), says(ACME, 200), says("domain:bolt.nl", 300))
    assert driven.stated == [
        Seen("t", "contact_id:1", 100),
        employed(ACME, 100),
        employed(ACME, 200),  # so long it lasted
        employed("domain:bolt.nl", 300),
    ]
    driven.take(says(ACME, 400), touch("contact_id:1", type="identified", account="domain:x.nl", at=500))
    assert driven.stated == [employed(ACME, 400)]


def test_an_owner_is_stated_where_it_changes_also_in_the_middle_of_a_run(driven: Driven) -> None:
    driven.take(*(Owner("t", COOKIE, "email:a@x.nl", at) for at in (10, 20, 30, 40)))
    assert driven.stated == [Owns("t", COOKIE, "email:a@x.nl", 10)]
    driven.take(Owner("t", COOKIE, "email:b@x.nl", 25))
    a, b = "email:a@x.nl", "email:b@x.nl"
    assert driven.stated == [Owns("t", COOKIE, who, at) for at, who in ((20, a), (25, b), (30, a))]


def test_contradicting_owners_of_one_moment_are_all_told(driven: Driven) -> None:
    a, b = "email:a@x.nl", "email:b@x.nl"
    driven.take(Owner("t", COOKIE, a, 10), Owner("t", COOKIE, b, 20), Owner("t", COOKIE, a, 30))
    driven.take(Owner("t", COOKIE, a, 20))  # it takes the moment from b, which was stated
    assert driven.stated == [Owns("t", COOKIE, a, 20)]
    driven.recall(COOKIE)
    assert driven.stated == [Owns("t", COOKIE, who, at) for at, who in ((10, a), (20, a), (20, b), (30, a))]
    driven.take(Owner("t", COOKIE, b, 30), Owner("t", COOKIE, b, 40))
    driven.take(Owner("t", COOKIE, a, 40))  # also after a moment with the same contradiction
    assert driven.stated == [Owns("t", COOKIE, a, 40)]


def test_of_a_device_that_people_spoke_of_every_owner_is_stated(driven: Driven) -> None:
    def said(seq: int, every: bool) -> MapRow:
        map_row = mapped(COOKIE, (None, "c1", "a1"), seq=seq)
        map_row.every = every
        return map_row

    driven.take(said(1, every=False), *(Owner("t", COOKIE, JANE, at) for at in (10, 20, 30)))
    assert driven.stated == [Owns("t", COOKIE, JANE, 10)]
    driven.take(said(2, every=True))
    assert driven.stated == [Owns("t", COOKIE, JANE, 20), Owns("t", COOKIE, JANE, 30)]
    driven.take(said(3, every=True), Owner("t", COOKIE, JANE, 25))
    assert driven.stated == [Owns("t", COOKIE, JANE, 25)]
    driven.recall(COOKIE)
    assert driven.stated == [Owns("t", COOKIE, JANE, at) for at in (10, 20, 25, 30)]


def test_employments_told_by_different_sources_do_not_end_each_other() -> None:
    claims = [(1, ACME, "crm", 1), (2, "domain:bolt.nl", "erp", 2), (3, ACME, "crm", 1)]
    assert moments(claims) == claims[:2]


def test_a_weak_identifier_belongs_to_its_spans(driven: Driven) -> None:
    driven.take(*(touch(COOKIE, f"e{at}", START + at) for at in (0, 10, 20, 30)))
    assert driven.stated == []
    driven.take(mapped(COOKIE, (START + 10, "c1", "a1"), (START + 20, None, None), (START + 30, "c2", "a2")))
    assert driven.parts("a1") == [("c1", START + 10, START + 20, ["e10"])]
    assert driven.parts("a2") == [("c2", START + 30, None, ["e30"])]


def test_a_touch_waits_for_the_account_that_it_names(driven: Driven) -> None:
    driven.take(touch(), touch(event_id="e2", account=ACME), mapped(JANE, (None, "c1", "a1")))
    assert {account: driven.parts(account) for account in driven.snapshots} == {
        "a1": [("c1", None, None, ["e1"])]
    }
    driven.take(mapped(JANE, (None, "c1", "a1"), seq=2, domain__acme_dot_nl="a2"))
    assert {account: driven.parts(account) for account in driven.snapshots} == {
        "a2": [("c1", None, None, ["e2"])]
    }


def test_an_account_is_told_when_all_touches_are_in_others(driven: Driven) -> None:
    home = mapped(JANE, (None, "c1", "a1"), domain__acme_dot_nl="a2")
    driven.take(touch(account=ACME), home)
    assert {account: one.elsewhere for account, one in driven.snapshots.items()} == {"a1": True, "a2": False}
    driven.take(touch(event_id="e2"))
    assert {account: one.elsewhere for account, one in driven.snapshots.items()} == {
        "a1": False
    }  # a2: as before


def test_touches_of_an_account_key_do_not_name_another(driven: Driven) -> None:
    driven.take(touch(ACME, account=ACME), mapped(ACME, (None, None, "a1")))
    assert driven.stated == [Seen("t", ACME, START)]
    assert driven.parts("a1") == [("", None, None, ["e1"])]
    driven.take(mapped(ACME, (None, None, "a1"), (START, None, "a2"), seq=2))
    assert driven.parts("a2") == [("", START, None, ["e1"])]


def test_a_job_change_moves_the_later_touches(driven: Driven) -> None:
    driven.take(touch(), touch(event_id="e2", at=START + 20), mapped(JANE, (None, "c1", "a1")))
    driven.take(mapped(JANE, (None, "c1", "a1"), (START + 10, "c1", "a2"), seq=2))
    assert driven.parts("a1") == [("c1", None, START + 10, ["e1"])]
    assert driven.parts("a2") == [("c1", START + 10, None, ["e2"])]


def test_a_snapshot_is_withdrawn_from_the_account_it_leaves(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1")))
    driven.take(mapped(JANE, (None, "c2", "a2"), seq=2))
    assert driven.snapshots["a1"].withdrawn
    assert driven.snapshots["a1"].parts == []
    assert driven.parts("a2") == [("c2", None, None, ["e1"])]
    driven.take(touch(event_id="e2"))
    assert set(driven.snapshots) == {"a2"}
    driven.recall(JANE)
    assert {account: each.withdrawn for account, each in driven.snapshots.items()} == {
        "a1": True,
        "a2": False,
    }
    driven.take(mapped(JANE, (None, "c1", "a1"), seq=3)).recall(JANE)
    assert {account: each.withdrawn for account, each in driven.snapshots.items()} == {
        "a1": False,
        "a2": True,
    }


def test_only_the_account_that_a_touch_belongs_to_is_told(driven: Driven) -> None:
    accounts = {"domain__acme_dot_nl": "a2"}
    driven.take(touch(), touch(event_id="e2", account=ACME), mapped(JANE, (None, "c1", "a1"), **accounts))
    driven.take(touch(event_id="e3", account=ACME))
    assert set(driven.snapshots) == {"a2"}


def test_unattributed_touches_and_tombstones_leave_no_row(driven: Driven) -> None:
    driven.take(touch(""))
    assert driven.written == 0
    tombstone = Record("identity-map", 0, 0, 0, KEY_OF("t", JANE), None)
    assert driven.step.apply(driven.rows, [tombstone], driven.version, 0) == []


def test_the_clock_is_the_slowest_partition_and_never_goes_back(driven: Driven) -> None:
    driven.take(Tick(0, 50, 0), Tick(1, 60, 0), Tick(2, 70, 0))
    assert driven.ticks == []
    driven.take(Tick(3, 40, 0))
    assert driven.ticks == [(partition, Tick(1, 40, 0)) for partition in range(4)]
    driven.take(Tick(3, 30, 0), Tick(2, 90, 0))
    assert driven.ticks == []
    driven.take(*(Tick(source, 40, 1) for source in range(4)), touch(), mapped(JANE, (None, "c1", "a1")))
    assert driven.ticks == [(partition, Tick(1, 40, 1)) for partition in range(4)]
    again = driven.step.outputs(driven.rows, KEY_OF("clock"), b"", driven.version)
    driven.sort(again)
    assert driven.ticks == [(partition, Tick(1, 40, 1)) for partition in range(4)]


def test_the_clock_comes_after_what_it_closes(driven: Driven) -> None:
    driven.take(mapped(JANE, (None, "c1", "a1")))
    out = driven.step.apply(
        driven.rows, records([*(Tick(source, 40, 1) for source in range(4)), touch()]), driven.version, 0
    )
    last = [msgspec.msgpack.decode(output.value or b"")[0] for output in out][-5:]
    assert last == ["fragment", "tick", "tick", "tick", "tick"]


def test_links_beyond_what_a_row_remembers_are_told_each_time(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "LINKS", 2)
    three = touch(strong=[JANE, "user_id:1", "user_id:2"])
    driven.take(three)
    assert len([each for each in driven.stated if isinstance(each, Link)]) == 3
    assert len(driven.fragment(JANE).links) == 2
    driven.take(three)
    assert driven.stated == [Link("t", "user_id:1", "user_id:2", "web", 3, START)]


def test_of_too_many_named_accounts_the_smallest_count(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "NAMED", 2)
    one, two, three = [touch(event_id=str(n), account=f"domain:{n}.nl") for n in (1, 2, 3)]
    accounts = {f"domain__{n}_dot_nl": f"a{n}" for n in (1, 2, 3)}
    driven.take(two, three, mapped(JANE, (None, "c1", "a9"), **accounts))
    assert driven.parts("a3") == [("c1", None, None, ["3"])]
    driven.take(one)
    assert driven.stated == [Named("t", JANE, "domain:1.nl", START)]
    assert driven.parts("a1") == [("c1", None, None, ["1"])]
    assert driven.snapshots["a3"].withdrawn
    driven.take(touch(event_id="4", account="domain:3.nl"))
    assert (driven.stated, driven.snapshots) == ([], {})
    assert set(driven.fragment(JANE).named) == {"domain:1.nl", "domain:2.nl"}
    assert len(driven.fragment(JANE).touches) == 4


def test_exact_up_to_a_thousand_touches_then_dense_for_good(driven: Driven) -> None:
    def views(first: int, last: int) -> list[Touch]:
        return [touch(event_id=f"event-{n:032d}", at=START + n * 3_600_000 // 4) for n in range(first, last)]

    driven.take(mapped(JANE, (None, "c1", "a1")), *views(0, 1000))
    assert not driven.snapshots["a1"].dense
    assert len(driven.snapshots["a1"].parts[0].touches) == 1000
    orders = [
        touch(event_id=f"o{n}", at=START + n, type="order_placed", commerce={"order_id": str(n)})
        for n in range(300)
    ]
    driven.take(*views(1000, 1001), *orders)
    sent = driven.snapshots["a1"]
    assert sent.dense
    kept = sent.parts[0].touches
    assert len([each for each in kept if each.type == "order_placed"]) == 300
    seen = [each.at for each in kept if each.type == "page_viewed"]
    assert min(seen) == START
    assert max(seen) == START + 1000 * 3_600_000 // 4
    assert {at // DAY_MS for at in seen} == {START // DAY_MS + day for day in range(11)}
    assert len(row.encode(driven.fragment(JANE))) < 65_536
    driven.take(touch(event_id="event-" + "0" * 32))
    assert driven.fragment(JANE).level == 2


def test_one_more_touch_of_an_inside_sales_team_takes_no_account_back(driven: Driven) -> None:
    def quote(n: int, **fields: Any) -> Touch:
        values = {"account": f"customer_number:{n:04d}", "type": "quote_requested", **fields}
        return touch("user_id:sales", f"q{n}", START + n * 60_000, **values)

    accounts = {f"customer_number:{n:04d}": f"a{n:04d}" for n in range(1_000)}
    map_row = mapped("user_id:sales", (None, "c1", "a"))
    map_row.accounts = accounts
    driven.take(map_row, *(quote(n) for n in range(1_000)))
    assert len(driven.snapshots) == 1_001
    driven.take(quote(1_000, account="customer_number:0500"), quote(1_001, account="", type="page_viewed"))
    assert driven.fragment("user_id:sales").level >= 4
    assert not any(each.withdrawn for each in driven.snapshots.values())
    driven.recall("user_id:sales")
    sent = {
        account: [t.event_id for p in s.parts for t in p.touches] for account, s in driven.snapshots.items()
    }
    assert sent == {
        "a": ["q1001"],
        **{f"a{n:04d}": [f"q{n}"] for n in range(1_000)},
        "a0500": ["q500", "q1000"],
    }


def test_a_row_that_names_a_thousand_accounts_in_wide_touches_stays_within_a_record(driven: Driven) -> None:
    def wide(n: int, kind: str) -> Touch:
        fields: dict[str, Any] = {"account": f"customer_number:{n:0240d}", "content": {"topic": "t" * 256}}
        return touch("user_id:sales", f"{kind}{n:0100d}", START + n * DAY_MS, type=kind, **fields)

    kinds = ["page_viewed", "faq_viewed", "quote_requested", "order_placed", "app_used", "meeting_held"]
    for kind in kinds:
        driven.take(*(wide(n, kind) for n in range(1_100)))
    fragment = driven.fragment("user_id:sales")
    assert len({each.account for each in fragment.touches} & fragment.named.keys()) == 1_000
    assert len(row.encode(fragment)) < 3_000_000


def test_orders_outrank_other_touches_and_stay_complete(driven: Driven) -> None:
    types = ["page_viewed", "faq_viewed", "price_viewed", "order_placed"]
    driven.take(*(touch(event_id=f"e{n}", at=START + n * DAY_MS, type=types[n % 4]) for n in range(1_800)))
    kept = driven.fragment(JANE)
    assert [each.at for each in kept.touches if each.type == "order_placed"] == [
        START + n * DAY_MS for n in range(3, 1_800, 4)
    ]
    assert {each.type for each in kept.touches} == set(types)
    assert {each.at // row.YEAR_MS for each in kept.touches if each.type != "order_placed"} == {
        (START + n * DAY_MS) // row.YEAR_MS for n in range(1_800)
    }


def test_long_ids_make_a_fragment_dense_sooner_and_its_row_stays_small(driven: Driven) -> None:
    long = {"content": {"topic": "t" * 250}, "type": "faq_viewed"}
    driven.take(*(touch(event_id=f"{n:0128d}", at=START + n * DAY_MS, **long) for n in range(999)))
    assert driven.fragment(JANE).level > 0
    assert len(row.encode(driven.fragment(JANE))) < 65_536
    driven.take(*(touch(event_id=f"x{n}", at=START + n) for n in range(999)))
    assert len(row.encode(driven.fragment(JANE))) < 65_536


def test_a_bad_record_raises_and_leaves_the_row(driven: Driven) -> None:
    driven.take(touch())
    bad = Record("touchpoints.valid", 1, 0, 0, KEY_OF("t", JANE), b"\x01")
    with pytest.raises(msgspec.DecodeError):
        driven.step.apply(driven.rows, [bad], driven.version, 0)
