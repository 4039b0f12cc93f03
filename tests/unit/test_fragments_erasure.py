"""FRAGMENTS: what is erased goes, stays away when it comes again, and everybody who had it hears of it."""

import pytest

from schemas.internal import Employed, Fact, Link, Named, Owner, Owns, Profiling, Seen, Tick
from schemas.times import DAY_MS
from streams.fragments.row import Fragment
from tests.unit.fragments_driven import (
    ACME,
    COOKIE,
    JANE,
    KEY_OF,
    START,
    Driven,
    erased,
    erasure,
    event,
    gone,
    mapped,
    told,
    touch,
)

CRM = "contact_id:1"
MARY = "email:mary@acme.nl"
UNTIL = START + 100  # the time of the erasure


@pytest.fixture
def driven() -> Driven:
    return Driven()


def plain(driven: Driven, *texts: str) -> list[str]:
    """Which of the texts stand in any row."""
    rows = [driven.rows.get(group) or b"" for group in driven.rows.groups()]
    return [text for text in texts if any(text.encode() in value for value in rows)]


def test_an_erased_fragment_is_withdrawn_everywhere_and_leaves_no_plain_text(driven: Driven) -> None:
    facts = {"contact": {"name": "Jane Doe"}, "consent": {"profiling": True}}
    driven.take(touch(event_id="first", strong=[CRM, JANE], **facts), touch(event_id="second", at=UNTIL))
    driven.take(mapped(JANE, (None, "c1", "a1")))
    driven.take(mapped(JANE, (None, "c1", "a2"), seq=2))
    driven.take(gone(JANE, UNTIL))
    assert driven.stated == []
    hashes = sorted([event("first"), event("second")])
    assert {account: (s.withdrawn, s.identifier, s.erased) for account, s in driven.snapshots.items()} == {
        "a1": (True, *erased(JANE), hashes),
        "a2": (True, *erased(JANE), hashes),
    }
    assert plain(driven, "jane", "Jane", "contact_id", "first", "second") == []
    sent = driven.snapshots
    driven.recall(JANE)
    assert driven.snapshots == sent
    assert driven.stated == []


def test_a_touch_that_is_erased_is_a_dead_letter_without_bytes_however_often_it_comes(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1"))).take(gone(JANE, UNTIL))
    row_before = driven.fragment(JANE)
    driven.take(touch(), touch(event_id="new", at=UNTIL, type="consent_given", consent={"email": True}))
    assert [(o.key, o.value, o.partition) for o in driven.letters] == [(None, b"", 1)] * 2
    headers = [dict(letter.headers) for letter in driven.letters]
    assert headers[0] == {
        "reason": b"erased",
        "field": b"occurred_at",
        "error": b"what was said of this identifier up to then is erased",
        "topic": b"touchpoints.valid",
        "partition": b"1",
        "offset": str(-1 - int.from_bytes(event("e1")[:6], "big")).encode(),
        "generation": b"0",
        "tenant": b"t",
    }
    assert headers[1]["offset"] == str(-1 - int.from_bytes(event("new")[:6], "big")).encode()
    assert (driven.stated, driven.snapshots, driven.written) == ([], {}, 0)
    driven.take(touch())
    assert [dict(letter.headers) for letter in driven.letters] == headers[:1]
    assert driven.fragment(JANE) == row_before


def test_a_request_for_somebody_unknown_is_kept_and_what_comes_late_stays_away(driven: Driven) -> None:
    driven.take(gone(JANE, UNTIL))
    driven.take(touch())
    assert len(driven.letters) == 1
    assert plain(driven, "jane") == []


def test_what_is_dated_later_is_a_new_generation_with_its_plain_name(driven: Driven) -> None:
    driven.take(touch(), mapped(JANE, (None, "c1", "a1")))
    assert driven.snapshots["a1"].anew == 0
    driven.take(gone(JANE, UNTIL)).take(touch(event_id="e2", at=UNTIL + 1))
    assert driven.stated == [Seen("t", JANE, UNTIL + 1)]
    assert driven.fragment(JANE).identifier == JANE
    driven.take(erasure(mapped(JANE, (None, "c9", "a1"), seq=10), (None, UNTIL + 1)))
    assert driven.stated == []
    assert driven.parts("a1") == [("c9", None, None, ["e2"])]
    assert driven.snapshots["a1"].erased == [event("e1")]
    assert driven.snapshots["a1"].anew == UNTIL + 1
    assert not driven.snapshots["a1"].withdrawn
    driven.take(gone(JANE, UNTIL + 1, seq=11))
    assert driven.snapshots["a1"].identifier == erased(JANE)[0]
    assert plain(driven, "jane") == []


def test_what_remains_is_stated_again_as_far_as_it_is_known(driven: Driven) -> None:
    strong = [CRM, JANE]
    employed = {"type": "identified", "rank": 1, "account": ACME}
    driven.take(
        mapped(CRM, (None, "c1", "a1")),
        *(touch(CRM, f"e{at}", UNTIL + at, strong=strong, account=ACME) for at in (-9, 7, 8)),
        touch(CRM, "e-3", UNTIL - 3, strong=[CRM, "user_id:u"]),
        *(touch(CRM, f"i{at}", UNTIL + at, **employed) for at in (-8, 9)),
    )
    driven.take(erasure(mapped(CRM, (None, "c9", "a1"), seq=2), (None, UNTIL + 1)))
    assert driven.stated == [
        Seen("t", CRM, UNTIL + 7),
        Link("t", CRM, JANE, "web", 3, UNTIL + 8),  # of three times only the first and the last are known
        Named("t", CRM, ACME, UNTIL + 7),
        Employed("t", CRM, CRM, "web", 1, UNTIL + 9, ACME),
    ]
    before = driven.fragment(CRM)
    driven.take(touch(CRM, "e8", UNTIL + 8, strong=strong, account=ACME))
    assert (driven.stated, driven.snapshots, driven.written) == ([], {}, 0)
    assert driven.fragment(CRM) == before
    driven.recall(CRM)
    assert len(driven.stated) == 4


def test_when_it_was_seen_first_after_the_erasure_is_known_also_without_a_touch(driven: Driven) -> None:
    driven.take(*(touch(event_id=f"e{at}", at=UNTIL + at, type="profile_updated") for at in (-5, 7, 6)))
    driven.take(*(told([ACME], UNTIL + at) for at in (-5, 7, 6)))
    for identifier in (JANE, ACME):
        driven.take(erasure(mapped(identifier, (None, None, "a1"), seq=2), (None, UNTIL + 1)))
        assert driven.stated == [Seen("t", identifier, UNTIL + 6)]


def test_times_without_a_touch_are_bounded(driven: Driven) -> None:
    driven.take(*(touch(event_id=f"e{n}", at=START + n, type="profile_updated") for n in range(99)))
    assert driven.fragment(JANE).said == [START + n for n in range(83, 99)]


def test_a_lesser_fact_that_is_later_takes_the_place_of_the_erased_one(driven: Driven) -> None:
    def says(name: str, rank: int, at: int) -> None:
        driven.take(touch(type="profile_updated", rank=rank, at=UNTIL + at, contact={"name": name}))

    says("crm", 1, -5)
    says("web", 3, 5)
    says("web, before", 3, -1)
    says("erp, before", 2, -2)
    assert driven.fragment(JANE).facts["name"].value == "crm"
    driven.take(erasure(mapped(JANE, (None, "c1", "a1"), seq=2), (None, UNTIL + 1)))
    assert driven.snapshots["a1"].facts == {"name": Fact(3, UNTIL + 5, "web", "web")}


def test_links_with_somebody_who_is_erased_go_as_far_as_they_are_his(driven: Driven) -> None:
    driven.take(
        mapped(CRM, (None, "c1", "a1")),
        touch(CRM, "e1", START, strong=[CRM, JANE]),
        touch(CRM, "e2", START, strong=[CRM, "user_id:u", MARY]),
    )
    driven.take(erasure(mapped(CRM, (None, "c1", "a1"), seq=2), forgotten={JANE: UNTIL}))
    assert plain(driven, "jane") == []
    assert [each for each in driven.stated if isinstance(each, Link)] == [
        Link("t", CRM, MARY, "web", 3, START),
        Link("t", CRM, "user_id:u", "web", 3, START),
        Link("t", MARY, "user_id:u", "web", 3, START),
    ]
    driven.take(touch(CRM, "e3", START + 1, strong=[CRM, JANE]))
    assert driven.stated == [
        Link("t", CRM, JANE, "web", 3, START + 1)
    ]  # late evidence is IDENTITY's to judge
    assert driven.letters == []
    assert plain(driven, "jane") == []
    assert driven.parts("a1") == [("c1", None, None, ["e1", "e2", "e3"])]
    driven.take(touch(CRM, "e4", UNTIL + 5, strong=[CRM, JANE]))
    assert driven.stated == [Link("t", CRM, JANE, "web", 3, UNTIL + 5)]


def test_a_late_touch_of_an_erased_person_still_tells_who_else_is_meant(driven: Driven) -> None:
    driven.take(gone(CRM, UNTIL))
    driven.take(
        touch(CRM, "e1", START, strong=[CRM, JANE]), touch(CRM, "e2", START, strong=[CRM, MARY], actor=1)
    )
    assert driven.stated == [Link("t", CRM, JANE, "web", 3, START)]
    assert len(driven.letters) == 2
    assert plain(driven, "jane", "mary", CRM) == []


def test_a_device_keeps_when_it_was_an_erased_person_s_but_not_whose(driven: Driven) -> None:
    driven.take(
        *(touch(COOKIE, f"e{at}", START + at) for at in (10, 20, 30)),
        *(
            Owner("t", COOKIE, who, START + at)
            for at, who in ((5, MARY), (15, JANE), (16, JANE), (25, MARY), (26, JANE))
        ),
        touch(COOKIE, "f", START + 1, type="consent_given", consent={"phone": False}, contact={"name": "?"}),
        mapped(COOKIE, (None, "cm", "a1"), (START + 15, "cj", "a1"), (START + 25, "cm", "a1")),
    )
    driven.take(
        erasure(
            mapped(COOKIE, (None, "cm", "a1"), (START + 15, None, None), (START + 25, "cm", "a1"), seq=2),
            (START + 15, START + 25),
            forgotten={JANE: START + 25},
        )
    )
    assert driven.parts("a1") == [
        ("cm", None, START + 15, ["e10"]),
        ("cm", START + 25, None, ["e30"]),
    ]
    assert driven.snapshots["a1"].erased == [event("e20")]
    assert set(driven.snapshots["a1"].facts) == {"consent.phone"}
    a_person = erased(JANE)[0]
    assert driven.fragment(COOKIE).claims == [
        (START + at, who, "", 0)
        for at, who in ((5, MARY), (15, a_person), (16, a_person), (25, MARY), (26, JANE))
    ]
    assert driven.stated == [
        Owns("t", COOKIE, JANE, START + 15),  # what is hers is told for the last time, with what was no news
        Owns("t", COOKIE, JANE, START + 16),
        Owns("t", COOKIE, MARY, START + 5),
        Owns("t", COOKIE, MARY, START + 25),
        Owns("t", COOKIE, JANE, START + 26),  # it is hers again
    ]
    driven.take(Owner("t", COOKIE, JANE, START + 3))
    assert driven.stated == [Owns("t", COOKIE, JANE, START + 3)]
    assert driven.fragment(COOKIE).claims[0] == (START + 3, a_person, "", 0)
    driven.take(Owner("t", COOKIE, MARY, START + 18))  # it says that part of the period was not hers
    assert driven.stated == [Owns("t", COOKIE, MARY, START + 18)]
    refusal = {"type": "consent_withdrawn", "consent": {"profiling": False}, "contact": {"name": "?"}}
    driven.take(touch(COOKIE, "e21", START + 21, **refusal))
    assert len(driven.letters) == 1
    assert driven.stated == [Profiling("t", COOKIE, False, START + 21)]
    driven.take(touch(COOKIE, "e20", START + 20), touch(COOKIE, "e31", START + 31))
    assert len(driven.letters) == 1
    assert driven.parts("a1")[1] == ("cm", START + 25, None, ["e30", "e31"])


def test_what_was_erased_with_a_device_and_was_somebody_elses_counts_when_it_comes_again(
    driven: Driven,
) -> None:
    name = {"type": "form_submitted", "contact": {"name": "Mary"}}
    touches = touch(COOKIE, "e20", START + 20), touch(COOKIE, "e30", START + 30, **name)
    since, until = START - 90 * DAY_MS, START + 101
    hers = {"forgotten": {JANE: START + 100}}
    driven.take(*touches, Owner("t", COOKIE, JANE, START + 10), mapped(COOKIE, (None, "cj", "a1")))
    driven.take(erasure(mapped(COOKIE, (None, None, None), seq=2), (since, until), **hers))
    assert driven.snapshots["a1"].erased == sorted([event("e20"), event("e30")])
    spans = (None, None, None), (START + 25, "cm", "a2")
    driven.take(
        Owner("t", COOKIE, MARY, START + 25),  # it comes late: she had the device by then
        erasure(mapped(COOKIE, *spans, seq=3), (since, START + 25), **hers),
    )
    assert driven.parts("a2") == [("cm", START + 25, None, [])]
    assert driven.snapshots["a2"].erased == sorted([event("e20"), event("e30")])
    driven.take(*touches)
    assert len(driven.letters) == 1
    assert driven.parts("a2") == [("cm", START + 25, None, ["e30"])]
    assert driven.snapshots["a2"].erased == [event("e20")]  # the other one may be named again
    assert driven.snapshots["a2"].facts["name"].value == "Mary"
    in_time = Driven().take(
        *touches,
        *(Owner("t", COOKIE, who, START + at) for at, who in ((10, JANE), (25, MARY))),
        erasure(mapped(COOKIE, *spans, seq=3), (since, START + 25), **hers),
    )
    found, wanted = driven.fragment(COOKIE), in_time.fragment(COOKIE)
    found.left, found.erased = [], []  # they remember what was sent
    assert found == wanted


def test_an_event_of_which_another_copy_stands_may_be_named(driven: Driven) -> None:
    driven.take(touch(COOKIE, "e1", START + 5), touch(COOKIE, "e1", START + 20))
    driven.take(erasure(mapped(COOKIE, (None, None, "a1")), (START, START + 10)))
    assert driven.parts("a1") == [("", None, None, ["e1"])]
    assert driven.snapshots["a1"].erased == []


def test_of_a_weak_identifier_only_its_own_touches_are_erased(driven: Driven) -> None:
    driven.take(
        touch(COOKIE, "e1"),
        touch(COOKIE, "e2", UNTIL + 5),
        *(Owner("t", COOKIE, JANE, UNTIL + at) for at in (-5, 5)),
        mapped(COOKIE, (None, "c1", "a1")),
    )
    driven.take(erasure(mapped(COOKIE, (None, "c1", "a1"), seq=2), (None, UNTIL + 1)))
    assert driven.parts("a1") == [("c1", None, None, ["e2"])]
    assert driven.stated == [Owns("t", COOKIE, JANE, UNTIL + 5)]
    driven.take(Owner("t", COOKIE, JANE, UNTIL))
    assert (driven.stated, driven.snapshots) == ([], {})


def test_an_account_key_can_be_erased_too(driven: Driven) -> None:
    driven.take(
        told(["vat_number:NL1", ACME], facts={"name": "Jansen"}), mapped("vat_number:NL1", (None, None, "a1"))
    )
    driven.take(gone("vat_number:NL1", UNTIL), told(["vat_number:NL1", ACME], facts={"name": "Jansen"}))
    assert driven.snapshots["a1"].withdrawn
    assert plain(driven, "NL1", "Jansen") == []
    driven.take(told(["vat_number:NL1"], UNTIL + 1))
    assert driven.stated == [Seen("t", "vat_number:NL1", UNTIL + 1)]


def test_an_older_map_row_brings_nothing_back(driven: Driven) -> None:
    driven.take(touch(), gone(JANE, UNTIL))
    driven.take(mapped(JANE, (None, "c1", "a1"), seq=5))
    assert driven.fragment(JANE).identifier == erased(JANE)[0]
    assert driven.snapshots == {}


def test_a_fragment_that_was_dense_is_as_new_once_all_is_erased(driven: Driven) -> None:
    driven.take(*(touch(event_id=f"e{n}", at=START + n) for n in range(1_100)))
    assert driven.fragment(JANE).level > 0
    driven.take(gone(JANE, START + 2_000))
    assert driven.fragment(JANE) == Fragment(
        "t", *erased(JANE), mapped=driven.fragment(JANE).mapped, erased=driven.fragment(JANE).erased
    )
    driven.take(touch(event_id="later", at=START + 2_001))
    assert driven.fragment(JANE).level == 0


def test_hashes_of_erased_events_are_bounded(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.fragments.erasure.ERASED", 2)
    driven.take(*(touch(event_id=f"e{n}") for n in range(3)), mapped(JANE, (None, "c1", "a1")))
    driven.take(gone(JANE, UNTIL))
    assert driven.snapshots["a1"].erased == sorted(event(f"e{n}") for n in range(3))[:2]


def test_who_was_told_by_a_session_that_had_lost_the_partition_hears_of_it_too(driven: Driven) -> None:
    other = Driven().take(touch(event_id="theirs"), mapped(JANE, (None, "c1", "a7")))
    driven.take(gone(JANE, UNTIL))
    group = KEY_OF("t", JANE)
    driven.step.adopt(driven.rows, group, b"", other.rows.get(group) or b"")
    driven.rows.keep()
    driven.recall(JANE)
    sent = driven.snapshots["a7"]
    assert (sent.withdrawn, sent.identifier, sent.erased) == (True, *erased(JANE), [event("theirs")])
    assert plain(driven, "jane", "theirs") == []


def test_the_latest_word_on_profiling_is_stated_when_it_changes(driven: Driven) -> None:
    def says(at: int, given: bool, identifier: str = JANE) -> list[object]:
        kind = "consent_given" if given else "consent_withdrawn"
        consent = {"profiling": given, "email": True}
        driven.take(touch(identifier, f"e{at}{given}", START + at, type=kind, consent=consent))
        return [each for each in driven.stated if isinstance(each, Profiling)]

    assert says(5, True) == [Profiling("t", JANE, True, START + 5)]
    assert says(7, True) == []
    assert says(6, False) == []  # no longer the latest
    assert says(7, False) == [Profiling("t", JANE, False, START + 7)]  # at one time the refusal
    assert says(7, True) == []
    assert says(9, True) == [Profiling("t", JANE, True, START + 9)]
    assert says(1, False, COOKIE) == [Profiling("t", COOKIE, False, START + 1)]
    assert says(1, False, ACME) == []
    driven.recall(COOKIE)
    assert driven.stated == [Profiling("t", COOKIE, False, START + 1)]


def test_a_word_on_profiling_after_the_erasure_is_stated_again(driven: Driven) -> None:
    for at in (-5, 5):
        driven.take(
            touch(event_id=f"e{at}", at=UNTIL + at, type="consent_given", consent={"profiling": True})
        )
    driven.take(erasure(mapped(JANE, (None, "c1", "a1"), seq=2), (None, UNTIL + 1)))
    assert driven.stated == [Seen("t", JANE, UNTIL + 5), Profiling("t", JANE, True, UNTIL + 5)]


def ticks(at: int) -> list[Tick]:
    return [Tick(source, at, 0) for source in range(4)]


IDLE = 120 * DAY_MS
MIDNIGHT = DAY_MS - START % DAY_MS  # rows are looked at when a day of T is over


def test_a_weak_identifier_that_is_nobody_s_is_forgotten_120_days_after_its_last_touch(
    driven: Driven,
) -> None:
    driven.take(touch(COOKIE), touch(COOKIE, "e2", START + DAY_MS), touch("phone:+31201234567", "e3"))
    driven.take(touch("anonymous_id:c2", "e4"), mapped("anonymous_id:c2", (None, None, None)))
    driven.take(*ticks(START + IDLE))
    assert len(list(driven.rows.groups())) == 4  # and the clock
    driven.take(*ticks(START + IDLE + MIDNIGHT))
    assert driven.rows.get(KEY_OF("t", "phone:+31201234567")) is None
    assert driven.rows.get(KEY_OF("t", "anonymous_id:c2")) is None
    assert len(driven.fragment(COOKIE).touches) == 2
    driven.take(*ticks(START + DAY_MS + IDLE + MIDNIGHT))
    assert driven.rows.get(KEY_OF("t", COOKIE)) is None
    driven.take(mapped(COOKIE, (None, "c1", "a1")), touch(COOKIE, "e5", START + 2 * DAY_MS))
    assert driven.parts("a1") == [("c1", None, None, ["e5"])]


def test_what_belongs_to_somebody_or_is_strong_is_kept_and_looked_at_once_it_is_nobody_s(
    driven: Driven,
) -> None:
    driven.take(touch(), touch(ACME, "e2", account=ACME), touch(COOKIE, "e3"))
    driven.take(mapped(COOKIE, (None, "c1", "a1")))
    driven.take(*ticks(START + 2 * IDLE))
    assert len(list(driven.rows.groups())) == 4
    driven.take(mapped(COOKIE, (None, None, None), seq=2))
    assert driven.snapshots["a1"].withdrawn
    driven.take(*ticks(START + 2 * IDLE + DAY_MS))
    assert driven.rows.get(KEY_OF("t", COOKIE)) is None
    assert len(list(driven.rows.groups())) == 3


def test_a_row_that_owes_a_withdrawal_outlives_the_batch_that_made_it_necessary(driven: Driven) -> None:
    driven.take(touch(COOKIE), mapped(COOKIE, (None, "c1", "a1")))
    driven.take(mapped(COOKIE, (None, None, None), seq=2), *ticks(START + 2 * IDLE))
    driven.recall(COOKIE)  # as after a crash between rows and outputs
    assert driven.snapshots["a1"].withdrawn
    driven.take(*ticks(START + 2 * IDLE + DAY_MS))
    assert driven.rows.get(KEY_OF("t", COOKIE)) is None


def test_a_touch_that_names_its_account_keeps_a_cookie_of_nobody(driven: Driven) -> None:
    driven.take(touch(COOKIE, account=ACME), mapped(COOKIE, (None, None, None), domain__acme_dot_nl="a1"))
    driven.take(*ticks(START + 2 * IDLE))
    assert len(driven.fragment(COOKIE).touches) == 1


def test_after_a_restart_rows_are_forgotten_as_before(driven: Driven) -> None:
    driven.take(touch(COOKIE), touch("email:x@y.nl", "e2"))
    again = Driven()
    again.rows = driven.rows
    again.step.recovered(again.rows)
    again.take(*ticks(START + IDLE + MIDNIGHT))
    assert again.rows.get(KEY_OF("t", COOKIE)) is None
    assert again.fragment("email:x@y.nl").touches


def test_a_restart_is_no_midnight(driven: Driven) -> None:
    driven.take(*ticks(START + 2 * IDLE)).take(touch(COOKIE))
    again = Driven()
    again.rows = driven.rows
    again.step.recovered(again.rows)
    again.take(*ticks(START + 2 * IDLE + 10_000))
    assert len(again.fragment(COOKIE).touches) == 1
    again.take(*ticks(START + 2 * IDLE + DAY_MS))
    assert again.rows.get(KEY_OF("t", COOKIE)) is None


def test_erasures_are_remembered_when_the_rest_is_forgotten(driven: Driven) -> None:
    later = touch(COOKIE, "e2", UNTIL + 5)
    driven.take(touch(COOKIE), later, mapped(COOKIE, (None, "c1", "a1")))
    driven.take(erasure(mapped(COOKIE, (None, None, None), seq=2), (None, UNTIL + 1)))
    driven.take(*ticks(UNTIL + 5 + IDLE + MIDNIGHT))
    kept = driven.fragment(COOKIE)
    assert (kept.touches, kept.erased) == ([], [event("e1")])
    driven.take(touch(COOKIE))
    assert len(driven.letters) == 1
    driven.take(later).take(*ticks(UNTIL + 5 + IDLE + MIDNIGHT + DAY_MS))
    assert driven.fragment(COOKIE).touches == []
