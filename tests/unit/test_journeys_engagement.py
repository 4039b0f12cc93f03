"""Engagement: points, caps, weights, half-lives; the meter of the walk and the score say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import day_in
from streams.definition import default
from streams.journeys.engagement import Meter, score
from streams.journeys.stages import Touched
from tests.unit.test_journeys_given import DAY, START, touch

RULE = default().score
UTC = day_in("UTC")


def seen(days, type, contact="jane", n=0):
    one = touch(START + int(days * DAY), type, event_id=f"{days}{type}{contact}{n}")
    return Touched(one.at, one.source, one.event_id, contact, one)


def of(*touches, weights=None, day_of=UTC):
    return score(RULE, sorted(touches), weights or {}, day_of)


def test_one_person_has_at_most_forty_points_a_day():
    asked = [seen(0.1 * i, "demo_requested", n=i) for i in range(3)]
    assert of(*asked).value == 40
    assert of(*asked, seen(0.5, "demo_requested", "bram")).value == 65
    assert of(*asked, seen(1, "page_viewed")).value == 39.07  # 40 a day ago, and 1


def test_the_weight_comes_after_the_cap():
    asked = [seen(0.1 * i, "demo_requested", n=i) for i in range(3)]
    assert of(*asked, weights={"jane": 1.5}).value == 60


def test_it_is_halved_every_fortnight_in_whole_days_of_the_zone():
    assert of(seen(0, "demo_requested"), seen(14, "page_viewed")).value == 13.5
    late = seen(0.99, "demo_requested")  # in Amsterdam that is the next day
    assert of(late, seen(14, "page_viewed")).value == 13.5
    assert of(late, seen(14, "page_viewed"), day_of=day_in("Europe/Amsterdam")).value == 14.13


def test_opened_mail_and_unknown_types_are_nothing():
    assert of(seen(0, "email_opened"), seen(0, "identified")).day is None


def test_parts_add_up_to_the_score_and_to_the_shares():
    found = of(
        *(seen(i, "price_viewed", who) for i in range(0, 400, 7) for who in ("jane", "bram", "")),
        weights={"bram": 1.3},
    )
    whole = sum(part.at(found.day, RULE) for part in found.parts)
    assert found.value == pytest.approx(whole, abs=0.01)
    assert found.of("bram") == pytest.approx(1.3 * found.of("jane"), abs=0.02)
    assert found.of("nobody") == 0
    assert [part.day for part in found.parts] == sorted((p.day for p in found.parts), reverse=True)
    assert found.parts[-1].at(found.day, RULE) >= 0.01


@given(
    st.lists(
        st.tuples(
            st.integers(0, 600),
            st.sampled_from(["page_viewed", "demo_requested", "order_placed", "email_opened"]),
            st.sampled_from(["jane", "bram", ""]),
        ),
        max_size=40,
    )
)
def test_the_meter_at_the_last_touch_says_what_the_score_says_and_what_a_naive_sum_says(drawn):
    touches = sorted(seen(days, type, who, n) for n, (days, type, who) in enumerate(drawn))
    weights = {"jane": 1.5, "bram": 0.8}
    meter = Meter(RULE, weights, UTC)
    for touched in touches:
        meter.add(touched)
    found = score(RULE, touches, weights, UTC)
    last = max((UTC(t.at) for t in touches if t.touch.type != "email_opened"), default=10**5)
    per_day: dict[tuple[int, str], float] = {}
    for t in touches:
        key = (UTC(t.at), t.contact)
        per_day[key] = per_day.get(key, 0) + RULE.points.get(t.touch.type, 0)
    naive = {
        who: sum(
            min(40, points) * weights.get(who, 1) * 0.5 ** ((last - day) / 14)
            for (day, contact), points in per_day.items()
            if contact == who
        )
        for who in ("jane", "bram", "")
    }
    at = last * DAY
    assert meter.score(at) == pytest.approx(sum(naive.values()), abs=0.011)
    # Parts below a hundredth are left out, of each at most as many as there are touches.
    assert found.value == pytest.approx(sum(naive.values()), abs=0.01 * (len(drawn) + 1))
    for who, share in naive.items():
        assert meter.shares(at).get(who, 0) == pytest.approx(share, abs=0.011)
        assert found.of(who) == pytest.approx(share, abs=0.01 * (len(drawn) + 1))
