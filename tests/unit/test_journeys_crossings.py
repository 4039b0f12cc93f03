"""Steps that two people of a group share in one journey."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.internal import MACHINE, US
from streams.definition import default
from streams.journeys.crossings import Crossing, crossings
from streams.journeys.stages import Touched
from tests.unit.test_journeys_given import touch

NO_LIFE = default().journey.no_life
IGNORE = default().crossings.ignore


def took(at: int, contact: str, topic: str = "prijzen", type: str = "page_viewed", content_id: str = "",
         **other: object) -> Touched:  # fmt: skip
    event_id = other.pop("event_id", f"{contact}{at}")
    made = touch(at, type, topic=topic, event_id=event_id, **other)
    if content_id:
        made = msgspec.structs.replace(made, content_id=content_id)
    return Touched(at, made.source, made.event_id, contact, made)


def crossed(*touches: Touched, refusing: tuple[str, ...] = ()) -> list[Crossing]:
    return crossings(touches, IGNORE, NO_LIFE, refusing)


def steps(*touches: Touched) -> list[tuple[str, str, int]]:
    return [(c.type, c.topic, c.at) for c in crossed(*touches)]


def test_two_people_share_a_step_when_the_second_of_them_takes_it():
    assert crossed(took(1, "a"), took(2, "a"), took(5, "b", source="app")) == [
        Crossing("page_viewed", "prijzen", 5, ("a", "b"), ("a1", "b5"), ("web", "app"))
    ]


def test_once_per_step_with_all_who_took_it_by_their_first_time():
    (found,) = crossed(took(1, "b"), took(2, "a"), took(3, "c"), took(4, "b"), took(9, "a"))
    assert (found.at, found.contacts, found.event_ids) == (2, ("b", "a", "c"), ("b1", "a2", "c3"))


@pytest.mark.parametrize(
    "second",
    [
        took(2, "a"),
        took(2, ""),
        took(2, "b", "planning"),
        took(2, "b", type="content_downloaded"),
        took(2, "b", actor=US),
        took(2, "b", actor=MACHINE),
    ],
    ids=["the same person", "nobody known", "another topic", "another type", "by us", "by a machine"],
)
def test_these_do_not_cross(second):
    assert crossed(took(1, "a"), second) == []


def test_a_step_without_a_topic_never_crosses():
    assert crossed(took(1, "a", ""), took(2, "b", "")) == []


@pytest.mark.parametrize("topic", ["home", "contact"])
def test_ignored_topics_are_left_out(topic):
    assert crossed(took(1, "a", topic), took(2, "b", topic)) == []
    assert crossings([took(1, "a", topic), took(2, "b", topic)], (), NO_LIFE, ()) != []


def test_ignored_types_are_left_out():
    both = [took(1, "a", type="site_searched"), took(2, "b", type="site_searched")]
    assert crossings(both, ("site_searched",), NO_LIFE, ()) == []
    assert crossings(both, (), NO_LIFE, ()) != []


def test_opened_mail_does_not_cross_a_clicked_one_does():
    assert steps(took(1, "a", type="email_opened"), took(2, "b", type="email_opened")) == []
    assert steps(took(1, "a", type="email_clicked"), took(2, "b", type="email_clicked")) != []


def test_who_refuses_profiling_crosses_nobody():
    touches = [took(1, "a"), took(2, "b"), took(3, "c")]
    assert crossed(*touches, refusing=("a",))[0].contacts == ("b", "c")
    assert crossed(*touches, refusing=("a", "c")) == []


def test_a_meeting_is_one_step_of_all_who_attended():
    meeting = [took(9, "a", "demo", "meeting_held", "mtg-55"), took(9, "b", "demo", "meeting_held", "mtg-55")]
    assert steps(*meeting) == [("meeting_held", "demo", 9)]
    without_id = [took(9, "a", "demo", "meeting_held"), took(9, "b", "demo", "meeting_held")]
    assert steps(*without_id) == [("meeting_held", "demo", 9)]


def test_a_record_of_a_meeting_without_a_topic_has_that_of_the_others():
    told = took(9, "a", "demo", "meeting_held", "mtg-55")
    assert steps(told, took(9, "b", "", "meeting_held", "mtg-55")) == [("meeting_held", "demo", 9)]
    assert steps(told, took(9, "b", "planning", "meeting_held", "mtg-55")) == [("meeting_held", "demo", 9)]
    assert steps(took(9, "b", "", "meeting_held", "mtg-55"), told) == [("meeting_held", "demo", 9)]
    assert steps(told, took(9, "b", "", "meeting_held", "mtg-56")) == []
    assert steps(told, took(8, "b", "", "meeting_held", "mtg-55")) == []
    assert steps(told, took(9, "b", "", "meeting_held")) == []
    assert steps(took(9, "a", "", "meeting_held", "m"), took(9, "b", "", "meeting_held", "m")) == []


def test_the_topic_of_a_meeting_can_be_ignored():
    assert steps(took(9, "a", "home", "meeting_held", "m"), took(9, "b", "", "meeting_held", "m")) == []


def test_a_page_is_no_meeting():
    assert steps(took(9, "a", "prijzen", content_id="p1"), took(9, "b", "", content_id="p1")) == []


def test_crossings_come_by_time():
    assert steps(
        took(1, "a", "z"), took(1, "a", "y", event_id="a2"), took(2, "b", "z"), took(3, "b", "y")
    ) == [
        ("page_viewed", "z", 2),
        ("page_viewed", "y", 3),
    ]


TOUCHES = st.lists(
    st.builds(
        took,
        st.integers(0, 3),
        st.sampled_from("abc"),
        st.sampled_from(["", "demo", "prijzen"]),
        st.sampled_from(["meeting_held", "page_viewed"]),
        st.sampled_from(["", "m1"]),
        event_id=st.text("xyz", min_size=1, max_size=4),
    ),
    unique_by=lambda t: t.event_id,
)


@given(TOUCHES, st.randoms())
def test_touches_of_one_time_come_in_any_order(touches: list[Touched], chance: random.Random):
    shuffled = sorted(chance.sample(touches, len(touches)), key=lambda t: t.at)
    assert crossed(*shuffled) == crossed(*sorted(touches))


@given(TOUCHES)
def test_as_if_each_step_was_looked_at_alone(touches: list[Touched]):
    """Two people, the first time of each, the later of the two earliest: written the long way."""
    plain = [msgspec.structs.replace(t.touch, content_id="") for t in touches]
    touches = [t._replace(touch=touch) for t, touch in zip(touches, plain, strict=True)]
    expected = set()
    for topic, kind in {(t.touch.topic, t.touch.type) for t in touches if t.touch.topic}:
        mine = [t for t in touches if (t.touch.topic, t.touch.type) == (topic, kind)]
        firsts = sorted(min(t.at for t in mine if t.contact == who) for who in {t.contact for t in mine})
        if len(firsts) > 1:
            expected.add((kind, topic, firsts[1]))
    assert set(steps(*sorted(touches))) == expected
