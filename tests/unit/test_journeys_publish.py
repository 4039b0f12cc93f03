"""Outcomes that were refused, timers, another definition, and hand-offs through merges and splits."""

import json

import msgspec
import pytest

from schemas import topics
from schemas.internal import OTHER, AccountRecord, Fact, Tick
from schemas.times import rfc3339
from streams.core import StepConfig
from streams.definition import default
from streams.journeys.publish import HEAD, Head
from streams.journeys.step import Journeys
from streams.session import pack_version
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    GAP,
    KEY_OF,
    START,
    TENANT,
    Driven,
    command,
    everything,
    firm,
    fragment,
    gone,
    handoffs,
    having,
    of,
    outcome,
    profiles,
    touch,
    willing,
)

GROUP = KEY_OF(TENANT, "account", ACCOUNT)
DEMO = touch(START, "demo_requested", event_id="demo")


def version(seq):
    return pack_version(1, 1, seq)


class Letters(Driven):
    failing = True


def letters(outputs):
    found = []
    for output in outputs:
        if output.topic == topics.DEAD.name:
            headers = {name: value.decode() for name, value in output.headers}
            found.append((headers["reason"], json.loads(output.value)["event_id"], headers["error"]))
    return found


# ---- outcomes that count for nothing


def test_in_a_run_an_outcome_that_finds_no_handoff_is_refused_at_the_drain_and_once():
    given = Letters()
    given.feed(willing("jane", touch(START)), firm(outcome("won", START, value="950")))
    sent = given.drain(START)
    (dead,) = [o for o in sent if o.topic == topics.DEAD.name]
    headers = {name: value.decode() for name, value in dead.headers}
    assert letters(sent) == [("no_handoff", f"won@{START}", "no hand-off of this account was open then")]
    assert (headers["topic"], headers["field"], dead.key) == ("lead-outcomes", "account", None)
    assert int(headers["offset"]) < 0
    assert json.loads(dead.value) == {
        "event_id": f"won@{START}",
        "tenant": TENANT,
        "occurred_at": "2025-01-01T00:00:00Z",
        "outcome": "won",
        "account": {"domain": "acme.nl"},
        "value": "950",
        "by": "sales",
    }
    assert letters(given.drain(START + DAY)) == []
    given.feed(having(willing("jane", touch(START), touch(START + 9)), version=version(9)))
    assert letters(given.drain(START + DAY)) == []
    owed = given.restarted().step.outputs(given.rows, GROUP, b"letters", version(1))
    assert [(o.value, o.headers) for o in owed] == [(dead.value, dead.headers)]


def test_an_outcome_of_a_handoff_that_is_erased_is_not_refused():
    given = Letters()
    given.feed(willing("jane", DEMO), firm(outcome("won", START + 1)))
    given.drain()
    erased = gone("email:jane@acme.nl", 2)
    erased.anew = START + DAY
    given.feed(erased)
    assert letters(given.drain()) == []
    given.feed(firm(outcome("won", START + 1), outcome("won", START + DAY, event_id="later"), seq=2))
    assert [event_id for _, event_id, _ in letters(given.drain())] == ["later"]


@pytest.mark.parametrize(("past", "refused"), [(0, False), (1, True)])
def test_live_it_waits_for_a_day_of_the_clock(past, refused):
    given = Letters(live=True)
    given.feed(willing("jane", touch(START)), firm(outcome("won", START)))
    given.feed(Tick(0, START, 0), now=START + 9_000)
    assert letters(given.sent) == []
    given = given.restarted()
    given.failing = True
    given.feed(Tick(0, START + DAY + past, 0), now=START + 20_000)
    given.feed(now=START + 30_000)
    assert bool(letters(given.sent)) is refused


def test_live_an_impossible_one_is_refused_at_once():
    given = Letters(live=True)
    name = f"{ACCOUNT}.1.1"
    given.feed(willing("jane", DEMO), firm(outcome("lost", START + 1), outcome("won", START + 2, name)))
    sent = given.feed(now=START + 9_000)
    assert letters(sent) == [
        ("impossible_outcome", f"won@{START + 2}", f"hand-off {name} is lost: it cannot become won")
    ]


def test_nothing_is_sticky_what_was_refused_counts_when_later_news_makes_it_fit():
    given = Letters()
    given.feed(willing("jane", touch(START)), firm(outcome("accepted", START + DAY)))
    assert len(letters(given.drain(START + DAY))) == 1
    given.feed(having(willing("jane", DEMO), version=version(5)))
    sent = given.drain(START + DAY)
    assert [h["status"] for h in handoffs(sent)] == ["accepted"]
    assert letters(sent) == []
    assert given.step.outputs(given.rows, GROUP, b"letters", version(1)) == []


def test_a_letter_keeps_its_words():
    given = Letters()
    said = [outcome("lost", START + 1), outcome("won", START + 3, f"{ACCOUNT}.1.1")]
    given.feed(willing("jane", DEMO), firm(*said))
    (first,) = letters(given.drain(START + DAY))
    other = outcome("rejected", START + 1)
    given.feed(firm(other, said[1], seq=7))
    assert letters(given.drain(START + DAY)) == []  # impossible as before, of another state
    again = given.step.outputs(given.rows, GROUP, b"letters", version(1))
    assert letters(again) == [first]


# ---- timers


def due(given):
    return msgspec.msgpack.decode(given.rows.get(GROUP, HEAD), type=Head).due


def test_the_next_timer_is_never_in_the_past():
    often = [touch(START + i * DAY, "page_viewed", event_id=f"v{i}") for i in range(9)]
    given = Driven()
    given.feed(willing("jane", *often, until=START + 20 * DAY), willing("bram", touch(START)), firm())
    for days in (9, 19, 20, 21, 40, 60, 100, 200):
        given.drain(START + days * DAY)
        assert due(given) is None or due(given) >= START + days * DAY
    assert due(given) is None


def test_an_account_of_which_nothing_is_due_is_left_alone():
    given = Driven(live=True)
    often = [touch(START + i * DAY, "page_viewed", event_id=f"v{i}") for i in range(9)]
    given.feed(willing("jane", *often, until=START + 10 * DAY), firm())
    given.feed(Tick(0, START + 50 * DAY, 0), now=START + 9_000)
    given.feed(now=START + 20_000)
    head = given.rows.get(GROUP, HEAD)
    for days in range(51, 60):
        given.feed(Tick(0, START + days * DAY, 0), now=START + days * 10_000)
        assert given.rows.get(GROUP, HEAD) == head


@pytest.mark.parametrize(
    "said", [outcome("lost", START + GAP + 9), command("close_journey", START + GAP + 9)]
)
def test_what_was_said_to_end_a_journey_later_than_its_gap_ends_it_until_the_clock_passes_the_gap(said):
    given = Letters()
    given.feed(willing("jane", DEMO), firm(said))
    given.drain(START + 10 * DAY)  # feedback is overdue by then: nothing else is due
    (end,) = [e for e in everything(given.sent) if e["kind"] == "journey_end"]
    assert end["occurred_at"] == rfc3339(said.at)
    (end,) = [e for e in everything(given.drain(START + GAP + 1)) if e["kind"] == "journey_end"]
    assert (end["occurred_at"], end["details"]["closed_by"]) == (rfc3339(START + GAP), "gap")


def test_feedback_is_due_without_any_news():
    given = Driven(live=True)
    given.feed(willing("jane", DEMO), firm())
    given.feed(Tick(0, START, 0), now=START + 9_000)
    given = given.restarted()
    given.feed(Tick(0, START + 7 * DAY + 1, 0), now=START + 20_000)
    assert [e["type"] for e in everything(given.sent) if e["kind"] == "feedback"] == ["feedback_overdue"]


# ---- another definition

OTHER_RULES = msgspec.structs.replace(
    default(), journey=msgspec.structs.replace(default().journey, gap_days=30)
)


class Redefined(Driven):
    """A step that goes on from another's rows under other rules."""

    def __init__(self, former: Driven, rules=OTHER_RULES):
        super().__init__(live=former.config.live, rows=former.rows)
        settings = {"definition": rules}
        self.config = StepConfig(0, 1, 1, KEY_OF, live=former.config.live, settings=settings)
        self.step = Journeys(self.config)
        self.step.recovered(self.rows)
        self.seq, self.drains = former.seq, former.drains


TWICE = [touch(START, "catalogue_requested", event_id="e1"), touch(START + 60 * DAY, event_id="e2")]


def published():
    given = Driven()
    given.feed(willing("jane", *TWICE), firm())
    given.drain(START + 61 * DAY)
    return given


def test_another_definition_is_told_once_and_what_changes_by_it_is_not():
    before = published()
    given = Redefined(before)
    sent = given.drain(START + 61 * DAY)
    (told,) = everything(sent)
    assert (told["type"], told["kind"], told["subject"]) == ("definitions_changed", "definition", TENANT)
    assert told["details"] == {"was": default().version, "now": OTHER_RULES.version}
    (profile,) = profiles(sent)
    assert [j["closed_by"] for j in profile["journeys"]] == ["gap", ""]
    assert profile["definition_version"] == OTHER_RULES.version
    again = Redefined(given)
    assert again.drain(START + 61 * DAY) == []
    owed = [o for m in given.rows.group(GROUP) for o in again.step.outputs(given.rows, GROUP, m, version(9))]
    silent = {"journey_opened": 2, "journey_closed": 1}
    assert {e["type"]: e["natural_key"] for e in everything(owed) if e["type"] in silent} == {
        "journey_opened": "1"
    }


def test_news_in_the_very_batch_of_the_change_is_told():
    given = Redefined(published())
    asking = having(willing("jane", *TWICE, touch(START + 61 * DAY, "demo_requested")), version=version(8))
    given.feed(asking)
    sent = given.drain(START + 61 * DAY)
    assert [h["type"] for h in handoffs(sent)] == ["handoff_made"]
    assert handoffs(sent)[0]["handoff_id"] == f"{ACCOUNT}.2.1"


def test_what_changes_later_corrects_what_was_told_last():
    before = published()
    first = {(e["kind"], e["natural_key"]): e["id"] for e in everything(before.sent)}
    given = Redefined(before)
    given.drain(START + 61 * DAY)
    ids = set(first.values())
    earlier = touch(START - DAY, "catalogue_requested", event_id="e0")
    given.feed(
        having(willing("jane", earlier, touch(START + 70 * DAY, event_id="e3"), *TWICE), version=version(8))
    )
    sent = everything(given.drain(START + 71 * DAY))
    assert {e["corrects"] for e in sent if e.get("corrects")} <= ids
    by = {(e["kind"], e["natural_key"]): e for e in sent}
    assert by["stage", "1/consideration"]["corrects"] == first["stage", "1/consideration"]
    # Journey 2 was opened silently. What is told of it now corrects nothing that anybody has seen.
    given.feed(having(willing("jane", earlier, TWICE[0]), version=version(9)))
    sent = everything(given.drain(START + 71 * DAY))
    assert ("journey", "2") not in {(e["kind"], e["natural_key"]) for e in sent}
    given.feed(having(willing("jane", earlier, TWICE[0], touch(START + 65 * DAY)), version=version(10)))
    by = {(e["kind"], e["natural_key"]): e for e in everything(given.drain(START + 71 * DAY))}
    assert (by["stage", "2/awareness"]["type"], by["stage", "2/awareness"].get("corrects")) == (
        "stage_entered",
        None,
    )


def test_a_definition_that_comes_back_is_told_again():
    given = Redefined(published())
    given.drain(START + 61 * DAY)
    back = Redefined(given, default())
    (told,) = everything(back.drain(START + 61 * DAY))
    assert told["details"]["now"] == default().version


# ---- merges and splits


def other(snapshot, name="aother"):
    return having(snapshot, account=name)


def brams(*touches):
    return willing("bram", *touches)


def answer(given, asked):
    told = [o.value for o in asked if o.topic == topics.RECORDS.name]
    given.feed(*(msgspec.msgpack.decode(value, type=AccountRecord) for value in told))


def merged(there, *here, clock=START + 2 * DAY):
    """Bram's fragment, of another account, comes here."""
    given = Driven()
    given.feed(other(there), *here, firm())
    given.drain(clock)
    at = version(50)
    moved = having(there, version=at, predecessors={"aother": at})
    left = having(other(gone(there.identifier, 50)), successors=[ACCOUNT])
    answer(given, given.feed(left, moved))
    return given, given.drain(clock)


def test_a_merge_makes_no_second_handoff_and_tells_the_new_name_of_the_one_there_is():
    given, sent = merged(brams(DEMO))
    (first,) = [h for h in handoffs(given.sent) if h["subject"] == "aother"]
    (told,) = handoffs(sent)
    assert (told["type"], told["handoff_id"]) == ("handoff_updated", f"{ACCOUNT}.1.1")
    assert told["corrects"] == first["id"]
    assert [h["status"] for h in profiles(sent)[-1]["handoffs"]] == ["open"]


def test_of_two_that_ask_the_later_request_is_news_of_the_earlier_handoff():
    _, sent = merged(brams(DEMO), willing("jane", touch(START + DAY, "quote_requested")))
    (told,) = handoffs(sent)
    assert (told["type"], told["handoff_id"]) == ("handoff_updated", f"{ACCOUNT}.1.1")
    assert [reason["code"] for reason in told["reasons"]] == ["demo_requested", "quote_requested"]


def test_numbers_that_move_by_a_merge_make_none_anew():
    over = [firm(outcome("recycled", START + 9, event_id="o1"))]
    again = touch(START + DAY, "quote_requested", event_id="again")
    given = Driven()
    bram = brams(touch(START + 20, "demo_requested"), again)
    given.feed(other(bram), willing("jane", DEMO), *over)
    said = other(
        having(fragment("domain:beta.nl"), outcomes=[outcome("recycled", START + 30, event_id="o2")])
    )
    given.feed(said)
    given.drain(START + 2 * DAY)
    assert [h["type"] for h in handoffs(given.sent)] == ["handoff_made"] * 3
    at = version(50)
    moved = [having(s, account=ACCOUNT, version=at, predecessors={"aother": at}) for s in (said, bram)]
    left = [having(other(gone(s.identifier, 50)), successors=[ACCOUNT]) for s in moved]
    answer(given, given.feed(*left, *moved))
    sent = given.drain(START + 2 * DAY)
    rows = profiles(sent)[-1]["handoffs"]
    assert [(r["attempt"], r["status"]) for r in rows] == [(1, "recycled"), (2, "recycled"), (3, "open")]
    assert {h["type"] for h in handoffs(sent)} == {"handoff_updated"}


def test_a_handoff_of_a_journey_that_is_two_here_corrects_what_was_told_under_its_former_number():
    closed = [firm(command("close_journey", START + DAY))]
    asked = touch(START + 2 * DAY, "demo_requested", event_id="demo")
    given, sent = merged(
        brams(touch(START), asked), willing("jane", touch(START)), *closed, clock=START + 10 * DAY
    )
    (first,) = [h for h in handoffs(given.sent) if h["subject"] == "aother"]
    (told,) = handoffs(sent)
    assert (first["handoff_id"], told["handoff_id"]) == ("aother.1.1", f"{ACCOUNT}.2.1")
    assert (told["type"], told["corrects"]) == ("handoff_updated", first["id"])
    there, here = [e for e in everything(given.sent) if e["kind"] == "feedback"]
    assert (here["natural_key"], here["corrects"]) == ("2/1", there["id"])
    (became,) = [e["details"]["journeys"] for e in everything(sent) if e["type"] == "account_merged"]
    assert became == {"aother.1": f"{ACCOUNT}.1"}


def test_a_handoff_that_both_told_under_other_numbers_is_withdrawn_under_the_former_one():
    asked = touch(START + 2 * DAY, "demo_requested", event_id="demo")
    here = [willing("jane", touch(START), asked), firm(command("close_journey", START + DAY))]
    given, sent = merged(brams(touch(START), asked), *here, clock=START + 10 * DAY)
    (first,) = [h for h in handoffs(given.sent) if h["subject"] == "aother"]
    told = {h["handoff_id"]: (h["status"], h.get("corrects")) for h in handoffs(sent)}
    assert told[f"{ACCOUNT}.1.1"] == ("withdrawn", first["id"])
    feedback = [e for e in everything(sent) if e["kind"] == "feedback"]
    assert [(e["natural_key"], e["retracted"]) for e in feedback] == [("1/1", True)]


def test_of_two_handoffs_that_have_one_number_here_the_one_that_holds_is_told():
    late = START + 200 * DAY
    bram, carl = brams(DEMO), willing("carl", touch(late, "quote_requested"))
    refuses = fragment(
        "contact_id:7", of("bram"), facts={"consent.profiling": Fact(OTHER, START - DAY, "web", False)}
    )
    said = having(fragment("domain:beta.nl"), outcomes=[outcome("recycled", late + 9)])
    given = Driven()
    given.feed(
        other(bram), other(carl), other(said), willing("jane", touch(START + 100 * DAY)), refuses, firm()
    )
    given.drain(late + DAY)
    assert [h["handoff_id"] for h in handoffs(given.sent)] == ["aother.1.1", "aother.2.1"]
    at = version(50)
    moved = [having(s, version=at, predecessors={"aother": at}) for s in (bram, carl, said)]
    left = [having(other(gone(s.identifier, 50)), successors=[ACCOUNT]) for s in moved]
    answer(given, given.feed(*left, *moved))
    (told,) = handoffs(given.drain(late + DAY))
    assert (told["handoff_id"], told["status"]) == (f"{ACCOUNT}.1.1", "recycled")
    assert told["occurred_at"] == rfc3339(late)


def test_feedback_that_was_overdue_is_not_told_again_by_a_merge():
    given, _ = merged(brams(DEMO), clock=START + 8 * DAY)
    assert [e["type"] for e in everything(given.sent) if e["kind"] == "feedback"] == ["feedback_overdue"]


def test_what_a_merge_brought_is_withdrawn_at_a_split():
    given, _ = merged(brams(DEMO), willing("jane", touch(START)))
    at = version(60)
    there = having(other(brams(DEMO)), version=at, predecessors={ACCOUNT: at})
    left = having(gone(brams().identifier, 60), successors=["aother"])
    answer(given, given.feed(left, there))
    told = {(h["subject"], h["type"], h["status"]) for h in handoffs(given.drain(START + 2 * DAY))}
    assert told == {(ACCOUNT, "handoff_withdrawn", "withdrawn"), ("aother", "handoff_updated", "open")}


def test_a_change_is_told_once_also_when_an_account_had_to_wait_for_it():
    given = Driven(live=True)
    given.feed(willing("jane", *TWICE), firm())
    given.feed(now=START + 9_000)
    given.feed(brams(touch(START)), now=START + 10_000)  # joined: it waits until that is over
    first = Redefined(given)
    assert [e["type"] for e in everything(first.feed(now=START + 10_001))] == ["definitions_changed"]
    second = Redefined(first)
    assert everything(second.feed(now=START + 10_002)) == []
    assert profiles(second.feed(now=START + 20_000))[-1]["definition_version"] == OTHER_RULES.version
