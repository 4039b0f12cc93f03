"""People who turn out to be one, or several, who change firm, and what they consent to."""

from typing import Any

import pytest

from schemas.internal import Fact, Part, Snapshot
from streams.definition import default
from streams.journeys.account import Account, Given, derive
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    START,
    Driven,
    events,
    fragment,
    gone,
    of,
    profiles,
    touch,
)

JANE, CRM, PHONE, DOMAIN = "email:jane@acme.nl", "contact_id:7", "phone:+31612345678", "domain:acme.nl"


def changes(given: Driven, *snapshots: Snapshot) -> list[tuple[str, str, Any]]:
    """What is told of merges and splits after these."""
    given.feed(*snapshots)
    told = [e for e in events(given.drain()) if e["kind"] in ("contact_change", "account_change")]
    return [(e["type"], e["natural_key"], e["details"]) for e in told]


def hers(identifier: str, contact: str, *, seq: int = 1, at: int = START) -> Snapshot:
    return fragment(identifier, of(contact, touch(at, event_id=identifier)), seq=seq)


# ---- contacts


def test_a_contact_of_whom_nothing_is_left_became_part_of_the_other():
    given = Driven()
    assert changes(given, hers(JANE, "c1"), hers(CRM, "c2", at=START + 1)) == []
    merged = ("contact_merged", "c1", {"from": "c1", "into": "c2"})
    assert changes(given, hers(JANE, "c2", seq=2)) == [merged]
    event = next(e for e in events(given.sent) if e["type"] == "contact_merged")
    assert event["contact"] == {"id": "c2", "identifiers": [CRM, JANE], "roles": ["initiator"]}
    assert changes(given, hers(JANE, "c2", seq=3)) == []
    member = [e for e in events(given.sent) if e["natural_key"] == "c1/1"]
    assert [e.get("retracted", False) for e in member] == [False, True]


def test_a_contact_of_whom_some_stays_was_split():
    given = Driven()
    assert changes(given, hers(JANE, "c1"), hers(CRM, "c1", at=START + 1)) == []
    split = ("contact_split", "c1/c2", {"from": "c1", "into": "c2"})
    assert changes(given, hers(CRM, "c2", seq=2, at=START + 1)) == [split]
    merged = ("contact_merged", "c2", {"from": "c2", "into": "c1"})
    assert changes(given, hers(CRM, "c1", seq=3, at=START + 1)) == [merged]
    assert changes(given, hers(CRM, "c2", seq=4, at=START + 1)) == [split]  # again, so told again


def test_a_contact_that_falls_apart_into_others_was_split():
    given = Driven()
    changes(given, hers(JANE, "c1"), hers(CRM, "c1", at=START + 1))
    found = changes(given, hers(JANE, "c2", seq=2), hers(CRM, "c3", seq=2, at=START + 1))
    assert [(kind, key) for kind, key, _ in found] == [("contact_split", "c1/c2"), ("contact_split", "c1/c3")]


def test_a_contact_that_left_or_was_never_told_of_was_not_merged():
    given = Driven()
    changes(given, hers(JANE, "c1"), hers(CRM, "c2", at=START + 1))
    assert changes(given, gone(JANE, 2)) == []
    given.feed(hers(JANE, "c3", seq=3))
    assert changes(given, hers(JANE, "c2", seq=4)) == []  # nobody heard of c3


def test_a_device_that_changes_hands_makes_no_contact_of_two():
    given = Driven()
    changes(given, hers(JANE, "c1"), hers(CRM, "c2"), hers("device_id:d", "c1", at=START + 2))
    assert changes(given, hers("device_id:d", "c2", seq=2, at=START + 2)) == []


def test_a_merge_is_told_after_a_restart_too():
    given = Driven()
    changes(given, hers(JANE, "c1"), hers(CRM, "c2", at=START + 1))
    given.feed(hers(JANE, "c2", seq=2))
    assert changes(given.restarted()) == [("contact_merged", "c1", {"from": "c1", "into": "c2"})]


# ---- accounts


def test_a_key_that_moves_on_is_split_off_and_one_that_ends_is_not():
    given = Driven()
    keys = [DOMAIN, "account_id:7", "vat_number:NL1"]
    changes(given, hers(JANE, "c1"), *(fragment(key) for key in keys))
    domain, other = gone(DOMAIN, 2), gone("vat_number:NL1", 2)
    domain.successors = ["aother"]
    details = {"from": ACCOUNT, "into": "aother", "keys": [DOMAIN]}
    assert changes(given, domain, other) == [("account_split", f"{ACCOUNT}/aother", details)]
    again = gone(DOMAIN, 3)
    again.successors = ["aother"]
    assert changes(given, again) == []


# ---- champions


def part(came_from: str, since: int | None = START + DAY, *, contact: str = "c1", until: int | None = None):
    return Part(contact, since, until, [touch(START + 2 * DAY)], came_from)


def champions(given: Driven, *snapshots: Snapshot) -> list[tuple[str, str, str, bool]]:
    given.feed(*snapshots)
    return [
        (e["natural_key"], e["occurred_at"], e["details"]["from_account"], e.get("retracted", False))
        for e in events(given.drain())
        if e["type"] == "champion_moved"
    ]


def test_who_comes_from_another_firm_is_told_of_at_the_new_one():
    given = Driven()
    assert champions(given, fragment(JANE, part("aold"))) == [("c1/1", "2025-01-02T00:00:00Z", "aold", False)]
    event = next(e for e in events(given.sent) if e["type"] == "champion_moved")
    assert (event["kind"], event["contact"]["id"], event["subject"]) == ("champion", "c1", ACCOUNT)
    assert champions(given, fragment(JANE, part("aolder"), seq=2)) == [
        ("c1/1", "2025-01-02T00:00:00Z", "aolder", False)
    ]
    assert champions(given, fragment(JANE, part(""), seq=3)) == [
        ("c1/1", "2025-01-02T00:00:00Z", "aolder", True)
    ]


@pytest.mark.parametrize(
    "came", [part(ACCOUNT), part("a1"), part("aold", None), part("")], ids=["itself", "alone", "ever", "no"]
)
def test_who_comes_from_nowhere_else_is_no_champion(came: Part):
    assert champions(Driven(), fragment(JANE, came)) == []


def test_a_champion_is_told_of_per_period():
    later = START + 20 * DAY
    given = Driven()
    parts = [part("aold", until=START + 10 * DAY), Part("c1", later, None, [touch(later)], "abetween")]
    assert champions(given, fragment(JANE, *parts)) == [
        ("c1/1", "2025-01-02T00:00:00Z", "aold", False),
        ("c1/2", "2025-01-21T00:00:00Z", "abetween", False),
    ]


# ---- consent


def says(identifier: str, seq: int = 1, **purposes: bool) -> Snapshot:
    facts = {f"consent.{purpose}": Fact(3, START, "web", given) for purpose, given in purposes.items()}
    return fragment(identifier, of("c1", touch(START, event_id=identifier)), seq=seq, facts=facts)


def consents(given: Account) -> dict[str, dict[str, bool]]:
    return {contact: known.consent for contact, known in given.contacts.items()}


def test_a_purpose_is_refused_when_one_identifier_refused_it():
    given = derive(
        [says(JANE, email=True, phone=True), says(CRM, email=False), says(PHONE, profiling=False)],
        Given(default()),
    )
    assert consents(given) == {"c1": {"email": False, "phone": True, "profiling": False}}


def test_a_device_speaks_for_who_owned_it_when_it_was_said():
    device = says("device_id:d", profiling=False)
    device.parts = [of("c1", until=START), of("c2", since=START)]
    given = derive([says(JANE, profiling=True), device], Given(default()))
    assert consents(given) == {
        "c1": {"profiling": True},
        "c2": {"profiling": False},
    }


def test_members_show_their_consent():
    given = Driven()
    given.feed(says(JANE, email=False, profiling=True))
    (profile,) = profiles(given.drain())
    (member,) = profile["members"]
    assert member["consent"] == {"email": False, "profiling": True}
    assert member["identifiers"] == [JANE]


def test_events_made_after_mail_was_refused_carry_no_address():
    given = Driven()
    given.feed(says(JANE), says(CRM))
    assert next(e for e in events(given.drain()) if "contact" in e)["contact"]["identifiers"] == [CRM, JANE]
    refused = says(JANE, 2, email=False)
    refused.parts[0].touches.append(touch(START + DAY, "catalogue_requested"))
    given.feed(refused)
    sent = events(given.drain())
    assert [e["contact"]["identifiers"] for e in sent if "contact" in e] == [[CRM]]
    given.feed(gone(JANE, 3), gone(CRM, 3))
    back = [e["contact"]["identifiers"] for e in events(given.drain()) if "contact" in e]
    assert back == [[CRM]] * 2  # taken back without the address that was told before


# ---- journeys in the profile


def test_a_profile_shows_the_journeys_and_which_stages_were_first_told_otherwise():
    given = Driven()
    early, late = START, START + 300 * DAY
    given.feed(fragment(JANE, of("c1", touch(early + DAY), touch(late, "demo_requested"))))
    given.drain()
    given.feed(
        fragment(JANE, of("c1", touch(early), touch(early + DAY), touch(late, "demo_requested")), seq=2)
    )
    profile = profiles(given.drain(late))[-1]
    assert profile["journeys"] == [
        {
            "number": 1,
            "opened_at": "2025-01-01T00:00:00Z",
            "closed_at": "2025-07-01T00:00:00Z",
            "closed_by": "gap",
            "stages": [
                {
                    "stage": "awareness",
                    "entered_at": "2025-01-01T00:00:00Z",
                    "caused_by": [f"page_viewed@{early}"],
                    "corrected": True,
                }
            ],
            "moments": {},
            "last_touch": "2025-01-02T00:00:00Z",
        },
        {
            "number": 2,
            "opened_at": "2025-10-28T00:00:00Z",
            "closed_at": None,
            "closed_by": "",
            "stages": [
                {
                    "stage": stage,
                    "entered_at": "2025-10-28T00:00:00Z",
                    "caused_by": [f"demo_requested@{late}"],
                    "corrected": False,
                }
                for stage in ("awareness", "evaluation")
            ],
            "moments": {},
            "last_touch": "2025-10-28T00:00:00Z",
        },
    ]
    (closed,) = profiles(given.drain(late + 181 * DAY))
    assert closed["journeys"][1]["closed_by"] == "gap"
