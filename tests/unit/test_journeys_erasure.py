"""Nothing that was erased is left in any row; what was told stays a fact and loses the person."""

import json

import pytest

from schemas.internal import AccountRecord, Fact, Mini, Snapshot
from schemas.keys import erased_name, event_key
from schemas.times import rfc3339
from streams.core import Output
from streams.journeys.records import LEDGER
from streams.session import pack_version
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    KEY_OF,
    START,
    TENANT,
    Driven,
    events,
    fragment,
    gone,
    of,
    profiles,
    touch,
)
from tests.unit.test_journeys_records import deliver, left, moved

JANE, CRM, BRAM = "email:jane@acme.nl", "contact_id:7", "email:bram@acme.nl"
VISIT = touch(START, event_id="secret-visit")
DEMO = touch(START + DAY, "demo_requested", event_id="secret-demo", source="crm")
HERS = ("jane@acme.nl", "contact_id:7", "Jane", "secret-visit", "secret-demo")


def hers(identifier: str, *touches: Mini, seq: int = 1) -> Snapshot:
    facts = {"name": Fact(3, START, "web", "Jane Doe")}
    return fragment(identifier, of("c1", *touches), seq=seq, facts=facts)


def erased(identifier: str, *touches: Mini, seq: int, account: str = ACCOUNT) -> Snapshot:
    """What FRAGMENTS says of a fragment of which nothing is left."""
    snapshot = gone(erased_name(KEY_OF(TENANT, identifier)), seq)
    snapshot.account = account
    snapshot.erased = [event_key(KEY_OF, TENANT, touch.source, touch.event_id) for touch in touches]
    return snapshot


def left_over(given: Driven) -> list[tuple[str, bytes]]:
    """What the rows still hold of Jane."""
    return [
        (text, member)
        for group in given.rows.groups()
        for member, value in given.rows.group(group).items()
        for text in HERS
        if text.encode() in value
    ]


def told_of_her(outputs: list[Output]) -> list[str]:
    return [text for output in outputs for text in HERS if text.encode() in (output.value or b"")]


def published(*, live: bool = False) -> Driven:
    given = Driven(live=live)
    given.feed(hers(CRM, DEMO), hers(JANE, VISIT))
    assert given.drain() if not live else given.feed(now=START + 9_000)
    assert {text for text, _ in left_over(given)} == set(HERS)
    return given


@pytest.mark.parametrize("live", [False, True])
def test_no_row_holds_anything_of_who_was_erased_from_the_moment_it_is_known(live: bool):
    given = published(live=live)
    given.feed(erased(CRM, DEMO, seq=2), erased(JANE, VISIT, seq=2), now=START + 10_000)
    assert left_over(given) == []
    owed = [
        output
        for group in given.rows.groups()
        for member in given.rows.group(group)
        for output in given.step.outputs(given.rows, group, member, pack_version(1, 1, 9))
    ]
    assert owed
    assert told_of_her(owed) == []


def test_what_was_told_is_taken_back_without_the_person():
    given = published()
    first = {e["id"]: e for e in events(given.sent)}
    given.feed(erased(CRM, DEMO, seq=2), erased(JANE, VISIT, seq=2))
    sent = given.drain()
    assert told_of_her(sent) == []
    assert {e["corrects"] for e in events(sent)} == set(first)
    for event in events(sent):
        assert event["retracted"]
        assert "contact" not in event
        assert "caused_by" not in event
        former = first[event["corrects"]]
        assert (event["occurred_at"], event["natural_key"]) == (former["occurred_at"], former["natural_key"])
    (profile,) = profiles(sent)
    assert (profile["gone"], profile["members"], profile["journeys"]) == (True, [], [])
    assert left_over(given) == []


def test_others_keep_what_is_theirs():
    given = Driven()
    brams = touch(START + 2 * DAY, "catalogue_requested", event_id="brams")
    given.feed(hers(CRM, DEMO), hers(JANE, VISIT), fragment("domain:acme.nl"))
    given.feed(fragment(BRAM, of("c2", brams), facts={"name": Fact(3, START, "web", "Bram")}))
    given.drain()
    given.feed(erased(CRM, DEMO, seq=2), erased(JANE, VISIT, seq=2))
    sent = given.drain()
    moved = {e["natural_key"]: e.get("caused_by") for e in events(sent) if not e.get("retracted")}
    assert moved == {"1": ["brams"], "1/awareness": ["brams"], "1/consideration": ["brams"]}
    (profile,) = profiles(sent)
    assert [m["name"] for m in profile["members"]] == ["Bram"]
    assert left_over(given) == []


def test_of_a_fragment_of_which_something_is_left_only_the_erased_events_go():
    given = published()
    later = touch(START + 90 * DAY, event_id="later")
    again = fragment(JANE, of("c9", later), seq=2)
    again.erased = erased(JANE, VISIT, seq=2).erased
    given.feed(erased(CRM, DEMO, seq=2), again)
    given.drain()
    rest = {text for text, _ in left_over(given)}
    assert rest == {"jane@acme.nl"}
    told = [e for e in events(given.sent) if not e.get("retracted")]
    assert {e["contact"]["id"] for e in told[-4:] if "contact" in e} == {"c9"}


def test_a_profile_that_looks_the_same_is_sent_again_after_its_causes_were_scrubbed():
    given = Driven()
    device = touch(START + DAY, event_id="secret-visit")
    given.feed(fragment(BRAM, of("c2", touch(START, event_id="brams"))))
    given.feed(fragment("device_id:d", of("c2", device)))
    given.drain()
    gone_device = fragment("device_id:d", of("c2", touch(START + DAY, event_id="other")), seq=2)
    gone_device.erased = erased("device_id:d", device, seq=2).erased
    given.feed(gone_device)
    (profile,) = profiles(given.drain())
    assert profile["journeys"][0]["stages"][0]["caused_by"] == ["brams"]


def after_a_merge() -> Driven:
    given = published()
    firm = "afirm"
    sent = given.feed(left(ACCOUNT, CRM, 2, firm), *moved(JANE, ACCOUNT, firm, of("c1", VISIT), seq=2))
    deliver(given, sent)
    given.drain()
    return given


def test_an_account_that_has_ceased_takes_back_what_it_told_of_who_is_erased():
    given = after_a_merge()
    before = {e["id"] for e in events(given.sent) if e["subject"] == ACCOUNT}
    given.feed(erased(CRM, DEMO, seq=3), erased(JANE, VISIT, seq=3))
    sent = [e for e in events(given.drain()) if e["subject"] == ACCOUNT]
    assert {e["corrects"] for e in sent} == before
    assert all(e["retracted"] and "caused_by" not in e and "contact" not in e for e in sent)


def test_what_was_erased_before_an_account_ceased_is_taken_back_all_the_same():
    given = published()
    given.feed(erased(CRM, DEMO, seq=2))
    deliver(given, given.feed(*moved(JANE, ACCOUNT, "afirm", of("c1", VISIT), seq=2)))
    given.drain()
    folded = {(e["subject"], e["kind"], e["natural_key"]): e for e in events(given.sent)}
    assert [e for e in folded.values() if "secret-demo" in e.get("caused_by", ())] == []


def test_what_an_account_of_that_name_told_of_a_later_touch_loses_the_name_too():
    given = Driven()
    later = touch(START + 90 * DAY, "demo_requested", event_id="later")
    given.feed(hers(JANE, VISIT, later))
    assert "Jane" in told_of_her(given.drain())
    withdrawal, snapshot = moved(JANE, ACCOUNT, "anew", of("c9", later), seq=2)
    withdrawal.erased = snapshot.erased = erased(JANE, VISIT, seq=2).erased
    deliver(given, given.feed(withdrawal, snapshot))
    given.drain()
    folded = {(e["subject"], e["kind"], e["natural_key"]): e for e in events(given.sent)}
    assert [e for e in folded.values() if "Jane" in json.dumps(e)] == []
    withdrawal, again = left(ACCOUNT, JANE, 3, "anew"), fragment(JANE, of("c9", later), seq=3)
    again.account, again.predecessors = "anew", snapshot.predecessors
    withdrawal.erased = again.erased = snapshot.erased
    deliver(given, given.feed(withdrawal, again))
    assert events(given.drain()) == []


def test_what_had_been_taken_back_loses_the_person_too():
    given = published()
    given.feed(gone(JANE, 2), gone(CRM, 2))
    assert all(e["retracted"] for e in events(given.drain()))
    given.feed(erased(CRM, DEMO, seq=3), erased(JANE, VISIT, seq=3))
    given.drain()
    folded = {(e["subject"], e["kind"], e["natural_key"]): e for e in events(given.sent)}
    assert {e["retracted"] for e in folded.values()} == {True}
    assert [text for text in HERS for e in folded.values() if text in json.dumps(e)] == []


def test_who_was_one_with_somebody_is_not_named_any_more():
    given = Driven()
    given.feed(fragment(JANE, of("c9", VISIT)), hers(CRM, DEMO))
    given.drain()
    given.feed(hers(JANE, VISIT, seq=2))
    assert "contact_merged" in [e["type"] for e in events(given.drain())]
    given.feed(erased(CRM, DEMO, seq=3), erased(JANE, VISIT, seq=3))
    given.drain()
    folded = {(e["subject"], e["kind"], e["natural_key"]): e for e in events(given.sent)}
    assert [text for text in HERS for e in folded.values() if text in json.dumps(e)] == []


def test_who_is_back_after_an_erasure_is_not_erased_again():
    given = published()
    again = touch(START + 90 * DAY, event_id="later")
    for seq in (2, 3):
        back = fragment(JANE, of("c9", again), seq=seq)
        back.erased, back.anew = erased(JANE, VISIT, seq=2).erased, START + 60 * DAY
        given.feed(back, *([erased(CRM, DEMO, seq=2)] if seq == 2 else []))
        sent = given.drain()
    assert events(sent) == []
    assert profiles(given.sent)[-1]["anew"] == {JANE: rfc3339(START + 60 * DAY)}


def test_a_merge_that_was_undone_before_the_erasure_loses_the_person_too():
    given = published()
    given.feed(fragment(JANE, of("c2", VISIT), seq=2))  # two people
    given.drain()
    given.feed(fragment(CRM, of("c2", DEMO), seq=2))  # one
    given.drain()
    given.feed(fragment(CRM, of("c1", DEMO), seq=3))  # two
    given.drain()
    assert [e["natural_key"] for e in events(given.sent) if e["kind"] == "contact_change"] == [
        *("c1/c2", "c1", "c2/c1"),
    ]
    given.feed(erased(CRM, DEMO, seq=4), erased(JANE, VISIT, seq=4))
    given.drain()
    assert left_over(given) == []
    last = {(e["kind"], e["natural_key"]): e for e in events(given.sent)}
    assert [e for e in last.values() if "contact" in e or not e.get("retracted")] == []


def test_what_a_lost_session_said_is_all_that_is_scrubbed_when_it_is_taken_back():
    given, lost = published(), published()
    again = fragment(JANE, of("c1", VISIT), seq=2)  # of a contact that lives on
    again.erased = erased(CRM, DEMO, seq=2).erased
    given.feed(again)
    given.drain()
    rows = given.rows.group(KEY_OF(TENANT, "account", ACCOUNT))
    theirs = lost.rows.group(KEY_OF(TENANT, "account", ACCOUNT))[LEDGER]
    given.step.adopt(given.rows, KEY_OF(TENANT, "account", ACCOUNT), LEDGER, theirs)
    given.rows.keep()
    assert given.rows.group(KEY_OF(TENANT, "account", ACCOUNT)) == rows


@pytest.mark.parametrize("on", [False, True], ids=["kept", "passed on"])
def test_what_is_told_to_an_account_that_will_not_hear_of_an_erasure_names_nobody(on: bool):
    given = Driven()
    brams = touch(START + 2 * DAY, event_id="brams")
    given.feed(hers(JANE, VISIT), fragment(BRAM, of("c2", brams)))
    given.drain()
    given.feed(*moved(JANE, ACCOUNT, "afirm", of("c1", VISIT), seq=2))
    sent = given.feed(*moved(BRAM, ACCOUNT, "aother", of("c2", brams), seq=2))  # which takes all along
    if on:
        given.feed(*moved(BRAM, "aother", "athird", of("c2", brams), seq=3))
        deliver(given, deliver(given, sent))
    else:
        deliver(given, sent)
    for account in (ACCOUNT, "afirm"):
        given.feed(erased(JANE, VISIT, seq=4, account=account))
    assert left_over(given) == []
    sent = given.drain()
    assert "account_merged" in [e["type"] for e in events(sent)]
    assert told_of_her(sent) == []


def test_what_was_handed_over_is_scrubbed_at_both_ends():
    given = published()
    firm = "afirm"
    sent = given.feed(left(ACCOUNT, CRM, 2, firm), *moved(JANE, ACCOUNT, firm, of("c1", VISIT), seq=2))
    records: list[Output] = sent
    for account in (ACCOUNT, firm):
        given.feed(erased(CRM, DEMO, seq=3, account=account), erased(JANE, VISIT, seq=3, account=account))
    assert left_over(given) == []
    deliver(given, records)  # it was on its way
    assert left_over(given) == []
    given.drain()
    assert left_over(given) == []


def test_a_ledger_that_was_handed_over_before_is_scrubbed_in_all_rows():
    given = published()
    firm = "afirm"
    sent = given.feed(left(ACCOUNT, CRM, 2, firm), *moved(JANE, ACCOUNT, firm, of("c1", VISIT), seq=2))
    deliver(given, sent)
    for account in (ACCOUNT, firm):
        given.feed(erased(CRM, DEMO, seq=3, account=account), erased(JANE, VISIT, seq=3, account=account))
    assert left_over(given) == []
    assert told_of_her(given.drain()) == []


def test_what_only_a_lost_session_said_of_who_was_erased_is_taken_back_without_the_person():
    given, lost = Driven(), published()
    given.feed(erased(CRM, DEMO, seq=2), erased(JANE, VISIT, seq=2))
    group = KEY_OF(TENANT, "account", ACCOUNT)
    for member, theirs in lost.rows.group(group).items():
        given.step.adopt(given.rows, group, member, theirs)
    given.rows.keep()
    assert left_over(given) == []


def test_the_names_of_rows_are_names_of_nobody():
    given = published()
    record = AccountRecord(TENANT, "afirm", ACCOUNT, KEY_OF(TENANT, JANE), pack_version(1, 1, 2), b"")
    given.feed(record)
    for group in given.rows.groups():
        for member in given.rows.group(group):
            assert b"jane" not in member
    assert json.loads(given.sent[0].value or b"")["tenant"] == TENANT
