"""What sales is told of a hand-off, and whose address or number is never in it."""

import json

import pytest

from schemas.internal import CRM, OTHER, Fact
from schemas.keys import erased_name, event_key
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

DEMO = touch(START, "demo_requested", event_id="demo")
NAME = f"{ACCOUNT}.1.1"


def sent(*snapshots, clock=START + DAY):
    given = Driven()
    given.feed(*snapshots)
    given.drain(clock)
    return given


def last(*snapshots, clock=START + DAY):
    """The last message on `lead-handoffs`."""
    return handoffs(sent(*snapshots, clock=clock).sent)[-1]


def row(given):
    return profiles(given.sent)[-1]["handoffs"][-1]


def consent(snapshot, **words):
    return having(snapshot, words=words)


def jane(*touches, **words):
    person = fragment("email:jane@acme.nl", of("jane", *touches))
    person.facts["name"] = Fact(OTHER, START, "web", "Jane")
    return consent(person, **words)


# ---- one message


def test_a_message_says_who_asked_and_how_to_reach_them():
    told = last(jane(DEMO), willing("bram", touch(START - DAY, topic="pumps"), title="directeur"), firm())
    assert (told["type"], told["handoff_id"], told["attempt"], told["status"]) == (
        "handoff_made",
        NAME,
        1,
        "open",
    )
    assert (told["occurred_at"], told["feedback_due"]) == ("2025-01-01T00:00:00Z", "2025-01-08T00:00:00Z")
    assert told["account"]["keys"] == ["domain:acme.nl"]
    assert told["caused_by"] == ["demo"]
    assert told["reasons"] == [
        {"code": "demo_requested", "text": "Jane asked for a demo on 2025-01-01", "evidence": ["demo"]}
    ]
    assert told["call_first"] == {
        "contact": "jane",
        "name": "Jane",
        "email": "jane@acme.nl",
        "phone": "",
        "why": "asked for a demo on 2025-01-01",
    }
    assert told["next_step"] == "write to Jane about a demo"
    assert [(m["name"], m["roles"], m["last_steps"]) for m in told["members"]] == [
        ("Jane", [], ["demo requested (2025-01-01)"]),
        ("Bram", ["decider", "initiator"], ["page viewed, pumps (2024-12-31)"]),
    ]
    assert (told["interests"], told["roles_missing"]) == (["pumps"], ["buyer"])


def test_an_owner_is_who_it_is_for():
    told = last(jane(DEMO), firm(command("set_owner", START, owner="v.jansen")))
    assert told["assigned_to"] == "v.jansen"


# ---- whom to call first


def test_who_asked_may_be_approached_about_that_unless_withdrawn_later():
    assert last(jane(DEMO, email=[(START - 9, False)]))["call_first"]["email"] == "jane@acme.nl"
    told = last(jane(DEMO, email=[(START + 9, False)], phone=[(START + 9, False)]))
    assert (told["call_first"]["contact"], told["call_first"]["email"]) == ("jane", "")
    assert told["call_first"]["why"].endswith("has said no since; nobody else may be approached")
    assert "jane@" not in json.dumps(told["members"])
    assert told["next_step"] == "find out who may be approached; nobody has given leave yet"
    again = touch(START + 20, "quote_requested")
    assert last(jane(DEMO, again, email=[(START + 9, False)]))["call_first"]["email"] == "jane@acme.nl"


def test_consent_alone_makes_a_group_ready_also_where_no_number_is_known():
    words = {"phone": [(START - DAY, True)]}
    steps = [
        touch(START + n, kind) for n, kind in enumerate(("meeting_held", "survey_answered", "trial_started"))
    ]
    told = last(having(fragment("contact_id:7", of("jane", *steps)), words=words), firm())
    assert (told["reasons"][0]["code"], told["call_first"]["contact"]) == ("group_ready", "jane")
    assert (told["call_first"]["email"], told["call_first"]["phone"]) == ("", "")
    assert told["call_first"]["why"].endswith("no address or number that works is known here")


def test_what_is_withdrawn_after_the_clock_is_withdrawn():
    told = last(jane(DEMO, email=[(START + 9 * DAY, False)], phone=[(START + 9, False)]), clock=START)
    assert told["call_first"]["email"] == ""


def test_where_who_asked_wants_no_more_the_next_who_asked_is_called_then_the_most_engaged():
    no = {"email": [(START + 9, False)], "phone": [(START + 9, False)]}
    quote = willing("bram", touch(START + 5, "quote_requested"))
    assert last(jane(DEMO, **no), quote)["call_first"]["contact"] == "bram"
    reader = willing("anna", touch(START - DAY, "price_viewed"))
    told = last(jane(DEMO, **no), reader, willing("carl"))["call_first"]
    assert (told["contact"], told["email"]) == ("anna", "anna@acme.nl")
    assert told["why"] == "the most engaged of those who may be approached (initiator, buyer; 4.95 points)"


def test_who_is_named_is_named_for_their_own_latest_request():
    no = {"email": [(START + 9, False)], "phone": [(START + 9, False)]}
    quote = willing("bram", touch(START + 2 * DAY, "quote_requested"))
    told = last(jane(DEMO, **no), quote, clock=START + 3 * DAY)
    assert (told["call_first"]["name"], told["call_first"]["why"]) == (
        "Bram",
        "asked for a quote on 2025-01-03",
    )
    assert told["next_step"] == "write to Bram about a quote"
    told = last(jane(DEMO, touch(START + DAY, "call_requested"), **no), clock=START + 3 * DAY)
    assert told["call_first"]["why"] == "asked for a call on 2025-01-02"
    no = {"email": [(START + 2 * DAY, False)], "phone": [(START + 2 * DAY, False)]}
    told = last(jane(DEMO, touch(START + DAY, "call_requested"), **no), clock=START + 3 * DAY)
    assert told["call_first"]["why"].startswith("asked for a call on 2025-01-02, and has said no since")


def test_who_asks_after_the_group_was_ready_is_named_for_what_they_asked():
    met = [touch(START + i, "meeting_held", event_id=f"m{i}") for i in range(2)]
    told = last(willing("user", *met), jane(touch(START + DAY, "demo_requested")), clock=START + 2 * DAY)
    assert [reason["code"] for reason in told["reasons"]] == ["demo_requested", "group_ready"]
    assert (told["call_first"]["name"], told["call_first"]["why"]) == (
        "Jane",
        "asked for a demo on 2025-01-02",
    )
    assert told["next_step"] == "write to Jane about a demo"


def test_role_weight_times_engagement_decides_of_those_who_may_be_approached():
    met = [touch(START + i, "meeting_held", event_id=f"m{i}") for i in range(2)]
    boss = willing("boss", touch(START - 5, "event_attended"), title="directeur")
    user = willing("user", touch(START - 6, "event_attended"), touch(START - 7, "price_viewed"))
    busy = jane(*met)
    told = last(boss, user, busy)["call_first"]
    assert told["contact"] == "user"  # 14 points × 1.3: price shows a buyer
    extra = willing("boss", *(touch(START - 5 - i, "event_attended") for i in range(2)), title="directeur")
    assert last(extra, user, busy)["call_first"]["contact"] == "boss"  # 20 × 1.5


def test_who_has_left_by_now_is_not_called():
    met = [touch(START + i, "meeting_held", event_id=f"m{i}") for i in range(2)]
    here = willing("bram", touch(START - DAY))
    left = willing("anna", *met, until=START + DAY)
    given = sent(here, left, firm(), clock=START + DAY - 1)
    assert handoffs(given.sent)[-1]["call_first"]["contact"] == "anna"
    given.drain(START + DAY)
    assert handoffs(given.sent)[-1]["call_first"]["contact"] == "bram"


def test_a_request_of_a_mailbox_is_answered_there():
    told = last(having(fragment("domain:acme.nl", of("", DEMO)), mailboxes=["info@acme.nl", "sales@acme.nl"]))
    assert (told["call_first"]["contact"], told["call_first"]["email"]) == ("", "info@acme.nl")
    assert told["contact_points"] == ["info@acme.nl", "sales@acme.nl"]
    assert told["reasons"][0]["text"] == "somebody asked for a demo on 2025-01-01"
    assert told["next_step"] == "write to info@acme.nl about a demo"


def test_a_number_is_that_of_who_has_it_now():
    number = fragment(
        "phone:+31612345678", of("jane", touch(START - 9), until=START - 5), of("bram", since=START - 5)
    )
    told = last(jane(DEMO), number, willing("bram"))
    assert told["call_first"]["phone"] == ""
    mine = fragment("phone:+31612345678", of("jane", touch(START - 9)))
    assert last(jane(DEMO), mine)["call_first"]["phone"] == "+31612345678"


# ---- nothing leaks


def test_addresses_of_who_did_not_ask_and_gave_no_leave_are_nowhere():
    silent = fragment("email:piet@acme.nl", of("piet", touch(START - DAY)))
    silent.facts["name"] = Fact(OTHER, START, "web", "piet@acme.nl")  # the address, typed as a name
    told = last(jane(DEMO), silent, firm())
    assert [m["name"] for m in told["members"]] == ["Jane", ""]
    assert "piet@" not in json.dumps(told)


def test_a_reason_never_holds_an_address():
    asking = jane(DEMO, email=[(START + 9, False)])
    asking.facts["name"] = Fact(OTHER, START, "web", "jane@acme.nl")
    told = last(asking)
    assert told["reasons"][0]["text"] == "somebody asked for a demo on 2025-01-01"
    assert "jane@" not in json.dumps(told)


def test_consent_that_is_withdrawn_is_news_as_long_as_it_is_open():
    given = sent(jane(DEMO), firm())
    refusing = jane(DEMO, email=[(START + DAY, False)], phone=[(START + DAY, False)])
    given.feed(msgspec_seq(refusing, 2))
    given.drain(START + DAY)
    told = handoffs(given.sent)
    assert [t["type"] for t in told] == ["handoff_made", "handoff_updated"]
    assert told[1]["corrects"] == told[0]["id"]
    assert "jane@" not in json.dumps(told[1])
    assert "jane@" not in json.dumps(row(given)["call_first"])


def test_who_refuses_profiling_is_a_member_of_whom_nothing_is_told():
    quiet = willing("bram", touch(START - DAY, "price_viewed", topic="secret"))
    quiet.facts["consent.profiling"] = Fact(OTHER, START, "web", False)
    told = last(jane(DEMO), quiet)
    (bram,) = [m for m in told["members"] if m["contact"] == "bram"]
    assert (bram["roles"], bram["last_steps"]) == ([], [])
    assert "secret" not in json.dumps(told)
    assert profiles(sent(jane(DEMO), quiet).sent)[-1]["interests"] == []


def msgspec_seq(snapshot, seq):
    return having(snapshot, version=fragment("domain:x.nl", seq=seq).version)


# ---- what is news


def update(given, *snapshots, clock=START + 2 * DAY):
    given.feed(*(msgspec_seq(s, given.seq + 5) for s in snapshots))
    return [t["type"] for t in handoffs(given.drain(clock))]


def test_news_is_a_request_a_member_an_outcome_and_nothing_else():
    given = sent(jane(DEMO), firm())
    assert update(given, jane(DEMO, touch(START + 5, "price_viewed"))) == []
    assert update(given, jane(DEMO, touch(START + 6, "call_requested"))) == ["handoff_updated"]
    assert update(given, willing("bram", touch(START + 7))) == ["handoff_updated"]
    assert update(given, willing("bram", touch(START + 7), touch(START + 8))) == []
    assert update(given, firm(outcome("accepted", START + DAY))) == ["handoff_updated"]
    assert row(given)["status"] == "accepted"


def test_of_one_that_is_over_later_members_are_no_news():
    given = sent(jane(DEMO), firm(outcome("recycled", START + 9)))
    assert update(given, willing("bram", touch(START + DAY))) == []
    assert update(given, willing("carl")) == []


def test_a_group_of_a_thousand_lists_the_most_engaged():
    crowd = [fragment(f"email:p{i}@acme.nl", of(f"p{i}")) for i in range(60)]
    told = last(jane(DEMO), *crowd, firm())
    assert (len(told["members"]), told["members"][0]["name"]) == (50, "Jane")


# ---- again


def test_the_next_one_says_what_was_before_and_how_long_it_was_silent():
    early = [touch(START - 30 * DAY + i * 4 * DAY, "howto_viewed") for i in range(7)]
    back = touch(START + 290 * DAY, "demo_requested", event_id="back")
    ruud = willing("ruud", *early, DEMO, title="planner")
    petra = willing("petra", back, title="financieel directeur")
    lost = outcome("lost", START + 20 * DAY, reason="no budget")
    told = last(ruud, petra, firm(lost), clock=START + 291 * DAY)
    assert (told["handoff_id"], told["call_first"]["name"]) == (f"{ACCOUNT}.2.1", "Petra")
    assert [reason["text"] for reason in told["reasons"]] == [
        "Petra asked for a demo on 2025-10-18",
        "handed over before, on 2025-01-01 (lost on 2025-01-21: no budget);"
        " then it was about Ruud (user, initiator)",
        "back after 290 days of silence",
    ]
    assert told["earlier_handoffs"] == [
        {"handoff_id": NAME, "at": "2025-01-01T00:00:00Z", "outcome": "lost", "reason": "no budget"}
    ]


# ---- feedback


def overdue(outputs):
    return [e for e in everything(outputs) if e["type"] == "feedback_overdue"]


def test_feedback_is_overdue_once_when_the_clock_has_passed_it_and_taken_back_by_a_late_word():
    given = sent(jane(DEMO), firm(), clock=START + 7 * DAY)
    assert overdue(given.sent) == []
    (told,) = overdue(given.drain(START + 7 * DAY + 1))
    assert (told["occurred_at"], told["details"]["handoff_id"]) == ("2025-01-08T00:00:00Z", NAME)
    assert overdue(given.drain(START + 9 * DAY)) == []
    late = firm(outcome("accepted", START + 8 * DAY))
    given.feed(msgspec_seq(late, 7))
    assert overdue(given.drain(START + 9 * DAY)) == []
    timely = firm(outcome("accepted", START + 7 * DAY))
    given.feed(msgspec_seq(timely, 8))
    (back,) = overdue(given.drain(START + 9 * DAY))
    assert (back["retracted"], back["corrects"]) == (True, told["id"])
    assert overdue(given.restarted().drain(START + 20 * DAY)) == []


def test_feedback_is_overdue_also_when_an_outcome_is_known_that_lies_later():
    given = Driven(live=True)
    given.feed(jane(DEMO), firm(outcome("accepted", START + 8 * DAY)))
    given.drain(START + DAY)
    assert overdue(given.feed(now=START + 9_000)) == []
    given.drain(START + 7 * DAY + 1, now=START + 20_000)
    assert len(overdue(given.sent)) == 1


# ---- taken back, erased


def test_a_handoff_that_does_not_hold_any_more_is_withdrawn_without_people():
    given = sent(jane(DEMO), firm())
    given.feed(msgspec_seq(jane(touch(START)), 3))
    (told,) = handoffs(given.drain(START + DAY))
    assert (told["type"], told["status"], told["retracted"]) == ("handoff_withdrawn", "withdrawn", True)
    assert (told["call_first"], told["members"], told["reasons"]) == (None, [], [])
    assert row(given)["status"] == "withdrawn"
    assert b"jane@acme.nl" not in b"".join(o.value for o in given.sent[-3:] if o.topic == "lead-handoffs")


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_of_who_was_erased_is_left_in_what_sales_was_told(whole):
    seen = touch(START - DAY, "price_viewed", topic="secret-topic", event_id="secret-visit")
    person = having(
        fragment("email:jane@acme.nl", of("jane", seen, DEMO)),
        facts={"name": Fact(OTHER, START, "web", "Secret Name")},
        history={"job_title": [Fact(CRM, START, "crm", "secret planner")]},
    )
    given = sent(
        person, willing("bram", touch(START + 5, "quote_requested")), firm(outcome("lost", START + 9))
    )
    events = [event_key(KEY_OF, TENANT, t.source, t.event_id) for t in (seen, DEMO)]
    if whole:
        left = having(gone(erased_name(KEY_OF(TENANT, "email:jane@acme.nl")), 9), erased=events)
    else:
        left = msgspec_seq(fragment("email:jane@acme.nl", of("jane", touch(START + 6))), 9)
        left = having(left, erased=events, anew=START + 6)
    given.feed(left)
    for group in given.rows.groups():
        for member, value in given.rows.group(group).items():
            for text in (b"Secret", b"secret", b"demo@", *([b"jane@acme.nl"] if whole else [])):
                assert text not in value, (text, member)
    told = handoffs(given.drain(START + DAY))
    assert told
    assert "ecret" not in json.dumps(told)
    assert told[-1]["call_first"]["contact"] == "bram"


# ---- merges


def test_a_handoff_expires_with_its_journey():
    given = sent(jane(DEMO), firm(), clock=START + GAP + 1)
    assert row(given)["status"] == "expired"
