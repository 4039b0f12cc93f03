"""The buying group of an account: who counts for it, what refuses and who never was here."""

from schemas.internal import OTHER, Fact
from tests.unit.test_journeys_given import (
    DAY,
    START,
    at_time,
    command,
    firm,
    fragment,
    having,
    of,
    touch,
    willing,
)

HERE = START + 10 * DAY


def roles(given):
    return {contact: [r.role for r in held] for contact, held in given.group.roles.items()}


def test_who_starts_a_journey_is_its_initiator_and_that_weighs_nothing():
    given = at_time(HERE, willing("jane", touch(START)), willing("bram", touch(START + 1), title="directeur"))
    assert roles(given) == {"jane": ["initiator"], "bram": ["decider"]}
    assert given.group.known.weights == {"jane": 1.0, "bram": 1.5}


def test_a_touch_of_the_firm_starts_a_journey_that_the_first_member_is_initiator_of():
    given = at_time(
        HERE, fragment("domain:acme.nl", of("", touch(START - DAY))), willing("jane", touch(START))
    )
    assert roles(given) == {"jane": ["initiator"]}


def test_where_who_started_it_refuses_profiling_nobody_is_initiator():
    refusing = willing("jane", touch(START, "price_viewed", topic="pumps"))
    refusing.facts["consent.profiling"] = Fact(OTHER, START, "web", False)
    given = at_time(HERE, refusing, willing("bram", touch(START + 1, "price_viewed", topic="pumps")))
    assert roles(given) == {"jane": [], "bram": ["buyer"]}
    assert given.group.crossings == []
    assert [name for name, _ in given.group.moments(given.walked.journeys[0])] == ["first_buyer"]
    assert given.score.of("jane") == 0
    assert set(given.group.rhythms) == set()


def test_titles_make_members_of_those_who_never_touched():
    given = at_time(HERE, willing("jane", touch(START)), willing("bram", title="inkoper"))
    assert roles(given)["bram"] == ["buyer"]
    assert given.group.complete.found == ["initiator", "buyer"]


def test_whose_address_only_places_them_here_before_they_came_elsewhere_plays_no_role():
    phantom = willing("bram", title="inkoper", until=START)
    given = at_time(HERE, willing("jane", touch(START)), phantom)
    assert "bram" not in roles(given)
    once = willing("bram", touch(START - 9), title="inkoper", until=START)
    given = at_time(HERE, willing("jane", touch(START)), once)
    assert roles(given) == {"jane": [], "bram": ["buyer", "initiator"]}
    assert given.group.complete.found == []  # of those who are here now


def test_who_leaves_counts_until_the_clock_says_so():
    there = [willing("jane", touch(START)), willing("bram", touch(START + 1), title="inkoper", until=HERE)]
    assert at_time(HERE - 1, *there).group.complete.found == ["initiator", "buyer"]
    assert at_time(HERE, *there).group.complete.found == ["initiator"]


def test_a_command_names_a_person_by_any_identifier():
    said = firm(command("assign_role", START, "email:jane@acme.nl", role="gatekeeper"))
    given = at_time(HERE, willing("jane", touch(START)), said)
    assert roles(given)["jane"] == ["gatekeeper", "initiator"]
    assert given.group.known.weights["jane"] == 0.8
    by_id = firm(command("assign_role", START, "journeys_contact_id:jane", role="decider"))
    assert roles(at_time(HERE, willing("jane", touch(START)), by_id))["jane"] == ["decider", "initiator"]
    nobody = firm(command("assign_role", START, "email:piet@acme.nl", role="decider"))
    assert roles(at_time(HERE, willing("jane", touch(START)), nobody))["jane"] == ["initiator"]


def test_reach_is_as_of_the_last_word_whatever_the_clock_says():
    later = having(willing("jane", touch(START)), words={"email": [(START, True), (START + 99 * DAY, False)]})
    assert not at_time(START, later).group.reaches["jane"].reachable


def test_an_account_of_a_thousand_without_leave_looks_at_nobody_for_each_touch(monkeypatch):
    crowd = [fragment(f"email:p{i}@acme.nl", of(f"p{i}")) for i in range(300)]
    met = [touch(START + i, "meeting_held", event_id=f"m{i}") for i in range(300)]
    asked = []
    monkeypatch.setattr("streams.journeys.reach.ways", lambda *_: asked.append(1) or set())
    given = at_time(HERE, fragment("email:jane@acme.nl", of("jane", *met)), *crowd)
    assert (given.desk.made, asked) == ([], [])
