"""What an account has published, and the difference to what now holds.

The ledger is one row per account. It keeps, per (kind, natural key), the last event that was published, in as
few bytes as it takes to write that event again: after a crash the events owed follow from the row alone.

What an account had told that became part of this one counts as told: the ledger takes it over (`Said.taken`)
and tells only what is different, or becomes of it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from schemas.internal import kind_of
from streams.core import Version
from streams.journeys.account import Account, Given

JOURNEY, JOURNEY_END, STAGE, MOMENT = "journey", "journey_end", "stage", "moment"
MEMBER, MEMBER_END, CHAMPION = "member", "member_end", "champion"
ROLE, CROSSING, SILENCE = "role", "crossing", "silence"
HANDOFF, FEEDBACK = "handoff", "feedback"
CONTACT_CHANGE, ACCOUNT_CHANGE = "contact_change", "account_change"
CHANGES = (ACCOUNT_CHANGE, CONTACT_CHANGE)  # told once and for all: they say how to read what was told before
# Their keys begin with the number of the journey.
NUMBERED = (JOURNEY, JOURNEY_END, STAGE, MOMENT, CROSSING, HANDOFF, FEEDBACK)
# What a thing is called that does not hold any more, or not as it was told.
_CORRECTED = {STAGE: "stage_corrected", HANDOFF: "handoff_updated"}
_TAKEN_BACK = {
    STAGE: "stage_corrected",
    ROLE: "role_lost",
    SILENCE: "silence_corrected",
    HANDOFF: "handoff_withdrawn",
}
_KINDS = (
    *CHANGES,
    JOURNEY_END,
    JOURNEY,
    MEMBER,
    CHAMPION,
    ROLE,
    STAGE,
    MOMENT,
    CROSSING,
    SILENCE,
    HANDOFF,
    FEEDBACK,
    MEMBER_END,
)
_ORDER = {kind: i for i, kind in enumerate(_KINDS)}  # of events of one time

_pack = msgspec.msgpack.Encoder().encode


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
    more: Callable[[], dict[str, Any]] | None = None  # details that are only made when it is told


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
    erased: bool = False  # lost what was erased of it, or its number: to be told anew, or taken back
    roles: list[str] = []  # of the contact, then
    reachable: bool | None = None  # the contact, else anybody of the account, then
    silent: bool = False  # it holds by a changed definition: never sent
    undone: bool = False  # a merge or split that another one undid


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


def ref(account: Account, given: Given) -> Ref:
    """How events made now name the account."""
    journeys = account.walked.journeys
    return Ref(
        name=account.name,
        keys=account.keys,
        stage=journeys[-1].stage if journeys else "",
        journey_id=f"{given.account}.{len(journeys)}" if journeys else "",
        definition=given.definition.version,
    )


class Making(NamedTuple):
    """What events made now have in common."""

    account: Account
    ref: Ref
    now: int  # wall time, ms
    standing: bool = True  # whether the account is more than a memory
    silent: bool = False  # the definition has changed: what holds by it is no news


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
        held = list(held)
        carried = _carried(ledger, handed, making.account, held, here)
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
                _undo(before, (kind, _opposite(holding)))
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
    """Our ledger, in which what only they said is taken back, also of what we gave away or took over."""
    refs = [*ours.refs, *theirs.refs]
    said = {(one.kind, one.key): one for one in ours.said}
    for one in theirs.said:
        mine = said.get((one.kind, one.key))
        ours_alone = mine is not None and (mine.id == one.id or not (mine.given or mine.taken))
        if not (one.retracted or one.taken or ours_alone):
            said[one.kind, one.key] = _retracted(ours, one, one.emitted, len(ours.refs) + one.ref)
    return _compact(msgspec.structs.replace(ours, refs=refs, said=list(said.values())))


def _carried(
    mine: Ledger, handed: Iterable[Ledger], account: Account, held: Iterable[Holding], here: int
) -> dict[tuple[str, str], Said]:
    """What was told by who became part of this account, under the keys that it has here.

    Of several that told of a thing, and of two journeys that turn out to be one, the first counts. What the
    account had told itself and gets back counts under the number that it had. A hand-off is known by the
    touch that made it, and by its number only where that makes none here or was told of here already.
    """
    carried: dict[tuple[str, str], Said] = {}
    rest: dict[tuple[str, str], Said] = {}
    before = {said.key for said in mine.said if said.kind == HANDOFF}
    attempts = {(one.at, one.source, one.cause): one.key for one in held if one.kind == HANDOFF}
    for ledger in sorted(handed, key=lambda one: one.account):
        ours = numbers(ledger, account)
        if ledger.account == mine.account:
            ours = {theirs: number for theirs, number in ours.items() if theirs == number}
        handoffs = {
            said.key: known
            for said in ledger.said
            if said.kind == HANDOFF
            and (known := attempts.get((said.at, said.source, said.cause), ""))
            and not (known in before or (HANDOFF, known) in carried)
        }
        for said in sorted(ledger.said, key=_number):
            key = said.key
            if said.kind in NUMBERED:
                number, slash, item = key.partition("/")
                key = f"{ours[number]}{slash}{item}" if number in ours else ""
            known = handoffs.get(said.key, "") if said.kind in (HANDOFF, FEEDBACK) else ""
            # Who reads would not find it here: it has another number among those of its journey, or an
            # earlier one has this number.
            anew = bool(known) and (known != key or (said.kind, key) in rest)
            key = known or key
            if key and not said.retracted and said.kind not in CHANGES:
                here_too = msgspec.structs.replace(said, key=key, ref=here, taken=True, erased=anew)
                last = said.kind in (HANDOFF, FEEDBACK) and not known
                (rest if last else carried).setdefault((said.kind, key), here_too)
    return {**rest, **carried}


def _number(said: Said) -> int:
    return int(said.key.partition("/")[0]) if said.kind in NUMBERED else 0


def _undo(before: dict[tuple[str, str], Said], thing: tuple[str, str]) -> None:
    """A merge or split does not hold any more; it is kept, so that it can lose whoever is erased."""
    if (said := before.get(thing)) is not None:
        before[thing] = msgspec.structs.replace(said, undone=True)


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
    if said.retracted or said.given or said.erased or said.undone:
        return False
    if said.kind in CHANGES:
        return (said.type, said.contact, _until(said)) == (holding.type, holding.contact, _until(holding))
    return (
        said.at == holding.at
        and said.cause == holding.cause
        and said.source == holding.source
        and said.contact == holding.contact
        and (said.kind in _CORRECTED or said.type == holding.type)
        and _value(said.details) == _value(holding.details)
    )


def _value(details: dict[str, Any] | None) -> Any:
    """What counts of the details: of a hand-off what is worth a message of its own."""
    return details["news"] if details and "news" in details else details


def _until(change: Said | Holding) -> Any:
    return (change.details or {}).get("until")


def _say(ledger: Ledger, former: Said | None, holding: Holding, making: Making, here: int) -> Said:
    kind, key, event_type, at, cause, contact, source, details, more = holding
    corrects = _sent(former) if former else ""
    group = making.account.group
    return Said(
        kind=kind,
        key=key,
        type=_CORRECTED.get(kind, event_type) if corrects else event_type,
        at=at,
        cause=cause,
        contact=contact,
        identifiers=making.account.allowed(contact),
        id=identity(
            ledger.tenant, ledger.account, kind, key, [at, cause, contact, _value(details)], corrects
        ),
        corrects=corrects,
        retracted=False,
        was=former.at if former and corrects and not (former.retracted or former.given) else None,
        emitted=making.now,
        ref=here,
        source=source,
        details={**(details or {}), **more()} if more else details,
        roles=[role.role for role in group.roles.get(contact, ())],
        reachable=group.reachable(contact),
        silent=making.silent and kind not in CHANGES,
    )


def _take_back(ledger: Ledger, former: Said, making: Making, here: int) -> Said:
    """As `_retracted`; an address is told again only where its contact is still here and lets it be used.

    Of what another account told this one repeats nothing that is not here: it would not hear of its erasure.
    """
    allowed = making.account.allowed(former.contact)
    told = [i for i in former.identifiers if i in allowed or not (former.taken or kind_of(i) == "email")]
    cause = "" if former.taken else former.cause
    back = _retracted(
        ledger, msgspec.structs.replace(former, identifiers=told, cause=cause), making.now, here
    )
    # What nobody was told needs not be taken back.
    return msgspec.structs.replace(back, silent=making.silent or not back.corrects)


def _retracted(ledger: Ledger, former: Said, now: int, here: int) -> Said:
    corrects = _sent(former)
    return msgspec.structs.replace(
        former,
        type=_TAKEN_BACK.get(former.kind, former.type),
        id=identity(ledger.tenant, ledger.account, former.kind, former.key, None, corrects),
        corrects=corrects,
        details=nameless(former.details or {}) if former.kind == HANDOFF else former.details,
        retracted=True,
        was=None if former.retracted else former.at,
        emitted=now,
        ref=here,
        taken=False,
        given=False,
        erased=False,
    )


def _sent(said: Said) -> str:
    """The id of the last event of this thing that was sent; empty: none was."""
    return said.corrects if said.silent else said.id


def nameless(details: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the details of a hand-off without anything that tells of people."""
    content = details.get("content", {})
    return {
        "news": details.get("news", ""),
        "content": {name: content[name] for name in ("status", "feedback_due") if name in content},
    }


def _compact(ledger: Ledger) -> Ledger:
    """Without the refs that no event uses any more."""
    used = sorted({said.ref for said in ledger.said})
    if len(used) == len(ledger.refs):
        return ledger
    new = {old: i for i, old in enumerate(used)}
    said = [msgspec.structs.replace(said, ref=new[said.ref]) for said in ledger.said]
    return msgspec.structs.replace(ledger, refs=[ledger.refs[old] for old in used], said=said)
