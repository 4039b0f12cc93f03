"""What passes between accounts when fragments move: the topic `account-records`, and the rows behind it.

A withdrawal names the accounts where the fragment is now. The account that it left answers each of them
at once: with what it had told when nothing stands in it any more (`HANDED` keeps that, per successor),
else with nothing: it goes on, and keeps what it told. The answers given follow from the stored withdrawal.

A snapshot names the accounts that its fragment came from. Until each of them has answered, the account
publishes nothing. Answers may come before their snapshot: `ANSWERS` keeps, per fragment, which version of the
withdrawal each of those accounts has answered (also when the fragment leaves again: it may come back and name
them once more), `TAKEN` what it had told, until that is published.

What reaches an account in which nothing stands any more goes on to where its fragment went.
"""

from collections.abc import Mapping

import msgspec

from schemas import topics
from schemas.internal import AccountRecord
from schemas.keys import KEY_BYTES, partition_of
from streams.core import Group, Member, Output, Rows, StepConfig, Version
from streams.journeys.ledger import Ledger, parted
from streams.journeys.sealed import sealed

LEDGER, PROFILE = b"ledger", b"profile"  # none as long as a fragment's key
ANSWERS, HANDED, TAKEN = b"answers", b"handed", b"taken"  # each followed by a key

_pack = msgspec.msgpack.Encoder().encode


class Whose(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The beginning of a `Part`."""

    contact: str


class Stored(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="fragment"):
    """The beginning of a `Snapshot`: what it takes to see what another one changes."""

    tenant: str
    account: str
    identifier: str
    version: bytes
    withdrawn: bool
    dense: bool
    parts: list[Whose]


class Header(Stored, array_like=True, gc=False, tag_field="_", tag="fragment"):
    """A `Snapshot` without its touches: what it takes to store one."""

    facts: msgspec.Raw
    successors: tuple[str, ...] = ()
    predecessors: dict[str, bytes] = {}
    erased: tuple[bytes, ...] = ()
    anew: int = 0


class Handed(msgspec.Struct, array_like=True, frozen=True):
    """What the account had told when it ceased to exist, and to which account that went."""

    tenant: str
    account: str
    successor: str
    fragment: bytes  # whose withdrawal was answered with it
    profile: str  # id of the profile that stood then
    ledgers: list[Ledger]  # its own, and those that it was handed itself and had not published; as given


class Taken(msgspec.Struct, array_like=True, frozen=True):
    """What accounts that became part of this one had told, not yet published by this one."""

    predecessor: str
    fragment: bytes
    version: bytes
    ledgers: list[Ledger]


class _Shown(msgspec.Struct):
    id: str
    gone: bool


header = msgspec.msgpack.Decoder(Header).decode
stored = msgspec.msgpack.Decoder(Stored).decode
handed = msgspec.msgpack.Decoder(Handed).decode
taken = msgspec.msgpack.Decoder(Taken).decode
ledger_of = msgspec.msgpack.Decoder(Ledger).decode
ledgers_of = msgspec.msgpack.Decoder(list[Ledger]).decode
_answers = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_shown = msgspec.json.Decoder(_Shown).decode


def is_fragment(member: Member) -> bool:
    """Whether the row is a fragment's snapshot: no other member is as long as a key."""
    return len(member) == KEY_BYTES


def takings(members: Mapping[Member, bytes]) -> dict[Member, Taken]:
    """The rows of an account that tell what it was handed."""
    return {m: taken(v) for m, v in members.items() if not is_fragment(m) and m.startswith(TAKEN)}


def handings(members: Mapping[Member, bytes]) -> dict[Member, Handed]:
    """The rows of an account that tell what it handed over."""
    return {m: handed(v) for m, v in members.items() if not is_fragment(m) and m.startswith(HANDED)}


def _latest(before: list[Ledger], ledgers: list[Ledger]) -> list[Ledger]:
    """Both; of one account the later ledger, whichever came first: an answer may come again after another."""
    known = {ledger.account: ledger for ledger in before}
    for ledger in ledgers:
        if ledger.until >= known.setdefault(ledger.account, ledger).until:
            known[ledger.account] = ledger
    return list(known.values())


class Records:
    """The exchange of the accounts of one partition; what it keeps beside the rows follows from them."""

    def __init__(self, config: StepConfig) -> None:
        self._key_of = config.key_of
        self._partitions = config.partitions
        self._waiting: dict[Group, set[bytes]] = {}  # accounts -> fragments that are not answered for
        self._version: Version = b""  # of this batch
        self._standing: dict[Group, int] = {}  # fragments that stand in an account; of this batch

    def begin(self, version: Version) -> None:
        """A batch begins; the one before may have been dropped after it was counted."""
        self._version = version
        self._standing.clear()

    def waits(self, group: Group) -> bool:
        """Whether the account still waits for an answer."""
        return group in self._waiting

    def recovered(self, rows: Rows, group: Group) -> None:
        """Find out what an account that is to be published waits for."""
        for member, value in rows.group(group).items():
            if is_fragment(member):
                self._expect(rows, group, member, header(value))

    def stored(self, rows: Rows, group: Group, fragment: Member, now: Header, *, moved: bool) -> list[Output]:
        """A snapshot was stored, with which the fragment joined or left (`moved`): the answers to it."""
        if moved and group in self._standing:
            self._standing[group] += -1 if now.withdrawn else 1
        self._expect(rows, group, fragment, now)
        if not now.successors:
            return []
        successor = next((s for s in now.successors if s != now.account), None)
        if successor is not None and now.withdrawn and not self._stands(rows, group):
            self._hand_over(rows, group, fragment, now, successor)
        return self.answers(rows, group, fragment, now)

    def received(self, rows: Rows, group: Group, record: AccountRecord) -> list[Output]:
        """An answer has come: what goes on to another account."""
        value = rows.get(group, record.fragment)
        snapshot = header(value) if value is not None else None
        left = snapshot is not None and snapshot.withdrawn and snapshot.version >= record.version
        self._note(rows, group, record)
        ledgers = ledgers_of(record.ledger) if record.ledger else []
        if ledgers:
            member = TAKEN + self._group(record.tenant, record.predecessor)
            before = rows.get(group, member)
            known = taken(before).ledgers if before is not None else []
            if (latest := _latest(known, ledgers)) != known:
                row = Taken(record.predecessor, record.fragment, record.version, latest)
                rows.put(group, member, _pack(row))
        if snapshot is None:
            return []
        self._expect(rows, group, record.fragment, snapshot)
        if not ledgers or not left or self._stands(rows, group):
            return []
        successor = next((s for s in snapshot.successors if s != record.account), None)
        if successor is None:
            return []
        self._hand_over(rows, group, record.fragment, snapshot, successor)
        return self.handed_over(rows, group, HANDED + self._group(record.tenant, successor))

    def answers(self, rows: Rows, group: Group, fragment: Member, now: Header) -> list[Output]:
        """The answers to a stored snapshot that names successors."""
        outputs = []
        for successor in now.successors:
            if successor != now.account:
                value = rows.get(group, HANDED + self._group(now.tenant, successor))
                note = handed(value) if value is not None and now.withdrawn else None
                ledgers = note.ledgers if note is not None and note.fragment == fragment else []
                outputs.append(self._record(now, successor, fragment, ledgers))
        return outputs

    def handed_over(self, rows: Rows, group: Group, member: Member) -> list[Output]:
        """What was handed over, as long as the withdrawal stands that asked for it."""
        value = rows.get(group, member)
        if value is None:
            return []
        note = handed(value)
        snapshot = header(rows.get(group, note.fragment) or b"")
        stands = snapshot.withdrawn and note.successor in snapshot.successors
        return [self._record(snapshot, note.successor, note.fragment, note.ledgers)] * stands

    def ready(self, rows: Rows, group: Group, row: Taken) -> bool:
        """Whether the snapshot has come to which what was taken belongs."""
        value = rows.get(group, row.fragment)
        if value is None:
            return False
        snapshot = header(value)
        return snapshot.version >= row.version or row.predecessor in snapshot.predecessors

    def _expect(self, rows: Rows, group: Group, fragment: Member, now: Header) -> None:
        if not now.withdrawn and self._unanswered(rows, group, fragment, now):
            self._waiting.setdefault(group, set()).add(fragment)
        elif (waiting := self._waiting.get(group)) is not None:
            waiting.discard(fragment)
            if not waiting:
                del self._waiting[group]

    def _unanswered(self, rows: Rows, group: Group, fragment: Member, now: Header) -> bool:
        if not now.predecessors:
            return False
        value = rows.get(group, ANSWERS + fragment)
        answers = _answers(value) if value is not None else {}
        return any(
            answers.get(predecessor, b"") < version
            for predecessor, version in now.predecessors.items()
            if predecessor != now.account
        )

    def _note(self, rows: Rows, group: Group, record: AccountRecord) -> None:
        value = rows.get(group, ANSWERS + record.fragment)
        answers = _answers(value) if value is not None else {}
        if answers.get(record.predecessor, b"") < record.version:
            answers[record.predecessor] = record.version
            rows.put(group, ANSWERS + record.fragment, _pack(answers))

    def _stands(self, rows: Rows, group: Group) -> bool:
        if group not in self._standing:
            snapshots = (header(v) for member, v in rows.group(group).items() if is_fragment(member))
            self._standing[group] = sum(not snapshot.withdrawn for snapshot in snapshots)
        return self._standing[group] > 0

    def _hand_over(self, rows: Rows, group: Group, fragment: Member, now: Header, successor: str) -> None:
        """Nothing stands here any more: what was told goes to the successor, once."""
        members = rows.group(group)
        member = HANDED + self._group(now.tenant, successor)
        notes = handings(members)
        shown = _shown(members[PROFILE]) if PROFILE in members else None
        own = ledger_of(members[LEDGER]) if LEDGER in members else Ledger(now.tenant, now.account, [], [])
        again = shown is not None and any(shown.id == note.profile for note in notes.values())
        rest = {m: row for m, row in takings(members).items() if self.ready(rows, group, row)}
        ledgers = [ledger for row in rest.values() for ledger in row.ledgers]
        given, stays = parted(own, self._version)
        told = any(not said.retracted for said in given.said)
        if told or (shown is not None and not shown.gone and not again):
            rows.put(group, LEDGER, _pack(stays))
            ledgers.insert(0, sealed(given, self._key_of))
        elif not ledgers:
            return
        elif member in notes:  # it came late, and follows what went before
            ledgers = _latest(notes[member].ledgers, ledgers)
        for passed in rest:
            rows.delete(group, passed)
        profile = shown.id if shown is not None else ""
        row = Handed(now.tenant, now.account, successor, fragment, profile, ledgers)
        rows.put(group, member, _pack(row))

    def _record(self, now: Header, successor: str, fragment: bytes, ledgers: list[Ledger]) -> Output:
        told = _pack(ledgers) if ledgers else b""
        record = AccountRecord(now.tenant, successor, now.account, fragment, now.version, told)
        key = self._group(now.tenant, successor)
        return Output(topics.RECORDS.name, partition_of(key, self._partitions), key, _pack(record))

    def _group(self, tenant: str, account: str) -> Group:
        return self._key_of(tenant, "account", account)
