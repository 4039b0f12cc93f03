"""When an account is published, what is corrected, what a crash owes, and who suffers from a failure."""

import json
import re

import msgspec
import pytest

from schemas import topics
from schemas.internal import Fact, Tick
from schemas.keys import partition_of
from streams.core import Record, Retracts
from streams.definition import default
from streams.journeys import publish as module
from streams.session import Session, pack_version
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    GAP,
    KEY_OF,
    START,
    TENANT,
    Driven,
    events,
    everything,
    folded,
    fragment,
    gone,
    of,
    profiles,
    touch,
)

JANE, BRAM = "email:jane@acme.nl", "email:bram@acme.nl"
GROUP = KEY_OF(TENANT, "account", ACCOUNT)
SETTLE = 2_000


def jane(*touches, seq=1, **period):
    return fragment(JANE, of("jane", *touches, **period), seq=seq)


def types(outputs):
    return [e["type"] for e in events(outputs)]


# ---- the shape of an output


def test_an_event_names_account_contact_cause_and_definition():
    given = Driven()
    given.feed(jane(touch(START, "catalogue_requested", event_id="e1")), fragment("domain:acme.nl"))
    given.drain(now=START + 7)
    moment = next(e for e in events(given.sent) if e["type"] == "crucial_moment")
    assert re.fullmatch("[0-9a-f]{32}", moment.pop("id"))
    assert moment == {
        "type": "crucial_moment",
        "tenant": TENANT,
        "subject": ACCOUNT,
        "kind": "moment",
        "natural_key": "1/catalogue_request",
        "occurred_at": "2025-01-01T00:00:00Z",
        "emitted_at": "2025-01-01T00:00:00.007Z",
        "version": [1, 1, 2],
        "account": {
            "id": ACCOUNT,
            "keys": ["domain:acme.nl"],
            "name": "",
            "stage": "consideration",
            "journey_id": f"{ACCOUNT}.1",
        },
        "contact": {"id": "jane", "identifiers": [JANE], "roles": ["initiator"]},
        "reachable": False,
        "caused_by": ["e1"],
        "details": {"journey_id": f"{ACCOUNT}.1", "moment": "catalogue_request"},
        "definition_version": default().version,
    }


def test_outputs_are_keyed_by_account_and_carry_cloudevents_headers():
    given = Driven(partitions=8)
    given.feed(jane(touch(START)))
    given.drain()
    for output in given.sent:
        body = json.loads(output.value)
        headers = {name: value.decode() for name, value in output.headers}
        kind = "account-profile" if output.topic == topics.PROFILES.name else "journey-event"
        assert (output.key, output.partition) == (GROUP, partition_of(GROUP, 8))
        assert headers == {
            "ce_id": body["id"],
            "ce_source": "/dmu-journeys/journeys",
            "ce_specversion": "1.0",
            "ce_type": body["type"],
            "ce_time": body["occurred_at"],
            "ce_subject": ACCOUNT,
            "ce_tenant": TENANT,
            "ce_dataschema": f"urn:dmu-journeys:{kind}:1",
        }


# ---- run: at the drain


def test_run_publishes_at_the_drain_of_all_partitions_and_once():
    given = Driven(partitions=2)
    assert given.feed(jane(touch(START))) == []
    assert given.feed(Tick(0, START, 1)) == []
    assert types(given.feed(Tick(1, START, 1))) == ["journey_opened", "contact_identified", "stage_entered"]
    assert given.feed(Tick(0, START, 1), Tick(1, START, 1)) == []
    assert given.drain() == []  # the same drain, told again
    given.drains += 1
    assert given.drain() == []  # nothing changed


def test_run_stores_a_snapshot_as_it_came():
    given = Driven()
    snapshot = jane(touch(START))
    given.feed(snapshot)
    assert given.rows.get(GROUP, KEY_OF(TENANT, JANE)) == msgspec.msgpack.encode(snapshot)


def test_the_highest_version_of_a_fragment_holds():
    given = Driven()
    given.feed(jane(touch(START), touch(START + 1), seq=5))
    given.feed(jane(touch(START), seq=4), gone(JANE, 3))
    given.drain()
    assert profiles(given.sent)[-1]["touches"] == 2


# ---- the clock


@pytest.mark.parametrize(("past", "closed"), [(0, False), (1, True)])
def test_the_gap_closes_a_journey_when_the_clock_is_beyond_it(past, closed):
    given = Driven()
    given.feed(jane(touch(START)))
    given.drain(START)
    assert "journey_closed" not in types(given.sent)
    sent = given.drain(START + GAP + past)  # nothing but the clock has changed
    assert types(sent) == ["journey_closed"] * closed
    if closed:
        assert events(sent)[0]["occurred_at"] == "2025-06-30T00:00:00Z"


def test_a_journey_that_is_computed_exactly_at_its_gap_is_open():
    given = Driven()
    given.feed(jane(touch(START)))
    assert "journey_closed" not in types(given.drain(START + GAP))


def test_the_clock_is_the_least_of_all_partitions_and_never_goes_back():
    given = Driven(partitions=2)
    given.feed(jane(touch(START)))
    late = START + GAP + 1
    given.feed(Tick(0, late, 1), Tick(1, START, 1))
    assert given.step.clock == START
    given.feed(Tick(1, late, 1), Tick(0, START, 1))
    assert given.step.clock == late == given.restarted().step.clock


def test_a_touch_that_comes_late_reopens_a_closed_journey():
    given = Driven()
    given.feed(jane(touch(START)))
    given.drain(START + 200 * DAY)
    given.feed(jane(touch(START), touch(START + 100 * DAY), seq=2))
    sent = events(given.drain(START + 200 * DAY))
    assert [(e["type"], e.get("retracted", False)) for e in sent] == [("journey_closed", True)]
    assert types(given.drain(START + 281 * DAY)) == ["journey_closed"]


def test_a_journey_whose_last_touch_goes_away_closes_earlier():
    given = Driven()
    given.feed(jane(touch(START), touch(START + 100 * DAY)))
    given.drain(START + 100 * DAY)
    given.feed(jane(touch(START), seq=2))
    given.drain(START + 101 * DAY)
    assert types(given.drain(START + 181 * DAY)) == ["journey_closed"]


def test_open_journeys_are_found_again_after_a_restart():
    given = Driven()
    given.feed(jane(touch(START)))
    given.drain(START)
    assert types(given.restarted().drain(START + 181 * DAY)) == ["journey_closed"]


def test_one_timer_per_account_however_often_it_is_touched():
    given = Driven(live=True)
    given.feed(jane(touch(START)))
    for day in range(1, 50):
        given.feed(jane(touch(START), touch(START + day * DAY), seq=day + 1), now=START + day * DAY)
    assert len(given.step._dues) == 1
    assert types(given.feed(Tick(0, START + 181 * DAY, 0), now=START + 60 * DAY)) == []
    assert types(given.feed(Tick(0, START + 230 * DAY, 0), now=START + 60 * DAY)) == ["journey_closed"]


# ---- corrections


def test_a_stage_that_moves_is_corrected_and_names_what_it_corrects():
    given = Driven()
    given.feed(jane(touch(START + 5)))
    given.drain()
    first = next(e for e in events(given.sent) if e["kind"] == "stage")
    given.feed(jane(touch(START), touch(START + 5), seq=2))
    moved = next(e for e in events(given.drain()) if e["kind"] == "stage")
    assert moved["type"] == "stage_corrected"
    assert moved["corrects"] == first["id"] != moved["id"]
    assert (moved["details"]["was"], moved["details"]["now"]) == (first["occurred_at"], moved["occurred_at"])
    given.feed(jane(touch(START + 5), seq=3))
    back = next(e for e in events(given.drain()) if e["kind"] == "stage")
    assert back["corrects"] == moved["id"]
    assert back["id"] not in (first["id"], moved["id"])  # the same value again is another event


def test_a_stage_that_no_longer_holds_is_taken_back_and_may_return():
    given = Driven()
    demo = touch(START + DAY, "demo_requested")
    given.feed(jane(touch(START), demo))
    given.drain()
    given.feed(jane(touch(START), seq=2))
    (away,) = events(given.drain())
    assert (away["type"], away["natural_key"], away["retracted"]) == ("stage_corrected", "1/evaluation", True)
    assert away["details"]["was"] == "2025-01-02T00:00:00Z"
    assert away["details"]["now"] is None
    assert profiles(given.sent)[-1]["stage"] == "awareness"
    given.feed(jane(touch(START), demo, seq=3))
    (again,) = events(given.drain())
    assert (again["type"], again.get("retracted", False)) == ("stage_corrected", False)
    assert (again["details"]["was"], again["details"]["now"]) == (None, "2025-01-02T00:00:00Z")
    assert again["corrects"] == away["id"]


def test_another_cause_of_the_same_time_is_told():
    given = Driven()
    given.feed(jane(touch(START, event_id="b")))
    given.drain()
    given.feed(jane(touch(START, event_id="b"), touch(START, event_id="a"), seq=2))
    sent = events(given.drain())
    assert {(e["kind"], *e["caused_by"]) for e in sent} == {("journey", "a"), ("stage", "a"), ("member", "a")}
    (stage,) = [e for e in sent if e["kind"] == "stage"]
    assert stage["details"]["was"] == stage["details"]["now"] == stage["occurred_at"]


def test_an_earlier_journey_that_comes_to_light_renumbers_the_later_one():
    given = Driven()
    given.feed(jane(touch(START + 400 * DAY, "demo_requested")))
    given.drain()
    given.feed(jane(touch(START), touch(START + 400 * DAY, "demo_requested"), seq=2))
    given.drain()
    held = {(kind, key): time for (_, kind, key), (time, *_) in folded(given.sent).items()}
    assert held == {
        ("role", "jane/initiator"): "2025-01-01T00:00:00Z",
        ("handoff", "2/1"): "2026-02-05T00:00:00Z",
        ("journey", "1"): "2025-01-01T00:00:00Z",
        ("journey_end", "1"): "2025-06-30T00:00:00Z",
        ("journey", "2"): "2026-02-05T00:00:00Z",
        ("stage", "1/awareness"): "2025-01-01T00:00:00Z",
        ("stage", "2/awareness"): "2026-02-05T00:00:00Z",
        ("stage", "2/evaluation"): "2026-02-05T00:00:00Z",
        ("member", "jane/1"): "2025-01-01T00:00:00Z",
    }


def test_a_contact_that_is_no_longer_anonymous_to_employment_joins():
    given = Driven()
    given.feed(jane(touch(START + DAY)))
    given.drain()
    given.feed(jane(touch(START + DAY), seq=2, since=START + DAY))
    (joined,) = events(given.drain())
    assert (joined["type"], joined["kind"], "corrects" in joined) == ("contact_joined", "member", True)


def test_a_contact_without_a_touch_or_an_employment_is_a_member_but_no_news():
    given = Driven()
    given.feed(jane())
    sent = given.drain()
    assert events(sent) == []
    (profile,) = profiles(sent)
    assert [m["contact_id"] for m in profile["members"]] == ["jane"]
    assert profile["occurred_at"] == profile["emitted_at"]


def test_a_fact_changes_the_profile_alone():
    given = Driven()
    given.feed(jane(touch(START)))
    ids = {profiles(given.drain())[0]["id"]}
    for seq, name in enumerate(("Acme", "", "Acme"), 2):
        given.feed(fragment("domain:acme.nl", seq=seq, facts={"name": Fact(1, START, "crm", name)}))
        sent = given.drain()
        assert events(sent) == []
        (profile,) = profiles(sent)
        assert profile["name"] == name
        ids.add(profile["id"])
    assert len(ids) == 4  # the same content again is another output


def test_an_account_that_never_said_anything_says_nothing_when_it_goes():
    given = Driven()
    given.feed(gone(JANE, 1))
    assert given.drain() == []


# ---- live: at once, or when still


def test_live_publishes_at_once_and_waits_after_a_fragment_joined():
    given = Driven(live=True)
    assert given.feed(jane(touch(START)), now=START) == []
    assert given.feed(now=START + SETTLE - 1) == []
    assert "stage_entered" in types(given.feed(now=START + SETTLE))
    later = START + 60_000
    more = given.feed(jane(touch(START), touch(START + 1, "demo_requested"), seq=2), now=later)
    assert types(more) == ["stage_entered"]
    assert given.feed(fragment(BRAM, of("bram", touch(START - 1))), now=later + 10_000) == []
    assert (
        given.feed(jane(touch(START), seq=3), now=later + 11_000) == []
    )  # would be at once, but bram settles
    assert len(given.feed(now=later + 12_000)) > 1


def test_live_another_fragment_that_leaves_prolongs_the_wait():
    given = Driven(live=True)
    given.feed(jane(touch(START)), fragment(BRAM, of("bram", touch(START + 1))), now=START)
    given.feed(gone(BRAM, 2), now=START + 1_500)
    assert given.feed(now=START + 2_500) == []
    assert {e.get("contact", {}).get("id") for e in events(given.feed(now=START + 3_500))} == {None, "jane"}


def test_live_a_profile_is_sent_at_most_once_per_settle_and_not_forgotten():
    given = Driven(live=True)
    given.feed(jane(touch(START)), now=START)
    assert len(profiles(given.feed(now=START + SETTLE))) == 1
    soon = START + SETTLE + 500
    sent = given.feed(jane(touch(START), touch(START + 1, "demo_requested"), seq=2), now=soon)
    assert types(sent) == ["stage_entered"]
    assert profiles(sent) == []
    assert given.feed(now=START + 2 * SETTLE - 1) == []
    (profile,) = profiles(given.feed(now=START + 2 * SETTLE))
    assert (profile["touches"], profile["stage"]) == (2, "evaluation")
    assert given.feed(now=START + 10 * SETTLE) == []


def test_live_a_profile_that_waits_is_sent_after_a_restart():
    given = Driven(live=True)
    given.feed(jane(touch(START)), now=START)
    given.feed(now=START + SETTLE)
    given.feed(jane(touch(START), touch(START + 1), seq=2), now=START + SETTLE + 500)
    again = given.restarted()
    assert again.feed(now=START + 9_000) == []
    assert profiles(again.feed(now=START + 11_000))[0]["touches"] == 2


# ---- crashes


def test_what_was_changed_but_not_published_is_published_after_a_restart():
    given = Driven()
    given.feed(jane(touch(START)))
    assert "stage_entered" in types(given.restarted().drain())


def test_the_rows_alone_give_every_output_that_holds_or_was_taken_back():
    given = Driven(live=True)
    given.feed(jane(touch(START), touch(START + DAY, "demo_requested")), fragment("domain:acme.nl"))
    given.feed(now=START + SETTLE)
    given.feed(jane(touch(START), seq=2), now=START + 60_000)
    given.feed(jane(touch(START), touch(START + 2, "order_placed"), seq=3), now=START + 120_000)
    last: dict[tuple[str, str], dict] = {}
    for body in everything(given.sent) + profiles(given.sent):
        last[body.get("kind") if body["type"] != "account_profile" else "", body.get("natural_key", "")] = (
            body
        )
    rows = given.rows.group(GROUP)
    version = pack_version(9, 9, 9)
    again = [o for member in rows for o in given.restarted().step.outputs(given.rows, GROUP, member, version)]
    sent = {json.loads(o.value)["id"]: o for o in given.sent}
    assert {b["id"] for b in last.values()} == {json.loads(o.value)["id"] for o in again}
    for output in again:
        assert json.loads(output.value)["version"] == [9, 9, 9]
        original = sent[json.loads(output.value)["id"]]
        seq = json.loads(original.value)["version"][2]
        assert output.value.replace(b"[9,9,9]", b"[1,1,%d]" % seq) == original.value
        assert output._replace(value=None) == original._replace(value=None)


def test_a_session_owes_after_a_crash_what_it_would_have_sent():
    def session():
        made = Session(Driven().step, generation=1, partition=0)
        made.claimed(1)
        made.recovered([])
        return made

    def record(message):
        return Record(topics.SNAPSHOTS.name, 0, 0, 0, b"", msgspec.msgpack.encode(message))

    crashed = session()
    changelog = crashed.work([record(jane(touch(START)))], START).rows
    work = crashed.work([record(Tick(0, START, 1))], START)
    changelog += work.rows
    next_session = Session(Driven().step, generation=1, partition=0)
    next_session.claimed(2)
    owed = next_session.recovered(changelog)
    assert sorted(o.value for o in owed.outputs) == sorted(o.value for o in work.outputs)


def test_what_only_a_lost_session_said_is_taken_back():
    given, lost = Driven(), Driven()
    given.feed(jane(touch(START)))
    given.drain()
    lost.feed(jane(touch(START + 1), touch(START + 2, "demo_requested")))
    lost.drain()
    assert isinstance(given.step, Retracts)
    for member, theirs in lost.rows.group(GROUP).items():
        given.step.adopt(given.rows, GROUP, member, theirs)
    given.rows.keep()
    anew = given.step.outputs(given.rows, GROUP, module.LEDGER, pack_version(1, 2, 0))
    assert folded(lost.sent + anew) == folded(given.sent)
    (back,) = [e for e in events(anew) if e.get("retracted")]
    said = next(e for e in events(lost.sent) if e["natural_key"] == "1/evaluation")
    assert (back["natural_key"], back["corrects"]) == ("1/evaluation", said["id"])
    assert given.step.outputs(given.rows, GROUP, module.PROFILE, bytes(24))  # ours stands
    given.feed(jane(touch(START), touch(START + 2, "demo_requested"), seq=2))  # we come to say it too
    (again,) = [e for e in events(given.drain()) if e["kind"] == "stage"]
    assert (again["corrects"], again["details"]["was"]) == (back["id"], None)


def test_an_account_that_only_a_lost_session_knew_is_gone_until_we_know_it():
    given, lost = Driven(), Driven()
    lost.feed(jane(touch(START)))
    lost.drain()
    for member, theirs in lost.rows.group(GROUP).items():
        given.step.adopt(given.rows, GROUP, member, theirs)
    given.rows.keep()
    version = pack_version(1, 1, 9)
    anew = [o for m in given.rows.group(GROUP) for o in given.step.outputs(given.rows, GROUP, m, version)]
    assert folded(lost.sent + anew) == {}
    assert [p["gone"] for p in profiles(anew)] == [True]
    again = given.restarted()
    again.seq = 9
    again.feed(jane(touch(START)))
    again.drain()
    assert folded(lost.sent + anew + again.sent) == folded(lost.sent)
    assert [p["gone"] for p in profiles(again.sent)] == [False]


def test_the_domain_of_an_address_alone_makes_no_account():
    given = Driven()
    given.feed(fragment("domain:acme.nl"))
    assert profiles(given.drain()) == []
    given.feed(fragment("domain:acme.nl"), jane(touch(START)))
    assert len(profiles(given.drain())) == 1


# ---- failures


def test_an_account_that_fails_harms_no_other_and_is_named(monkeypatch):
    given = Driven()
    given.failing = True
    derive = module.derive

    def fail(snapshots, definition):
        account = derive(snapshots, definition)
        if "account_id:bad" in account.keys:
            raise ZeroDivisionError("bad luck")
        return account

    bad = fragment("account_id:bad")
    bad.account = "abad"
    given.feed(bad, jane(touch(START)))
    monkeypatch.setattr(module, "derive", fail)
    sent = given.drain()
    assert "stage_entered" in types(sent)
    (letter,) = [o for o in sent if o.topic == topics.DEAD.name]
    headers = dict(letter.headers)
    assert json.loads(letter.value) == {"tenant": TENANT, "account": "abad"}
    assert (headers["reason"], headers["field"]) == (b"processing_error", b"account")
    assert headers["error"] == b"ZeroDivisionError: bad luck"
    assert int(headers["offset"]) < 0
    assert given.drain() == []  # not again and again
    monkeypatch.undo()
    assert len(profiles(given.restarted().drain())) == 1  # it was not forgotten


def test_a_record_that_is_no_message_is_the_sessions_business():
    given = Driven()
    with pytest.raises(msgspec.DecodeError):
        given.step.apply(given.rows, [Record("x", 0, 0, 0, b"", b"\xc1")], bytes(24), START)
    given.rows.drop()
    given.feed(jane(touch(START)))
    assert "stage_entered" in types(given.drain())
