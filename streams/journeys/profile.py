"""An account's public profile: the row of `v_accounts` as it is now."""

from collections.abc import Container, Iterable, Mapping
from functools import lru_cache

import msgspec

from schemas.events import (
    AccountProfile,
    CallFirst,
    CrossingRow,
    HandoffRow,
    JourneyRow,
    Member,
    RoleRow,
    ScorePart,
    SilenceRow,
    StageEntered,
)
from schemas.internal import kind_of
from schemas.times import DAY_MS, day_text, from_rfc3339, rfc3339
from streams.core import Version
from streams.definition import Definition
from streams.journeys import facts, handover
from streams.journeys.account import Account, Given, derive
from streams.journeys.contacts import EVER
from streams.journeys.crossings import Crossing
from streams.journeys.ledger import HANDOFF, STAGE, Ledger, identity
from streams.journeys.outlook import Outlook, outlook
from streams.journeys.silence import UNKNOWN
from streams.journeys.walk import Spell
from streams.session import unpack_version

_NO_VERSION: Version = bytes(24)
_encode = msgspec.json.Encoder().encode
_time = lru_cache(maxsize=65_536)(rfc3339)  # profiles repeat the same times at every change


def content(ledger: Ledger, account: Account, given: Given, ahead: Outlook) -> AccountProfile:
    """The profile without what tells when it was published (`id`, `emitted_at`, `version`).

    `ledger` is what is told of the account by now, `ahead` its outlook.
    """
    walked, group, score, trading = account.walked, account.group, account.score, account.trading
    journey = walked.journeys[-1] if walked.journeys else None
    stages = journey.stages if journey else []
    firm = facts.values(ahead.facts, ledger.account)
    handoffs = handover.rows(account, given)
    return AccountProfile(
        id="",
        type="account_profile",
        tenant=ledger.tenant,
        subject=ledger.account,
        occurred_at=_when(walked.last_seen) or "",
        emitted_at="",
        version=unpack_version(_NO_VERSION),
        kind="organisation" if account.organisation else "person",
        name=account.name,
        keys=account.keys,
        crm_account_id=next((k.partition(":")[2] for k in account.keys if kind_of(k) == "account_id"), ""),
        stage=journey.stage if journey else "",
        stage_since=_time(stages[-1][1].at) if stages else None,
        journey_id=f"{ledger.account}.{journey.number}" if journey else "",
        members=_members(account, given),
        touches=walked.touches,
        first_seen=_when(walked.first_seen),
        last_seen=_when(walked.last_seen),
        industry=firm.get("industry", ""),
        employees=facts.count(firm.get("employees", "")),
        country=firm.get("country", ""),
        dense=account.dense,
        gone=account.gone,
        definition_version=given.definition.version,
        anew={identifier: _time(at) for identifier, at in account.anew.items()},
        journeys=_journeys(ledger, account),
        roles_found=group.complete.found,
        roles_missing=group.complete.missing,
        role_completeness=round(group.complete.share, 4),
        engagement=score.value,
        engagement_at=_time(score.day * DAY_MS) if score.day is not None else None,
        half_life_days=float(given.definition.score.half_life_days),
        score_parts=[ScorePart(day_text(p.day), *p[1:]) for p in score.parts],
        status=group.rhythm.status,
        p_active=group.rhythm.p_active,
        silences=_silences(account),
        crossings=[_crossing(number, shared) for number, shared in group.crossings],
        handoffs=[*handoffs, *_withdrawn(ledger, {row.handoff_id for row in handoffs})],
        segments=_segments(account),
        owner=account.owner,
        interests=handover.interests(journey.touches) if journey else [],
        contact_points=account.mailboxes,
        orders=trading.number,
        revenue=trading.revenue,
        currency=given.definition.orders.currency,
        aov=trading.aov,
        return_rate=trading.return_rate,
        order_list=[order.row() for order in trading.orders],
        order_frequency=trading.frequency,
        unconverted=trading.unconverted,
        product_families=trading.families,
        facts=[held.row() for held in ahead.facts],
        next_question=ahead.question,
        next_best_action=ahead.action,
    )


def digest(profile: AccountProfile) -> str:
    """A hash of a profile's content."""
    return identity(profile.tenant, profile.subject, _encode(profile))


def publish(profile: AccountProfile, digest: str, former: str, now: int, version: Version) -> AccountProfile:
    """The profile as it is sent; `former` is the id of the one sent before (empty: none).

    The profile of an account that nobody has touched occurs when it is sent.
    """
    emitted = rfc3339(now)
    return msgspec.structs.replace(
        profile,
        id=identity(profile.tenant, profile.subject, "profile", "", digest, former),
        occurred_at=profile.occurred_at or emitted,
        emitted_at=emitted,
        version=unpack_version(version),
    )


def taken_back(profile: AccountProfile, definition: Definition) -> AccountProfile:
    """The profile of an account that is gone, in the place of one that should not have been sent."""
    given = Given(definition, profile.tenant, profile.subject)
    nothing = derive([], given)
    ledger = Ledger(profile.tenant, profile.subject, [], [])
    empty = content(ledger, nothing, given, outlook(nothing, given))
    emitted = from_rfc3339(profile.emitted_at)
    return publish(empty, digest(empty), profile.id, emitted, _NO_VERSION)


def _journeys(ledger: Ledger, account: Account) -> list[JourneyRow]:
    corrected = {said.key for said in ledger.said if said.corrects and said.kind == STAGE}
    rows = []
    for journey in account.walked.journeys:
        number = journey.number
        stages = [
            StageEntered(stage, _time(cause.at), [cause.event_id], f"{number}/{stage}" in corrected)
            for stage, cause in journey.stages
        ]
        at, by, _ = journey.ended or (None, "", "")
        moments = {moment: _time(cause.at) for moment, cause in account.group.moments(journey)}
        opened, last = _time(journey.opened.at), _time(journey.last.at)
        rows.append(JourneyRow(number, opened, _when(at), by, stages, moments, last))
    return rows


def _members(account: Account, given: Given) -> list[Member]:
    first = min((s.first.at for s in account.spells if s.first), default=0)
    steps = handover.last_steps(account.walked.journeys[-1:], given.day_of)
    return [_member(account, spell, first, steps) for spell in account.spells]


def _member(account: Account, spell: Spell, first: int, steps: Mapping[str, list[str]]) -> Member:
    contact, group = spell.contact, account.group
    known, rhythm, reach = account.contacts[contact], group.rhythms.get(contact), group.reaches[contact]
    return Member(
        contact_id=contact,
        name=known.name,
        identifiers=known.identifiers,
        valid_from=None if spell.since == -EVER else _time(spell.since),
        valid_to=None if spell.until == EVER else _time(spell.until),
        first_touch=_time(spell.first.at) if spell.first else None,
        last_touch=_when(spell.last),
        touches=spell.touches,
        stage=spell.stage,
        lag_days=round((spell.first.at - first) / DAY_MS, 3) if spell.first else None,
        consent=known.consent,
        job_title=account.title_of(contact, spell),
        roles=[
            RoleRow(r.role, r.source, r.confidence, r.evidence, _time(r.since))
            for r in group.periods.get((contact, spell.since), ())
        ],
        engagement=account.score.of(contact),
        reachable=reach.reachable,
        reach=reach.why,
        status=rhythm.status if rhythm else UNKNOWN,
        p_active=rhythm.p_active if rhythm else None,
        steps=steps.get(contact, []),
    )


def _crossing(number: int, shared: Crossing) -> CrossingRow:
    caused_by = list(shared.event_ids[:20])
    return CrossingRow(number, shared.type, shared.topic, _time(shared.at), list(shared.contacts), caused_by)


def _silences(account: Account) -> list[SilenceRow]:
    rhythms = {"": account.group.rhythm, **dict(sorted(account.group.rhythms.items()))}
    return [
        SilenceRow(
            contact_id=contact,
            level=spell.level,
            since=_time(spell.since_ms),
            last_touch=_time(spell.last_touch_ms),
            expected_gap_days=spell.expected_gap_days,
            p_active=spell.p_active,
            ended_at=_when(spell.ended_at_ms),
        )
        for contact, rhythm in rhythms.items()
        for spell in rhythm.spells
    ]


def _withdrawn(ledger: Ledger, standing: Container[str]) -> Iterable[HandoffRow]:
    """Hand-offs that were told and do not hold any more."""
    for said in ledger.said:
        if said.kind == HANDOFF and said.retracted and not said.given:
            journey, _, attempt = said.key.partition("/")
            named = f"{ledger.account}.{journey}.{attempt}"
            if named not in standing:
                nobody = CallFirst("", "", "", "", "")
                yield HandoffRow(
                    handoff_id=named,
                    journey=int(journey),
                    attempt=int(attempt),
                    at=_time(said.at),
                    score=0.0,
                    reasons=[],
                    call_first=nobody,
                    status="withdrawn",
                )


def _segments(account: Account) -> dict[str, str]:
    """The segments that people put the account in: the latest word per scheme."""
    return {c.scheme: c.segment for c in account.commands if c.command == "assign_segment"}


def _when(ms: int | None) -> str | None:
    return None if ms is None else _time(ms)
