"""When sales is told, what becomes of it, and how journeys end by what sales and others say."""

import pytest

from schemas.internal import OTHER, US, Fact
from streams.journeys.account import Account
from streams.journeys.handoffs import OVER, TABLE
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    GAP,
    START,
    at_time,
    command,
    firm,
    fragment,
    having,
    of,
    outcome,
    stages,
    touch,
    willing,
)

DEMO = touch(START, "demo_requested", event_id="demo")
HERE = START + 10 * DAY  # the clock


def states(given: Account) -> list[tuple[str, str]]:
    return [(one.key, one.state) for one in given.desk.made]


def refused(given: Account) -> list[tuple[str, str]]:
    return [(one.outcome.event_id, one.reason) for one in given.desk.refused]


def closed(given: Account) -> list[tuple[int, str] | None]:
    return [journey.ended and journey.ended[:2] for journey in given.walked.journeys]


def after_demo(*said, clock: int = HERE) -> Account:
    return at_time(clock, willing("jane", DEMO), firm(*said))


# ---- when it is made


@pytest.mark.parametrize("type", ["demo_requested", "quote_requested", "call_requested"])
def test_a_request_makes_one_always(type):
    given = at_time(HERE, fragment("email:jane@acme.nl", of("jane", touch(START, type))))
    (made,) = given.desk.made
    assert (made.key, made.code, made.at, made.asker, made.state) == ("1.1", type, START, "jane", "open")


def test_a_request_that_no_person_made_makes_none():
    sent = touch(START, "demo_requested", actor=US)
    assert at_time(HERE, fragment("email:jane@acme.nl", of("jane", sent))).desk.made == []


def test_a_request_that_names_nobody_makes_one_too():
    (made,) = at_time(HERE, fragment("domain:acme.nl", of("", DEMO))).desk.made
    assert (made.code, made.asker) == ("demo_requested", "")


def test_another_request_while_it_is_open_is_news_of_the_same():
    again = touch(START + DAY, "quote_requested")
    given = at_time(HERE, willing("jane", DEMO), willing("bram", again))
    (made,) = given.desk.made
    assert [touched.contact for touched in made.news] == ["jane", "bram"]


def met(days: float = 0.0, **other):
    """A meeting is 20 points and opens evaluation."""
    return touch(START + int(days * DAY), "meeting_held", event_id=f"met{days}{other}", **other)


def test_a_group_that_compares_and_is_engaged_makes_one_when_somebody_may_be_approached():
    two = [met(), met(1)]
    (made,) = at_time(HERE, willing("jane", *two, met(1.1))).desk.made
    assert (made.code, made.at, made.asker) == ("group_ready", START + int(1.1 * DAY), "")
    assert made.score == pytest.approx(59.03)
    assert at_time(HERE, willing("jane", *two)).desk.made == []  # 39.03 points
    nobody = fragment("email:jane@acme.nl", of("jane", *two, met(1.1)))
    assert at_time(HERE, nobody).desk.made == []


def test_forty_points_are_enough_and_less_are_not():
    assert len(at_time(HERE, willing("jane", met(), met(0.1))).desk.made) == 1
    price = touch(START + DAY // 5, "app_used")
    given = at_time(
        HERE, willing("jane", met(), *(touch(START + 5 + i, "app_used") for i in range(9)), price)
    )
    assert len(given.desk.made) == 1  # 20 + 10 × 2
    given = at_time(HERE, willing("jane", met(), *(touch(START + 5 + i, "app_used") for i in range(9))))
    assert given.desk.made == []


def test_who_may_be_approached_must_be_there_and_have_said_so_by_then():
    touches = [met(), met(0.1)]
    late = having(willing("jane", *touches), words={"email": [(START + DAY, True)]})
    assert at_time(HERE, late).desk.made == []
    no_more = having(willing("jane", *touches), words={"email": [(START - 9, True), (START - 5, False)]})
    assert at_time(HERE, no_more).desk.made == []
    gone = willing("bram", touch(START - 9), since=START - 50, until=START - 5)
    nobody = fragment("email:jane@acme.nl", of("jane", *touches))
    assert at_time(HERE, gone, nobody).desk.made == []
    still = willing("bram", touch(START - 9), since=START - 50, until=START + DAY)
    assert len(at_time(HERE, still, nobody).desk.made) == 1


def test_beyond_evaluation_only_a_request_makes_one():
    order = touch(START, "order_placed")
    assert at_time(HERE, willing("jane", order, met(0.1), met(0.2))).desk.made == []
    quote = touch(START + DAY, "quote_requested")
    assert len(at_time(HERE, willing("jane", order, quote)).desk.made) == 1


def test_who_refuses_profiling_hands_nobody_over():
    words = {"profiling": [(START - 9, False)]}
    refusing = having(willing("jane", DEMO, met(0.1), met(0.2)), words=words)
    refusing.facts["consent.profiling"] = refusing.facts["name"]  # anything but yes
    given = at_time(HERE, refusing, willing("bram", touch(START + DAY)))
    assert given.desk.made == []
    assert list(stages(given)[0]) == ["awareness", "evaluation"]
    assert given.score.value == 1
    assert [t.contact for t in given.walked.journeys[0].touches] == ["bram"]


# ---- what becomes of it


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("said", ["accepted", "rejected", "working", "won", "lost", "recycled"])
def test_the_table_says_what_is_possible(state, said):
    name = f"{ACCOUNT}.1.1"
    before = {"open": [], "working": ["accepted", "working"], "expired": []}.get(state, [state])
    story = [outcome(kind, START + i + 1, name) for i, kind in enumerate(before)]
    closing = [command("close_journey", START + 50)] if state == "expired" else []
    given = after_demo(*story, *closing, outcome(said, START + 99, name, event_id="this"))
    after = TABLE[state].get(said)
    assert states(given) == [("1.1", after or state)]
    assert refused(given) == ([] if after else [("this", "impossible_outcome")])


def test_what_is_over_is_said_by_the_table():
    assert all(set(TABLE[state]) <= {state} for state in OVER)
    assert set(TABLE) == {*OVER, "open", "accepted", "working"}


def test_an_outcome_that_names_only_the_account_is_of_the_one_open_then():
    given = after_demo(outcome("accepted", START + 1), outcome("lost", START + 2, reason="no budget"))
    (made,) = given.desk.made
    assert [o.outcome for o in made.outcomes] == ["accepted", "lost"]
    assert (made.state, made.ended_at, made.outcome.reason) == ("lost", START + 2, "no budget")


def test_an_outcome_at_the_very_time_of_the_request_is_after_it_and_one_before_finds_none():
    assert states(after_demo(outcome("accepted", START))) == [("1.1", "accepted")]
    assert refused(after_demo(outcome("accepted", START - 1))) == [(f"accepted@{START - 1}", "no_handoff")]
    named = outcome("accepted", START - 1, f"{ACCOUNT}.1.1")
    assert refused(after_demo(named)) == [(named.event_id, "no_handoff")]


def test_what_is_told_of_one_that_is_over_needs_its_name():
    lost = outcome("lost", START + 1)
    assert refused(after_demo(lost, outcome("lost", START + 2))) == [(f"lost@{START + 2}", "no_handoff")]
    again = outcome("lost", START + 2, f"{ACCOUNT}.1.1", reason="price")
    given = after_demo(lost, again)
    assert given.desk.refused == []
    assert (given.desk.made[0].outcome.reason, given.desk.made[0].ended_at) == ("price", START + 1)


def test_an_id_of_an_account_merged_since_is_of_the_one_open_then():
    given = after_demo(outcome("won", START + 1, "aformer.7.3"))
    assert states(given) == [("1.1", "won")]
    assert refused(after_demo(outcome("won", START - 1, "aformer.1.1"))) == [
        (f"won@{START - 1}", "no_handoff")
    ]


@pytest.mark.parametrize("how", ["rejected", "recycled", "won"])
def test_after_its_end_a_request_makes_the_next_in_the_same_journey(how):
    quote = touch(START + 3 * DAY, "quote_requested")
    given = at_time(HERE, willing("jane", DEMO, quote), firm(outcome(how, START + DAY)))
    assert states(given) == [("1.1", how), ("1.2", "open")]
    assert given.desk.made[1].former is given.desk.made[0]
    assert len(given.walked.journeys) == 1


def test_after_its_end_the_group_must_be_engaged_anew():
    said = firm(outcome("recycled", START + DAY))
    warm = [touch(START + 2 * DAY, "event_attended"), met(2.1)]
    assert len(at_time(HERE, willing("jane", DEMO, *warm), said).desk.made) == 1  # 30 new points, 25 old
    given = at_time(HERE, willing("jane", DEMO, *warm, met(2.2)), said)
    first, second = given.desk.made
    assert (second.key, second.code, second.at) == ("1.2", "group_ready", START + int(2.2 * DAY))
    assert second.score > 40  # the whole engagement is told
    assert first.score == 25


def test_a_touch_at_the_very_time_of_the_end_is_no_newer_evidence():
    said = firm(outcome("recycled", START + 2 * DAY))
    old = [touch(START + 2 * DAY, "event_attended"), touch(START + 2 * DAY, "trial_started"), met(2)]
    assert len(at_time(HERE, willing("jane", DEMO, *old), said).desk.made) == 1


# ---- the end of a journey


def test_lost_ends_the_journey_then_and_the_next_touch_opens_the_next():
    jane = willing("jane", DEMO, touch(START + 3 * DAY))
    given = at_time(HERE, jane, firm(outcome("lost", START + DAY)))
    assert closed(given) == [(START + DAY, "lost"), None]
    assert stages(given) == [{"awareness": START, "evaluation": START}, {"awareness": START + 3 * DAY}]
    assert given.spells[0].stage == "awareness"  # her own, in the last journey
    assert given.walked.journeys[0].ended[2] == f"lost@{START + DAY}"


def test_lost_that_finds_no_handoff_ends_nothing():
    given = at_time(HERE, willing("jane", touch(START)), firm(outcome("lost", START + DAY)))
    assert closed(given) == [None]


def test_lost_of_a_handoff_of_a_journey_that_is_over_does_not_end_the_present_one():
    jane = willing("jane", DEMO, touch(START + 3 * DAY))
    again = outcome("lost", START + 4 * DAY, f"{ACCOUNT}.1.1")
    given = at_time(HERE, jane, firm(outcome("lost", START + DAY), again))
    assert closed(given) == [(START + DAY, "lost"), None]


def test_won_closes_with_the_gap():
    given = after_demo(outcome("won", START + DAY), clock=START + GAP)
    assert (closed(given), states(given)) == ([None], [("1.1", "won")])
    given = after_demo(outcome("won", START + DAY), clock=START + GAP + 1)
    assert closed(given) == [(START + GAP, "won")]
    prolonged = willing("jane", DEMO, touch(START + 5 * DAY))
    given = at_time(START + GAP + 1, prolonged, firm(outcome("won", START + DAY)))
    assert closed(given) == [None]


def test_a_command_closes_and_what_is_open_expires():
    given = after_demo(command("close_journey", START + DAY))
    assert closed(given) == [(START + DAY, "command")]
    assert states(given) == [("1.1", "expired")]
    assert given.desk.made[0].ended_at == START + DAY
    assert closed(after_demo(command("close_journey", START - 1))) == [None]
    assert closed(after_demo(command("close_journey", START))) == [(START, "command")]
    both = after_demo(command("close_journey", START + DAY), command("close_journey", START + DAY + 1))
    assert closed(both) == [(START + DAY, "command")]


def test_the_gap_expires_what_is_open_when_the_clock_has_passed_it():
    assert states(after_demo(clock=START + GAP)) == [("1.1", "open")]
    given = after_demo(clock=START + GAP + 1)
    assert (states(given), given.desk.made[0].ended_at) == ([("1.1", "expired")], START + GAP)
    late = after_demo(outcome("accepted", START + GAP + 1), clock=START + GAP + DAY)
    assert refused(late) == [(f"accepted@{START + GAP + 1}", "no_handoff")]


def test_a_new_journey_counts_attempts_from_one():
    jane = willing("jane", DEMO, touch(START + GAP + DAY, "demo_requested"))
    assert states(at_time(START + GAP + DAY, jane)) == [("1.1", "expired"), ("2.1", "open")]


# ---- feedback


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        ((), True),
        ((outcome("accepted", START + 7 * DAY),), False),
        ((outcome("accepted", START + 7 * DAY + 1),), True),
        ((command("close_journey", START + 7 * DAY),), False),
        ((command("close_journey", START + 7 * DAY + 1),), True),
    ],
)
def test_feedback_is_lacking_when_nothing_was_heard_by_then(said, lacks):
    (made,) = after_demo(*said).desk.made
    assert made.lacks_answer(7) is lacks


def test_who_refuses_profiling_is_no_lead_from_then_on():
    for refused, made in ((START - 1, []), (START, []), (START + 1, ["1.1"])):
        jane = having(
            willing("jane", DEMO),
            words={"profiling": [(START - 9, True), (refused, False), (START + 9, False)]},
        )
        jane.facts["consent.profiling"] = Fact(OTHER, START + 9, "web", False)
        given = at_time(START + DAY, jane)
        assert [one.key for one in given.desk.made] == made
        assert given.score.value == 0


def test_what_is_said_of_later_than_the_clock_finds_what_is_still_open():
    lost = outcome("lost", START + 500 * DAY)
    given = at_time(HERE, willing("jane", DEMO), firm(lost))
    assert (states(given), closed(given)) == ([("1.1", "lost")], [(lost.at, "lost")])
    given = at_time(START + GAP + 1, willing("jane", DEMO), firm(lost))
    assert (states(given), closed(given)) == ([("1.1", "expired")], [(START + GAP, "gap")])
    assert refused(given) == [(lost.event_id, "no_handoff")]
