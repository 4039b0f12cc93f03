"""The simulated market: reproducible, of the size asked for, difficult, and with counts that are right."""

import json
from collections import Counter
from datetime import datetime, timedelta
from unicodedata import normalize

import msgspec
import pytest

from schemas.deadletter import REASONS
from schemas.identifiers import is_free_mail, registrable_domain
from streams.market import Market, rates, read_truth, words, write
from streams.market.arrivals import Arrivals

LINES = 40_000  # the rarest difficulties need so many
FACTS_ONLY = ("identified", "profile_updated", "consent_given", "consent_withdrawn")
DIFFICULTIES = (
    "anonymous before identified",
    "back after an erasure",
    "click by a machine",
    "colleague's address by mistake",
    "comes back after half a year",
    "consultant with addresses at two firms",
    "cookie that never identifies itself",
    "device that refuses profiling",
    "domain beyond ASCII",
    "domain that moves to another firm",
    "erased",
    "firm that the CRM has twice",
    "four or more colleagues at one device",
    "four or more people of several firms at one device",
    "job change",
    "late",
    "member who never identifies himself",
    "no profiling",
    "odd spelling",
    "only a telephone number",
    "opened mail",
    "order of the firm, without a person",
    "out of order",
    "private mail at log-in",
    "private mail only",
    "private mail that nobody can know",
    "private mail, told by a steward",
    "private mail, told by the CRM",
    "resent after log-in",
    "role mailbox",
    "several devices",
    "telephone, told by a steward",
    "twice the same",
    "two domains, never told",
    "two domains, told by a steward",
    "two domains, told by the CRM",
    "two people at one device",
    "two people with one log-in",
    "worthless identifier",
)


@pytest.fixture(scope="module")
def market():
    market = Market(LINES, seed=11)
    return list(market.lines()), market.truth()


def refused(line: bytes) -> str:
    """Why the contract refuses a line; empty: it does not. Written from contracts.md, for this test."""
    if len(line) > 65_536:
        return "too_large"
    try:
        event = json.loads(line)
    except ValueError:
        return "not_json"
    if not isinstance(event, dict):
        return "not_an_object"
    if "topic" in event:
        return ""
    return next((reason for reason, holds in FAULTS if holds(event)), "")


def bad_time(event):
    try:
        at = datetime.fromisoformat(event["occurred_at"])
    except ValueError:
        return True
    return at.tzinfo is None or at.year < 2000


REQUIRED = ("event_id", "type", "occurred_at", "source")
OBJECTS = ("identifiers", "account", "contact", "organisation", "content", "commerce", "campaign", "consent")
FAULTS = (
    ("missing_field", lambda event: any(name not in event for name in REQUIRED)),
    ("wrong_type", lambda event: any(not isinstance(event[name], str) for name in REQUIRED)),
    ("wrong_type", lambda event: any(not isinstance(event.get(name, {}), dict) for name in OBJECTS)),
    ("bad_time", bad_time),
    ("no_identifier", lambda event: not event.get("identifiers") and not event.get("account")),
)


def accepted(lines):
    """The touchpoints."""
    events = [json.loads(line) for line in lines if not refused(line)]
    return [event for event in events if "topic" not in event]


def said(lines, topic):
    return [
        json.loads(line)["message"] for line in lines if line.startswith(b'{"topic":"%b"' % topic.encode())
    ]


def as_known(kind, value):
    """An identifier in one spelling; written for this test, for what the market writes."""
    value = str(value).strip()
    if kind == "email":
        value = value.partition("<")[2].rstrip(">") or value
        local, _, domain = value.lower().removeprefix("mailto:").partition("?")[0].partition("@")
        value = f"{local}@{normalize('NFC', domain).encode('idna').decode()}" if domain else local
    return f"{kind}:{value}"


def test_the_same_seed_gives_the_same_bytes():
    first, again, other = (list(Market(1_500, seed).lines()) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("touchpoints", [0, 1, 17, 2_000])
def test_it_has_exactly_as_many_lines_as_asked_for(touchpoints):
    market = Market(touchpoints, seed=5)
    assert len(list(market.lines())) == touchpoints == market.truth().counts.lines


def test_the_counts_are_right(market):
    lines, truth = market
    reasons = Counter(reason for line in lines if (reason := refused(line)))
    good = accepted(lines)
    distinct = {(event["source"], event["event_id"]) for event in good}
    words = [*said(lines, "identity-assertions"), *said(lines, "privacy-requests")]
    assert truth.counts.dead_letters == dict.fromkeys(truth.counts.dead_letters, 0) | reasons
    assert truth.counts.said == len(words) == len({word["event_id"] for word in words}) > 0
    assert truth.counts.applied == len(distinct) + len(words)
    assert truth.counts.duplicates == len(good) - len(distinct)
    assert truth.counts.lines == len(lines)
    touches = {(e["source"], e["event_id"]) for e in good if e["type"] not in FACTS_ONLY}
    erased = len(touches) - sum(truth.counts.visits.values())
    assert 0 < erased < truth.counts.erased < 0.02 * LINES
    assert sum(contact.touches for contact in truth.contacts) == (
        truth.counts.visits["known"] + truth.counts.visits["other_person"]
    )


def test_lines_are_bad_for_every_reason_that_a_line_can_give():
    market = Market(40_000, seed=2)
    for _ in market.lines():
        pass
    found = market.truth().counts.dead_letters
    of_steps = {"tenant_mismatch", "processing_error", "refused_by_clickhouse", "erased"}
    of_steps |= {"no_handoff", "impossible_outcome"}
    assert {*found} == {*REASONS} - of_steps
    assert all(found.values())
    assert sum(found.values()) / 40_000 == pytest.approx(rates.BAD, rel=0.3)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_difficulty_occurs(market, difficulty):
    assert market[1].counts.difficulties[difficulty] > 0


def test_no_difficulty_is_untested(market):
    assert {*market[1].counts.difficulties} == {*DIFFICULTIES}


def test_lines_arrive_roughly_in_the_order_of_their_times(market):
    times = [datetime.fromisoformat(event["occurred_at"]) for event in accepted(market[0])]
    newest, late = times[0], []
    for at in times:
        newest = max(newest, at)
        late.append(newest - at)
    assert sum(behind > timedelta(hours=1) for behind in late) < 0.05 * len(late)
    assert timedelta(days=7) < max(late) <= timedelta(milliseconds=rates.LATE_MS + rates.USUAL_MS, hours=1)
    assert min(times).year == 2024
    assert max(times).year == 2025


def test_a_resend_has_the_same_id_and_time_and_a_stronger_identifier(market):
    copies = {}
    for event in accepted(market[0]):
        copies.setdefault((event["source"], event["event_id"]), []).append(event)
    resent = [pair for pair in copies.values() if len({json.dumps(e["identifiers"]) for e in pair}) == 2]
    assert resent
    for pair in resent:
        weak, strong = sorted(pair, key=lambda event: len(event["identifiers"]))[:: len(pair) - 1]
        assert {*weak["identifiers"]} == {"anonymous_id"} < {*strong["identifiers"]}
        assert weak["occurred_at"] == strong["occurred_at"]


def test_strong_identifiers_belong_to_one_contact_and_keys_to_one_account(market):
    lines, truth = market
    identifiers = [i for contact in truth.contacts for i in contact.identifiers]
    keys = [key for account in truth.accounts for key in account.keys]
    assert len(identifiers) == len({*identifiers})
    assert len(keys) == len({*keys})
    told = {
        as_known(kind, value)
        for event in accepted(lines)
        for kind, value in event.get("identifiers", {}).items()
    }
    assert {*identifiers} <= told
    ids = {contact.id for contact in truth.contacts}
    assert all({*account.members} <= ids for account in truth.accounts)
    assert all(account.keys or account.kind == "person" for account in truth.accounts)


def test_a_contact_is_of_one_true_person_and_no_identifier_kind_is_overfull(market):
    for contact in market[1].contacts:
        kinds = Counter(i.partition(":")[0] for i in contact.identifiers)
        assert kinds["contact_id"] <= 1
        assert kinds["user_id"] <= 1
        assert kinds["email"] <= 3
        assert contact.id.partition("/")[0] == f"p{contact.person}"


def test_domains_of_firms_are_firms_domains_and_private_mail_is_private(market):
    domains = {key[7:] for account in market[1].accounts for key in account.keys if key.startswith("domain:")}
    assert all(registrable_domain(domain) == domain and not is_free_mail(domain) for domain in domains)
    assert all(is_free_mail(domain) for domain in words.FREE_MAIL)


def test_groups_have_one_to_twelve_people(market):
    sizes = Counter(len(account.members) for account in market[1].accounts if account.kind == "organisation")
    assert {1, 2, 3} <= {*sizes}
    assert 8 <= max(sizes) <= 13  # a former colleague's past stays with the firm


def test_people_move_to_another_firm(market):
    firms = Counter(
        member
        for account in market[1].accounts
        if account.kind == "organisation"
        for member in account.members
    )
    assert sum(count > 1 for count in firms.values()) >= 3


def test_an_address_at_the_new_firm_is_used_from_the_new_job_on(market):
    first_used, jobs = {}, {}
    for event in accepted(market[0]):
        email = as_known("email", event.get("identifiers", {}).get("email", ""))
        first_used[email] = min(first_used.get(email, event["occurred_at"]), event["occurred_at"])
        if event["source"] == "crm" and "account" in event and event["identifiers"]:
            jobs.setdefault(event["identifiers"]["contact_id"], set()).add((event["occurred_at"], email))
    moves = [max(told) for told in jobs.values() if len({email for _, email in told}) > 1]
    assert moves
    assert all(first_used[email] == at for at, email in moves)


def test_the_truth_is_known_at_the_end_only():
    market = Market(100, seed=1)
    next(market.lines())
    with pytest.raises(RuntimeError):
        market.truth()


def test_little_memory_changes_nothing():
    assert list(Market(4_000, 6, limit=300).lines()) == list(Market(4_000, 6).lines())


def test_waiting_lines_go_to_disk_and_come_back_once():
    with Arrivals(limit=3) as arrivals:
        for n in range(10, 0, -1):
            arrivals.add([(n, b"line %d" % n)])
        assert list(arrivals.before(rates.LATE_MS)) == [b"line %d" % n for n in range(1, 11)]
        assert list(arrivals.rest()) == []


def test_files(tmp_path):
    out, truth = tmp_path / "market.jsonl", tmp_path / "truth.json"
    write(out, truth, touchpoints=2_500, seed=9)
    market = Market(2_500, seed=9)
    assert out.read_bytes().split(b"\n") == [*market.lines(), b""]
    assert read_truth(truth.read_bytes()) == market.truth()
    with pytest.raises(msgspec.DecodeError):
        read_truth(b"{}")
