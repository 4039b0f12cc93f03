"""What was found against the truth, on rows made by hand."""

import msgspec
import pytest

from streams.market import Figure, Found, Market, compare
from streams.market.oracle import Contact
from streams.market.truth import Counts, Journey, TrueAccount, Truth

TRUTH = Truth(
    touchpoints=20,
    seed=1,
    counts=Counts(20, 15, 3, {"not_json": 2}, {"known": 10}, 0, {}),
    contacts=[
        Contact("p1", 1, ["email:a@acme.nl", "user_id:1"], ["anonymous_id:c1", "phone:+31611"], 6),
        Contact("p2", 2, ["email:b@acme.nl"], ["anonymous_id:c2"], 2),
        Contact("p3", 3, ["email:c@gmail.com"], [], 2),
    ],
    accounts=[
        TrueAccount(
            ["account_id:A", "domain:acme.nl"],
            "organisation",
            ["p1", "p2"],
            [Journey({"awareness": "2025-01-01T00:00:00Z", "evaluation": "2025-02-01T08:00:00.250Z"})],
        ),
        TrueAccount([], "person", ["p3"], [Journey({"awareness": "2025-03-01T00:00:00Z"})]),
    ],
)


def contact(contact_id, identifiers, devices, touches):
    return {"contact_id": contact_id, "identifiers": identifiers, "devices": devices, "touches": touches}


def transition(account, stage, at):
    journey = f"{account}.1"
    return {"account_id": account, "journey_id": journey, "to_stage": stage, "occurred_at": at}


def found() -> Found:
    """Everything right, as the views tell it."""
    return Found(
        contacts=[
            contact("k1", ["user_id:1", "email:a@acme.nl"], ["phone:+31611", "anonymous_id:c1"], 6),
            contact("k2", ["email:b@acme.nl", "anonymous_id:c2"], ["anonymous_id:c2"], 2),
            contact("k3", ["email:c@gmail.com"], [], 2),
        ],
        accounts=[
            {"account_id": "x1", "kind": "organisation", "keys": ["domain:acme.nl", "account_id:A"]},
            {"account_id": "x2", "kind": "person", "keys": ["email:c@gmail.com"]},
        ],
        members=[
            {"account_id": "x1", "contact_id": "k1"},
            {"account_id": "x1", "contact_id": "k2"},
            {"account_id": "x2", "contact_id": "k3"},
        ],
        transitions=[
            transition("x1", "awareness", "2025-01-01T00:00:00Z"),
            transition("x1", "evaluation", "2025-02-01T08:00:00Z"),
            transition("x2", "awareness", "2025-03-01T00:00:00Z"),
        ],
        applied=15,
        duplicates=3,
        dead_letters=2,
    )


def wrong(rows: Found) -> dict[str, tuple[int, int]]:
    """The figures that are not complete."""
    return {f.what: (f.right, f.of) for f in compare(TRUTH, rows) if f.right != f.of}


def test_everything_right():
    assert wrong(found()) == {}
    assert [figure.what for figure in compare(TRUTH, found())] == [
        "Events accounted for",
        "Events taken in once",
        "Doubles recognised",
        "Bad events refused",
        "People recognised",
        "Pairs joined rightly",
        "Pairs found",
        "Erased people gone",
        "Devices given to their owner",
        "Visits whose visitor can be known",
        "Visits given to the right person",
        "Firms recognised",
        "Buying groups complete",
        "Private customers recognised",
        "Stages right, to the second",
    ]


def test_a_person_in_two_parts():
    rows = found()
    rows.contacts[0]["identifiers"].remove("user_id:1")
    rows.contacts.append({"contact_id": "k4", "identifiers": ["user_id:1"], "devices": [], "touches": 0})
    assert wrong(rows) == {"People recognised": (2, 3), "Pairs found": (0, 1)}


def test_two_people_in_one():
    rows = found()
    del rows.contacts[1]
    rows.contacts[0]["identifiers"].append("email:b@acme.nl")
    rows.contacts[0]["touches"] = 8
    del rows.members[1]
    assert wrong(rows) == {
        "People recognised": (1, 3),
        "Pairs joined rightly": (1, 3),
        "Devices given to their owner": (2, 3),
        "Visits given to the right person": (6, 10),
    }


def test_visits_and_devices_of_nobody():
    rows = found()
    rows.contacts[0] |= {"devices": [], "touches": 1}
    assert wrong(rows) == {
        "Devices given to their owner": (1, 3),
        "Visits given to the right person": (5, 10),
    }


def test_a_firm_without_its_number_is_not_recognised_but_its_stages_are():
    rows = found()
    rows.accounts[0]["keys"].remove("account_id:A")
    assert wrong(rows) == {"Firms recognised": (0, 1)}


def test_a_firm_in_two_parts_has_an_incomplete_group():
    rows = found()
    rows.members[1]["account_id"] = "x9"
    assert wrong(rows) == {"Buying groups complete": (0, 1)}


def test_a_private_customer_who_was_given_a_firm():
    rows = found()
    del rows.accounts[1]
    assert wrong(rows) == {"Private customers recognised": (0, 1), "Stages right, to the second": (2, 4)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"occurred_at": "2025-02-01T08:00:01Z"}, (2, 3)),
        ({"journey_id": "x1.2"}, (2, 4)),
        ({"to_stage": "purchase"}, (2, 4)),
    ],
)
def test_a_stage_at_another_time_or_too_many(change, expected):
    rows = found()
    rows.transitions[1].update(change)
    assert wrong(rows) == {"Stages right, to the second": expected}


def test_events_lost_and_events_twice():
    rows = found()
    rows.applied, rows.duplicates = 16, 1
    assert wrong(rows) == {
        "Events accounted for": (19, 20),
        "Events taken in once": (14, 15),
        "Doubles recognised": (1, 3),
    }


def test_erased_people_are_found_nowhere_and_their_events_are_taken_in_or_refused():
    rows = found()
    gone = msgspec.structs.replace(
        TRUTH, gone=["email:d@acme.nl"], counts=msgspec.structs.replace(TRUTH.counts, erased=2)
    )
    rows.applied, rows.dead_letters = 13, 4
    assert all(figure.right == figure.of for figure in compare(gone, rows))
    rows.applied = 12
    rows.contacts[0]["identifiers"].append("email:d@acme.nl")
    assert {figure.what for figure in compare(gone, rows) if figure.right != figure.of} == {
        "Events accounted for",
        "Events taken in once",
        "People recognised",
        "Pairs joined rightly",
        "Erased people gone",
    }


def test_nothing_found_and_nothing_to_find():
    nothing = Found([], [], [], [], 0, 0, 0)
    assert {figure.what for figure in compare(TRUTH, nothing) if figure.right} == {
        "Visits whose visitor can be known"  # says something of the market, not of what was found
    }
    market = Market(0, seed=1)
    list(market.lines())
    assert all(figure.share == 1.0 for figure in compare(market.truth(), nothing))


def test_a_market_compared_with_itself_is_all_right():
    market = Market(3_000, seed=8)
    for _ in market.lines():
        pass
    truth = market.truth()
    accounts = [(str(n), account) for n, account in enumerate(truth.accounts)]
    rows = Found(
        contacts=[contact(c.id, c.identifiers, c.devices, c.touches) for c in truth.contacts],
        accounts=[{"account_id": n, "kind": a.kind, "keys": a.keys} for n, a in accounts],
        members=[{"account_id": n, "contact_id": member} for n, a in accounts for member in a.members],
        transitions=[
            transition(n, stage, at) | {"journey_id": f"{n}.{number}"}
            for n, a in accounts
            for number, journey in enumerate(a.journeys, 1)
            for stage, at in journey.stages.items()
        ],
        applied=truth.counts.applied,
        duplicates=truth.counts.duplicates,
        dead_letters=sum(truth.counts.dead_letters.values()),
    )
    short = {figure.what: figure.right for figure in compare(truth, rows) if figure.right != figure.of}
    known = truth.counts.visits["known"]  # the rest: of nobody, and of strangers at somebody's device
    stranger = truth.counts.visits["other_person"]
    assert 0 < stranger < 0.01 * known
    assert short == {
        "Visits whose visitor can be known": known + stranger,
        "Visits given to the right person": known,
    }
    assert Figure("", 1, 2, "").share == 0.5
