"""FRAGMENTS: where a fragment goes and comes from; placement by the touch's own address; account links."""

from typing import Any

import pytest

from schemas.identity import MapRow, Span
from schemas.internal import Asserted, Link, Owner, Seen, Touch
from schemas.times import DAY_MS, rfc3339
from streams.fragments import row
from tests.unit.fragments_driven import ACME, COOKIE, JANE, KEY_OF, START, Driven, mapped, told, touch

CRM = "contact_id:1"
CRM_RANK = 1


@pytest.fixture
def driven() -> Driven:
    return Driven()


def employed(at: int, account: str) -> Touch:
    """The CRM says where Jane works, `at` ms after the start."""
    return touch(event_id=f"p{at}", at=START + at, type="profile_updated", account=account, rank=CRM_RANK)


def moves(driven: Driven) -> dict[str, tuple[list[str], dict[str, bytes]]]:
    """Successors and predecessors named on the snapshots just sent."""
    return {account: (sent.successors, sent.predecessors) for account, sent in driven.snapshots.items()}


def test_a_withdrawal_names_its_successor_and_the_snapshot_there_where_it_came_from(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1")))
    assert moves(driven) == {"a1": ([], {})}
    driven.take(mapped(JANE, (None, "c1", "a2"), seq=2))
    move = driven.version
    assert moves(driven) == {"a1": (["a2"], {}), "a2": ([], {"a1": move})}
    driven.take(touch(event_id="e2"))
    assert moves(driven) == {"a2": ([], {"a1": move})}
    driven.recall(JANE)
    assert moves(driven) == {"a1": (["a2"], {}), "a2": ([], {"a1": move})}


def test_back_again_and_on_the_way_of_each_move_is_named(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1")))
    driven.take(mapped(JANE, (None, "c1", "a2"), seq=2))
    driven.take(mapped(JANE, (None, "c1", "a1"), seq=3))
    back = driven.version
    assert moves(driven) == {"a2": (["a1"], {}), "a1": ([], {"a2": back})}
    driven.take(mapped(JANE, (None, "c1", "a3"), seq=4))
    assert moves(driven) == {"a1": (["a3"], {}), "a3": ([], {"a1": driven.version})}


def test_a_part_that_moves_is_no_withdrawal_and_tells_where_its_contact_came_from(driven: Driven) -> None:
    driven.take(touch(), touch(event_id="e2", at=START + 20), employed(0, ACME))
    driven.take(mapped(JANE, (None, "c1", "a1")))
    driven.take(mapped(JANE, (None, "c1", "a1"), (START + 10, "c1", "a2"), seq=2))
    assert moves(driven) == {"a1": ([], {}), "a2": ([], {})}
    assert [part.came_from for part in driven.snapshots["a1"].parts] == [""]
    assert [part.came_from for part in driven.snapshots["a2"].parts] == ["a1"]


def test_nobody_came_from_where_only_the_mail_domain_had_placed_him(driven: Driven) -> None:
    spans = [(None, "c1", "new"), (START, "c1", "old"), (START + 9, "c1", "new")]
    driven.take(touch(), mapped(JANE, *spans))
    assert [part.came_from for part in driven.snapshots["old"].parts] == [""]
    assert [part.came_from for part in driven.snapshots["new"].parts] == ["", "old"]


def test_an_employment_in_the_first_span_is_one_to_come_from_where_it_was_told(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1"), (START + 9, "c1", "a2")))
    assert [part.came_from for part in driven.snapshots["a2"].parts] == [""]
    driven.take(employed(9, "domain:bolt.nl"))  # the first one, with which the span begins
    assert driven.snapshots == {}
    driven.take(employed(5, ACME))
    assert [part.came_from for part in driven.snapshots["a2"].parts] == ["a1"]


def test_what_a_device_was_before_is_no_employment(driven: Driven) -> None:
    spans = [(None, "cj", "a1"), (START, "cm", "a1"), (START + 5, "cj", "a2")]
    driven.take(touch(COOKIE), Owner("t", COOKIE, JANE, START), mapped(COOKIE, *spans))
    assert [part.came_from for part in driven.snapshots["a2"].parts] == [""]


def test_a_visit_to_a_client_is_no_move(driven: Driven) -> None:
    named = {"domain__acme_dot_nl": "a9"}
    spans = [(None, "c1", "a1"), (START, "c1", "a2")]
    driven.take(
        employed(-9, "domain:bolt.nl"), touch(at=START + 1, account=ACME), mapped(JANE, *spans, **named)
    )
    assert [part.came_from for part in driven.snapshots["a9"].parts] == [""]
    assert [part.came_from for part in driven.snapshots["a2"].parts] == ["a1"]


def test_successors_are_where_its_touches_are_not_all_accounts_of_the_fragment(driven: Driven) -> None:
    keys = [f"domain:{n}.nl" for n in range(4)]
    touches = [touch(event_id=key, account=key, at=START + n) for n, key in enumerate(keys)]

    def says(seq: int, *accounts: str) -> MapRow:
        map_row = mapped(JANE, (None, "c1", "home"), seq=seq)
        map_row.accounts = dict(zip(keys, accounts, strict=True))
        return map_row

    driven.take(*touches, says(1, "a0", "a1", "a2", "a2"))
    driven.take(says(2, "a0", "a0", "a2", "a3"))
    assert moves(driven) == {
        "a1": (["a0"], {}),
        "a0": ([], {"a1": driven.version}),
        "a2": ([], {}),
        "a3": ([], {}),
    }
    split = says(3, "a0", "a0", "a4", "a5")
    driven.take(split)
    assert driven.snapshots["a2"].successors == ["a4"]
    assert driven.snapshots["a3"].successors == ["a5"]


def test_without_touches_successors_are_those_of_the_same_time(driven: Driven) -> None:
    driven.take(mapped(JANE, (None, "c1", "a1"), (START, "c1", "a2")))
    driven.take(mapped(JANE, (None, "c1", "a3"), (START, "c1", "a4"), (START + 9, "c1", "a5"), seq=2))
    move = driven.version
    assert moves(driven) == {
        "a1": (["a3"], {}),
        "a2": (["a4", "a5"], {}),
        "a3": ([], {"a1": move}),
        "a4": ([], {"a2": move}),
        "a5": ([], {"a2": move}),
    }


def test_what_belongs_to_nobody_any_more_has_no_successor(driven: Driven) -> None:
    driven.take(touch(COOKIE), mapped(COOKIE, (None, "c1", "a1")))
    driven.take(mapped(COOKIE, (None, None, None), seq=2))
    assert moves(driven) == {"a1": ([], {})}


def test_moves_that_are_remembered_are_bounded(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.fragments.moves.LEFT", 2)
    monkeypatch.setattr("streams.fragments.moves.SUCCESSORS", 1)
    driven.take(touch(), touch(event_id="e2", at=START + 5))
    for seq in range(4):
        driven.take(mapped(JANE, (None, "c1", f"a{seq}"), seq=seq))
    assert [each.account for each in driven.fragment(JANE).left] == ["a1", "a2"]
    driven.take(mapped(JANE, (None, "c1", "b1"), (START + 1, "c1", "b2"), seq=9))
    assert moves(driven)["a3"] == (["b1"], {})
    assert moves(driven)["b2"] == ([], {})


def test_where_only_a_session_that_had_lost_the_partition_was_the_fragment_is_here(driven: Driven) -> None:
    other = Driven().take(touch(), mapped(JANE, (None, "c1", "a7")))
    driven.take(touch(), mapped(JANE, (None, "c1", "a1")))
    group = KEY_OF("t", JANE)
    driven.step.adopt(driven.rows, group, b"", other.rows.get(group) or b"")
    driven.rows.keep()
    driven.recall(JANE)
    assert moves(driven) == {"a7": (["a1"], {}), "a1": ([], {"a7": b""})}  # whatever version it is answered


def places(identifier: str, placed: bool) -> MapRow:
    spans = [Span(None, "c1", "a1", placed), Span(rfc3339(START + 50), "c1", "a2")]
    return MapRow(
        "t", identifier, (0, 1, 1), spans, {ACME: "a9"}, {"domain:bolt.nl": "a8", "domain:acme.nl": "a1"}
    )


def test_the_address_on_a_touch_places_it_where_no_employment_holds(driven: Driven) -> None:
    def at(event_id: str, strong: list[str], offset: int = 0, **fields: Any) -> None:
        driven.take(touch(CRM, event_id, START + offset, strong=[CRM, *strong], **fields))

    driven.take(places(CRM, placed=True))
    at("bolt", ["email:jane@mail.bolt.nl"])
    assert driven.parts("a8") == [("c1", None, START + 50, ["bolt"])]
    assert [part.came_from for part in driven.snapshots["a8"].parts] == [""]
    at("own", ["user_id:u", JANE])
    at("free", ["email:jane@gmail.com"])
    at("strange", ["email:jane@other.nl"])
    at("none", [])
    assert driven.parts("a1") == [("c1", None, START + 50, ["free", "none", "own", "strange"])]
    at("named", ["email:jane@bolt.nl"], account=ACME)
    assert driven.parts("a9") == [("c1", None, START + 50, ["named"])]
    at("employed", ["email:jane@bolt.nl"], 50)
    assert driven.parts("a2") == [("c1", START + 50, None, ["employed"])]
    kept = {each.event_id: each.place for each in driven.fragment(CRM).touches if each.place}
    assert kept == {
        "bolt": "domain:bolt.nl", "own": ACME, "strange": "domain:other.nl", "employed": "domain:bolt.nl",
    }  # fmt: skip


def test_an_employment_goes_before_the_address_and_a_mail_fragment_has_its_own(driven: Driven) -> None:
    driven.take(places(CRM, placed=False), touch(CRM, strong=[CRM, "email:jane@bolt.nl"]))
    assert driven.parts("a1") == [("c1", None, START + 50, ["e1"])]
    driven.take(places(JANE, placed=True), touch(JANE, "e2", strong=[JANE]))
    assert driven.fragment(JANE).touches[0].place == ""


def test_a_dense_fragment_keeps_the_first_and_last_touch_of_each_place(driven: Driven) -> None:
    def one(n: int, domain: str) -> Any:
        fields = {"strong": [CRM, f"email:j@{domain}"], "content": {"topic": f"topic {n % 29}"}}
        return touch(CRM, f"e{n:05d}", START + n * DAY_MS, **fields)

    driven.take(*(one(n, "acme.nl" if n not in (700, 900) else "bolt.nl") for n in range(1_500)))
    kept = driven.fragment(CRM)
    assert kept.level > 3
    assert [each.event_id for each in kept.touches if each.place == "domain:bolt.nl"] == ["e00700", "e00900"]
    assert kept.places == ["domain:acme.nl", "domain:bolt.nl"]


def test_links_of_account_keys_are_told_again_by_the_day(driven: Driven) -> None:
    keys = ["account_id:7", ACME]

    def linked(at: int) -> list[int]:
        driven.take(told(keys, at))
        return [each.at for each in driven.stated if isinstance(each, Link)]

    noon = START + DAY_MS // 2
    assert linked(noon) == [noon]
    assert linked(noon + 5) == []
    assert linked(noon + DAY_MS) == [START + DAY_MS]
    assert linked(noon + DAY_MS + 5) == []
    assert linked(noon + DAY_MS // 3) == []
    assert linked(noon - 5) == [noon - 5]
    assert linked(START + 9 * DAY_MS) == [START + 9 * DAY_MS]
    driven.recall("account_id:7")
    assert driven.stated == [
        Seen("t", "account_id:7", noon - 5),
        Link("t", "account_id:7", ACME, "crm", 1, noon - 5),
        Link("t", "account_id:7", ACME, "crm", 1, START + 9 * DAY_MS),
    ]
    assert driven.fragment("account_id:7").links == [
        ("account_id:7", ACME, "crm", 1, noon - 5, START + 9 * DAY_MS)
    ]


def test_a_link_of_people_is_told_once_and_remembers_when_it_was_said_last(driven: Driven) -> None:
    for day in range(3):
        driven.take(touch(CRM, f"e{day}", START + day * DAY_MS, strong=[CRM, JANE]))
        assert len(driven.stated) == (0 if day else 2)
    assert driven.fragment(CRM).links == [(CRM, JANE, "web", 3, START, START + 2 * DAY_MS)]


def test_what_people_say_of_pairs_is_for_others(driven: Driven) -> None:
    driven.take(Asserted("t", "s1", "link", CRM, JANE, START, "steward"))
    assert (driven.stated, driven.snapshots, driven.written) == ([], {}, 0)


@pytest.mark.parametrize(
    "issued", ["journeys_contact_id:c0123456789abcde", "journeys_account_id:a0123456789abcde"]
)
def test_an_id_that_we_issued_is_nowhere_as_long_as_nothing_was_said_of_it(
    driven: Driven, issued: str
) -> None:
    driven.take(mapped(issued, (None, "c1", "a1")))
    assert driven.fragment(issued).mapped is not None
    assert driven.snapshots == {}
    driven.recall(issued)
    assert (driven.stated, driven.snapshots) == ([], {})


def test_a_row_tells_at_its_beginning_when_it_may_be_forgotten(driven: Driven) -> None:
    driven.take(touch(COOKIE, at=START + 7), touch(COOKIE, "e2", at=START))
    brief = row.brief(driven.rows.get(KEY_OF("t", COOKIE)) or b"")
    assert (brief.tenant, brief.identifier, brief.last) == ("t", COOKIE, START + 7)
