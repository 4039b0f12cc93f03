"""What an account has published, and the difference to what now holds.

The ledger is one row per account. It keeps, per (kind, natural key), the last event that was published, in as
few bytes as it takes to write that event again: after a crash the events owed follow from the row alone.

What an account had told that became part of this one counts as told: the ledger takes it over (`Said.taken`)
and tells only what is different, or becomes of it.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from schemas.events import AccountRef, ContactRef, JourneyEvent
from schemas.internal import kind_of
from schemas.times import rfc3339
from streams.core import Version
from streams.journeys.account import Account
from streams.journeys.walk import EVER, Journey
from streams.session import unpack_version

JOURNEY, JOURNEY_END, STAGE, MOMENT = "journey", "journey_end", "stage", "moment"
MEMBER, MEMBER_END, CHAMPION = "member", "member_end", "champion"
CONTACT_CHANGE, ACCOUNT_CHANGE = "contact_change", "account_change"
CHANGES = (ACCOUNT_CHANGE, CONTACT_CHANGE)  # told once and for all: they say how to read what was told before
_NUMBERED = (JOURNEY, JOURNEY_END, STAGE, MOMENT)  # their keys begin with the number of the journey
_ORDER = {
    kind: i
    for i, kind in enumerate((*CHANGES, JOURNEY_END, JOURNEY, MEMBER, CHAMPION, STAGE, MOMENT, MEMBER_END))
}

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
    source: str = ""  # of the cause
    details: dict[str, Any] | None = None  # beside those that follow from kind and key


class Ref(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The account as it was when events were made; shared by those made together."""

    name: str
    keys: list[str]
    stage: str
    journey_id: str
    definition: str


class Said(msgspec.Struct, array_like=True, gc=False, frozen=True):
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
    source: str = ""  # of the cause
    details: dict[str, Any] | None = None  # beside those that follow from kind and key
    taken: bool = False  # told by an account that became part of this one, which sends it again itself
    given: bool = False  # counts for the account that this one became part of
    erased: bool = False  # lost what was erased of it: to be told anew, or taken back


class Ledger(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The row."""

    tenant: str
    account: str
    refs: list[Ref]
    said: list[Said]
    until: Version = b""  # when it was given to another account: what was told later is none of it


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
        definition=account.definition,
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
        first = None if joined else spell.first
        cause, source = (first.event_id, first.source) if first else ("", "")
        held.append(Holding(MEMBER, key, event_type, appeared, cause, spell.contact, source))
        if spell.until != EVER:
            held.append(Holding(MEMBER_END, key, "contact_left", spell.until, "", spell.contact))
        moves = [
            move for move in account.moves.get(spell.contact, ()) if spell.since <= move[0] < spell.until
        ]
        if moves:
            at, origin = min(moves)
            told = {"from_account": origin}
            held.append(Holding(CHAMPION, key, "champion_moved", at, "", spell.contact, details=told))
    return held


def _journey(number: str, journey: Journey, *, closed: bool) -> Iterable[Holding]:
    at, source, event_id, _, _ = journey.opened
    yield Holding(JOURNEY, number, "journey_opened", at, event_id, "", source)
    for stage, (at, source, event_id, _, _) in journey.stages:
        yield Holding(STAGE, f"{number}/{stage}", "stage_entered", at, event_id, "", source)
    for moment, (at, source, event_id, contact, _) in journey.crucial:
        yield Holding(MOMENT, f"{number}/{moment}", "crucial_moment", at, event_id, contact, source)
    if closed:
        last = journey.last
        yield Holding(
            JOURNEY_END, number, "journey_closed", journey.closes_at, last.event_id, "", last.source
        )


class Making(NamedTuple):
    """What events made now have in common."""

    account: Account
    ref: Ref
    now: int  # wall time, ms
    standing: bool = True  # whether the account is more than a memory


def settle(
    ledger: Ledger, held: Iterable[Holding], making: Making, handed: Collection[Ledger] = ()
) -> tuple[Ledger, list[Said]]:
    """The ledger after publishing the difference, and that difference, in order of event time.

    `held` is all that holds, and what changed of kind `CHANGES`. `handed` is what accounts had told that
    became part of this one: where this one itself said nothing of a thing, that counts as told by it.
    An account that comes back tells anew, or takes back, what it had given to another one. What was erased
    is taken back where nothing else is told in its place, once more where it had been taken back.
    """
    before = {(said.kind, said.key): said for said in ledger.said}
    kept: list[Said] = []
    told: list[Said] = []
    refs = list(ledger.refs)
    if making.ref not in refs:
        refs.append(making.ref)
    here = refs.index(making.ref)
    if handed:
        carried = _carried(ledger.account, handed, making.account, here)
        for thing, said in before.items():
            back = msgspec.structs.replace(said, given=False)
            if thing in carried and _still(back, carried[thing]):
                before[thing] = back
        before = {**carried, **before}
    for holding in held:
        kind = holding.kind
        former = before.pop((kind, holding.key), None)
        if former is not None and _still(former, holding):
            kept.append(former)
        else:
            if kind == CONTACT_CHANGE or holding.type == "account_merged":
                before.pop((kind, _opposite(holding)), None)
            told.append(_say(ledger, former, holding, making, here))
    for former in before.values():
        over = former.retracted or former.kind in CHANGES or (former.given and not making.standing)
        if over and not former.erased:
            kept.append(former)
        else:
            told.append(_take_back(ledger, former, making, here))
    if not told and not handed:
        return ledger, []
    told.sort(key=_telling)
    after = _compact(msgspec.structs.replace(ledger, refs=refs, said=kept + told))
    return after, after.said[len(kept) :]


def numbers(handed: Ledger, account: Account) -> dict[str, str]:
    """The journeys of a ledger that was handed over: their numbers there -> here, by the first in both."""
    found: dict[str, str] = {}
    told = [said for said in handed.said if said.kind in (JOURNEY, STAGE, MOMENT) and not said.retracted]
    for said in sorted(told, key=lambda one: one.at):
        for number, journey in enumerate(account.walked.journeys, 1):
            if journey.opened.at <= said.at <= journey.last.at:
                found.setdefault(said.key.partition("/")[0], str(number))
    return found


def parted(ledger: Ledger, version: Version) -> tuple[Ledger, Ledger]:
    """What another account is given of a ledger, and what stays: what the account itself said, as given."""
    given = [said for said in ledger.said if not said.given]
    stay = [said if said.retracted else msgspec.structs.replace(said, given=True) for said in ledger.said]
    return (
        _compact(msgspec.structs.replace(ledger, said=given, until=version)),
        _compact(msgspec.structs.replace(ledger, said=[s for s in stay if not s.taken], until=version)),
    )


def adopt(ours: Ledger, theirs: Ledger) -> Ledger:
    """Our ledger, in which what only they said is taken back, also of what we had given away."""
    refs = [*ours.refs, *theirs.refs]
    said = {(one.kind, one.key): one for one in ours.said}
    for one in theirs.said:
        mine = said.get((one.kind, one.key))
        if not (one.retracted or one.taken) and (mine is None or (mine.given and mine.id != one.id)):
            said[one.kind, one.key] = _retracted(ours, one, one.emitted, len(ours.refs) + one.ref)
    return _compact(msgspec.structs.replace(ours, refs=refs, said=list(said.values())))


def event(ledger: Ledger, said: Said, version: Version) -> JourneyEvent:
    """The public event; `version` is that of the ledger's row, which may be later than what was given."""
    made = ledger.refs[said.ref]
    number, _, item = said.key.partition("/")
    about = f"{ledger.account}.{number}" if said.kind in _NUMBERED else ""
    details: dict[str, Any] = {"journey_id": about} if about else dict(said.details or {})
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
        version=unpack_version(ledger.until if said.given else version),
        account=AccountRef(ledger.account, made.keys, made.name, made.stage, about or made.journey_id),
        definition_version=made.definition,
        caused_by=[said.cause] if said.cause else [],
        contact=ContactRef(said.contact, said.identifiers) if said.contact else None,
        details=details,
        corrects=said.corrects or None,
        retracted=said.retracted,
    )


def _carried(into: str, handed: Iterable[Ledger], account: Account, here: int) -> dict[tuple[str, str], Said]:
    """What was told by who became part of this account, under the keys that it has here.

    Of several that told of a thing, and of two journeys that turn out to be one, the first counts. What the
    account had told itself and gets back counts under the number that it had.
    """
    carried: dict[tuple[str, str], Said] = {}
    for ledger in sorted(handed, key=lambda one: one.account):
        ours = numbers(ledger, account)
        if ledger.account == into:
            ours = {theirs: number for theirs, number in ours.items() if theirs == number}
        for said in sorted(ledger.said, key=_number):
            key = said.key
            if said.kind in _NUMBERED:
                number, slash, item = key.partition("/")
                key = f"{ours[number]}{slash}{item}" if number in ours else ""
            if key and not said.retracted and said.kind not in CHANGES:
                here_too = msgspec.structs.replace(said, key=key, ref=here, taken=True)
                carried.setdefault((said.kind, key), here_too)
    return carried


def _number(said: Said) -> int:
    return int(said.key.partition("/")[0]) if said.kind in _NUMBERED else 0


def _opposite(change: Holding) -> str:
    """The key of the merge or split that this split or merge undoes.

    >>> change = {"from": "c1", "into": "c2"}
    >>> _opposite(Holding(CONTACT_CHANGE, "c1", "contact_merged", 0, "", "c2", details=change))
    'c2/c1'
    >>> _opposite(Holding(CONTACT_CHANGE, "c1/c2", "contact_split", 0, "", "c2", details=change))
    'c2'
    """
    told = change.details or {}
    return told["into"] if "/" in change.key else f"{told['into']}/{told['from']}"


def _telling(said: Said) -> tuple[bool, bool, int, int, str]:
    return said.kind not in CHANGES, not said.retracted, said.at, _ORDER[said.kind], said.key


def _still(said: Said, holding: Holding | Said) -> bool:
    """Whether the last event still tells what holds (a stage is a stage, entered or corrected)."""
    if said.retracted or said.given or said.erased:
        return False
    if said.kind in CHANGES:
        return (said.type, said.contact, _until(said)) == (holding.type, holding.contact, _until(holding))
    return (
        said.at == holding.at
        and said.cause == holding.cause
        and said.source == holding.source
        and said.contact == holding.contact
        and (said.kind == STAGE or said.type == holding.type)
        and said.details == holding.details
    )


def _until(change: Said | Holding) -> Any:
    return (change.details or {}).get("until")


def _say(ledger: Ledger, former: Said | None, holding: Holding, making: Making, here: int) -> Said:
    kind, key, event_type, at, cause, contact, source, details = holding
    corrects = former.id if former else ""
    return Said(
        kind=kind,
        key=key,
        type="stage_corrected" if former and kind == STAGE else event_type,
        at=at,
        cause=cause,
        contact=contact,
        identifiers=making.account.allowed(contact),
        id=identity(ledger.tenant, ledger.account, kind, key, [at, cause, contact], corrects),
        corrects=corrects,
        retracted=False,
        was=former.at if former and not (former.retracted or former.given) else None,
        emitted=making.now,
        ref=here,
        source=source,
        details=details,
    )


def _take_back(ledger: Ledger, former: Said, making: Making, here: int) -> Said:
    """As `_retracted`; an address is told again only where its contact is still here and lets it be used.

    Of what another account told this one repeats nothing that is not here: it would not hear of its erasure.
    """
    allowed = making.account.allowed(former.contact)
    told = [i for i in former.identifiers if i in allowed or not (former.taken or kind_of(i) == "email")]
    cause = "" if former.taken else former.cause
    return _retracted(
        ledger, msgspec.structs.replace(former, identifiers=told, cause=cause), making.now, here
    )


def _retracted(ledger: Ledger, former: Said, now: int, here: int) -> Said:
    return msgspec.structs.replace(
        former,
        type="stage_corrected" if former.kind == STAGE else former.type,
        id=identity(ledger.tenant, ledger.account, former.kind, former.key, None, former.id),
        corrects=former.id,
        retracted=True,
        was=None if former.retracted else former.at,
        emitted=now,
        ref=here,
        taken=False,
        given=False,
        erased=False,
    )


def _compact(ledger: Ledger) -> Ledger:
    """Without the refs that no event uses any more."""
    used = sorted({said.ref for said in ledger.said})
    if len(used) == len(ledger.refs):
        return ledger
    new = {old: i for i, old in enumerate(used)}
    said = [msgspec.structs.replace(said, ref=new[said.ref]) for said in ledger.said]
    return msgspec.structs.replace(ledger, refs=[ledger.refs[old] for old in used], said=said)
