"""What to ask next, and what to do next, for whom, by which channel and why."""

from typing import Any

import msgspec
import pytest

from schemas.events import Action, Question
from schemas.internal import CRM, Fact
from schemas.times import DAY_MS
from streams.definition import DefinitionError, default, load
from streams.definition.model import ActionRule
from streams.journeys.actions import Person, Situation, channels, next_best_action
from streams.journeys.facts import used
from streams.journeys.questions import next_question

RULES = default()
ALL = channels({"email", "phone"}, refuses_profiling=False)
STAGES = [stage.name for stage in RULES.stages]

ANNA = Person("c1", "Anna", ["user"], ALL, 10.0, 5)
BOB = Person("c2", "Bob", ["buyer", "initiator"], ALL, 40.0, 3)
CEES = Person("c3", "Cees", ["decider"], frozenset(), 90.0, 9)


def rule(**told: Any) -> ActionRule:
    usual = {"to": "last_active", "channels": ("email",), "message": "m", "within_days": 2, "why": "w"}
    return ActionRule(**{"name": "a", **usual, **told})


def situation(**told: Any) -> Situation:
    usual = {"stage": "evaluation", "status": "active", "missing": [], "interests": [], "name": "Acme"}
    return Situation(**{**usual, "members": [ANNA, BOB, CEES], "since_day": 20_000, **told})


def done(*rules: ActionRule, **told: Any) -> Action | None:
    return next_best_action(rules, situation(**told))


def by_default(**told: Any) -> str:
    """The name of the default's rule that fits."""
    found = next_best_action(RULES.actions, situation(**told))
    assert found
    return next(rule.name for rule in RULES.actions if found.why.startswith(rule.why))


# ---- conditions


@pytest.mark.parametrize(
    ("condition", "fits", "fits_not", "reason"),
    [
        ({"stages": ("evaluation",)}, {}, {"stage": "purchase"}, "evaluation"),
        ({"statuses": ("quiet", "silent")}, {"status": "silent"}, {"status": "unknown"}, "silent"),
        ({"handoff": ("open",)}, {"handoff": "open"}, {"handoff": ""}, "hand-off open"),
        ({"handoff": ("open",)}, {"handoff": "open"}, {"handoff": "accepted"}, "hand-off open"),
        ({"customer": "yes"}, {"customer": True}, {"customer": False}, "a customer"),
        ({"customer": "no"}, {"customer": False}, {"customer": True}, "no customer"),
        (
            {"missing": ("decider",)},
            {"missing": ["user", "decider"]},
            {"missing": ["user"]},
            "no decider seen",
        ),
        (
            {"topics": ("Prijzen",)},
            {"interests": ["a", "prijzen"]},
            {"interests": ["a"]},
            "interest in prijzen",
        ),
    ],
)
def test_a_rule_fits_when_all_its_conditions_do(condition, fits, fits_not, reason):
    found = done(rule(**condition), **fits)
    assert found
    assert found.why == f"w ({reason})"
    assert done(rule(**condition), **fits_not) is None


def test_the_first_rule_that_fits_counts():
    found = done(rule(stages=("loyalty",), why="1"), rule(why="2"), rule(why="3"))
    assert found == Action("c1", "Anna", "email", "m", "2024-10-06", "2")
    assert done() is None


def test_an_account_without_any_touch_has_no_day():
    found = done(rule(to="account"), since_day=None)
    assert found
    assert (found.to, found.name, found.when) == ("", "Acme", "")


# ---- whom, and how


@pytest.mark.parametrize(
    ("to", "told", "chosen"),
    [
        ("last_active", {}, "c1"),  # Cees was here later and may not be approached
        ("call_first", {}, "c2"),
        ("call_first", {"call_first": "c1"}, "c1"),
        ("call_first", {"call_first": "c3"}, "c2"),
        ("call_first", {"call_first": "left"}, "c2"),
        ("buyer", {}, "c2"),
        ("user", {}, "c1"),
        ("account", {}, ""),
    ],
)
def test_whom_it_is_for(to, told, chosen):
    found = done(rule(to=to), **told)
    assert found
    assert found.to == chosen


@pytest.mark.parametrize("to", ["decider", "gatekeeper"])
def test_where_nobody_in_the_role_may_be_approached_the_next_rule_counts(to):
    found = done(rule(to=to), rule(why="next"))
    assert found
    assert found.why == "next"
    assert done(rule(to=to)) is None


def test_who_never_was_here_was_not_here_last():
    from_crm = ANNA._replace(contact="c0", last_touch=None)
    assert done(rule(), members=[from_crm]) is None


def test_of_several_the_most_engaged_then_the_latest():
    other = BOB._replace(contact="c9")
    later = BOB._replace(contact="c8", last_touch=4)
    for members in ([BOB, other, later], [later, other, BOB]):
        found = done(rule(to="buyer"), members=members)
        assert found
        assert found.to == "c8"


@pytest.mark.parametrize(
    ("able", "prefers", "channel"),
    [
        ({"email", "phone"}, "", "phone"),
        ({"email"}, "", "email"),
        ({"email", "phone"}, "email", "email"),
        ({"phone"}, "email", "phone"),
        ({"email"}, "post", "email"),
        ({"web"}, "web", None),
    ],
)
def test_by_which_channel(able, prefers, channel):
    who = ANNA._replace(channels=able, prefers=prefers)
    found = done(rule(channels=("phone", "email")), members=[who])
    assert (found.channel if found else None) == channel


def test_channels_follow_consent():
    assert channels((), refuses_profiling=False) == {"web"}
    assert channels(["email"], refuses_profiling=True) == {"email", "post", "meeting"}


# ---- messages


def test_a_message_names_topic_role_and_person():
    asks = rule(message="{name}: {topic}, {role}? {other}", missing=("buyer",), topics=("prijzen",))
    found = done(asks, missing=["user", "buyer"], interests=["planning", "prijzen"])
    assert found
    assert found.message == "Anna: prijzen, buyer? {other}"


@pytest.mark.parametrize("message", ["{topic}", "{role}"])
def test_a_rule_does_not_fit_where_what_its_message_names_is_not_known(message):
    assert done(rule(message=message)) is None
    assert done(rule(message=message), missing=["user"], interests=["planning"])


@pytest.mark.parametrize(("account", "shown"), [("Acme", "Acme"), ("", "them")])
def test_who_has_no_name_is_called_by_the_account_s(account, shown):
    found = done(rule(message="{name}"), members=[ANNA._replace(name="")], name=account)
    assert found
    assert (found.message, found.name) == (shown, "")


def test_what_nothing_fills_is_a_mistake_of_the_definition():
    text = "[[actions]]\nname = 'a'\nto = 'account'\nchannels = ['web']\nwithin_days = 1\nwhy = 'w'\n"
    with pytest.raises(DefinitionError) as error:
        load(f"{text}message = 'Hello {{firstname}}'", "my.toml")
    assert error.value.problems == [
        "my.toml:7: actions[1].message has {firstname}, which nothing fills; use {topic}, {role}, {name}"
    ]


# ---- the default


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("status", ["active", "quiet", "silent", "unknown"])
@pytest.mark.parametrize("members", [[], [CEES], [ANNA], [ANNA, BOB, CEES]])
@pytest.mark.parametrize("customer", [True, False])
def test_the_default_always_knows_what_to_do(stage, status, members, customer):
    assert by_default(stage=stage, status=status, members=members, customer=customer)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"status": "silent", "handoff": "open"}, "rescue_deal"),
        ({"handoff": "open", "missing": ["decider"]}, "call_now"),
        ({"handoff": "working", "missing": ["decider"]}, "reach_decider"),
        ({"status": "quiet", "missing": ["decider"]}, "unblock_deal"),
        ({"missing": ["user", "buyer"]}, "reach_buyer"),
        ({"interests": ["prijzen"]}, "settle_price"),
        ({}, "agree_next_step"),
        ({"members": []}, "earn_permission"),
        ({"stage": "consideration"}, "compare"),
        ({"stage": "consideration", "missing": ["user"]}, "invite_colleagues"),
        ({"stage": "consideration", "customer": True}, "extend"),
        ({"stage": "consideration", "status": "silent"}, "win_back"),
        ({"stage": "consideration", "status": "silent", "interests": ["planning"]}, "remind_about_topic"),
        ({"stage": "awareness", "status": "silent", "customer": True}, "save_customer"),
        ({"stage": "loyalty", "status": "silent", "customer": True}, "save_customer"),
        ({"stage": "loyalty", "status": "silent"}, "win_back"),
        ({"stage": "purchase"}, "onboard"),
        ({"stage": "purchase", "members": [BOB]}, "find_users"),
        ({"stage": "experience", "status": "quiet"}, "check_in"),
        ({"stage": "experience", "missing": ["decider"]}, "report_value"),
        ({"stage": "experience"}, "ask_review"),
        ({"stage": "experience", "members": [BOB]}, "ask_experience"),
        ({"stage": "loyalty"}, "thank"),
        ({"stage": "loyalty", "members": [CEES._replace(channels=ALL)]}, "grow"),
        ({"stage": "awareness"}, "inspire"),
        ({"stage": "awareness", "members": [CEES]}, "earn_permission"),
    ],
)
def test_what_the_default_does(told, name):
    assert by_default(**told) == name


def test_every_rule_of_the_default_is_used():
    tested = {args[1] for args in test_what_the_default_does.pytestmark[0].args[1]}
    assert {rule.name for rule in RULES.actions} - tested == {"reach_user"}
    assert by_default(missing=["user"]) == "reach_user"


# ---- what to ask


def asked(stage: str, *known: str, of: tuple[str, ...] = (), clock: int = 0, contact: str = "c1",
          roles: tuple[str, ...] = ()) -> Question | None:  # fmt: skip
    firm = {name: Fact(CRM, 0, "crm", "x") for name in known}
    members = {
        "c1": {name: [Fact(CRM, 0, "crm", "x")] for name in of},
        "c2": {"job_title": [Fact(CRM, 0, "crm", "x")]},
    }
    return next_question(RULES.facts, stage, used(RULES.facts, "a1", firm, members, clock), contact, roles)


def test_the_fact_with_the_highest_value_for_its_cost_is_asked():
    assert asked("consideration") == Question(
        "name", "For which organisation would this be?", "unknown; matters in consideration (worth 8 for 1)"
    )
    found = asked("consideration", "name")
    assert found
    assert found.attribute == "job_title"  # 7 for 1; that of somebody else says nothing of this one


def attributes(*arguments: Any, **named: Any) -> list[str]:
    """What is asked one after the other, each answered."""
    found, known, of = [], list(arguments[1:]), list(named.pop("of", ()))
    for _ in RULES.facts:
        question = asked(arguments[0], *known, of=tuple(of), **named)
        if question is None:
            break
        found.append(question.attribute)
        about = {
            rule.entity for rule in RULES.facts if rule.attribute == question.attribute and rule.question
        }
        (known if about == {"account"} else of).append(question.attribute)
        if len(about) > 1:
            known.append(question.attribute)
    return found


def test_in_each_stage_what_matters_there_is_asked_in_turn():
    assert attributes("evaluation", "name", of=("name",)) == [
        "job_title", "intention", "employees", "timing", "role", "vat_number", "preferred_channel",
        "current_supplier", "decision_process", "requirements", "contract_end", "budget", "locations",
        "competitors",
    ]  # fmt: skip
    assert attributes("loyalty", of=("name",)) == ["satisfaction", "reorder_months"]


def test_who_has_a_role_is_not_asked_for_it():
    assert "role" in attributes("evaluation", roles=("initiator",))
    assert "role" not in attributes("evaluation", roles=("initiator", "buyer"))


def test_without_a_person_only_what_is_about_the_account_is_asked():
    assert {"name", "job_title"} <= set(attributes("consideration"))
    assert "job_title" not in attributes("consideration", contact="")
    assert attributes("consideration", "name", contact="")[0] == "industry"


def test_what_has_expired_is_asked_again():
    known = [name for name in attributes("loyalty") if name != "name"]
    assert asked("loyalty", *known, of=("name",), clock=180 * DAY_MS) is None
    found = asked("loyalty", *known, of=("name",), clock=180 * DAY_MS + 1)
    assert found
    assert found.why == "told by crm, held until 1970-06-30; matters in loyalty (worth 8 for 1.5)"


def test_of_equal_ones_the_first_in_the_definition_is_asked():
    alike = [msgspec.structs.replace(fact, value=1.0, cost=1.0, stages=()) for fact in RULES.facts]
    found = next_question(alike, "evaluation", [])
    assert found
    assert found.attribute == next(fact.attribute for fact in alike if fact.question)
    assert found.why == "unknown; always matters (worth 1 for 1)"
