"""From what the ledger keeps to what is sent: journey events, and hand-offs to sales."""

from functools import lru_cache
from typing import Any

import msgspec

from schemas.events import AccountRef, ContactRef, JourneyEvent
from schemas.handoff import HandoffAccount, LeadHandoff
from schemas.times import rfc3339
from streams.core import Version
from streams.journeys.ledger import FEEDBACK, HANDOFF, MOMENT, NUMBERED, STAGE, Ledger, Said
from streams.session import unpack_version

_time = lru_cache(maxsize=65_536)(rfc3339)  # several events of one time, and one wall time for all of a batch


def event(ledger: Ledger, said: Said, version: Version) -> JourneyEvent | LeadHandoff:
    """The public event; `version` is that of the ledger's row, which may be later than what was given."""
    made = ledger.refs[said.ref]
    told_at = unpack_version(ledger.until if said.given else version)
    if said.kind == HANDOFF:
        return _handoff(ledger, said, told_at)
    number, _, item = said.key.partition("/")
    about = f"{ledger.account}.{number}" if said.kind in NUMBERED else ""
    details: dict[str, Any] = {"journey_id": about} if about else {}
    details |= said.details or {}
    if said.kind in (STAGE, MOMENT):
        details[said.kind] = item
    if said.kind == FEEDBACK:
        details["handoff_id"] = f"{about}.{item}"
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
        version=told_at,
        account=AccountRef(ledger.account, made.keys, made.name, made.stage, about or made.journey_id),
        definition_version=made.definition,
        caused_by=[said.cause] if said.cause else [],
        contact=ContactRef(said.contact, said.identifiers, said.roles) if said.contact else None,
        details=details,
        corrects=said.corrects or None,
        retracted=said.retracted,
        reachable=said.reachable,
    )


def _handoff(ledger: Ledger, said: Said, version: tuple[int, int, int]) -> LeadHandoff:
    """A hand-off, under the names that the account has now; one that lost a person tells the rest."""
    details, made = said.details or {}, ledger.refs[said.ref]
    journey, _, attempt = said.key.partition("/")
    journey_id = f"{ledger.account}.{journey}"
    firm = HandoffAccount(ledger.account, made.name, "", made.keys, made.stage, journey_id, "", None, "")
    content = {"status": "open", "feedback_due": None, "account": firm, **details.get("content", {})}
    if said.retracted:
        content["status"] = "withdrawn"
    content |= {
        "id": said.id,
        "type": said.type,
        "tenant": ledger.tenant,
        "subject": ledger.account,
        "occurred_at": _time(said.at),  # of the hand-off, also of news: it folds alike, whatever came when
        "emitted_at": _time(said.emitted),
        "version": version,
        "handoff_id": f"{journey_id}.{attempt}",
        "attempt": int(attempt),
        "definition_version": made.definition,
        "caused_by": details.get("causes", [])[:20],
        "corrects": said.corrects or None,
        "retracted": said.retracted,
    }
    return msgspec.convert(content, LeadHandoff)
