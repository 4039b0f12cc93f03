"""Fragments move between accounts: what is told then, what is not told twice, what a crash owes."""

import random
from collections.abc import Callable
from itertools import permutations
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.internal import AccountRecord, Part, Snapshot, Tick
from schemas.times import rfc3339
from streams.core import Output, Record, Rows
from streams.journeys.records import HANDED, LEDGER, ledgers_of
from streams.session import Session, pack_version, unpack_version
from tests.unit.test_journeys_given import (
    DAY,
    KEY_OF,
    START,
    TENANT,
    Driven,
    events,
    folded,
    fragment,
    gone,
    of,
    profiles,
    touch,
)

JANE, BRAM, DOMAIN = "email:jane@acme.nl", "email:bram@acme.nl", "domain:acme.nl"
PIET = "email:piet@acme.nl"
FIRM, OTHER, PERSON = "afirm", "aother", "ajane"  # the account of kind person of contact "cjane" is "ajane"

_record = msgspec.msgpack.Decoder(AccountRecord).decode


def at(account: str, snapshot: Snapshot, came: dict[str, int] | None = None) -> Snapshot:
    """The snapshot, of this account; `came`: from which accounts, by withdrawals of which version."""
    snapshot.account = account
    snapshot.predecessors = {name: pack_version(1, 1, seq) for name, seq in (came or {}).items()}
    return snapshot


def left(account: str, identifier: str, seq: int, *successors: str) -> Snapshot:
    snapshot = gone(identifier, seq)
    snapshot.account, snapshot.successors = account, list(successors)
    return snapshot


def moved(identifier: str, origin: str, to: str, *parts: Part, seq: int) -> list[Snapshot]:
    """What FRAGMENTS says when a fragment moves as a whole."""
    return [left(origin, identifier, seq, to), at(to, fragment(identifier, *parts, seq=seq), {origin: seq})]


def answers(outputs: list[Output]) -> list[AccountRecord]:
    return [_record(o.value or b"") for o in outputs if o.topic == topics.RECORDS.name]


def group(account: str) -> bytes:
    return KEY_OF(TENANT, "account", account)


def told(outputs: list[Output], account: str) -> list[str]:
    return [e["type"] for e in events(outputs) if e["subject"] == account]


def only(outputs: list[Output], event_type: str) -> dict[str, Any]:
    (found,) = [e for e in events(outputs) if e["type"] == event_type]
    return found


def stages(outputs: list[Output]) -> list[tuple[tuple[str, str, str], tuple[str, list[str], str | None]]]:
    """The stages that hold after these outputs, by subject, kind and natural key."""
    return [(key, value) for key, value in folded(outputs).items() if key[1] == "stage"]


def deliver(given: Driven, outputs: list[Output]) -> list[Output]:
    """Feed the answers among these outputs."""
    return given.feed(*answers(outputs))


JANES = (touch(START), touch(START + DAY, "demo_requested"))


def published() -> Driven:
    """Jane's own account and a firm with Bram, both told of."""
    given = Driven()
    given.feed(at(PERSON, fragment(JANE, of("cjane", *JANES))))
    given.feed(at(FIRM, fragment(BRAM, of("cbram", touch(START + 2 * DAY)))), at(FIRM, fragment(DOMAIN)))
    given.drain()
    return given


# ---- an account becomes part of another


def test_after_a_merge_nothing_is_told_twice():
    given = Driven()
    given.feed(at(PERSON, fragment(JANE, of("cjane", *JANES))))
    given.drain()
    sent = given.feed(
        *moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2),
        at(FIRM, fragment(DOMAIN)),
    )
    (answer,) = answers(sent)
    assert (answer.account, answer.predecessor, answer.version) == (FIRM, PERSON, pack_version(1, 1, 2))
    deliver(given, sent)
    sent = given.drain()
    assert told(sent, FIRM) == ["account_merged"]
    assert told(sent, PERSON) == []
    assert [(p["subject"], p["gone"]) for p in profiles(sent)] == [(PERSON, True), (FIRM, False)]
    event = only(sent, "account_merged")
    assert (event["kind"], event["natural_key"]) == ("account_change", PERSON)
    assert event["details"] == {
        "from": PERSON,
        "into": FIRM,
        "journeys": {f"{PERSON}.1": f"{FIRM}.1"},
        "until": [1, 1, 3],
    }


def test_after_a_merge_true_differences_are_told():
    given = published()
    sent = given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2))
    deliver(given, sent)
    sent = given.drain()
    assert told(sent, FIRM) == ["account_merged", "journey_opened", "stage_corrected"]
    corrected = only(sent, "stage_corrected")
    assert corrected["details"]["was"] == "2025-01-03T00:00:00Z"
    assert corrected["details"]["now"] == "2025-01-01T00:00:00Z"
    (firm,) = [p for p in profiles(sent) if p["subject"] == FIRM]
    assert [(s["stage"], s["corrected"]) for s in firm["journeys"][0]["stages"]] == [
        ("awareness", True),
        ("evaluation", False),
    ]
    assert given.drain() == []


def test_what_was_taken_over_is_corrected_and_taken_back_by_who_took_it():
    given = published()
    evaluation = next(e for e in events(given.sent) if e["natural_key"] == "1/evaluation")
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    given.feed(at(FIRM, fragment(JANE, of("cjane", JANES[0]), seq=3), {PERSON: 2}))
    (back,) = events(given.drain())
    assert (back["subject"], back["natural_key"], back["retracted"]) == (FIRM, "1/evaluation", True)
    assert back["corrects"] == evaluation["id"]


def test_a_journey_is_the_same_also_where_the_touch_that_opened_it_went_elsewhere():
    given = Driven()
    brams = of("cbram", touch(START - DAY))
    given.feed(at(OTHER, fragment(JANE, of("cjane", *JANES))), at(OTHER, fragment(BRAM, brams)))
    given.drain()
    deliver(given, given.feed(*moved(BRAM, OTHER, "athird", brams, seq=2)))
    deliver(given, given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=2)))
    sent = given.drain()
    assert only(sent, "account_merged")["details"]["journeys"] == {f"{OTHER}.1": f"{FIRM}.1"}
    assert "1/evaluation" not in {e["natural_key"] for e in events(sent) if e["subject"] == FIRM}


def test_what_the_other_one_told_and_is_otherwise_is_corrected():
    given = Driven()
    given.feed(at(PERSON, fragment(JANE, of("cjane", *JANES))))
    given.drain()
    ids = {event["natural_key"]: event["id"] for event in events(given.sent) if event["kind"] == "stage"}
    earlier = at(FIRM, fragment(BRAM, of("cbram", touch(START - DAY, "order_placed"))))
    deliver(given, given.feed(earlier, *moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    sent = events(given.drain())
    stages = {event["natural_key"]: event for event in sent if event["kind"] == "stage"}
    assert set(stages) == {"1/awareness", "1/evaluation", "1/purchase"}
    awareness, evaluation = stages["1/awareness"], stages["1/evaluation"]
    assert (awareness["type"], awareness["corrects"]) == ("stage_corrected", ids["1/awareness"])
    assert awareness["details"]["was"] == "2025-01-01T00:00:00Z"
    assert awareness["details"]["now"] == "2024-12-31T00:00:00Z"
    assert (evaluation["retracted"], evaluation["corrects"]) == (True, ids["1/evaluation"])
    assert "caused_by" not in evaluation  # whose it was may be erased elsewhere
    assert {event["natural_key"] for event in sent if event["kind"] == "moment"} == {
        "1/evaluation",
        "1/first_order",
    }


def test_a_contact_that_another_account_told_of_and_is_somebody_else_here_was_merged():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cbram", *JANES), seq=2)))
    merged = only(given.drain(), "contact_merged")
    assert merged["details"] == {"from": "cjane", "into": "cbram"}


def test_only_the_account_that_told_something_says_it_again():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    ids = {event["id"] for event in events(given.sent) if event["subject"] == PERSON}
    version = pack_version(1, 9, 9)
    again = given.step.outputs(given.rows, group(PERSON), LEDGER, version)
    assert {event["id"] for event in events(again)} == ids
    until = only(given.sent, "account_merged")["details"]["until"]
    assert [event["version"] for event in events(again)] == [until] * len(ids)
    firm = given.step.outputs(given.rows, group(FIRM), LEDGER, version)
    assert {event["subject"] for event in events(firm)} == {FIRM}
    assert "1/evaluation" not in {event["natural_key"] for event in events(firm)}


def test_an_account_that_goes_on_answers_with_nothing_and_takes_back_what_left():
    given = Driven()
    given.feed(
        at(OTHER, fragment(JANE, of("cjane", *JANES))), at(OTHER, fragment(BRAM, of("cbram", touch(START))))
    )
    given.drain()
    sent = given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=2))
    assert [answer.ledger for answer in answers(sent)] == [b""]
    deliver(given, sent)
    sent = given.drain()
    assert "account_merged" not in told(sent, FIRM)
    assert "stage_entered" in told(sent, FIRM)
    assert {e["natural_key"] for e in events(sent) if e["subject"] == OTHER and e.get("retracted")} == {
        "1/evaluation",
        "cjane/1",
    }


def test_an_account_that_was_never_told_of_has_nothing_to_hand_over():
    given = Driven()
    given.feed(at(PERSON, fragment(JANE, of("cjane", *JANES))))
    sent = given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2))
    assert [answer.ledger for answer in answers(sent)] == [b""]
    deliver(given, sent)
    assert "account_merged" not in told(given.drain(), FIRM)


def test_an_unknown_account_answers():
    given = Driven()
    (answer,) = answers(given.feed(left(PERSON, JANE, 4, FIRM)))
    assert (answer.account, answer.predecessor, answer.ledger) == (FIRM, PERSON, b"")


def test_the_last_fragment_that_leaves_takes_the_ledger_along_and_a_second_request_gets_nothing():
    given = Driven()
    given.feed(
        at(OTHER, fragment(JANE, of("cjane", *JANES))), at(OTHER, fragment(BRAM, of("cbram", touch(START))))
    )
    given.drain()
    (first,) = answers(given.feed(left(OTHER, JANE, 2, FIRM)))
    (last,) = answers(given.feed(left(OTHER, BRAM, 2, "athird")))
    (again,) = answers(given.feed(left(OTHER, JANE, 3, FIRM)))
    (same,) = answers(given.feed(left(OTHER, BRAM, 3, "athird")))
    assert [bool(answer.ledger) for answer in (first, last, again, same)] == [False, True, False, True]


def test_an_account_to_which_fragments_come_back_tells_anew_what_holds():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    deliver(given, given.feed(*moved(JANE, FIRM, PERSON, of("cjane", *JANES), seq=3)))
    sent = given.drain()
    again = [e for e in events(sent) if e["subject"] == PERSON]
    assert [e["type"] for e in again] == [
        "journey_opened",
        "contact_identified",
        "stage_corrected",
        "stage_corrected",
    ]
    assert [e["details"]["was"] for e in again[2:]] == [None, None]  # it holds again
    split = only(sent, "account_split")
    assert (split["subject"], split["details"]) == (FIRM, {"from": FIRM, "into": PERSON, "keys": []})
    assert {(subject, key) for (subject, _, key), _ in stages(given.sent)} == {
        (PERSON, "1/awareness"),
        (PERSON, "1/evaluation"),
        (FIRM, "1/awareness"),
    }
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=4)))
    assert "account_merged" in told(given.drain(), FIRM)


def test_two_accounts_that_swap_fragments_lose_and_repeat_nothing():
    given = Driven()
    brams = (touch(START + 2 * DAY, "catalogue_requested"),)
    given.feed(at(FIRM, fragment(JANE, of("cjane", *JANES))), at(OTHER, fragment(BRAM, of("cbram", *brams))))
    given.drain()
    sent = given.feed(
        *moved(JANE, FIRM, OTHER, of("cjane", *JANES), seq=2),
        *moved(BRAM, OTHER, FIRM, of("cbram", *brams), seq=2),
    )
    deliver(given, sent)
    sent = given.drain()
    assert {p["subject"] for p in profiles(sent)} == {FIRM, OTHER}
    held = {(subject, key, cause) for (subject, _, key), (_, (cause,), _) in stages(given.sent)}
    assert held == {
        (FIRM, "1/awareness", brams[0].event_id),
        (FIRM, "1/consideration", brams[0].event_id),
        (OTHER, "1/awareness", JANES[0].event_id),
    }
    merged = only(sent, "account_merged")["details"]
    assert merged["into"] == OTHER
    back = next(e for e in events(sent) if (e["subject"], e["natural_key"]) == (FIRM, "1/evaluation"))
    assert back["retracted"]
    assert back["version"] > merged["until"]  # so it counts for the other one still
    firms = [e for e in events(given.sent) if e["subject"] == FIRM and e["version"] <= merged["until"]]
    assert "1/evaluation" in {e["natural_key"] for e in firms if not e.get("retracted")}


def test_what_was_handed_to_one_account_is_still_known_when_something_else_goes_to_another_one():
    given = published()
    first = given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2))
    brams = touch(START + 2 * DAY)
    deliver(given, given.feed(*moved(BRAM, FIRM, PERSON, of("cbram", brams), seq=2)))
    given.drain()
    given.feed(*moved(BRAM, PERSON, "athird", of("cbram", brams), seq=3))
    rows = given.rows.group(group(PERSON))
    owed = [o for m in rows for o in given.step.outputs(given.rows, group(PERSON), m, pack_version(1, 9, 9))]
    assert answers(first)[0] in answers(owed)


def test_what_an_account_passes_on_later_is_known_beside_what_it_told_itself():
    given = published()
    own = given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2))
    (told_itself,) = answers(own)
    late = msgspec.structs.replace(
        told_itself,
        ledger=msgspec.msgpack.encode(
            [msgspec.structs.replace(ledger, account="athird") for ledger in ledgers_of(told_itself.ledger)]
        ),
    )
    given.feed(told_itself, late)
    sent = given.drain()
    merged = [e["details"]["from"] for e in events(sent) if e["type"] == "account_merged"]
    assert sorted(merged) == [PERSON, "athird"]


def test_an_account_of_which_one_part_comes_and_to_which_another_one_goes_at_once_is_told_of_in_both():
    given = Driven()
    brams = touch(START + 2 * DAY)
    given.feed(at(OTHER, fragment(JANE, of("cjane", *JANES))))
    given.feed(at(FIRM, fragment(BRAM, of("cbram", brams))), at(FIRM, fragment(DOMAIN)))
    given.drain()
    first = given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=2))
    second = given.feed(*moved(DOMAIN, FIRM, OTHER, seq=2))
    deliver(given, first)
    deliver(given, second)
    sent = given.drain()
    assert only(sent, "account_merged")["natural_key"] == OTHER
    assert only(sent, "account_split")["natural_key"] == f"{FIRM}/{OTHER}"


def test_an_account_that_comes_back_takes_back_what_does_not_hold_any_more():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    deliver(given, given.feed(*moved(JANE, FIRM, PERSON, of("cjane", JANES[0]), seq=3)))
    given.drain()
    held = {key for (subject, _, key), _ in stages(given.sent) if subject == PERSON}
    assert held == {"1/awareness"}


def test_a_fragment_that_moves_twice_before_an_answer_comes_again_adds_nothing():
    given = published()
    first = given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2))
    given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=3))
    sizes = []
    for _ in range(3):
        deliver(given, first)
        sizes.append(len(given.rows.group(group(OTHER))[HANDED + group(FIRM)]))
    assert len(set(sizes)) == 1


def test_what_is_handed_to_an_account_that_has_ceased_goes_on():
    given = published()
    first = given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2))
    second = given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=3))  # before the first answer
    assert [answer.ledger for answer in answers(second)] == [b""]
    third = deliver(given, first)
    (passed,) = answers(third)
    assert (passed.account, passed.predecessor, bool(passed.ledger)) == (FIRM, OTHER, True)
    deliver(given, second)
    deliver(given, third)
    sent = given.drain()
    assert told(sent, FIRM) == ["account_merged", "journey_opened", "stage_corrected"]
    assert only(sent, "account_merged")["details"]["from"] == PERSON


def test_an_account_that_gets_its_own_ledger_back_goes_on_where_it_was():
    given = published()
    first = given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2))
    deliver(given, first)
    second = given.feed(*moved(JANE, OTHER, PERSON, of("cjane", *JANES), seq=3))
    deliver(given, second)
    assert events(given.drain()) == []


def test_a_journey_that_comes_back_under_another_number_is_told_anew():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2)))
    deliver(given, given.feed(*moved(JANE, OTHER, PERSON, of("cjane", *JANES), seq=3)))
    given.feed(at(PERSON, fragment(BRAM, of("cbram", touch(START - 400 * DAY)))))
    given.drain()
    opened = {key[2]: at for key, (at, _, _) in folded(given.sent).items() if key[:2] == (PERSON, "journey")}
    assert opened == {"1": "2023-11-28T00:00:00Z", "2": "2025-01-01T00:00:00Z"}


def test_an_account_that_gets_its_own_ledger_back_takes_back_what_no_longer_holds():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, OTHER, of("cjane", *JANES), seq=2)))
    deliver(given, given.feed(*moved(JANE, OTHER, PERSON, of("cjane", JANES[0]), seq=3)))
    (back,) = events(given.drain())
    assert (back["subject"], back["natural_key"], back["retracted"]) == (PERSON, "1/evaluation", True)


def test_a_firm_that_becomes_part_of_another_one_is_not_split():
    given = Driven()
    given.feed(at(OTHER, fragment(JANE, of("cjane", *JANES))), at(OTHER, fragment(DOMAIN)))
    given.drain()
    sent = given.feed(
        *moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=2), *moved(DOMAIN, OTHER, FIRM, seq=2)
    )
    assert [bool(answer.ledger) for answer in answers(sent)] == [False, True]
    deliver(given, sent)
    sent = given.drain()
    assert told(sent, FIRM) == ["account_merged"]
    assert told(sent, OTHER) == []


@pytest.mark.parametrize("told_between", [False, True])
def test_an_earlier_answer_that_comes_again_after_a_later_one_is_nothing_new(told_between: bool):
    given = published()
    earlier = given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2))
    deliver(given, given.feed(*moved(JANE, FIRM, PERSON, of("cjane", *JANES), seq=3)))
    ordered = of("cjane", *JANES, touch(START + 3 * DAY, "order_placed"))
    given.feed(at(PERSON, fragment(JANE, ordered, seq=4), {FIRM: 3}))
    given.drain()
    later = given.feed(*moved(JANE, PERSON, FIRM, ordered, seq=5))
    until = list(unpack_version(ledgers_of(answers(later)[0].ledger)[0].until))
    deliver(given, later)
    sent = given.drain() if told_between else []
    deliver(given, earlier)
    sent += given.drain()
    (merged,) = [e["details"]["until"] for e in events(sent) if e["type"] == "account_merged"]
    assert merged == until
    assert "1/purchase" not in {e["natural_key"] for e in events(sent) if e["subject"] == FIRM}


def test_what_was_handed_to_an_account_that_is_gone_waits_until_something_stands_there():
    given = published()
    asked = given.feed(left(PERSON, JANE, 2, OTHER), at(OTHER, fragment(JANE, of("cjane", *JANES), seq=2)))
    given.feed(left(OTHER, JANE, 3))
    deliver(given, asked)
    assert told(given.drain(), OTHER) == []
    given.feed(at(OTHER, fragment(JANE, of("cjane", *JANES), seq=4)))
    assert told(given.drain(), OTHER) == ["account_merged"]


# ---- waiting


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("order", permutations(("snapshot", "answer", "time")), ids=" ".join)
def test_in_whatever_order_snapshot_answer_and_time_come_nothing_is_told_twice(
    order: tuple[str, ...], live: bool
):
    given = Driven(live=live)
    hour = 3_600_000

    def time() -> None:
        given.drain(now=START + hour * (given.drains + 1))

    given.feed(at(PERSON, fragment(JANE, of("cjane", *JANES))))
    time()
    withdrawal, snapshot = moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)
    (answer,) = answers(given.feed(withdrawal, now=START + hour))
    before = len(given.sent)
    for what in order:
        if what == "time":
            time()
        else:
            given.feed(snapshot if what == "snapshot" else answer, now=START + hour * given.drains)
    time()
    assert told(given.sent[before:], FIRM) == ["account_merged"]


@pytest.mark.parametrize("restart", [False, True])
def test_run_an_account_that_waits_is_published_when_the_last_answer_comes(restart: bool):
    given = published()
    asked = given.feed(
        *moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2),
        left(OTHER, BRAM, 2, FIRM),
        at(FIRM, fragment(BRAM, of("cbram", touch(START + 2 * DAY)), seq=2), {OTHER: 2}),
    )
    one, two = answers(asked)
    assert told(given.drain(), FIRM) == []
    if restart:
        given = given.restarted()
    assert given.feed(one) == []
    assert "account_merged" in told(given.feed(two), FIRM)
    assert given.feed(one, two) == []


def test_live_an_account_that_waits_stays_dirty_until_it_is_answered():
    given = Driven(live=True)
    _, snapshot = moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)
    given.feed(snapshot)
    assert given.feed(now=START + 60_000) == []
    answer = AccountRecord(TENANT, FIRM, PERSON, KEY_OF(TENANT, JANE), pack_version(1, 1, 2), b"")
    assert "stage_entered" in told(given.feed(answer, now=START + 60_001), FIRM)


def test_an_answer_to_an_earlier_withdrawal_does_not_do():
    given = Driven(live=True)
    given.feed(at(FIRM, fragment(JANE, of("cjane", *JANES), seq=4), {PERSON: 4}))
    answer = AccountRecord(TENANT, FIRM, PERSON, KEY_OF(TENANT, JANE), pack_version(1, 1, 2), b"")
    assert given.feed(answer, now=START + 60_000) == []
    later = msgspec.structs.replace(answer, version=pack_version(1, 1, 5))  # the withdrawal said again
    assert told(given.feed(later, now=START + 60_001), FIRM)


@pytest.mark.parametrize("former", [[], [left(FIRM, JANE, 1)]], ids=["new", "back"])
def test_an_answer_that_comes_before_its_snapshot_is_kept(former: list[Snapshot]):
    given = published()
    given.feed(*former)
    withdrawal, snapshot = moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)
    deliver(given, given.feed(withdrawal))
    assert told(given.drain(), FIRM) == []  # its snapshot has not come: what was told is not taken up yet
    given = given.restarted()
    given.feed(snapshot)
    assert told(given.drain(), FIRM) == ["account_merged", "journey_opened", "stage_corrected"]


def test_nobody_waits_for_itself_nor_for_a_fragment_that_left_again():
    given = Driven()
    given.feed(at(FIRM, fragment(JANE, of("cjane", *JANES), seq=2), {FIRM: 2}))
    assert told(given.drain(), FIRM)
    given.feed(at(FIRM, fragment(BRAM, of("cbram", *JANES), seq=2), {PERSON: 2}), left(FIRM, BRAM, 3))
    given.feed(at(FIRM, fragment(JANE, of("cjane", JANES[0]), seq=3)))
    assert told(given.drain(), FIRM)


def test_a_fragment_that_comes_back_is_not_waited_for_again():
    given = published()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    given.feed(left(FIRM, JANE, 3, OTHER))
    deliver(given, given.feed(*moved(JANE, OTHER, FIRM, of("cjane", *JANES), seq=4)))
    ordered = of("cjane", *JANES, touch(START + 9 * DAY, "order_placed"))
    given.feed(at(FIRM, fragment(JANE, ordered, seq=5), {PERSON: 2, OTHER: 4}))
    assert told(given.drain(), FIRM)


def test_an_answer_outlives_the_withdrawal_of_what_was_before():
    given = Driven()
    given.feed(at(FIRM, fragment(JANE, of("cjane", *JANES), seq=2)))
    given.feed(AccountRecord(TENANT, FIRM, PERSON, KEY_OF(TENANT, JANE), pack_version(1, 1, 5), b""))
    given.feed(left(FIRM, JANE, 3, PERSON))
    given.feed(at(FIRM, fragment(JANE, of("cjane", *JANES), seq=5), {PERSON: 5}))
    assert told(given.drain(), FIRM)


# ---- crashes


def scenario() -> list[list[Snapshot | Tick]]:
    """Two runs: accounts are told of, then one becomes part of another, and one loses Piet to that one."""
    piets = of("cpiet", touch(START + 3 * DAY))
    return [
        [
            at(PERSON, fragment(JANE, of("cjane", *JANES))),
            at(OTHER, fragment(PIET, piets)),
            at(OTHER, fragment("domain:other.nl")),
            at(FIRM, fragment(BRAM, of("cbram", touch(START + 2 * DAY)))),
        ],
        [Tick(0, START, 1)],
        [left(PERSON, JANE, 2, FIRM)],
        moved(PIET, OTHER, FIRM, piets, seq=2),
        [at(FIRM, fragment(JANE, of("cjane", *JANES), seq=2), {PERSON: 2}), Tick(0, START, 2)],
    ]


class Crashing:
    """A partition whose session dies between the effects that `dies` says, and is followed by another one."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        self.dies = dies
        self.changelog: list[tuple[bytes, bytes]] = []
        self.sent: list[Output] = []
        self.records: list[Record] = []
        self.epoch = 0
        self.session = self.begin()

    def begin(self) -> Session:
        while True:
            self.epoch += 1
            session = Session(Driven().step, generation=1, partition=0)
            session.claimed(self.epoch)
            work = session.recovered(self.changelog)
            if self.effects(work.rows, work.outputs):
                session.sent(work)
                return session

    def effects(self, rows: list[tuple[bytes, bytes]], outputs: list[Output]) -> bool:
        for row in rows:  # a work whose rows are there in part is done again
            self.changelog.append(row)
            if self.dies():
                return False
        for output in outputs:
            if self.dies():
                return False
            self.sent.append(output)
        return not self.dies()

    def take(self, records: list[Record]) -> None:
        """Until it is committed, a batch comes again."""
        while True:
            start = len(self.sent)
            work = self.session.work(records, START)
            done = self.effects(work.rows, work.outputs)
            if done:
                self.session.sent(work)
            else:
                self.session = self.begin()
            self.records += [
                Record(o.topic, 0, 0, 0, o.key, o.value)
                for o in self.sent[start:]
                if o.topic == topics.RECORDS.name
            ]
            if done:
                return

    def run(self) -> None:
        pack = msgspec.msgpack.encode
        for batch in scenario():
            self.take([Record(topics.SNAPSHOTS.name, 0, 0, 0, b"", pack(message)) for message in batch])
        while self.records:
            self.take([self.records.pop(0)])


def outcome(sent: list[Output]) -> Any:
    """What holds, what was told of stages by which account, and what is shown."""
    told = {(e["subject"], *e["caused_by"], e["natural_key"]) for e in events(sent) if e["kind"] == "stage"}
    shown = {p["subject"]: (p["gone"], p["touches"], p["stage_since"]) for p in profiles(sent)}
    return folded(sent), told, shown


def test_a_crash_between_any_two_effects_changes_nothing():
    calls = 0

    def count() -> bool:
        nonlocal calls
        calls += 1
        return False

    calm = Crashing(count)
    calm.run()
    assert "account_merged" in told(calm.sent, FIRM)
    assert told(calm.sent, FIRM).count("stage_entered") == 1  # Bram's; Jane's were told
    for moment in range(1, calls + 1):
        left_to_go = moment

        def die() -> bool:
            nonlocal left_to_go
            left_to_go -= 1
            return left_to_go == 0

        crashed = Crashing(die)
        crashed.run()
        assert outcome(crashed.sent) == outcome(calm.sent), moment


def test_crashes_at_random_change_nothing():
    calm = Crashing(lambda: False)
    calm.run()
    for seed in range(60):
        rng = random.Random(seed)
        crashed = Crashing(lambda rng=rng: rng.random() < 0.04)
        crashed.run()
        assert outcome(crashed.sent) == outcome(calm.sent), seed


def test_what_only_a_lost_session_handed_over_is_taken_back():
    given, lost = Driven(), published()
    lost.feed(left(PERSON, JANE, 2, FIRM))
    for member, theirs in lost.rows.group(group(PERSON)).items():
        given.step.adopt(given.rows, group(PERSON), member, theirs)
    given.rows.keep()
    version = pack_version(1, 1, 9)
    anew = [
        o
        for m in given.rows.group(group(PERSON))
        for o in given.step.outputs(given.rows, group(PERSON), m, version)
    ]
    assert {key for key in folded(lost.sent + anew) if key[0] == PERSON} == set()


def test_what_only_a_lost_session_said_of_what_was_handed_over_is_taken_back():
    given, lost = published(), Driven()
    given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2))
    lost.seq = 20
    lost.feed(at(PERSON, fragment(JANE, of("cjane", touch(START - DAY), *JANES), seq=3)))
    said = lost.drain()
    theirs = lost.rows.group(group(PERSON))[LEDGER]
    given.step.adopt(given.rows, group(PERSON), LEDGER, theirs)
    given.rows.keep()
    anew = given.step.outputs(given.rows, group(PERSON), LEDGER, pack_version(1, 1, 30))
    assert {key for key in folded(given.sent + said + anew) if key[0] == PERSON} == {
        (PERSON, kind, key)  # of which both say the same
        for kind, key in (("stage", "1/evaluation"), ("handoff", "1/1"))
    }


def test_what_only_a_lost_session_said_of_what_was_taken_over_is_taken_back_and_what_holds_is_told():
    given, lost = published(), Driven()
    deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=2)))
    given.drain()
    lost.feed(at(FIRM, fragment(JANE, of("cjane", touch(START - DAY, event_id="other")), seq=1)))
    said = lost.drain()
    theirs = lost.rows.group(group(FIRM))[LEDGER]
    given.step.adopt(given.rows, group(FIRM), LEDGER, theirs)
    given.rows.keep()
    anew = given.step.outputs(given.rows, group(FIRM), LEDGER, pack_version(1, 1, 30))
    given.seq = 30
    anew += given.drain()
    last = {(e["kind"], e["natural_key"]): e for e in events(said + anew) if e["subject"] == FIRM}
    member = last["member", "cjane/1"]
    assert (member.get("retracted", False), member["occurred_at"]) == (False, rfc3339(START))
    assert member["corrects"] in {e["id"] for e in events(anew) if e.get("retracted")}


def test_rows_of_a_merge_are_bounded():
    given = published()
    for seq in range(2, 12, 2):
        deliver(given, given.feed(*moved(JANE, PERSON, FIRM, of("cjane", *JANES), seq=seq)))
        deliver(given, given.feed(*moved(JANE, FIRM, PERSON, of("cjane", *JANES), seq=seq + 1)))
        given.drain()
    rows: Rows = given.rows
    assert len(rows.group(group(PERSON))) <= 6  # head, ledger, profile, Jane, answers, handed
    assert len(rows.group(group(FIRM))) <= 7  # and the domain, Bram; but nothing was handed over
