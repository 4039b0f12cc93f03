"""What a profile becomes in ClickHouse: one row that holds all of an account. Pure: no I/O, no clock.

What tells of people is left out where one of the members is erased: the account tells it anew, without them,
with its next profile.
"""

from typing import Final

from schemas.events import AccountProfile, HandoffRow, JourneyRow, Member
from schemas.times import from_rfc3339
from streams.sink.erased import Erased, number
from streams.sink.tables import Row

_NOBODY: Final = ("", "", "", "", "")


def row(profile: AccountProfile, erased: Erased) -> Row:
    """The row, in the order of the table's columns."""
    tenant = profile.tenant
    anew = {erased.key(tenant, i): from_rfc3339(at) for i, at in profile.anew.items()}
    told = [_member(tenant, m, erased, anew) for m in profile.members]
    members = [member for member, _ in told if member is not None]
    # Whose the rest is cannot be told: a fact may be anybody's, a reason names who asked.
    whole = all(kept for _, kept in told)
    emptied = profile.kind == "person" and profile.members and not members
    question, action = profile.next_question, profile.next_best_action if whole else None
    return (
        tenant,
        profile.subject,
        str(number(profile.version)),
        profile.kind,
        "" if emptied else profile.name,
        profile.keys,
        profile.crm_account_id,
        profile.stage,
        profile.stage_since,
        profile.journey_id,
        members,
        profile.touches,
        profile.first_seen,
        profile.last_seen,
        profile.industry,
        profile.employees,
        profile.country,
        profile.dense,
        profile.gone,
        profile.definition_version,
        [_journey(tenant, journey, erased) for journey in profile.journeys],
        anew,
        profile.roles_found,
        profile.roles_missing,
        profile.role_completeness,
        profile.engagement,
        profile.engagement_at,
        profile.half_life_days,
        [(p.day, p.contact_id, p.points, p.weight, p.types) for p in profile.score_parts] if whole else [],
        profile.status,
        profile.p_active,
        [
            (s.contact_id, s.level, s.since, s.last_touch, s.expected_gap_days, s.p_active, s.ended_at)
            for s in profile.silences
            if whole or not s.contact_id
        ],
        [(c.journey, c.type, c.topic, c.at, c.contacts) for c in profile.crossings] if whole else [],
        [_handoff(handoff, whole=whole) for handoff in profile.handoffs],
        profile.segments,
        profile.orders,
        profile.revenue,
        profile.currency,
        profile.aov,
        profile.return_rate,
        profile.order_frequency,
        [
            (o.order, o.at, o.value or None, o.currency, o.returned or None, o.cancelled, o.families)
            for o in profile.order_list
        ],
        profile.unconverted,
        profile.product_families,
        profile.owner,
        [
            (f.entity, f.attribute, f.value, f.source, f.observed_at, f.confidence, f.expires_at)
            for f in profile.facts
        ]
        if whole
        else [],
        profile.interests,
        profile.contact_points,
        (question.attribute, question.text, question.why) if question else ("", "", ""),
        (action.to, action.name, action.channel, action.message, action.when, action.why)
        if action
        else ("", *_NOBODY),
    )


def _member(tenant: str, m: Member, erased: Erased, anew: dict[int, int]) -> tuple[Row | None, bool]:
    """The member without what is erased (None: nothing is left), and whether nothing is."""
    names, keys = erased.of_member(tenant, m.identifiers, m.contact_id, anew)
    whole = len(names) == len(m.identifiers)
    if m.identifiers and not names:
        return None, False
    roles = [(r.role, r.source, r.confidence, r.evidence if whole else "", r.since) for r in m.roles]
    # Of somebody who lost an identifier it cannot be told whose name and title they are.
    return (
        *(m.contact_id, m.name if whole else "", names, m.valid_from, m.valid_to, m.first_touch),
        *(m.last_touch, m.touches, m.stage, m.lag_days, m.consent, m.job_title if whole else "", roles),
        *(m.engagement, m.reachable, m.reach if whole else "", m.status, m.p_active),
        *(m.steps if whole else [], keys),
    ), whole


def _journey(tenant: str, journey: JourneyRow, erased: Erased) -> Row:
    stages = []
    for stage in journey.stages:
        caused_by, caused_keys = erased.causes(tenant, stage.caused_by)
        stages.append((stage.stage, stage.entered_at, caused_by, stage.corrected, caused_keys))
    return (
        *(journey.number, journey.opened_at, journey.closed_at, journey.closed_by, stages),
        *(journey.moments, journey.last_touch or None),
    )


def _handoff(h: HandoffRow, *, whole: bool) -> Row:
    first = h.call_first
    called = (first.contact, first.name, first.phone, first.email, first.why)
    return (
        *(h.handoff_id, h.journey, h.attempt, h.at, h.score, h.reasons if whole else []),
        *(called if whole else _NOBODY, h.status, h.outcome, h.outcome_reason, h.outcome_code),
        *(h.outcome_at, h.outcome_by, h.responded_at, h.value or None, h.currency, h.feedback_due),
    )
