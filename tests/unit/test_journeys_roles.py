"""Who has which role, by what; what is missing; the first touch of a role."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.internal import CRM, ERP, OTHER, STEWARD, Fact
from streams.definition import default
from streams.journeys.roles import (
    Assigned,
    Known,
    Role,
    assign,
    completeness,
    first_touches,
    shows,
    told_during,
    unseen,
    weight,
)
from streams.journeys.stages import Touched
from tests.unit.test_journeys_given import touch

RULES = default().roles


def touched(at: int, contact: str, type: str = "page_viewed", **other: str) -> Touched:
    made = touch(at, type, **other)
    return Touched(at, made.source, made.event_id, contact, made)


def title(value: object, at: int = 10, rank: int = OTHER) -> Fact:
    return Fact(rank, at, "web", value)


def known(contact: str = "c1", since: int = 0, *, titles=(), roles=(), shown=(), refuses=False) -> Known:
    first = {role: t for t in shown for role in shows(RULES, t.touch)}
    return Known(contact, since, list(titles), list(roles), first, refuses)


def one(member: Known, commands=(), initiators=()) -> dict[str, Role]:
    (roles,) = assign(RULES, [member], commands, initiators)
    return {role.role: role for role in roles}


def given_role(role: str, at: int, given: bool = True, contact: str = "c1", event_id: str = "") -> Assigned:
    return Assigned(contact, role, at, event_id or f"cmd-{at}", given)


def test_who_is_not_known_for_anything_has_no_role():
    assert assign(RULES, [known()], [], []) == [[]]


def test_a_title_tells_a_role_with_its_words_from_when_it_was_told():
    role = one(known(titles=[title("Hoofd Inkoop", 30), title("hoofd inkoop", 20)]))["buyer"]
    assert role == Role("buyer", "title", 0.7, "title “Hoofd Inkoop” (hoofd inkoop)", 20, "", "")


def test_of_several_titles_the_higher_ranked_counts_then_the_later():
    assert set(one(known(titles=[title("monteur", 9), title("CFO", 5, CRM)]))) == {"decider"}
    assert set(one(known(titles=[title("monteur", 5), title("inkoper", 9)]))) == {"buyer"}
    assert one(known(titles=[title(7)])) == {}


def test_a_less_certain_title_is_less_sure():
    assert one(known(titles=[title("junior inkoper")]))["buyer"].confidence == pytest.approx(0.49)


@pytest.mark.parametrize(
    ("type", "other", "role"),
    [
        ("howto_viewed", {}, "user"),
        ("faq_viewed", {}, "user"),
        ("app_used", {}, "user"),
        ("quote_requested", {}, "buyer"),
        ("price_viewed", {}, "buyer"),
        ("order_placed", {}, "buyer"),
        ("page_viewed", {"topic": "terms"}, "buyer"),
    ],
)
def test_behaviour_shows_a_role(type, other, role):
    seen = touched(50, "c1", type, event_id="e1", source="app", **other)
    evidence = "topic terms" if other else type
    assert one(known(shown=[seen])) == {role: Role(role, "behaviour", 0.4, evidence, 50, "e1", "app")}


def test_a_page_shows_nothing():
    assert shows(RULES, touch(1, topic="warmtepompen")) == ()


def test_the_first_to_touch_in_a_journey_is_its_initiator():
    roles = one(known(), [], [touched(90, "c1"), touched(70, "c1", event_id="e7"), touched(10, "c2")])
    expected = Role("initiator", "behaviour", 0.4, "the first to touch in a journey", 70, "e7", "web")
    assert roles == {"initiator": expected}


def test_who_refuses_profiling_has_no_role_by_behaviour_but_keeps_that_of_the_title():
    member = known(titles=[title("planner")], shown=[touched(5, "c1", "quote_requested")], refuses=True)
    assert set(one(member, [], [touched(5, "c1")])) == {"user"}


@pytest.mark.parametrize(("rank", "source"), [(STEWARD, "crm"), (CRM, "crm"), (ERP, "crm"), (OTHER, "title")])
def test_a_role_told_as_a_fact_is_the_crms_word_or_as_good_as_a_title(rank, source):
    role = one(known(roles=[Fact(rank, 9, "salesforce", "Decision Maker; End User")]))
    assert set(role) == {"decider", "user"}
    assert role["decider"][1:5] == (source, {"crm": 0.9, "title": 0.7}[source],
                                    "salesforce names “Decision Maker; End User”", 9)  # fmt: skip


def test_a_fact_that_names_no_role_is_none():
    assert one(known(roles=[Fact(CRM, 9, "crm", "contact"), Fact(OTHER, 9, "web", None)])) == {}


def test_of_one_role_the_strongest_source_counts_and_the_others_are_named():
    member = known(
        titles=[title("inkoper", 20)],
        roles=[Fact(CRM, 30, "crm", "buyer")],
        shown=[touched(10, "c1", "quote_requested", event_id="e1")],
    )
    by_crm = one(member)["buyer"]
    assert (by_crm.source, by_crm.since, by_crm.event_id) == ("crm", 30, "")
    assert by_crm.evidence == "crm names “buyer”; also title “inkoper” (inkoper); also quote_requested"
    by_command = one(member, [given_role("buyer", 40)])["buyer"]
    assert by_command[1:3] + by_command[4:] == ("command", 1.0, 40, "cmd-40", "")


def test_several_roles_the_strongest_source_first():
    member = known(titles=[title("eigenaar / planner")], shown=[touched(1, "c1", "order_placed")])
    (roles,) = assign(RULES, [member], [given_role("gatekeeper", 5)], [touched(1, "c1")])
    assert [(r.role, r.source) for r in roles] == [
        ("gatekeeper", "command"),
        ("user", "title"),
        ("decider", "title"),
        ("initiator", "behaviour"),
        ("buyer", "behaviour"),
    ]


def test_a_removed_role_is_gone_whoever_tells_it_until_it_is_assigned_later():
    member = known(titles=[title("inkoper")])
    removed = given_role("buyer", 50, False)
    assert one(member, [removed]) == {}
    assert one(member, [removed, given_role("buyer", 40)]) == {}
    again = one(member, [removed, given_role("buyer", 40), given_role("buyer", 60), given_role("buyer", 70)])
    assert (again["buyer"].source, again["buyer"].since) == ("command", 60)


def test_of_commands_at_one_time_the_one_with_the_greater_id_holds():
    told = [given_role("buyer", 50, True, event_id="a"), given_role("buyer", 50, False, event_id="b")]
    assert one(known(), told) == one(known(), told[::-1]) == {}


def test_a_role_belongs_to_a_period_of_employment():
    members = [known("c1", 0, titles=[title("planner")]), known("c1", 100, titles=[title("COO")])]

    def roles(*commands: Assigned) -> list[list[str]]:
        found = assign(RULES, members, commands, [touched(150, "c1")])
        return [[role.role for role in theirs] for theirs in found]

    assert roles() == [["user"], ["decider", "initiator"]]
    assert roles(given_role("user", 99, False)) == [[], ["decider", "initiator"]]
    assert roles(given_role("decider", 100, False)) == [["user"], ["initiator"]]
    assert roles(given_role("buyer", -5)) == [["buyer", "user"], ["decider", "initiator"]]
    assert roles(given_role("buyer", 5, contact="c9")) == [["user"], ["decider", "initiator"]]


def test_titles_told_during_an_employment_else_the_last_before_its_end():
    told = [title("planner", 5), title("inkoper", 20), title("COO", 30, CRM), title("eigenaar", 60)]
    assert told_during(told, 10, 40) == told_during(told, 20, 40) == told[1:3]
    assert told_during(told, 31, 60) == [told[2]]
    assert told_during(told, 0, 5) == []


def test_the_highest_weight_counts():
    assert weight(RULES, []) == weight(RULES, ["user"]) == weight(RULES, ["user", "gatekeeper"]) == 1
    assert weight(RULES, ["gatekeeper"]) == weight(RULES, ["gatekeeper", "initiator"]) == 0.8
    assert weight(RULES, ["influencer", "decider", "buyer"]) == 1.5


@pytest.mark.parametrize(
    ("stage", "members", "missing", "share"),
    [
        ("", [], [], 1),
        ("awareness", [], [], 1),
        ("consideration", [], ["user"], 0),
        ("consideration", [["initiator"]], [], 1),
        ("consideration", [["influencer"]], [], 1),
        ("consideration", [["buyer", "decider"]], ["user"], 0),
        ("evaluation", [["initiator"], ["buyer"]], ["decider"], 2 / 3),
        ("loyalty", [["gatekeeper"]], ["user", "buyer", "decider"], 0),
        ("purchase", [["decider", "buyer", "user"]], [], 1),
    ],
)
def test_what_the_stage_asks_for_and_who_is_missing(stage, members, missing, share):
    told = completeness(RULES, stage, members)
    assert (told.missing, told.share) == (missing, pytest.approx(share))


def test_all_roles_found_are_told_in_their_order():
    assert completeness(RULES, "awareness", [["gatekeeper", "user"], ["user"]]).found == [
        "user",
        "gatekeeper",
    ]


def test_who_has_a_role_that_is_asked_for_and_was_never_seen():
    members = [("c1", ["user"], True), ("c2", ["decider"], False), ("c3", ["buyer", "influencer"], False)]
    assert unseen(RULES, "evaluation", members) == [("decider", "c2"), ("buyer", "c3")]
    assert unseen(RULES, "awareness", members) == []
    assert unseen(RULES, "evaluation", [*members, ("c4", ["decider"], True)]) == [("buyer", "c3")]


def test_the_first_touch_of_each_role_in_a_journey():
    seen = [touched(1, ""), touched(2, "c1"), touched(3, "c2"), touched(4, "c3"), touched(5, "c1")]
    roles = {"c1": ["initiator", "user"], "c2": ["user", "buyer"], "c4": ["decider"]}
    assert first_touches(seen, roles) == {"first_user": seen[1], "first_buyer": seen[2]}


COMMANDS = st.lists(
    st.builds(given_role, st.sampled_from(["buyer", "user"]), st.integers(0, 3), st.booleans(),
              st.sampled_from(["c1", "c2"]), st.sampled_from("ab")),
    max_size=8, unique_by=lambda c: (c.contact, c.role, c.at, c.event_id),
)  # fmt: skip
TITLES = st.lists(
    st.builds(
        title, st.sampled_from(["inkoper", "CFO", "planner", "x"]), st.integers(0, 3), st.integers(1, 3)
    ),
    max_size=5,
)


@given(COMMANDS, TITLES, st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["c1", "c2"]))), st.randoms())
def test_the_order_in_which_anything_is_told_changes_nothing(
    commands: list[Assigned], titles: list[Fact], firsts: list[tuple[int, str]], chance: random.Random
):
    starts = [touched(at, contact) for at, contact in firsts]
    members = [known("c1", titles=titles), known("c1", 2), known("c2", titles=titles)]
    expected = assign(RULES, members, commands, starts)
    for some in (commands, titles, starts):
        chance.shuffle(some)
    members = [known("c1", titles=titles), known("c1", 2), known("c2", titles=titles)]
    assert assign(RULES, members, commands, starts) == expected
    assert assign(RULES, members[::-1], commands, starts) == expected[::-1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.sampled_from("xyz")), unique=True),
    st.randoms(),
)
def test_touches_of_one_time_come_in_any_order(given: list[tuple[int, str, str]], chance: random.Random):
    seen = sorted(touched(at, contact, event_id=f"{at}{contact}{n}") for at, contact, n in given)
    roles = {"a": ["user"], "b": ["user", "buyer"], "c": ["decider"]}
    shuffled = sorted(chance.sample(seen, len(seen)), key=lambda t: t.at)
    assert first_touches(shuffled, roles) == first_touches(seen, roles)
