"""What must hold of journeys, hand-offs, silence, shared steps and refused outcomes, as the oracle says."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas import keys, topics
from schemas.times import from_rfc3339, rfc3339
from tests.simulation import oracle_group, oracle_journeys
from tests.simulation.clusters import Group
from tests.simulation.compare import differences
from tests.simulation.oracle import Tenant, Touched
from tests.simulation.said import DAY_MS, Decision
from tests.simulation.seen import Run, handoffs, profiles, snapshots

REASONS = ("no_handoff", "impossible_outcome")
OUTCOMES = oracle_journeys.ALLOWED["open"]


def against_oracle(
    run: Run,
    name: str,
    tenant: Tenant,
    ids: tuple[Mapping[Group, str], Mapping[Group, str]],
    clock: int,
) -> Iterator[str]:
    """What differs from the rules; `ids`: our ids of accounts and of contacts."""
    accounts, contacts = ids
    shown = {account: profile for (owner, account), profile in profiles(run).items() if owner == name}
    found: dict[str, dict[Any, Any]] = {
        what: {} for what in ("journeys", "hand-offs", "silences", "crossings")
    }
    wanted: dict[str, dict[Any, Any]] = {what: {} for what in found}
    for account, profile in shown.items():
        for what, rows in _shown(profile).items():
            found[what] |= {(account, key): row for key, row in rows.items()}
    refused: dict[str, str] = {}
    said: dict[Group | None, list[Decision]] = {}
    for decision in tenant.decisions:
        said.setdefault(tenant.account.get(decision.key), []).append(decision)
    touched = tenant.touches()
    standing = {(account, identifier) for owner, account, identifier in snapshots(run) if owner == name}
    for group, about in said.items():
        if group is None or group not in touched:
            refused |= {one.id: "no_handoff" for one in about if one.what in OUTCOMES}
    for group, touches in touched.items():
        account = accounts[group]
        refusing = {one: at for one, at in tenant.refusing.items() if (account, one) in standing}

        def refuses(touch: Touched, refusing: Collection[str] = refusing) -> bool:
            return touch.contact is not None and not touch.contact.isdisjoint(refusing)

        def refused_then(touch: Touched, refusing: Mapping[str, int] = refusing) -> bool:
            return touch.contact is not None and any(
                touch.at >= refusing.get(one, touch.at + 1) for one in touch.contact
            )

        ready = _ready(shown.get(account, {}), touches)
        walked = oracle_journeys.walked(touches, said.get(group, []), account, ready, refused_then, clock)
        refused |= walked.refused
        for at in walked.unready:
            yield f"{account}: no group in evaluation was ready at {rfc3339(at)}"
        heard = [t for t in touches if t.said.person and t.said.type != "email_opened" and not refuses(t)]
        for what, rows in _expected(walked, heard, contacts, refuses, clock).items():
            wanted[what] |= {(account, key): row for key, row in rows.items()}
    for what, rows in wanted.items():
        yield from differences(what, found[what], rows)
    times = {one.id: one.at for one in tenant.decisions}
    told = _letters(run, name)
    yield from (f"a letter of {event_id}, which never came" for event_id in told.keys() - times.keys())
    for event_id, reason in refused.items():
        waits = run.config.live and reason == "no_handoff" and times[event_id] + DAY_MS >= clock
        erased = any(request.at >= times[event_id] for request in tenant.requests)  # then it may not be told
        if reason not in told.get(event_id, ()) and not (waits or erased):
            yield f"outcome {event_id}: no letter {reason}, but {told.get(event_id)}"


def _shown(profile: Mapping[str, Any]) -> dict[str, dict[Any, Any]]:
    """What a profile tells, as `_expected` does."""
    return {
        "journeys": {
            journey["number"]: (
                journey["opened_at"],
                {stage["stage"]: stage["entered_at"] for stage in journey["stages"]},
                journey["closed_at"],
                journey["closed_by"],
            )
            for journey in profile["journeys"]
        },
        "hand-offs": {
            (row["journey"], row["attempt"]): (
                row["at"],
                row["status"],
                row["caused_by"],
                row["responded_at"],
                row["outcome_at"],
            )
            for row in profile["handoffs"]
        },
        "silences": {
            (row["contact_id"], row["last_touch"], row["level"]): (row["since"], row["ended_at"])
            for row in profile["silences"]
            if not row["contact_id"] or row["ended_at"]  # who left is not silent: that is not told here
        },
        "crossings": {(row["journey"], row["type"], row["topic"]): row["at"] for row in profile["crossings"]},
    }


def _expected(
    walked: oracle_journeys.Walked,
    heard: Sequence[Touched],
    contacts: Mapping[Group, str],
    refuses: Callable[[Touched], bool],
    clock: int,
) -> dict[str, dict[Any, Any]]:
    spells = [("", one) for one in oracle_group.silences((t.at for t in heard), clock)]
    for group in {t.contact for t in heard if t.contact is not None}:
        theirs = oracle_group.silences((t.at for t in heard if t.contact == group), clock)
        spells += [(contacts[group], one) for one in theirs if one.ended is not None]
    return {
        "journeys": {
            number: (
                rfc3339(journey.opened),
                {stage: rfc3339(at) for stage, at in journey.stages.items()},
                _time(journey.closed),
                journey.closed_by,
            )
            for number, journey in enumerate(walked.journeys, 1)
        },
        "hand-offs": {
            (one.journey, one.attempt): (
                rfc3339(one.touches[0].at),
                one.status,
                [touched.said.id for touched in one.touches],
                _time(one.answers[0] if one.answers else None),
                _time(one.answers[-1] if one.answers else None),
            )
            for one in walked.handoffs
        },
        "silences": {
            (who, rfc3339(one.last), one.level): (rfc3339(one.since), _time(one.ended)) for who, one in spells
        },
        "crossings": {
            (number, kind, topic): rfc3339(at)
            for number, journey in enumerate(walked.journeys, 1)
            for kind, topic, at in oracle_group.crossings(t for t in journey.touches if not refuses(t))
        },
    }


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _ready(profile: Mapping[str, Any], touches: Sequence[Touched]) -> set[int]:
    """When a hand-off was made though nobody asked: that the group was ready then is not told here."""
    asked = {t.said.id for t in touches if t.said.type in oracle_journeys.REQUESTS}
    rows = profile.get("handoffs", ())
    return {from_rfc3339(row["at"]) for row in rows if row["caused_by"][0] not in asked}


# ---- letters about outcomes


def letters_of_outcomes(run: Run) -> Iterator[str]:
    """What is wrong with them: each stands for its outcome, by the same number whoever sends it how often."""
    told: dict[tuple[str, str], set[Any]] = {}
    for output in run.seen(topics.DEAD.name):
        headers = dict(output.headers)
        if headers["reason"].decode() in REASONS:
            said = msgspec.json.decode(output.value or b"")
            name = (said["tenant"], said["event_id"])
            key = keys.event_key(run.config.key_of, name[0], topics.OUTCOMES.name, name[1])
            if int(headers["offset"]) != -1 - int.from_bytes(key[:6]) or output.key:
                yield f"letter of an outcome: {output}"
            told.setdefault(name, set()).add((headers["topic"], headers["partition"], output.value))
    for name, letters in told.items():
        if len(letters) > 1:
            yield f"letters of outcome {name} differ: {letters}"


def _letters(run: Run, tenant: str) -> dict[str, set[str]]:
    """Outcome -> for what reasons it was refused."""
    found: dict[str, set[str]] = {}
    for event_id, reason in _counted(run, tenant):
        found.setdefault(event_id, set()).add(reason)
    return found


def _counted(run: Run, tenant: str) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for output in run.seen(topics.DEAD.name):
        reason = dict(output.headers)["reason"].decode()
        if reason in REASONS:
            said = msgspec.json.decode(output.value or b"")
            if said["tenant"] == tenant:
                found[said["event_id"], reason] += 1
    return found


def undisturbed(run: Run) -> Iterator[str]:
    """What must hold where nothing went wrong: nothing is sent twice."""
    tenants = {handoff.tenant for handoff in handoffs(run)}
    made = Counter((h.tenant, h.handoff_id) for h in handoffs(run) if not h.corrects)
    yield from (f"hand-off {one} was made {n} times" for one, n in made.items() if n > 1)
    for tenant in tenants:
        for one, n in _counted(run, tenant).items():
            if n > 1:
                yield f"letter of {one} was sent {n} times"
