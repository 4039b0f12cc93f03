"""Who may be approached, through which channel, and the reason that a salesperson reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import day_in, from_rfc3339
from streams.journeys.reach import CHANNELS, Known, approachable, reach

MAIL, WORK, PHONE, CRM = "email:jo@acme.nl", "email:j.smit@firm.nl", "phone:+31612345678", "contact_id:C-1"
UTC = day_in("UTC")


def on(day: str) -> int:
    return from_rfc3339(f"2025-{day}T12:00:00Z")


def words(**told):
    """email=[("02-12", True)] as it stands in `Known.words` of one identifier."""
    return {purpose: [(on(day), given) for day, given in said] for purpose, said in told.items()}


def jo(said=None, *, addresses=(MAIL,), numbers=(PHONE,), bounces=None, seen=()):
    bounces = {name: [on(day) for day in days] for name, days in (bounces or {}).items()}
    return Known(addresses, numbers, said or {}, bounces, [on(day) for day in seen])


YES, NO = {MAIL: words(email=[("02-12", True)])}, {MAIL: words(email=[("02-12", True), ("03-01", False)])}
BOTH = {MAIL: words(email=[("02-12", True)], phone=[("02-12", True)])}


@pytest.mark.parametrize(
    ("known", "email", "phone", "why"),
    [
        (jo(), False, False, "was never asked about e-mail or phone"),
        (jo(numbers=()), False, False, "was never asked about e-mail; no phone number known"),
        (jo(addresses=(), numbers=()), False, False, "no e-mail address known; no phone number known"),
        (jo(YES), True, False, "said yes to e-mail on 2025-02-12; was never asked about phone"),
        (jo(BOTH), True, True, "said yes to e-mail and phone on 2025-02-12"),
        (jo(BOTH, numbers=()), True, False, "said yes to e-mail on 2025-02-12; no phone number known"),
        (jo(BOTH, addresses=()), False, True, "no e-mail address known; said yes to phone on 2025-02-12"),
        (jo(NO), False, False, "unsubscribed from e-mail on 2025-03-01; was never asked about phone"),
        (
            jo({MAIL: words(email=[("02-12", True)], phone=[("02-20", False)])}),
            True,
            False,
            "said yes to e-mail on 2025-02-12; said no to phone on 2025-02-20",
        ),
        (
            jo(BOTH, bounces={MAIL: ["04-01"]}, seen=["03-31"]),
            False,
            True,
            "address bounced on 2025-04-01; said yes to phone on 2025-02-12",
        ),
    ],
)
def test_the_reason_is_told_of_both_channels(known, email, phone, why):
    assert reach((), known, on("06-01"), UTC) == (email, phone, why)
    assert reach((), known, on("06-01"), UTC).reachable == (email or phone)


def test_one_identifier_that_refuses_is_a_refusal_and_the_latest_word_of_each_counts():
    said = {MAIL: words(email=[("02-12", True)]), CRM: words(email=[("01-10", False)])}
    assert approachable((), said, on("06-01")) == set()
    said[CRM] = words(email=[("01-10", False), ("01-20", True)])
    assert approachable((), said, on("06-01")) == {"email"}
    assert approachable((), said, on("01-15")) == set()
    assert approachable((), said, on("01-09")) == set()  # not yet asked


@pytest.mark.parametrize("first", [MAIL, CRM])
@pytest.mark.parametrize(
    ("given", "why"), [(True, "said yes to e-mail"), (False, "unsubscribed from e-mail")]
)
def test_the_day_is_that_of_the_latest_word(first, given, why):
    told = {MAIL: words(email=[("02-12", given)]), CRM: words(email=[("01-20", given)])}
    said = {first: told[first], **told}
    assert reach((), jo(said), on("06-01"), UTC).why.startswith(f"{why} on 2025-02-12;")


def test_a_word_holds_from_its_own_time():
    assert approachable((), NO, on("02-12") - 1) == set()
    assert approachable((), NO, on("02-12")) == {"email"}
    assert approachable((), NO, on("03-01") - 1) == {"email"}
    assert approachable((), NO, on("03-01")) == set()


def test_of_words_of_one_time_the_one_that_sorts_last_counts():
    assert approachable((), {MAIL: {"email": [(5, False), (5, True)]}}, 5) == {"email"}


def test_what_is_legitimate_need_not_be_given_but_can_be_refused():
    assert approachable(["phone"], {}, 0) == {"phone"}
    assert approachable(["email"], NO, on("06-01")) == set()
    assert reach(["email", "phone"], jo(), on("06-01"), UTC) == (
        True,
        True,
        "may be approached by e-mail and phone unasked",
    )


def test_who_made_a_request_may_be_approached_unless_withdrawn_later():
    asked = on("05-01")
    assert approachable((), {}, on("06-01"), asked) == {"email", "phone"}
    assert approachable((), NO, on("06-01"), asked) == {"email", "phone"}  # refused before
    assert approachable((), NO, on("06-01"), on("03-01")) == {"email", "phone"}  # on the form of the request
    later = {MAIL: words(email=[("05-02", False)])}
    assert approachable((), later, on("06-01"), asked) == {"phone"}
    assert approachable((), later, on("05-01"), asked) == {"email", "phone"}
    assert reach((), jo(), on("06-01"), UTC, asked).why == "made a request on 2025-05-01"
    assert reach((), jo(numbers=()), on("06-01"), UTC, asked).why == (
        "made a request on 2025-05-01; no phone number known"
    )
    assert not reach((), jo(addresses=(), numbers=()), on("06-01"), UTC, asked).reachable


def test_an_address_that_bounced_works_again_when_its_owner_is_seen():
    bounced = jo(YES, bounces={MAIL: ["04-01", "04-03"]}, seen=["03-01", "05-01"])
    assert reach((), bounced, on("03-31"), UTC).email
    assert not reach((), bounced, on("04-01"), UTC).email
    assert reach((), bounced, on("04-30"), UTC).why.startswith("address bounced on 2025-04-03;")
    assert reach((), bounced, on("05-01"), UTC).email
    same = jo(YES, bounces={MAIL: ["04-01"]}, seen=["04-01"])
    assert reach((), same, on("06-01"), UTC).email


def test_another_address_will_do():
    two = {"addresses": (MAIL, WORK), "seen": ["03-01"]}
    assert reach((), jo(YES, bounces={MAIL: ["04-01"]}, **two), on("06-01"), UTC).email
    both = jo(YES, bounces={MAIL: ["04-01"], WORK: ["04-05"]}, **two)
    assert reach((), both, on("04-04"), UTC).email
    assert reach((), both, on("06-01"), UTC).why.startswith("address bounced on 2025-04-05;")


def test_a_bounce_told_under_a_crm_id_counts_for_all_addresses():
    known = jo(YES, addresses=(MAIL, WORK), bounces={CRM: ["04-01"]}, seen=["03-01"])
    assert not reach((), known, on("06-01"), UTC).email
    known = jo(YES, bounces={PHONE: ["04-01"]})  # nobody was ever seen
    assert not reach((), known, on("06-01"), UTC).email


def test_days_are_those_of_the_zone():
    late = {MAIL: {"email": [(from_rfc3339("2025-06-01T22:30:00Z"), True)]}}
    assert "2025-06-02" in reach((), jo(late), on("07-01"), day_in("Europe/Amsterdam")).why


said = st.dictionaries(
    st.sampled_from([MAIL, WORK, CRM]),
    st.dictionaries(
        st.sampled_from([*CHANNELS, "profiling"]),
        st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=4).map(sorted),
    ),
)
requests = st.none() | st.integers(0, 9)


@given(said, st.integers(0, 9), requests, st.sets(st.sampled_from(CHANNELS)))
def test_it_is_what_the_rule_says(words, at, asked, legitimate):
    for purpose in CHANNELS:
        latest = [
            max(w for w in told[purpose] if w[0] <= at)
            for told in words.values()
            if any(w[0] <= at for w in told.get(purpose, ()))
        ]
        refused = any(not given and (asked is None or when > asked) for when, given in latest)
        given_once = asked is not None or any(given for _, given in latest)
        allowed = not refused and (given_once or purpose in legitimate)
        assert (purpose in approachable(legitimate, words, at, asked)) == allowed
        found = reach(legitimate, Known([MAIL], [PHONE], words), at, lambda ms: ms, asked)
        assert getattr(found, purpose) == allowed
