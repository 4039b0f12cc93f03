"""What sales says of leads and decides about accounts: lines for the topics of outcomes and commands."""

import json
import random
from collections.abc import Sequence

from schemas import topics
from schemas.times import rfc3339
from tests.simulation.said import Decision, Event, kind_of

OUTCOMES = ("accepted", "accepted", "working", "working", "won", "lost", "rejected", "recycled")
ROLES = ("initiator", "user", "influencer", "decider", "buyer", "gatekeeper")
COMMANDS = ("assign_role", "assign_role", "remove_role", "set_owner", "assign_segment", "close_journey")


def key_of_account(rng: random.Random, firms: int) -> str:
    """An account key; now and then one that nobody else speaks of."""
    n = rng.randrange(firms)
    known = (f"account_id:A{n}", f"domain:firm{n}.nl", f"domain:firm{n}.nl", f"customer_number:9{n}")
    return "domain:nowhere.nl" if rng.random() < 0.05 else rng.choice(known)


def outcome(
    rng: random.Random, number: int, tenant: str, at: int, key: str, issued: str
) -> tuple[bytes, Event, Decision]:
    """What became of a hand-off: the line, what it says, and that in short.

    It names the account by the key, or a hand-off of the account whose id was given out for the key, or both.
    """
    what = rng.choice(OUTCOMES)
    event: Event = {
        "event_id": f"l{number:04}",
        "tenant": tenant,
        "occurred_at": rfc3339(at),
        "outcome": what,
        "by": "sales",
    }
    handoff = f"{issued}.{rng.choice((1, 1, 1, 2))}.{rng.choice((1, 1, 1, 2))}" if rng.random() < 0.3 else ""
    if handoff:
        event["handoff_id"] = handoff
    if not handoff or rng.random() < 0.5:
        event["account"] = _given(key)
    if what == "won" and rng.random() < 0.7:
        event |= {"value": rng.randint(1, 900), "currency": "EUR"}
    if what in ("lost", "rejected") and rng.random() < 0.7:
        event["reason_code"] = "no_budget"
    return (
        json.dumps(event).encode(),
        event,
        Decision(at, event["event_id"], what, key, handoff, "account" in event),
    )


def command(
    rng: random.Random, number: int, tenant: str, at: int, key: str, strong: Sequence[str]
) -> tuple[bytes, Event, Decision]:
    """What somebody decides about an account; `strong`: identifiers of a person whom it may be about."""
    what = rng.choice(COMMANDS)
    event: Event = {
        "event_id": f"d{number:04}",
        "tenant": tenant,
        "occurred_at": rfc3339(at),
        "command": what,
        "account": _given(key),
        "by": "sales",
    }
    if what in ("assign_role", "remove_role"):
        event |= {"identifiers": _given(rng.choice(strong)), "role": rng.choice(ROLES)}
    elif what == "set_owner":
        event["owner"] = rng.choice(("ann", "bob"))
    elif what == "assign_segment":
        event |= {"scheme": "size", "segment": rng.choice(("small", "large"))}
    return json.dumps(event).encode(), event, Decision(at, event["event_id"], what, key, "", True)


def topic_of(what: str) -> str:
    """Where it is sent."""
    return (topics.COMMANDS if what in COMMANDS else topics.OUTCOMES).name


def _given(identifier: str) -> Event:
    return {kind_of(identifier): identifier.partition(":")[2]}
