"""What can be seen of a run at its end, folded as consumers fold it: of each key the highest version."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from schemas import keys, topics
from schemas.events import AccountProfile, AccountRef, JourneyEvent
from schemas.handoff import LeadHandoff
from schemas.identity import MapRow
from schemas.internal import Evidence, Snapshot
from schemas.privacy import PrivacyResult
from streams.core import Output, StepConfig
from streams.fragments import row as fragment_row
from streams.fragments.step import Fragments
from streams.identity.step import Identity
from streams.journeys.step import Journeys
from tests.simulation.compare import fold

POISON = b"\xc1"  # what no step can read, on a topic that only steps write
ISSUED = ("journeys_contact_id:", "journeys_account_id:")
CHANGES = ("contact_change", "account_change")  # they tell of what had been published
# Their natural key begins with a journey's number; of the last two the rest is a number as well.
NUMBERED = ("journey", "journey_end", "stage", "moment", "crossing", "feedback", "handoff")
DETAILED = ("role", "crossing", "silence", "handoff")  # their details are news
OVER = ("rejected", "won", "lost", "recycled", "expired")  # states of a hand-off that is nobody's any more

_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_event = msgspec.json.Decoder(JourneyEvent).decode
_handoff = msgspec.json.Decoder(LeadHandoff).decode
_profile = msgspec.json.Decoder(AccountProfile).decode
_map = msgspec.json.Decoder(MapRow).decode
_evidence = msgspec.msgpack.Decoder(Evidence).decode
_result = msgspec.json.Decoder(PrivacyResult).decode


class Run(Protocol):
    """A run that has come to rest."""

    config: StepConfig
    anonymous: bool

    def seen(self, topic: str) -> Iterator[Output]:
        """Everything that a reader outside has read of a topic."""

    def state(self, step: str) -> Mapping[tuple[int, bytes], bytes]:
        """(partition, row key) -> value, of the rows that a step holds."""


def read(run: Run, topic: str) -> Iterator[bytes]:
    """The values of a topic, as readers outside have seen them."""
    return (output.value for output in run.seen(topic) if output.value and output.value != POISON)


def results(run: Run) -> dict[str, dict[Any, Any]]:
    """Everything that must be the same whatever happened on the way."""
    deserted = _deserted(run)
    found = {
        "identity-map": known_maps(run),
        "identity-evidence": evidence(run),
        "account-profiles": profiles(run),
        "fragments": fragments(run),
        "snapshots in JOURNEYS": snapshots(run),
    }
    return {
        what: {key: one for key, one in of.items() if (key[0], key[-1]) not in deserted}
        for what, of in found.items()
    }


def _deserted(run: Run) -> set[tuple[str, str]]:
    """Domains of which nothing is known but that some address had them which is erased.

    They have rows if an address was heard of before it was asked to be erased, else none.
    """
    firms: dict[tuple[str, str | None], set[str]] = {}  # who is there
    for (tenant, identifier), row in maps(run).items():
        if not identifier.startswith(ISSUED):
            for account in {*row.accounts.values(), *(span.account_id for span in row.spans)}:
                firms.setdefault((tenant, account), set()).add(identifier)
    told = {
        (row.tenant, row.identifier)
        for (_, key), value in run.state(Fragments.name).items()
        if key != run.config.key_of("clock") and (row := fragment_row.decode(value)).last is not None
    }
    alone = {(tenant, *there) for (tenant, _), there in firms.items() if len(there) == 1}
    return {(tenant, one) for tenant, one in alone if one.startswith("domain:")} - told


def maps(run: Run) -> dict[tuple[str, str], MapRow]:
    """(tenant, identifier) -> row; of one that is erased only its key is left."""
    rows = [_map(value) for value in read(run, topics.MAP.name)]
    folded = fold((_row_key(run, row), row.version, row) for row in rows)
    return {(row.tenant, row.identifier): row for row in folded.values()}


def _row_key(run: Run, row: MapRow) -> bytes:
    return keys.identifier_key(run.config.key_of, row.tenant, row.identifier)


def known_maps(run: Run) -> dict[tuple[str, str], Any]:
    """The rows without their versions; which former ids have one follows from what had been published."""
    return {
        key: msgspec.to_builtins(msgspec.structs.replace(row, version=(0, 0, 0), forgotten=_forgotten(row)))
        for key, row in maps(run).items()
        if not key[1].startswith(ISSUED)
    }


def _forgotten(row: MapRow) -> dict[str, str]:
    """Whom it forgets. Where it is erased itself, that follows from which of the two was asked for first."""
    return {} if any(period.since is None for period in row.erased) else row.forgotten


def evidence(run: Run) -> dict[tuple[str, ...], Any]:
    """How each link fared; an empty value says that it is erased, as of the version in its header."""
    told: list[tuple[Any, Any, Evidence | None]] = []
    for output in run.seen(topics.EVIDENCE.name):
        if not output.value:
            told.append((output.key, dict(output.headers)["version"], None))
        elif output.value != POISON:
            one = _evidence(output.value)
            told.append((output.key, one.version, one))
    return {
        (one.tenant, one.a, one.b, one.source): (one.rank, one.at, one.state, one.reason)
        for one in fold(told).values()
        if one is not None
    }


def answers(run: Run) -> dict[tuple[str, str], PrivacyResult]:
    """(tenant, request) -> what it came to."""
    made = [_result(value) for value in read(run, topics.RESULTS.name)]
    return fold(((one.tenant, one.subject), one.version, one) for one in made)


class Event(NamedTuple):
    """What a journey event or a hand-off tells; `item` is its natural key without the journey's number."""

    kind: str
    item: str
    at: str
    caused_by: tuple[str, ...]
    contact: str
    details: str


def events(run: Run) -> dict[tuple[str, str], list[Event]]:
    """(tenant, account) -> the events that hold; how the account looked on the way is left out."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in folded_events(run):
        if not event.retracted and event.kind not in CHANGES:
            found.setdefault((event.tenant, event.subject), []).append(in_short(event))
    return found


def in_short(event: JourneyEvent) -> Event:
    item = event.natural_key.partition("/")[2] if event.kind in NUMBERED else event.natural_key
    contact = event.contact.id if event.contact else ""
    details = {name: told for name, told in event.details.items() if name not in ("journey_id", "handoff_id")}
    return Event(
        event.kind,
        "" if event.kind in ("feedback", "handoff") else item,
        event.occurred_at,
        tuple(event.caused_by),
        contact,
        str(sorted(details.items())) if event.kind in DETAILED else "",
    )


def folded_events(run: Run) -> list[JourneyEvent]:
    """Of each (tenant, subject, kind, natural key) what was said last."""
    made = journey_events(run)
    return list(fold(((e.tenant, e.subject, e.kind, e.natural_key), e.version, e) for e in made).values())


def journey_events(run: Run) -> list[JourneyEvent]:
    """Those on `journey-events`, and hand-offs as if they were some."""
    made = [_event(value) for value in read(run, topics.EVENTS.name)]
    return made + [_as_event(handoff) for handoff in handoffs(run)]


def handoffs(run: Run) -> list[LeadHandoff]:
    """All that was ever sent to sales."""
    return [_handoff(value) for value in read(run, topics.HANDOFFS.name)]


def _asked(handoff: LeadHandoff) -> list[str]:
    """The reasons that are news; what was before the hand-off is told as it was when there was news."""
    return [r.code for r in handoff.reasons if r.code not in ("came_back", "handed_over_before")]


def _as_event(handoff: LeadHandoff) -> JourneyEvent:
    """A hand-off, with what of it is worth a message of its own."""
    details: dict[str, Any] = {"status": handoff.status, "reasons": _asked(handoff)}
    if handoff.status not in OVER and handoff.call_first is not None:
        first = handoff.call_first
        details["call_first"] = (first.contact, first.email, first.phone)
        details["members"] = sorted(member.contact for member in handoff.members)
    return JourneyEvent(
        id=handoff.id,
        type=handoff.type,
        tenant=handoff.tenant,
        subject=handoff.subject,
        kind="handoff",
        natural_key="/".join(handoff.handoff_id.split(".")[1:]),
        occurred_at=handoff.feedback_due or handoff.occurred_at,  # follows from when it was made
        emitted_at=handoff.emitted_at,
        version=handoff.version,
        account=AccountRef(handoff.subject, [], "", "", ""),
        definition_version=handoff.definition_version,
        caused_by=handoff.caused_by,
        details=details,
        corrects=handoff.corrects,
        retracted=handoff.retracted,
    )


def profiles(run: Run) -> dict[tuple[str, str], Any]:
    """(tenant, account) -> profile; one that is gone is as good as none."""
    found = {}
    for profile in folded_profiles(run):
        if profile.gone:
            continue
        made = msgspec.to_builtins(profile)
        for name in ("id", "version", "emitted_at"):
            del made[name]
        if profile.first_seen is None:
            del made["occurred_at"]  # then it occurred when it was sent
        for journey in made.get("journeys", ()):
            for stage in journey["stages"]:
                del stage["corrected"]  # whether it was first told otherwise
        made["handoffs"] = [h for h in made["handoffs"] if h["status"] != "withdrawn"]  # likewise
        found[profile.tenant, profile.subject] = made
    return found


def folded_profiles(run: Run) -> list[AccountProfile]:
    made = [_profile(value) for value in read(run, topics.PROFILES.name)]
    return list(fold(((p.tenant, p.subject), p.version, p) for p in made).values())


def fragments(run: Run) -> dict[tuple[str, str], Any]:
    """(tenant, identifier) -> row, without what remembers the way, and without what is nobody's."""
    clock = run.config.key_of("clock")
    found = {}
    for (_, key), value in run.state(Fragments.name).items():
        if key != clock:
            row = fragment_row.decode(value)
            row.left, row.erased = [], []
            nobodys = row.mapped is not None and all(
                (span.contact, span.account) == (None, None) for span in row.mapped.spans
            )
            if row.mapped is not None:
                erased = any(since is None for since, _ in row.mapped.erased)
                forgotten = {} if erased else row.mapped.forgotten
                row.mapped = msgspec.structs.replace(row.mapped, version=(0, 0, 0), forgotten=forgotten)
            blank = row == fragment_row.Fragment(row.tenant, row.identifier)
            if row.touches or not (blank or nobodys or row.identifier.startswith(ISSUED)):
                found[row.tenant, row.identifier] = msgspec.to_builtins(row)
    return found


def snapshots(run: Run) -> dict[tuple[str, str, str], Any]:
    """(tenant, account, identifier) -> parts and facts, of the snapshots that stand."""
    found = {}
    for one in stored_snapshots(run):
        if not one.withdrawn:
            found[one.tenant, one.account, one.identifier] = (
                msgspec.to_builtins(one.parts),
                msgspec.to_builtins(one.facts),
            )
    return found


def stored_snapshots(run: Run) -> Iterator[Snapshot]:
    for (_, key), value in run.state(Journeys.name).items():
        if len(key) == 32:
            yield _snapshot(value)


def places(run: Run) -> Iterator[tuple[str, bytes]]:
    """Every row of every step, the values that compacted topics have, folded events and answers."""
    for step in (Fragments, Identity, Journeys):
        for (_, key), value in run.state(step.name).items():
            yield f"a row of {step.name} ({len(key)})", value
    encode = msgspec.json.encode
    yield from (("identity-map", encode(row)) for row in maps(run).values())
    yield from (
        ("identity-evidence", encode(list(map(str, (*key, *one))))) for key, one in evidence(run).items()
    )
    yield from (("account-profiles", encode(profile)) for profile in folded_profiles(run))
    yield from (("journey-events", encode(event)) for event in folded_events(run))
    sent = fold(((h.tenant, h.handoff_id), h.version, h) for h in handoffs(run))
    yield from (("lead-handoffs", encode(handoff)) for handoff in sent.values())
    yield from (("privacy-results", value) for value in read(run, topics.RESULTS.name))
