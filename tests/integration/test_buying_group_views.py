"""What a profile tells of its buying group, as analysts read it."""

import msgspec
import pytest
from warehouse import Warehouse, group, involved, member

from schemas.events import JourneyRow, StageEntered
from schemas.identity import Span

pytestmark = pytest.mark.embedded


def test_what_an_account_is_and_has(at: Warehouse) -> None:
    at.feed(at.profile(1, [involved(member("c1")), member("c2", until="2025-02-01T00:00:00Z")], **group()))
    columns = "roles_found, roles_missing, role_completeness, engagement_at, half_life_days, status, p_active"
    assert at.rows("v_accounts", columns) == [
        (["user"], ["buyer", "decider"], 0.3333, "2025-03-10T00:00:00.000Z", 7, "quiet", 0.25)
    ]
    trade = "orders, revenue, currency, aov, return_rate, order_frequency, unconverted, product_families"
    assert at.rows("v_accounts", trade) == [
        (2, 4400, "EUR", 2306.38, 0.5, 4.5, {"USD": 100.5}, ["pumps"]),
    ]
    others = "segments, owner, interests, contact_points, reachable, next_question, next_best_action"
    [(segments, *rest, question, action)] = at.rows("v_accounts", others)
    assert (segments, rest) == (
        {"scheme": "gold"},
        ["marleen", ["pumps", "valves"], ["email:info@acme.nl"], True],
    )
    assert question == {"attribute": "budget", "text": "What may it cost?", "why": "evaluation asks for it"}
    assert action == {
        **{"to": "c1", "name": "Jane Doe", "channel": "phone", "message": "Call Jane Doe"},
        **{"when": "today", "why": "she asked"},
    }


def test_engagement_halves_until_today(at: Warehouse) -> None:
    [week] = at.ask("SELECT concat(toString(toDate(now('UTC')) - 7), 'T00:00:00Z') AS ago")
    told = group() | {"engagement_at": week["ago"]}
    told["score_parts"][0].day = week["ago"][:10]
    at.feed(at.profile(1, [involved(member("c1"))], **told))
    # It halves in 7 days, so half of 80, of her 40, and of 40 points × 1.5 is left.
    assert at.rows("v_accounts", "engagement") == [(40.0,)]
    assert at.rows("v_members", "engagement") == [(20.0,)]
    parts = at.rows("v_score_parts", "account_id, contact_id, points, weight, worth, types")
    assert parts == [("a1", "c1", 40.0, 1.5, 30.0, {"order_placed": 1, "app_used": 5})]
    at.feed(at.profile(2, [involved(member("c1"))], **told | {"engagement_at": None, "engagement": 0.0}))
    assert at.rows("v_accounts", "engagement, engagement_at") == [(0.0, None)]


def test_a_member_and_its_roles(at: Warehouse) -> None:
    at.feed(at.profile(1, [involved(member("c1")), member("c2")]))
    columns = "contact_id, job_title, roles, role_source, role_confidence, evidence, reachable, reach"
    assert at.rows("v_members", columns) == [
        (
            *("c1", "Head of Jane Doe", ["decider", "user"], "crm", 0.9),
            *({"decider": "Jane Doe decides", "user": "how-to"}, True, "Jane Doe gave consent"),
        ),
        ("c2", "", [], "", None, {}, False, ""),
    ]
    assert at.rows("v_members", "contact_id, status, p_active, steps") == [
        ("c1", "active", 0.75, ["order placed, Jane Doe (2025-03-10)"]),
        ("c2", "unknown", None, []),
    ]


def test_how_a_contact_is_doing_in_the_accounts_it_is_in(at: Warehouse) -> None:
    past, quiet, unknown = (
        msgspec.structs.replace(involved(member("c1")), status=status, valid_to=until, reach=account)
        for status, until, account in (
            ("active", "2025-01-01T00:00:00Z", "a1"),
            ("quiet", None, "a2"),
            ("unknown", None, "a3"),
        )
    )
    at.feed(
        at.mapped("email:c1@acme.nl", Span(None, "c1", "a2")),
        at.mapped("email:c2@acme.nl", Span(None, "c2", "a1")),
        *(at.profile(1, [one], subject=one.reach) for one in (past, quiet, unknown)),
    )
    assert at.rows("v_contacts", "contact_id, status, p_active, reachable, reach") == [
        ("c1", "quiet", 0.75, True, "a2"),
        ("c2", "unknown", None, False, ""),
    ]
    at.feed(at.profile(2, [], subject="a2"), at.profile(2, [], subject="a3"))
    assert at.rows("v_contacts", "contact_id, status") == [("c1", "active"), ("c2", "unknown")]


def test_crossings_hand_offs_and_silence(at: Warehouse) -> None:
    at.feed(at.profile(1, **group()))
    assert at.rows("v_crossings", "* EXCEPT tenant", "1") == [
        ("a1", "a1.2", "page_viewed", "pumps", "2025-03-02T00:00:00.000Z", ["c1", "c2"])
    ]
    jane = {"contact": "c1", "name": "Jane Doe", "phone": "+31611112222", "email": "jane.doe@acme.nl"}
    assert at.rows(
        "v_handoffs", "handoff_id, account_id, journey_id, attempt, at, score, reasons, call_first"
    ) == [
        (
            *("a1.2.1", "a1", "a1.2", 1, "2025-03-02T00:00:00.000Z", 55.5, ["Jane Doe asked for a quote"]),
            jane | {"why": "Jane Doe asked for a quote"},
        ),
        (
            *("a1.2.2", "a1", "a1.2", 2, "2025-03-10T00:00:00.000Z", 0.0, []),
            dict.fromkeys((*jane, "why"), ""),
        ),
    ]
    columns = "status, outcome, outcome_reason, outcome_code, outcome_at, outcome_by, value, currency"
    assert at.rows("v_handoffs", columns) == [
        ("withdrawn", "", "", "", None, "", None, ""),
        ("won", "won", "cheap", "other", "2025-03-09T00:00:00.000Z", "crm", 1250.5, "EUR"),
    ]
    # From the 2nd at 00:00 to the 3rd at 06:30.
    assert at.rows("v_handoffs", "responded_at, hours_to_first_response, feedback_due", "attempt") == [
        ("2025-03-03T06:30:00.000Z", 30.5, "2025-03-09T00:00:00.000Z"),
        (None, None, None),
    ]
    assert at.rows("v_inactivity", "* EXCEPT tenant", "since DESC") == [
        ("a1", "", "quiet", "2025-04-01T00:00:00.000Z", "2025-03-10T08:00:00.000Z", 21.5, 0.25, None),
        (
            *("a1", "c1", "silent", "2025-02-01T00:00:00.000Z", "2025-01-01T08:00:00.000Z", 28.0, 0.05),
            "2025-03-01T00:00:00.000Z",
        ),
    ]
    at.feed(at.profile(2))
    for view in ("v_crossings", "v_handoffs", "v_inactivity", "v_orders", "v_score_parts"):
        assert at.rows(view, "account_id") == [], view


def test_orders(at: Warehouse) -> None:
    at.feed(at.profile(1, **group()))
    assert at.rows("v_orders", "* EXCEPT tenant", "order_key") == [
        ("a1", "default:7", "2025-03-05T00:00:00.000Z", 4612.75, "EUR", 212.75, False, ["pumps"]),
        ("a1", "default:8", "2025-03-06T00:00:00.000Z", None, "", None, True, []),
    ]


def test_stages_stand_in_the_order_of_the_definition_whatever_their_names(at: Warehouse) -> None:
    day = "2025-01-03T00:00:00Z"
    stages = [StageEntered(name, day, [], False) for name in ("looking", "asking", "buying")]
    moments = {"first_order": day}
    at.feed(
        at.profile(
            1, journeys=[JourneyRow(1, day, None, "", stages, moments, day), JourneyRow(2, day, None, "", [])]
        )
    )
    assert at.rows("v_stage_transitions", "from_stage, to_stage", "1") == [
        ("", "looking"),
        ("asking", "buying"),
        ("looking", "asking"),
    ]
    at_day = "2025-01-03T00:00:00.000Z"
    assert at.rows("v_journeys", "journey_id, stage, last_touch, moments") == [
        ("a1.1", "buying", at_day, {"first_order": at_day}),
        ("a1.2", "", None, {}),
    ]
