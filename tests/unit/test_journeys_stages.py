"""Every clause at its boundaries, the cut by the gap, crucial moments."""

import pytest

from schemas.internal import MACHINE, US
from streams.definition import default, load
from streams.journeys.account import Given, derive
from tests.unit.test_journeys_given import DAY, GAP, START, account, fragment, of, one, stages, touch


def after(days: float, type: str = "page_viewed", **other: object):
    return touch(START + int(days * DAY), type, event_id=f"{type}-{days}-{other}", **other)


def entered(*touches) -> dict[str, float]:
    """The stages of the first journey of one person, in days after the start."""
    return {stage: (at - START) / DAY for stage, at in stages(one(*touches))[0].items()}


def test_the_first_touch_enters_awareness():
    assert entered(after(1), after(2)) == {"awareness": 1}


def test_an_opened_mail_neither_opens_a_journey_nor_completes_a_clause():
    given = one(after(0, "email_opened", topic="a"), after(1, topic="b"), after(2, topic="c"))
    assert stages(given) == [{"awareness": START + DAY}]
    assert (given.walked.touches, given.walked.first_seen) == (3, START)
    assert stages(one(after(0, "email_opened"))) == []


@pytest.mark.parametrize("actor", [US, MACHINE])
def test_what_we_or_machines_do_counts_among_the_touches_and_for_nothing_else(actor):
    given = one(after(0, "meeting_held", actor=actor), after(300, "email_sent", actor=actor))
    assert stages(given) == []
    assert (given.walked.touches, given.walked.first_seen, given.walked.last_seen) == (2, None, None)


@pytest.mark.parametrize("type", ["catalogue_requested", "sample_requested", "account_registered"])
def test_consideration_by_one_touch(type):
    assert entered(after(0), after(3, type)) == {"awareness": 0, "consideration": 3}


@pytest.mark.parametrize(("gap", "reached"), [(30, True), (30 + 1e-6, False)])
def test_consideration_by_two_downloads_within_30_days(gap, reached):
    found = entered(after(0, "content_downloaded"), after(gap, "content_downloaded"))
    assert ("consideration" in found) is reached


def test_two_downloads_need_not_be_the_first_two():
    found = entered(*(after(day, "content_downloaded") for day in (0, 40, 60)))
    assert found == {"awareness": 0, "consideration": 60}


@pytest.mark.parametrize(("last", "reached"), [(30, True), (30 + 1e-6, False)])
def test_consideration_by_three_topics_within_30_days(last, reached):
    found = entered(after(0, topic="a"), after(10, topic="b"), after(11, topic="b"), after(last, topic="c"))
    assert ("consideration" in found) is reached


def test_a_topic_that_is_seen_again_counts_from_then():
    found = entered(after(0, topic="a"), after(10, topic="b"), after(25, topic="a"), after(40, topic="c"))
    assert found == {"awareness": 0, "consideration": 40}


def test_touches_without_topic_are_no_topic():
    assert entered(after(0, topic="a"), after(1, topic="b"), after(2), after(3)) == {"awareness": 0}


@pytest.mark.parametrize("type", ["demo_requested", "quote_requested", "call_requested", "meeting_held"])
def test_evaluation_by_one_touch_skips_consideration(type):
    assert entered(after(0), after(3, type)) == {"awareness": 0, "evaluation": 3}


def two(jane, bram):
    return account(
        fragment("email:jane@acme.nl", of("jane", *jane)), fragment("email:bram@acme.nl", of("bram", *bram))
    )


@pytest.mark.parametrize(("later", "reached"), [(30, True), (30 + 1e-6, False)])
def test_evaluation_by_two_contacts_in_consideration_within_30_days(later, reached):
    given = two([after(0, "sample_requested")], [after(later, "account_registered", source="crm")])
    assert ("evaluation" in stages(given)[0]) is reached


def test_two_contacts_count_from_the_touch_that_brings_both_together():
    jane = [after(0, "sample_requested"), after(50)]
    bram = [after(40, "account_registered")]
    assert stages(two(jane, bram))[0]["evaluation"] == START + 50 * DAY


def test_both_contacts_must_be_in_consideration_by_themselves():
    jane = [after(0, "sample_requested"), after(2)]
    bram = [after(1, topic="a"), after(3, topic="b")]  # together with nobody: only two topics
    assert "evaluation" not in stages(two(jane, bram))[0]


def test_a_touch_before_consideration_is_activity_but_not_the_moment():
    bram = [after(1), after(4, "account_registered")]
    assert stages(two([after(0, "sample_requested")], bram))[0]["evaluation"] == START + 4 * DAY


def test_two_contacts_at_the_same_time():
    given = two([after(0, "sample_requested")], [after(0, "sample_requested", source="app")])
    assert stages(given)[0] == {"awareness": START, "consideration": START, "evaluation": START}


def test_one_contact_with_two_addresses_is_one():
    given = account(
        fragment("email:jane@acme.nl", of("jane", after(0, "sample_requested"))),
        fragment("email:j@acme.nl", of("jane", after(1, "account_registered"))),
    )
    assert "evaluation" not in stages(given)[0]


def test_touches_of_the_account_only_count_but_are_no_contact():
    given = account(
        fragment("domain:acme.nl", of("", after(0, "sample_requested"), after(2, "sample_requested"))),
        fragment("email:jane@acme.nl", of("jane", after(1, "account_registered"))),
    )
    assert stages(given) == [{"awareness": START, "consideration": START}]
    assert given.walked.journeys[0].progress.reached[1].contact == ""


@pytest.mark.parametrize("type", ["order_placed", "subscription_started"])
def test_purchase(type):
    assert entered(after(0), after(3, type)) == {"awareness": 0, "purchase": 3}


@pytest.mark.parametrize(
    "type", ["app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted"]
)
def test_experience_is_after_an_order(type):
    assert "experience" not in entered(after(0, type), after(1, "order_placed"))
    assert "experience" not in entered(after(1, "order_placed"), after(1, type))
    assert entered(after(1, "order_placed"), after(2, type))["experience"] == 2


@pytest.mark.parametrize(("last", "reached"), [(365, True), (365 + 1e-6, False)])
def test_loyalty_by_two_further_orders_within_365_days(last, reached):
    orders = [after(day, "order_placed", order=f"o{day}") for day in (0, 100, 230, last)]
    assert "loyalty" not in entered(*orders[:2])
    assert entered(*orders[:3])["loyalty"] == 230
    assert ("loyalty" in entered(orders[0], orders[1], after(240), orders[3])) is reached


def test_an_order_told_twice_is_one_order():
    shop = after(0, "order_placed", order="1")
    erp = after(1, "order_placed", order="1", source="erp")
    other = after(2, "order_placed", order="2")
    assert "loyalty" not in entered(shop, erp, other)
    assert entered(shop, erp, other, after(3, "order_placed"))["loyalty"] == 3  # without id: the event itself


def test_an_earlier_clause_completed_later_is_a_moment_and_no_step_back():
    given = one(after(0), after(1, "demo_requested"), after(2, "catalogue_requested"))
    assert stages(given) == [{"awareness": START, "evaluation": START + DAY}]
    assert [name for name, _ in given.walked.journeys[0].crucial] == ["catalogue_request", "consideration"]


def test_clauses_completed_by_one_touch_enter_all_their_stages():
    found = entered(after(0, topic="a"), after(1, topic="b"), after(2, "demo_requested", topic="c"))
    assert found == {"awareness": 0, "consideration": 2, "evaluation": 2}


def test_touches_of_one_time_enter_their_stages_whatever_their_order():
    demo = touch(START, "demo_requested", event_id="1")
    given = one(demo, touch(START, "catalogue_requested", event_id="2"))
    assert stages(given) == [{"awareness": START, "consideration": START, "evaluation": START}]


def test_crucial_moments_are_the_first_of_a_journey():
    given = one(
        after(0, "faq_viewed"),  # before the order: no after-sales
        after(1, "catalogue_requested"),
        after(2, "catalogue_requested"),
        after(3, "sample_requested"),
        after(4, "account_registered"),
        after(5, "order_placed"),
        after(6, "order_placed"),
        after(7, "support_contacted"),
        after(8, "app_used"),
    )
    found = {name: (touched.at - START) // DAY for name, touched in given.walked.journeys[0].crucial}
    assert found == {
        "account_creation": 4,
        "catalogue_request": 1,
        "first_after_sales": 7,
        "first_order": 5,
        "sample_request": 3,
    }


def test_a_touch_exactly_at_the_gap_still_belongs_to_the_journey():
    assert len(one(after(0), after(180)).walked.journeys) == 1


def test_a_touch_beyond_the_gap_opens_the_next_journey_in_which_nothing_is_carried_over():
    late = touch(START + GAP + 1, "content_downloaded")
    given = one(after(0, "content_downloaded"), after(0, "order_placed"), late)
    assert stages(given) == [{"awareness": START, "purchase": START}, {"awareness": late.at}]


def test_an_opened_mail_does_not_prolong_a_journey():
    given = one(after(0), after(100, "email_opened"), after(181))
    assert len(given.walked.journeys) == 2


def test_a_members_own_stage_is_the_same_table_on_its_own_touches():
    given = two([after(0, "sample_requested"), after(1, "demo_requested")], [after(2), after(200)])
    assert {s.contact: s.stage for s in given.spells} == {"jane": "evaluation", "bram": "awareness"}


# ---- other rules

OTHER_RULES = load(
    """
[journey]
gap_days = 20
orders = ["subscription_started"]
[handoff]
stage = "trying"
[[stages]]
name = "knowing"
meaning = "m"
clauses = [{ kind = "any", types = ["page_viewed", "event_attended"], text = "t" }]
[[stages]]
name = "wanting"
meaning = "m"
clauses = [
    { kind = "topics", number = 2, days = 5, text = "t" },
    { kind = "topics", number = 3, days = 15, text = "t" },
    { kind = "repeated", types = ["howto_viewed"], number = 2, days = 1, text = "t" },
    { kind = "repeated", types = ["howto_viewed"], number = 3, days = 9, text = "t" },
]
[[stages]]
name = "trying"
meaning = "m"
clauses = [{ kind = "contacts", stage = "knowing", number = 3, days = 4, text = "t" }]
[[stages]]
name = "using"
meaning = "m"
clauses = [{ kind = "after_order", types = ["app_used"], text = "t" }]
[[moments]]
name = "first_order"
meaning = "m"
types = ["orders"]
[[moments]]
name = "first_subscription"
meaning = "m"
types = ["subscription_started"]
[[moments]]
name = "first_use"
meaning = "m"
types = ["app_used"]
after_order = true
""",
    "my.toml",
)


def by_other_rules(*parts):
    return derive([fragment(f"email:{part.contact}@acme.nl", part) for part in parts], Given(OTHER_RULES))


def found_by_other_rules(*touches):
    given = by_other_rules(of("jane", *touches))
    return [{stage: (at - START) / DAY for stage, at in found.items()} for found in stages(given)]


@pytest.mark.parametrize(
    ("touches", "found"),
    [
        ([after(0), after(20)], [{"knowing": 0}]),
        ([after(0), after(20.1)], [{"knowing": 0}, {"knowing": 20.1}]),
        ([after(0, "faq_viewed"), after(1, "order_placed"), after(2, "app_used")], [{}]),
        ([after(0), after(1, "subscription_started"), after(2, "app_used")], [{"knowing": 0, "using": 2}]),
        ([after(0, topic="a"), after(5, topic="b")], [{"knowing": 0, "wanting": 5}]),
        ([after(0, topic="a"), after(6, topic="b"), after(12, topic="c")], [{"knowing": 0, "wanting": 12}]),
        ([after(0, "howto_viewed"), after(1, "howto_viewed")], [{"wanting": 1}]),
        ([after(0, "howto_viewed"), after(4, "howto_viewed"), after(9, "howto_viewed")], [{"wanting": 9}]),
        ([after(0, "howto_viewed"), after(4, "howto_viewed"), after(10, "howto_viewed")], [{}]),
    ],
)
def test_other_stages_are_entered_by_their_own_clauses(touches, found):
    assert found_by_other_rules(*touches) == found


@pytest.mark.parametrize(("day", "reached"), [(4, True), (4.1, False)])
def test_another_number_of_contacts_in_another_stage(day, reached):
    given = by_other_rules(of("ann", after(0)), of("bob", after(1)), of("cis", after(day)))
    assert ("trying" in stages(given)[0]) is reached
    given = by_other_rules(of("ann", after(0)), of("bob", after(1)), of("cis", after(day, "faq_viewed")))
    assert "trying" not in stages(given)[0]


def test_a_member_that_entered_no_stage_has_none():
    (spell,) = by_other_rules(of("jane", after(0, "faq_viewed"))).spells
    assert (spell.touches, spell.stage) == (1, "")


def test_a_touch_can_be_several_moments():
    given = by_other_rules(
        of("jane", after(0, "app_used"), after(1, "subscription_started"), after(2, "app_used"))
    )
    (journey,) = given.walked.journeys
    assert [(name, (touched.at - START) / DAY) for name, touched in journey.crucial] == [
        ("first_order", 1),
        ("first_subscription", 1),
        ("first_use", 2),
    ]


def test_inspiration_is_a_moment_of_its_own():
    touches = [after(0, topic="pumps"), after(1, "howto_viewed", topic="cases"), after(2, topic="cases")]
    rules = load('[[topics]]\ntopic = "cases"\nurl = "/cases/"\ninspiration = true', "my.toml")
    for definition, found in ((rules, {"inspiration": 1}), (default(), {})):
        (journey,) = derive(
            [fragment("email:jane@acme.nl", of("jane", *touches))], Given(definition)
        ).walked.journeys
        assert {name: (touched.at - START) / DAY for name, touched in journey.crucial} == found
