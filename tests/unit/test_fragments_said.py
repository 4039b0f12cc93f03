"""FRAGMENTS: what orders are worth, history and words of people, outcomes and commands of accounts."""

from dataclasses import replace

import msgspec
import pytest

from schemas.internal import BARELY, Command, Fact, Line, Outcome, Seen, Snapshot, Tick, Trade
from schemas.keys import event_key, partition_of
from schemas.times import DAY_MS, rfc3339
from streams.fragments import keeping, row
from streams.fragments.step import Fragments
from tests.unit.fragments_driven import (
    ACME,
    CONFIG,
    COOKIE,
    JANE,
    KEY_OF,
    START,
    Driven,
    erased,
    erasure,
    gone,
    mapped,
    told,
    touch,
)

ISSUED = "journeys_account_id:a0123456789abcde"
NOWHERE = mapped(ISSUED, (None, None, None))
HOUR = 3_600_000


@pytest.fixture
def driven() -> Driven:
    return Driven()


def outcome(what: str = "lost", account: str = ACME, event_id: str = "o1", at: int = START) -> Outcome:
    return Outcome("t", event_id, what, "", [account], "no budget", "", "", "", at, "sales")


def command(account: str = ACME, event_id: str = "c1", at: int = START) -> Command:
    return Command("t", event_id, "assign_role", [account], [JANE], "buyer", "", "", "", at, "crm")


def ticked(at: int, drain: int = 0) -> list[Tick]:
    return [Tick(source, at, drain) for source in range(CONFIG.partitions)]


def refused(driven: Driven) -> list[tuple[str, int]]:
    """Reasons and offsets of the letters just sent."""
    headers = [dict(letter.headers) for letter in driven.letters]
    return [(each["reason"].decode(), int(each["offset"])) for each in headers]


def test_what_an_order_is_worth_goes_with_its_touch(driven: Driven) -> None:
    lines = [Line("1", family, "", "1", "") for family in ("pumps", "valves", "pumps", "")]
    driven.take(
        touch(type="order_placed", commerce={"value": "12.5", "currency": "EUR"}, lines=lines),
        touch(event_id="e2", at=START + 1, type="order_returned", commerce={"return_reason": "broken"}),
        touch(event_id="e3", at=START + 2, type="order_cancelled", commerce={"order_id": "7"}),
        touch(event_id="e4", at=START + 3, type="quote_requested", commerce={"value": "9"}),
        mapped(JANE, (None, "c1", "a1")),
    )
    touches = driven.snapshots["a1"].parts[0].touches
    assert [each.trade for each in touches] == [
        Trade("12.5", "EUR", ["pumps", "valves"], ""),
        Trade("", "", [], "broken"),
        None,
        None,
    ]


def test_an_order_of_very_many_families_is_no_wider_than_others(driven: Driven) -> None:
    lines = [Line("1", f"{n:03d}" * 99, "", "1", "") for n in range(900)]
    driven.take(touch(type="order_placed", lines=lines, commerce={"return_reason": "x" * 9_999}))
    assert driven.fragment(JANE).widest < 3_000


def test_each_title_that_was_told_is_history(driven: Driven) -> None:
    driven.take(
        touch(type="identified", source="crm", rank=1, contact={"job_title": "planner", "name": "Jane"}),
        touch(event_id="e2", at=START + DAY_MS, contact={"job_title": "COO"}),
        mapped(JANE, (None, "c1", "a1")),
    )
    sent = driven.snapshots["a1"]
    assert sent.facts["job_title"].value == "planner"
    assert sent.history == {
        "job_title": [Fact(1, START, "crm", "planner"), Fact(3, START + DAY_MS, "web", "COO")]
    }
    driven.take(touch(event_id="e2", at=START + DAY_MS, contact={"job_title": "COO"}))
    assert driven.snapshots == {}


def test_of_a_title_told_every_day_little_is_kept(driven: Driven) -> None:
    for day in range(400):
        driven.take(touch(event_id=str(day), at=START + day * DAY_MS, contact={"job_title": "COO"}))
    assert len(driven.fragment(JANE).history["job_title"]) == keeping.LATEST_FACTS + 4


def test_each_word_on_consent_is_kept_and_of_one_time_the_refusal_holds(driven: Driven) -> None:
    driven.take(
        touch(type="consent_given", consent={"email": True, "phone": True}),
        touch(event_id="e2", type="consent_withdrawn", consent={"email": False}),
        touch(event_id="e3", at=START + 9, type="consent_given", consent={"email": True}),
        mapped(JANE, (None, "c1", "a1")),
    )
    assert driven.snapshots["a1"].words == {
        "email": [(START, False), (START + 9, True)],
        "phone": [(START, True)],
    }


def test_of_a_word_repeated_for_years_the_first_and_the_last_of_each_bucket_are_kept(driven: Driven) -> None:
    for day in range(300):
        said = day % 100 != 50
        driven.take(touch(event_id=str(day), at=START + day * DAY_MS, consent={"email": said}))
    driven.take(mapped(JANE, (None, "c1", "a1")))
    words = driven.snapshots["a1"].words["email"]
    assert len(words) < 40
    assert [(at - START) // DAY_MS for at, given in words if not given] == [50, 150, 250]
    assert (words[0], words[-1]) == ((START, True), (START + 299 * DAY_MS, True))


def test_history_and_words_are_erased(driven: Driven) -> None:
    told_then = {"contact": {"job_title": "COO"}, "consent": {"email": True}}
    driven.take(touch(**told_then), touch(event_id="e2", at=START + 2, **told_then))
    driven.take(gone(JANE, START))
    kept = driven.fragment(JANE)
    assert kept.history == {"job_title": [Fact(3, START + 2, "web", "COO")]}
    assert kept.words == [(START + 2, "email", True)]
    driven.take(gone(JANE, START + 2, seq=10), touch(**told_then))
    kept = driven.fragment(JANE)
    assert (kept.history, kept.words) == ({}, [])


def test_a_device_keeps_its_words_when_its_owner_is_erased(driven: Driven) -> None:
    driven.take(touch(COOKIE, contact={"job_title": "COO"}, consent={"email": False}))
    driven.take(erasure(mapped(COOKIE, (None, None, None)), (START, START + 1)))
    before = {"contact": {"job_title": "CEO"}, "consent": {"email": True}}
    driven.take(touch(COOKIE, "e2", START - 9, **before))  # perhaps the same person's, who knows
    kept = driven.fragment(COOKIE)
    assert (kept.history, kept.words) == ({}, [(START - 9, "email", True), (START, "email", False)])


def test_the_role_mailboxes_of_a_firm(driven: Driven) -> None:
    boxes = [f"info{n:02d}@acme.nl" for n in range(20)]
    driven.take(*(told([ACME], mailbox=box) for box in reversed(boxes)), mapped(ACME, (None, None, "a1")))
    assert driven.snapshots["a1"].mailboxes == boxes[: keeping.MAILBOXES]


def test_an_outcome_makes_its_key_known_and_goes_to_its_account(driven: Driven) -> None:
    driven.take(outcome())
    assert driven.stated == [Seen("t", ACME, BARELY)]
    driven.take(mapped(ACME, (None, None, "a1")))
    sent = driven.snapshots["a1"]
    assert (sent.outcomes, sent.named, sent.withdrawn) == ([outcome()], True, False)
    driven.take(outcome("lost"))
    assert (driven.stated, driven.snapshots) == ([], {})
    driven.take(told([ACME]))
    assert driven.stated == [Seen("t", ACME, START)]
    assert not driven.snapshots["a1"].named


def test_of_two_outcomes_with_one_id_the_earlier_counts(driven: Driven) -> None:
    driven.take(mapped(ACME, (None, None, "a1")), outcome("won", at=START + 5))
    driven.take(outcome("lost"), outcome("accepted", event_id="o2", at=START + 1))
    assert [each.outcome for each in driven.snapshots["a1"].outcomes] == ["lost", "accepted"]


def test_the_latest_outcomes_are_kept(driven: Driven) -> None:
    driven.take(*(outcome(event_id=f"{n:04d}", at=START + n) for n in range(keeping.DECISIONS + 7)))
    kept = driven.fragment(ACME).outcomes
    assert (len(kept), kept[0].event_id) == (keeping.DECISIONS, "0007")


def test_a_command_names_nobody_in_plain_text(driven: Driven) -> None:
    driven.take(command(), mapped(ACME, (None, None, "a1")))
    (sent,) = driven.snapshots["a1"].commands
    assert sent.identifiers == erased(JANE)
    assert b"jane" not in row.encode(driven.fragment(ACME))


def test_outcomes_move_with_their_key(driven: Driven) -> None:
    driven.take(outcome(), command(), mapped(ACME, (None, None, "a1")))
    left = driven.version
    driven.take(mapped(ACME, (None, None, "a2"), seq=2))
    assert driven.snapshots["a1"].withdrawn
    assert driven.snapshots["a1"].successors == ["a2"]
    there = driven.snapshots["a2"]
    assert ([each.event_id for each in there.outcomes], len(there.commands)) == (["o1"], 1)
    assert there.predecessors == {"a1": driven.version}
    assert left < driven.version


def test_an_outcome_on_an_id_goes_to_the_account_that_the_id_is_of_at_its_time(driven: Driven) -> None:
    spans = (None, None, "a1"), (START + 5, None, "a2")
    driven.take(mapped(ISSUED, *spans), outcome(account=ISSUED), outcome("won", ISSUED, "o2", START + 5))
    assert driven.stated == [Seen("t", ISSUED, BARELY)]
    assert {
        account: [each.event_id for each in sent.outcomes] for account, sent in driven.snapshots.items()
    } == {
        "a1": ["o1"],
        "a2": ["o2"],
    }


def test_an_outcome_on_an_id_that_is_nobodys_is_refused_after_a_day(driven: Driven) -> None:
    driven.step = Fragments(replace(CONFIG, live=True))
    driven.take(NOWHERE, outcome(account=ISSUED), *ticked(START + DAY_MS, drain=1))
    assert driven.letters == []
    driven.take(*ticked(START + DAY_MS + 1))
    key = event_key(KEY_OF, "t", "lead-outcomes", "o1")
    assert refused(driven) == [("no_handoff", -1 - int.from_bytes(key[:6], "big"))]
    (letter,) = driven.letters
    assert dict(letter.headers)["partition"] == str(partition_of(key, CONFIG.partitions)).encode()
    assert msgspec.json.decode(letter.value or b"") == {
        "event_id": "o1",
        "tenant": "t",
        "occurred_at": rfc3339(START),
        "outcome": "lost",
        "account": {"journeys_account_id": "a0123456789abcde"},
        "reason": "no budget",
        "by": "sales",
    }
    driven.take(*ticked(START + 3 * DAY_MS))
    assert driven.letters == []
    assert len(refused(driven.recall(ISSUED))) == 1


def test_not_live_it_is_refused_at_the_drain(driven: Driven) -> None:
    driven.step = Fragments(replace(CONFIG, live=False))
    driven.take(NOWHERE, outcome(account=ISSUED), *ticked(START))
    driven.step = Fragments(replace(CONFIG, live=False))
    driven.step.recovered(driven.rows)
    assert driven.letters == []
    driven.take(*ticked(START, drain=1))
    assert [reason for reason, _ in refused(driven)] == ["no_handoff"]
    driven.take(*ticked(START, drain=2))
    assert driven.letters == []
    driven.take(outcome(account=ISSUED, event_id="o2"))
    driven.take(*ticked(START, drain=3))
    assert len(driven.letters) == 1


def test_where_the_id_is_an_accounts_after_all_the_account_decides(driven: Driven) -> None:
    driven.step = Fragments(replace(CONFIG, live=False))
    driven.take(NOWHERE, outcome(account=ISSUED))
    driven.take(*ticked(START, drain=1))
    assert len(driven.letters) == 1
    driven.take(mapped(ISSUED, (None, None, "a1"), seq=2))
    sent: Snapshot = driven.snapshots["a1"]
    assert [each.event_id for each in sent.outcomes] == ["o1"]
    driven.take(*ticked(START + HOUR, drain=2)).recall(ISSUED)
    assert driven.letters == []
