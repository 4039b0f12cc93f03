"""What an account has published, and the difference to what now holds.

The ledger is one row per account. It keeps, per (kind, natural key), the last event that was published, in as
few bytes as it takes to write that event again: after a crash the events owed follow from the row alone.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.events import AccountRef, ContactRef, JourneyEvent
from schemas.times import rfc3339
from streams.core import Version
from streams.journeys.account import Account
from streams.journeys.stages import DEFINITION_VERSION
from streams.journeys.walk import EVER, Journey
from streams.session import unpack_version

JOURNEY, JOURNEY_END, STAGE, MOMENT = "journey", "journey_end", "stage", "moment"
MEMBER, MEMBER_END = "member", "member_end"
_ORDER = {kind: i for i, kind in enumerate((JOURNEY_END, JOURNEY, MEMBER, STAGE, MOMENT, MEMBER_END))}

_pack = msgspec.msgpack.Encoder().encode
_time = lru_cache(maxsize=65_536)(rfc3339)  # several events of one time, and one wall time for all of a batch


class Holding(NamedTuple):
    """Something that holds of the account: at most one per (kind, key)."""

    kind: str
    key: str
    type: str  # of the event that tells it first
    at: int  # ms
    cause: str  # event id; empty: none
    contact: str  # contact id; empty: the account


class Ref(msgspec.Struct, array_like=True, frozen=True):
    """The account as it was when events were made; shared by those made together."""

    name: str
    keys: list[str]
    stage: str
    journey_id: str
    definition: str


class Said(msgspec.Struct, array_like=True, frozen=True):
    """The last event of a (kind, key)."""

    kind: str
    key: str
    type: str
    at: int
    cause: str
    contact: str
    identifiers: list[str]  # of the contact
    id: str
    corrects: str  # empty: nothing
    retracted: bool
    was: int | None  # of a corrected stage
    emitted: int  # wall time, ms
    ref: int  # index in Ledger.refs


class Ledger(msgspec.Struct, array_like=True, frozen=True):
    """The row."""

    tenant: str
    account: str
    refs: list[Ref]
    said: list[Said]


def identity(*parts: object) -> str:
    """The id of an output: a hash of what it says, and of the id that it corrects."""
    return blake2b(_pack(parts), digest_size=16).hexdigest()


def ref(account_id: str, account: Account) -> Ref:
    """How events made now name the account."""
    journeys = account.walked.journeys
    stages = journeys[-1].stages if journeys else []
    return Ref(
        name=account.name,
        keys=account.keys,
        stage=stages[-1][0] if stages else "",
        journey_id=f"{account_id}.{len(journeys)}" if journeys else "",
        definition=DEFINITION_VERSION,
    )


def holdings(account: Account, clock: int) -> list[Holding]:
    """All that now holds of the account; `clock` is T in ms: a journey whose gap it has passed is closed."""
    held: list[Holding] = []
    journeys = account.walked.journeys
    for number, journey in enumerate(journeys, 1):
        held += _journey(str(number), journey, closed=number < len(journeys) or clock > journey.closes_at)
    periods: dict[str, int] = {}
    for spell in sorted(account.spells, key=lambda s: (s.contact, s.since)):
        periods[spell.contact] = number = periods.get(spell.contact, 0) + 1
        if (appeared := spell.appeared) is None:
            continue
        key = f"{spell.contact}/{number}"
        joined = spell.since != -EVER  # an employment began; else the touches made the contact known
        event_type = "contact_joined" if joined else "contact_identified"
        cause = spell.first.event_id if spell.first and not joined else ""
        held.append(Holding(MEMBER, key, event_type, appeared, cause, spell.contact))
        if spell.until != EVER:
            held.append(Holding(MEMBER_END, key, "contact_left", spell.until, "", spell.contact))
    return held


def _journey(number: str, journey: Journey, *, closed: bool) -> Iterable[Holding]:
    opened = journey.opened
    yield Holding(JOURNEY, number, "journey_opened", opened.at, opened.event_id, "")
    for stage, cause in journey.stages:
        yield Holding(STAGE, f"{number}/{stage}", "stage_entered", cause.at, cause.event_id, "")
    for moment, cause in journey.crucial:
        yield Holding(MOMENT, f"{number}/{moment}", "crucial_moment", cause.at, cause.event_id, cause.contact)
    if closed:
        yield Holding(JOURNEY_END, number, "journey_closed", journey.closes_at, journey.last.event_id, "")


def settle(
    ledger: Ledger, held: Iterable[Holding], now_is: Ref, identifiers: dict[str, list[str]], now: int
) -> tuple[Ledger, list[Said]]:
    """The ledger after publishing the difference, and that difference, in order of event time."""
    before = {(said.kind, said.key): said for said in ledger.said}
    kept: list[Said] = []
    told: list[Said] = []
    refs = list(ledger.refs)
    if now_is not in refs:
        refs.append(now_is)
    here = refs.index(now_is)
    for holding in held:
        former = before.pop((holding.kind, holding.key), None)
        if former is not None and _still(former, holding):
            kept.append(former)
        else:
            known = identifiers.get(holding.contact, [])
            told.append(_say(ledger, former, holding, _Making(known, now, here)))
    for former in before.values():
        if former.retracted:
            kept.append(former)
        else:
            told.append(_take_back(ledger, former, now, here))
    if not told:
        return ledger, []
    told.sort(key=lambda said: (not said.retracted, said.at, _ORDER[said.kind], said.key))
    after = _compact(msgspec.structs.replace(ledger, refs=refs, said=kept + told))
    return after, after.said[len(kept) :]


def adopt(ours: Ledger, theirs: Ledger) -> Ledger:
    """Our ledger, in which what only they said is taken back."""
    known = {(said.kind, said.key) for said in ours.said}
    strange = [said for said in theirs.said if not said.retracted and (said.kind, said.key) not in known]
    refs = [*ours.refs, *theirs.refs]
    taken_back = [_take_back(ours, said, said.emitted, len(ours.refs) + said.ref) for said in strange]
    return _compact(msgspec.structs.replace(ours, refs=refs, said=[*ours.said, *taken_back]))


def event(ledger: Ledger, said: Said, version: Version) -> JourneyEvent:
    """The public event; `version` is that of the ledger's row."""
    made = ledger.refs[said.ref]
    number, _, item = said.key.partition("/")
    about = f"{ledger.account}.{number}" if said.kind not in (MEMBER, MEMBER_END) else ""
    details: dict[str, str | None] = {"journey_id": about} if about else {}
    if said.kind == JOURNEY_END:
        details["closed_by"] = "gap"
    elif said.kind in (STAGE, MOMENT):
        details[said.kind] = item
    if said.type == "stage_corrected":
        details["was"] = _time(said.was) if said.was is not None else None
        details["now"] = None if said.retracted else _time(said.at)
    return JourneyEvent(
        id=said.id,
        type=said.type,
        tenant=ledger.tenant,
        subject=ledger.account,
        kind=said.kind,
        natural_key=said.key,
        occurred_at=_time(said.at),
        emitted_at=_time(said.emitted),
        version=unpack_version(version),
        account=AccountRef(ledger.account, made.keys, made.name, made.stage, about or made.journey_id),
        definition_version=made.definition,
        caused_by=[said.cause] if said.cause else [],
        contact=ContactRef(said.contact, said.identifiers) if said.contact else None,
        details=details,
        corrects=said.corrects or None,
        retracted=said.retracted,
    )


class _Making(NamedTuple):
    identifiers: list[str]
    now: int
    ref: int


def _still(said: Said, holding: Holding) -> bool:
    """Whether the last event still tells what holds (a stage is a stage, entered or corrected)."""
    return (
        not said.retracted
        and said.at == holding.at
        and said.cause == holding.cause
        and said.contact == holding.contact
        and (said.kind == STAGE or said.type == holding.type)
    )


def _say(ledger: Ledger, former: Said | None, holding: Holding, making: _Making) -> Said:
    kind, key, event_type, at, cause, contact = holding
    corrects = former.id if former else ""
    return Said(
        kind=kind,
        key=key,
        type="stage_corrected" if former and kind == STAGE else event_type,
        at=at,
        cause=cause,
        contact=contact,
        identifiers=making.identifiers,
        id=identity(ledger.tenant, ledger.account, kind, key, [at, cause, contact], corrects),
        corrects=corrects,
        retracted=False,
        was=former.at if former and not former.retracted else None,
        emitted=making.now,
        ref=making.ref,
    )


def _take_back(ledger: Ledger, former: Said, now: int, here: int) -> Said:
    return msgspec.structs.replace(
        former,
        type="stage_corrected" if former.kind == STAGE else former.type,
        id=identity(ledger.tenant, ledger.account, former.kind, former.key, None, former.id),
        corrects=former.id,
        retracted=True,
        was=former.at,
        emitted=now,
        ref=here,
    )


def _compact(ledger: Ledger) -> Ledger:
    """Without the refs that no event uses any more."""
    used = sorted({said.ref for said in ledger.said})
    if len(used) == len(ledger.refs):
        return ledger
    new = {old: i for i, old in enumerate(used)}
    said = [msgspec.structs.replace(said, ref=new[said.ref]) for said in ledger.said]
    return msgspec.structs.replace(ledger, refs=[ledger.refs[old] for old in used], said=said)
