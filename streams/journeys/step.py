"""JOURNEYS, the pure step: keeps the latest snapshot per fragment, publishes what changed of an account.

Rows. Group `key_of(tenant, "account", account id)`: one per fragment (member `key_of(tenant, identifier)`,
value: the snapshot as it came, decoded only when the account is computed), `HEAD`, `LEDGER` (what was
published, streams.journeys.ledger), `PROFILE` (the profile as it was sent), and what passes between accounts
when fragments move (streams.journeys.records). Group `key_of("clock")`: the ticks, one row.

When an account is published: `run` (not live): at a drain that all FRAGMENTS partitions have ticked, every
account that changed. Live: at once; after fragments joined or left it, only when none has done so for
`settle_ms`; its profile at most once per `settle_ms`. An account that has not changed is published when the
clock passes the end of its journey. None is published before the accounts that its fragments came from have
answered: one whose drain has passed by then is published when the last answer comes.

A snapshot that tells of erased events takes them out of all rows of its account (streams.journeys.scrub).

An account that cannot be computed harms no other: a dead letter names it, and it is tried again when one of
its snapshots changes and after a restart.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas import deadletter, topics
from schemas.events import AccountProfile
from schemas.internal import AccountRecord, Tick
from schemas.keys import identifier_key
from streams import definition
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.journeys import ledger as ledgers
from streams.journeys import profile as profiles
from streams.journeys import records
from streams.journeys.ledger import Ledger
from streams.journeys.publish import CHANGED, HEAD, PUBLISHED, Changed, Head, Press
from streams.journeys.records import HANDED, LEDGER, PROFILE, Header, Records, Taken, is_fragment
from streams.journeys.scrub import Erased

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Clock(msgspec.Struct, array_like=True, frozen=True):
    """Of every FRAGMENTS partition its highest tick and drain; the drain that was published last."""

    ticks: dict[int, tuple[int, int]]
    drained: int


_message = msgspec.msgpack.Decoder(Header | Tick | AccountRecord).decode
_header = records.header
_head = msgspec.msgpack.Decoder(Head).decode
_ledger = records.ledger_of
_clock = msgspec.msgpack.Decoder(Clock).decode
_changed = msgspec.msgpack.Decoder(Changed).decode
_profile = msgspec.json.Decoder(AccountProfile).decode


class Journeys:
    """The step; see the module."""

    name = "journeys"
    inputs: tuple[str, ...] = (topics.SNAPSHOTS.name, topics.RECORDS.name)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._config = config
        self._definition = definition.of(config.settings)
        self._press = Press(config, self._definition)
        self._clock_group = config.key_of("clock")
        self._clock = Clock({}, 0)
        # What follows is derived from the rows: accounts to publish -> (from when on, wall ms; whether they
        # are to be still first), and a heap of journey ends with the earliest one in it per account.
        self._dirty: dict[Group, tuple[int, bool]] = {}
        self._late: set[Group] = set()  # not live: those whose drain has passed, but not their waiting
        self._regrouped: set[Group] = set()  # those in which fragments changed their contact, or moved on
        self._records = Records(config)
        self._recovered: list[Group] = []
        self._redefined: list[Group] = []  # accounts that another definition was applied to
        self._dues: list[tuple[int, Group]] = []
        self._armed: dict[Group, int] = {}

    def recovered(self, rows: Rows) -> None:
        """Find the accounts that are still to be published, the journeys that are still open, the clock."""
        for group in rows.groups():
            value = rows.get(group)
            if value is None:
                continue
            if group == self._clock_group:
                self._clock = _clock(value)
                continue
            head = _head(value)
            if head.definition not in ("", self._definition.version):
                self._redefined.append(group)
            if head.dirty:
                self._recovered.append(group)
                self._regrouped.add(group)
                self._records.recovered(rows, group)
                if head.late:
                    self._late.add(group)
            self._arm(group, head.due)

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Store snapshots, follow the clock, publish the accounts whose time has come."""
        messages = [(_message(record.value or b""), record.value or b"") for record in records]
        for group in self._recovered:  # their fragments may still be arriving: as if they had just joined
            self._dirty[group] = (now + self._config.settle_ms, True)
        self._recovered = []
        self._records.begin(version)
        ticks: list[Tick] = []
        outputs = self._redefine(rows, version, now)
        for message, value in messages:
            if isinstance(message, Header):
                outputs += self._store(rows, message, value, now)
            elif isinstance(message, Tick):
                ticks.append(message)
            else:
                outputs += self._receive(rows, message, now)
        drained = self._tick(rows, ticks, now) if ticks else False
        if self._config.live:
            due = [group for group, (since, _) in self._dirty.items() if since <= now]
        else:
            due = list(self._dirty if drained else self._late)
        for group in due:
            if not self._records.waits(group):
                outputs += self._publish(rows, group, version, now)
            elif not self._config.live:
                self._late.add(group)
                self._put_head(rows, group, late=True)
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """The events of a ledger, the profile of a profile row, as they were sent; answers to withdrawals."""
        value = rows.get(group, member)
        if value is None:
            return []
        if member in PUBLISHED:
            return self._press.outputs(group, member, value, version)
        if is_fragment(member):
            snapshot = _header(value)
            return self._records.answers(rows, group, member, snapshot) if snapshot.successors else []
        return self._records.handed_over(rows, group, member) if member.startswith(HANDED) else []

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """What only a session that had lost the partition said is taken back (`Retracts`)."""
        if member == PROFILE and rows.get(group, PROFILE) is None:
            rows.put(group, PROFILE, _json(profiles.taken_back(_profile(theirs), self._definition)))
        if member == LEDGER:
            ledger, ours = _ledger(theirs), rows.get(group, LEDGER)
            known = _ledger(ours) if ours is not None else Ledger(ledger.tenant, ledger.account, [], [])
            adopted = ledgers.adopt(known, self._all_erased(rows, group, ledger.tenant).ledger(ledger))
            if adopted.said:
                rows.put(group, LEDGER, _pack(adopted))
            if sum(said.taken for said in adopted.said) < sum(said.taken for said in known.said):
                # What others had told holds, and was said otherwise here: it is told by this account now.
                self._mark(rows, group, Head(known.tenant, known.account, dirty=True))
                self._dirty.setdefault(group, (0, False))

    @property
    def clock(self) -> int:
        """T in ms: the least tick of all FRAGMENTS partitions; 0 until each has ticked."""
        if len(self._clock.ticks) < self._config.partitions:
            return 0
        return min(at for at, _ in self._clock.ticks.values())

    def _redefine(self, rows: Rows, version: Version, now: int) -> list[Output]:
        """Look at all accounts again by the new definition; it is told once per tenant.

        Before there is any news: what changes by this alone is not told, news is. An account that was not
        published when the step stopped is published when it would have been, silently too.
        """
        was: dict[str, str] = {}
        accounts: list[Output] = []
        for group in self._redefined:
            head = _head(rows.get(group) or b"")
            was[head.tenant] = min(head.definition, was.get(head.tenant, head.definition))
            if not head.dirty:
                self._dirty[group] = (now, False)
                accounts += self._publish(rows, group, version, now)
        self._redefined = []
        told = []
        for tenant, former in was.items():
            group = self._config.key_of(tenant, "definitions")
            changed = Changed(tenant, former, self._definition.version, now)
            value = rows.get(group, CHANGED)
            if value is None or _changed(value).now != changed.now:
                rows.put(group, CHANGED, _pack(changed))
                told.append(self._press.changed(group, changed, version))
        return told + accounts

    def _store(self, rows: Rows, header: Header, value: bytes, now: int) -> list[Output]:
        key_of = self._config.key_of
        group = key_of(header.tenant, "account", header.account)
        member = identifier_key(key_of, header.tenant, header.identifier)
        before = rows.get(group, member)
        former = records.stored(before) if before is not None else None
        if former is not None and former.version >= header.version:
            return []
        rows.put(group, member, value)
        if group not in self._dirty:
            self._mark(rows, group, Head(header.tenant, header.account, dirty=True))
        was_here = former is not None and not former.withdrawn
        moved = was_here == header.withdrawn  # the fragment joined or left
        if moved:
            self._dirty[group] = (now + self._config.settle_ms, True)
        elif not self._dirty.get(group, (0, False))[1]:
            self._dirty[group] = (now, False)
        if former is not None and (header.successors or (was_here and former.parts != header.parts)):
            self._regrouped.add(group)
        if header.erased or header.identifier[0] == "#":
            told = _header(before) if before is not None else None
            if told is None or (told.identifier, told.erased) != (header.identifier, header.erased):
                self._lose(rows, group, self._erased(header.tenant, [header]))
        if moved or header.successors or header.predecessors or self._records.waits(group):
            return self._records.stored(rows, group, member, header, moved=moved)
        return []

    def _receive(self, rows: Rows, record: AccountRecord, now: int) -> list[Output]:
        """Take an answer; what an account learns that has published already is published as any change."""
        group = self._config.key_of(record.tenant, "account", record.account)
        value = rows.get(group)
        head = _head(value) if value is not None else None
        if record.ledger and head is not None:
            self._mark(rows, group, head)
            self._dirty.setdefault(group, (now, False))
        return self._records.received(rows, group, record)

    def _erased(self, tenant: str, snapshots: Iterable[Header]) -> Erased:
        """What these snapshots tell of as erased."""
        telling = [s for s in snapshots if s.erased or s.identifier.startswith("#")]
        key_of = self._config.key_of
        fragments = {
            identifier_key(key_of, tenant, s.identifier): frozenset(part.contact for part in s.parts)
            for s in telling
        }
        gone = frozenset(event for snapshot in telling for event in snapshot.erased)
        return Erased(key_of, tenant, fragments, gone)

    def _all_erased(self, rows: Rows, group: Group, tenant: str) -> Erased:
        members = rows.group(group).items()
        return self._erased(tenant, (_header(value) for member, value in members if is_fragment(member)))

    def _lose(self, rows: Rows, group: Group, erased: Erased) -> None:
        """Take what was erased out of the account's rows; its profile is sent again as it then is."""
        if not erased.fragments:
            return
        changed = erased.rows(rows.group(group))
        for member, value in changed.items():
            rows.put(group, member, value)
        if PROFILE in changed:
            self._put_head(rows, group, digest="")

    def _mark(self, rows: Rows, group: Group, new: Head) -> None:
        """Note in the account's row that it is to be published; `new` is the row of an unknown account."""
        value = rows.get(group)
        head = _head(value) if value is not None else None
        if head is None or not head.dirty:
            rows.put(group, HEAD, _pack(msgspec.structs.replace(head, dirty=True) if head else new))

    def _put_head(self, rows: Rows, group: Group, **changed: Any) -> None:
        rows.put(group, HEAD, _pack(msgspec.structs.replace(_head(rows.get(group) or b""), **changed)))

    def _tick(self, rows: Rows, ticks: Iterable[Tick], now: int) -> bool:
        """Take ticks; True when a new drain has come from all partitions."""
        highest = dict(self._clock.ticks)
        for tick in ticks:
            at, drain = highest.get(tick.source, (0, 0))
            highest[tick.source] = (max(at, tick.at), max(drain, tick.drain))
        drain = min(drain for _, drain in highest.values()) if len(highest) >= self._config.partitions else 0
        drained = drain > self._clock.drained
        self._clock = Clock(highest, max(drain, self._clock.drained))
        rows.put(self._clock_group, HEAD, _pack(self._clock))
        self._pass_due(rows, now)
        return drained

    def _pass_due(self, rows: Rows, now: int) -> None:
        """Mark the accounts of which something else holds by the clock."""
        clock = self.clock
        while self._dues and self._dues[0][0] < clock:
            due, group = heapq.heappop(self._dues)
            if self._armed.get(group) != due:
                continue  # an earlier one was put in its place
            del self._armed[group]
            value = rows.get(group)
            head = _head(value) if value is not None else None
            if head is None or head.due is None:
                continue
            if head.due >= clock:
                self._arm(group, head.due)
                continue
            self._mark(rows, group, head)
            self._dirty.setdefault(group, (now, False))

    def _arm(self, group: Group, due: int | None) -> None:
        """See to it that the account is looked at when the clock passes `due`.

        One entry per account, however often that moves: later times are found when the entry comes up.
        """
        if due is not None and due < self._armed.get(group, due + 1):
            self._armed[group] = due
            heapq.heappush(self._dues, (due, group))

    def _publish(self, rows: Rows, group: Group, version: Version, now: int) -> list[Output]:
        try:
            members = rows.group(group)
            head = _head(members[HEAD])
            found = self._press.print(
                head=head,
                members=members,
                taken=self._taken(rows, group, members),
                regrouped=group in self._regrouped,
                clock=self.clock,
                now=now,
                version=version,
            )
        except Exception as error:  # whatever it is, the other accounts go on
            del self._dirty[group]
            self._late.discard(group)
            return [self._refuse(rows, group, error)]
        for member, value in found.changed.items():
            rows.put(group, member, value)
        for member in found.deleted:
            rows.delete(group, member)
        self._arm(group, found.head.due)
        self._late.discard(group)
        self._regrouped.discard(group)
        if found.head.dirty:
            self._dirty[group] = (found.head.profiled + self._config.settle_ms, False)
        else:
            del self._dirty[group]
        return found.outputs

    def _taken(self, rows: Rows, group: Group, members: Mapping[Member, bytes]) -> dict[Member, Taken]:
        found = records.takings(members).items()
        return {member: row for member, row in found if self._records.ready(rows, group, row)}

    def _refuse(self, rows: Rows, group: Group, error: Exception) -> Output:
        """The dead letter for an account that cannot be computed.

        No record is to blame, so its offset is negative: a number that stands for the account.
        """
        try:
            head = _head(rows.get(group) or b"")
            named = {"tenant": head.tenant, "account": head.account}
        except msgspec.MsgspecError:
            named = {"account": group.hex()}
        body = _json(named)
        headers = deadletter.headers(
            reason="processing_error",
            field="account",
            error=f"{type(error).__name__}: {error}",
            topic=topics.SNAPSHOTS.name,
            partition=self._config.partition,
            offset=-1 - int.from_bytes(group[:6], "big"),
            generation=self._config.generation,
            original=body,
        )
        return Output(topics.DEAD.name, self._config.partition, group, body, headers)
