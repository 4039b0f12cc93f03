"""Publishing one account: what its fragments tell now, against what was told before."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas import events, topics
from schemas.events import AccountProfile, AccountRef, JourneyEvent
from schemas.handoff import LeadHandoff
from schemas.internal import Outcome, Snapshot
from schemas.keys import partition_of
from schemas.times import rfc3339
from streams.core import Group, Member, Output, StepConfig, Version
from streams.definition import Definition
from streams.journeys import changes, facts, records
from streams.journeys import ledger as ledgers
from streams.journeys import profile as profiles
from streams.journeys.account import Account, Given, derive
from streams.journeys.contacts import EVER
from streams.journeys.handoffs import Refused
from streams.journeys.holdings import holdings
from streams.journeys.ledger import Ledger, Making, Said
from streams.journeys.outlook import outlook
from streams.journeys.records import LEDGER, PROFILE, Taken, is_fragment
from streams.journeys.sealed import opened
from streams.journeys.telling import event
from streams.letters import PATIENCE_MS, letter
from streams.session import unpack_version

HEAD = b""
LETTERS = b"letters"  # outcomes that count for no hand-off, and were refused
CHANGED = b"changed"  # the definition: a row of a group of its own, per tenant
PUBLISHED: Final = (LEDGER, PROFILE, LETTERS, CHANGED)  # the rows from which follows what was sent

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_profile = msgspec.json.Decoder(AccountProfile).decode


class Head(msgspec.Struct, array_like=True, frozen=True):
    """An account's row beside its fragments."""

    tenant: str
    account: str
    dirty: bool  # changed since it was published
    due: int | None = None  # when the clock passes it, something else holds of the account, ms
    digest: str = ""  # of the profile sent last
    profile_id: str = ""  # its id; empty: none was sent
    profiled: int = 0  # when, wall time in ms
    late: bool = False  # its drain has passed, and it waits for answers only
    definition: str = ""  # version of the one that it was published by; empty: it was not


class Changed(msgspec.Struct, array_like=True, frozen=True):
    """That another definition holds."""

    tenant: str
    was: str
    now: str
    emitted: int  # wall time, ms


class Letter(msgspec.Struct, array_like=True, frozen=True):
    """An outcome that was refused."""

    outcome: Outcome
    reason: str
    error: str


_letters = msgspec.msgpack.Decoder(list[Letter]).decode
_changed = msgspec.msgpack.Decoder(Changed).decode


class Printed(NamedTuple):
    """What publishing an account changes, and what is sent."""

    head: Head
    changed: dict[Member, bytes]
    deleted: Iterable[Member]
    outputs: list[Output]


class Press:
    """Publishes the accounts of one partition."""

    def __init__(self, config: StepConfig, definition: Definition) -> None:
        self._config = config
        self._definition = definition

    def print(
        self,
        *,
        head: Head,
        members: Mapping[Member, bytes],
        taken: Mapping[Member, Taken],
        regrouped: bool,
        clock: int,
        now: int,
        version: Version,
    ) -> Printed:
        """The account of these rows, at T = `clock` and wall time `now` (ms).

        `taken`: what accounts had told that became part of it; `regrouped`: fragments changed their contact
        or moved on since it was published last.
        """
        group = self._config.key_of(head.tenant, "account", head.account)
        given = Given(self._definition, head.tenant, head.account, clock, self._config.key_of)
        snapshots = [_snapshot(v) for m, v in members.items() if is_fragment(m)]
        account = derive(snapshots, given)
        value = members.get(LEDGER)
        before = records.ledger_of(value) if value is not None else Ledger(head.tenant, head.account, [], [])
        standing = any(not s.withdrawn for s in snapshots)
        taken = taken if standing else {}
        received = [ledger for row in taken.values() for ledger in row.ledgers]
        handed = [ledger for ledger in received if not changes.heard(before, ledger)]
        held = holdings(account, given)
        handed = opened(handed, before, held, account, self._config.key_of)
        shown = _profile(members[PROFILE]) if regrouped and PROFILE in members else None
        if handed or shown is not None:
            held += changes.found(before, account, snapshots, handed, shown, clock or now)
        silent = head.definition not in ("", self._definition.version)
        making = Making(account, ledgers.ref(account, given), now, standing, silent)
        ledger, told = ledgers.settle(before, held, making, handed)
        outputs = self._events(group, ledger, told, version)
        ahead = outlook(account, given)
        content = profiles.content(ledger, account, given, ahead)
        head, sent = self._profiled(head, content, version, now)
        known = _letters(members[LETTERS]) if LETTERS in members else []
        # What was said of a time of which something is erased may have been about that.
        erased = max((s.anew for s in snapshots), default=0)
        refused = [one for one in account.desk.refused if one.outcome.at >= erased]
        letters, due = self._refused(refused, known, clock)
        dues = (due, facts.next_expiry(ahead.facts), *_dues(account, given))
        due = min((at for at in dues if at is not None and at >= clock), default=None)
        head = msgspec.structs.replace(head, due=due, late=False, definition=self._definition.version)
        changed = {HEAD: _pack(head)}
        if ledger is not before:
            changed[LEDGER] = _pack(ledger)
        if sent is not None:
            changed[PROFILE] = _json(sent)
            outputs.append(self._output(topics.PROFILES.name, group, sent, changed[PROFILE]))
        if letters != known:
            changed[LETTERS] = _pack(letters)
            outputs += [self._letter(one) for one in letters if one not in known]
        return Printed(head, changed, taken, outputs)

    def outputs(self, group: Group, member: Member, value: bytes, version: Version) -> list[Output]:
        """What was sent because of one of the rows PUBLISHED."""
        if member == LEDGER:
            ledger = records.ledger_of(value)
            return self._events(group, ledger, ledger.said, version)
        if member == PROFILE:
            profile = msgspec.structs.replace(_profile(value), version=unpack_version(version))
            return [self._output(topics.PROFILES.name, group, profile, _json(profile))]
        if member == CHANGED:
            return [self.changed(group, _changed(value), version)]
        return [self._letter(one) for one in _letters(value)]

    def changed(self, group: Group, changed: Changed, version: Version) -> Output:
        """The event that tells it; every partition tells the same one."""
        made = JourneyEvent(
            id=ledgers.identity(changed.tenant, changed.tenant, "definition", changed.now, changed.was, ""),
            type="definitions_changed",
            tenant=changed.tenant,
            subject=changed.tenant,
            kind="definition",
            natural_key=changed.now,
            occurred_at=rfc3339(changed.emitted),
            emitted_at=rfc3339(changed.emitted),
            version=unpack_version(version),
            account=AccountRef("", [], "", "", ""),
            definition_version=changed.now,
            details={"was": changed.was, "now": changed.now},
        )
        return self._output(topics.EVENTS.name, group, made, _json(made))

    def _profiled(
        self, head: Head, content: AccountProfile, version: Version, now: int
    ) -> tuple[Head, AccountProfile | None]:
        """The head after this, still dirty if the profile has to wait, and the profile to send, if any."""
        digest = profiles.digest(content)
        clean = msgspec.structs.replace(head, dirty=False)
        if digest == head.digest or (content.gone and not head.profile_id):
            return clean, None
        if self._config.live and head.profiled <= now < head.profiled + self._config.settle_ms:
            return msgspec.structs.replace(head, dirty=True), None
        sent = profiles.publish(content, digest, head.profile_id, now, version)
        return msgspec.structs.replace(clean, digest=digest, profile_id=sent.id, profiled=now), sent

    def _events(self, group: Group, ledger: Ledger, said: Iterable[Said], version: Version) -> list[Output]:
        outputs = []
        for one in said:
            if not (one.taken or one.silent):
                made = event(ledger, one, version)
                topic = topics.HANDOFFS if isinstance(made, LeadHandoff) else topics.EVENTS
                outputs.append(self._output(topic.name, group, made, _json(made)))
        return outputs

    def _output(
        self, topic: str, group: Group, made: JourneyEvent | LeadHandoff | AccountProfile, body: bytes
    ) -> Output:
        partition = partition_of(group, self._config.partitions)
        return Output(topic, partition, group, body, events.headers(made))

    def _refused(
        self, refused: Iterable[Refused], known: Iterable[Letter], clock: int
    ) -> tuple[list[Letter], int | None]:
        """The outcomes that are refused by now, and when (ms of T) the next one will be.

        One that had been refused for the same reason (`known`) keeps its letter: in words it may differ.
        """
        written = {(letter.outcome.event_id, letter.reason): letter for letter in known}
        letters: list[Letter] = []
        due: int | None = None
        for one in refused:
            until = one.outcome.at + PATIENCE_MS
            if one.reason == "no_handoff" and self._config.live and clock <= until:
                due = until if due is None else min(due, until)
            else:
                letters.append(written.get((one.outcome.event_id, one.reason)) or Letter(*one))
        return letters, due

    def _letter(self, refused: Letter) -> Output:
        return letter(refused.outcome, refused.reason, refused.error, self._config)


def _dues(account: Account, given: Given) -> Iterable[int | None]:
    """When (ms of T) something else holds of the account by the clock alone; some of them are past."""
    for journey in account.walked.journeys:
        # What people say of later than the clock ends it only until the clock passes the gap.
        if journey.ended is None or journey.ended[0] > journey.closes_at:
            yield journey.closes_at
    for spell in account.spells:  # who leaves plays no role any more
        if spell.until != EVER:
            yield spell.until - 1
    yield account.group.rhythm.next_alarm_ms
    for rhythm in account.group.rhythms.values():
        yield rhythm.next_alarm_ms
    days = given.definition.handoff.feedback_days
    for handoff in account.desk.made:
        if handoff.lacks_answer(days):
            yield handoff.due(days)
