"""An account's public profile: the row of `v_accounts` as it is now."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from schemas.events import AccountProfile, JourneyRow, Member, StageEntered
from schemas.internal import kind_of
from schemas.times import DAY_MS, from_rfc3339, rfc3339
from streams.core import Version
from streams.definition.model import Definition
from streams.journeys.account import Account, derive
from streams.journeys.ledger import STAGE, Ledger, identity
from streams.journeys.walk import EVER, Spell
from streams.session import unpack_version

MOST_PEOPLE: Final = 10**9  # that an account can employ

_NO_VERSION: Version = bytes(24)
_encode = msgspec.json.Encoder().encode
_time = lru_cache(maxsize=65_536)(rfc3339)  # profiles repeat the same times at every change


def content(ledger: Ledger, account: Account, clock: int) -> AccountProfile:
    """The profile without what tells when it was published (`id`, `emitted_at`, `version`).

    `ledger` is what is told of the account by now; `clock` is T in ms.
    """
    account_id = ledger.account
    walked = account.walked
    stages = walked.journeys[-1].stages if walked.journeys else []
    return AccountProfile(
        id="",
        type="account_profile",
        tenant=ledger.tenant,
        subject=account_id,
        occurred_at=_when(walked.last_seen) or "",
        emitted_at="",
        version=unpack_version(_NO_VERSION),
        kind="organisation" if account.organisation else "person",
        name=account.name,
        keys=account.keys,
        crm_account_id=next((k.partition(":")[2] for k in account.keys if kind_of(k) == "account_id"), ""),
        stage=stages[-1][0] if stages else "",
        stage_since=_time(stages[-1][1].at) if stages else None,
        journey_id=f"{account_id}.{len(walked.journeys)}" if walked.journeys else "",
        members=_members(account),
        touches=walked.touches,
        first_seen=_when(walked.first_seen),
        last_seen=_when(walked.last_seen),
        industry=_text(account.facts.get("industry")),
        employees=_count(account.facts.get("employees")),
        country=_text(account.facts.get("country")),
        dense=account.dense,
        gone=account.gone,
        definition_version=account.definition,
        journeys=_journeys(ledger, account, clock),
        anew={identifier: _time(at) for identifier, at in account.anew.items()},
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
    empty = content(Ledger(profile.tenant, profile.subject, [], []), derive([], definition), 0)
    emitted = from_rfc3339(profile.emitted_at)
    return publish(empty, digest(empty), profile.id, emitted, _NO_VERSION)


def _journeys(ledger: Ledger, account: Account, clock: int) -> list[JourneyRow]:
    journeys = account.walked.journeys
    corrected = {said.key for said in ledger.said if said.corrects and said.kind == STAGE}
    rows = []
    for number, journey in enumerate(journeys, 1):
        closed = number < len(journeys) or clock > journey.closes_at
        stages = [
            StageEntered(stage, _time(cause.at), [cause.event_id], f"{number}/{stage}" in corrected)
            for stage, cause in journey.stages
        ]
        closed_at = _time(journey.closes_at) if closed else None
        rows.append(JourneyRow(number, _time(journey.opened.at), closed_at, "gap" if closed else "", stages))
    return rows


def _members(account: Account) -> list[Member]:
    first = min((s.first.at for s in account.spells if s.first), default=0)
    return [_member(account, spell, first) for spell in account.spells]


def _member(account: Account, spell: Spell, first: int) -> Member:
    return Member(
        contact_id=spell.contact,
        name=account.names.get(spell.contact, ""),
        identifiers=account.identifiers.get(spell.contact, []),
        valid_from=None if spell.since == -EVER else _time(spell.since),
        valid_to=None if spell.until == EVER else _time(spell.until),
        first_touch=_time(spell.first.at) if spell.first else None,
        last_touch=_when(spell.last),
        touches=spell.touches,
        stage=spell.stage,
        lag_days=round((spell.first.at - first) / DAY_MS, 3) if spell.first else None,
        consent=account.consent.get(spell.contact, {}),
    )


def _when(ms: int | None) -> str | None:
    return None if ms is None else _time(ms)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    """A number of people, as it is told: 34, 34.0 or "34", at most MOST_PEOPLE; anything else is unknown.

    >>> _count("34"), _count(34.0), _count(0), _count(10**9)
    (34, 34, 0, 1000000000)
    >>> {_count(told) for told in ("many", True, -1, 1.5, 1e300, 2**63, 10**9 + 1, float("inf"), None, [])}
    {None}
    """
    if isinstance(value, str) and len(value) <= 12 and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MOST_PEOPLE:
        return None
    return int(value) if value == int(value) else None
