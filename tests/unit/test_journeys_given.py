"""Accounts in words: snapshots by hand, the step driven without a session, outputs read and folded."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from schemas import topics
from schemas.internal import OTHER, PERSON, Command, Fact, Mini, Outcome, Part, Snapshot, Tick
from schemas.keys import erased_name, hasher, identifier_key
from schemas.times import from_rfc3339
from streams.core import Output, Record, Rows, StepConfig
from streams.definition import default
from streams.definition.model import ROLES
from streams.journeys.account import Account, Given, derive
from streams.journeys.step import Journeys
from streams.session import pack_version

KEY_OF = hasher("secret")
TENANT, ACCOUNT = "acme", "a00000000000001"
DAY = 86_400_000
GAP = default().journey.gap_days * DAY
START = from_rfc3339("2025-01-01T00:00:00Z")

_pack = msgspec.msgpack.Encoder().encode


def touch(at: int | str, type: str = "page_viewed", **other: Any) -> Mini:
    """A touch at `at` (ms, or RFC 3339)."""
    ms = from_rfc3339(at) if isinstance(at, str) else at
    event_id = other.get("event_id") or f"{type}@{ms}"
    return Mini(
        ms,
        0,
        event_id,
        other.get("source", "web"),
        type,
        other.get("actor", PERSON),
        OTHER,
        other.get("account", ""),
        other.get("topic", ""),
        "",
        other.get("order", ""),
        "web",
    )


def fragment(identifier: str, *parts: Part, seq: int = 1, facts: dict[str, Fact] | None = None) -> Snapshot:
    return Snapshot(
        TENANT, ACCOUNT, identifier, pack_version(1, 1, seq), False, False, list(parts), facts or {}
    )


def gone(identifier: str, seq: int) -> Snapshot:
    return Snapshot(TENANT, ACCOUNT, identifier, pack_version(1, 1, seq), True, False, [], {})


def of(contact: str, *touches: Mini, since: int | None = None, until: int | None = None) -> Part:
    return Part(contact, since, until, list(touches))


def account(*snapshots: Snapshot) -> Account:
    return derive(snapshots, Given(default(), TENANT, ACCOUNT))


def one(*touches: Mini) -> Account:
    """An account of one person with these touches."""
    return account(fragment("email:jane@acme.nl", of("jane", *touches)))


def stages(given: Account) -> list[dict[str, int]]:
    """The stages entered per journey."""
    return [{name: touched.at for name, touched in j.stages} for j in given.walked.journeys]


class Driven:
    """The step, driven by hand; keeps all that it sent."""

    failing = False  # whether dead letters are expected

    def __init__(self, *, live: bool = False, partitions: int = 1, rows: Rows | None = None) -> None:
        self.config = StepConfig(0, partitions, 1, KEY_OF, live=live)
        self.rows = rows or Rows()
        self.step = Journeys(self.config)
        self.step.recovered(self.rows)
        self.sent: list[Output] = []
        self.seq = 0
        self.drains = 0

    def feed(self, *messages: Snapshot | Tick, now: int = START) -> list[Output]:
        self.seq += 1
        records = [Record(topics.SNAPSHOTS.name, 0, i, 0, b"", _pack(m)) for i, m in enumerate(messages)]
        sent = self.step.apply(self.rows, records, pack_version(1, 1, self.seq), now)
        self.rows.keep()
        self.sent += sent
        assert self.failing or all(output.topic != topics.DEAD.name for output in sent), sent
        return sent

    def drain(self, at: int = START, now: int = START) -> list[Output]:
        self.drains += 1
        ticks = [Tick(source, at, self.drains) for source in range(self.config.partitions)]
        return self.feed(*ticks, now=now)

    def restarted(self) -> "Driven":
        again = Driven(live=self.config.live, partitions=self.config.partitions, rows=self.rows)
        again.seq, again.drains, again.sent = self.seq, self.drains, self.sent
        return again


GROUP_KINDS = ("role", "crossing", "silence", "handoff", "feedback")  # what is told of the buying group


def everything(outputs: list[Output]) -> list[dict[str, Any]]:
    """All journey events and hand-offs; these with the kind and key that the ledger has them under."""
    told = []
    for output in outputs:
        if output.topic in (topics.EVENTS.name, topics.HANDOFFS.name):
            one = json.loads(output.value or b"")
            if output.topic == topics.HANDOFFS.name:
                one |= {
                    "kind": "handoff",
                    "natural_key": one["handoff_id"].partition(".")[2].replace(".", "/"),
                }
            told.append(one)
    return told


def events(outputs: list[Output]) -> list[dict[str, Any]]:
    """Of journeys, stages and members: without what is told of the buying group."""
    return [
        one
        for one in everything(outputs)
        if one["kind"] not in GROUP_KINDS and not _of_role(one["natural_key"])
    ]


def _of_role(key: str) -> bool:
    return key.partition("/")[2].removeprefix("first_") in ROLES


def handoffs(outputs: list[Output]) -> list[dict[str, Any]]:
    return [json.loads(o.value or b"") for o in outputs if o.topic == topics.HANDOFFS.name]


def profiles(outputs: list[Output]) -> list[dict[str, Any]]:
    return [json.loads(o.value or b"") for o in outputs if o.topic == topics.PROFILES.name]


def folded(
    outputs: list[Output], read: Callable[[list[Output]], list[dict[str, Any]]] = everything
) -> dict[tuple[str, str, str], tuple[str, list[str], str | None]]:
    """What holds after all outputs: (subject, kind, natural key) -> time, causes, contact."""
    last: dict[tuple[str, str, str], dict[str, Any]] = {}
    for event in read(outputs):
        key = (event["subject"], event["kind"], event["natural_key"])
        if key not in last or last[key]["version"] <= event["version"]:
            last[key] = event
    return {
        key: (e["occurred_at"], e.get("caused_by", []), e.get("contact", {}).get("id"))
        for key, e in last.items()
        if not e.get("retracted")
    }


def having(snapshot: Snapshot, **told: Any) -> Snapshot:
    """The snapshot, which tells more: words, history, outcomes, commands, mailboxes."""
    return msgspec.structs.replace(snapshot, **told)


def willing(name: str, *touches: Mini, title: str = "", **period: Any) -> Snapshot:
    """A person at acme.nl who said yes to mail long ago."""
    words = {"email": [(START - 100 * DAY, True)]}
    history = {"job_title": [Fact(OTHER, START - 100 * DAY, "web", title)]} if title else {}
    facts = {"name": Fact(OTHER, START, "web", name.title())}
    person = fragment(f"email:{name}@acme.nl", of(name, *touches, **period), facts=facts)
    return having(person, words=words, history=history)


def outcome(kind: str, at: int, handoff: str = "", **other: Any) -> Outcome:
    event_id = other.get("event_id") or f"{kind}@{at}"
    reason = other.get("reason", "")
    keys = ["domain:acme.nl"]
    return Outcome(TENANT, event_id, kind, handoff, keys, reason, "", other.get("value", ""), "", at, "sales")


def command(kind: str, at: int, whom: str = "", **other: Any) -> Command:
    """`whom` is an identifier; commands name people by keyed hashes."""
    names = [erased_name(identifier_key(KEY_OF, TENANT, whom))] if whom else []
    event_id = other.pop("event_id", f"{kind}@{at}")
    said = {"role": "", "owner": "", "scheme": "", "segment": "", **other}
    return Command(TENANT, event_id, kind, ["domain:acme.nl"], names, at=at, by="sales", **said)


def firm(*said: Outcome | Command, seq: int = 1, **told: Any) -> Snapshot:
    """The fragment of the firm's domain, with what was said of the account."""
    outcomes = [one for one in said if isinstance(one, Outcome)]
    commands = [one for one in said if isinstance(one, Command)]
    return having(fragment("domain:acme.nl", seq=seq), outcomes=outcomes, commands=commands, **told)


def at_time(clock: int, *snapshots: Snapshot) -> Account:
    return derive(snapshots, Given(default(), TENANT, ACCOUNT, clock, KEY_OF))
