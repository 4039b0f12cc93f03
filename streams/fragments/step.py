"""The step FRAGMENTS: one row per identifier; statements to IDENTITY, snapshots to JOURNEYS, the clock on."""

from collections.abc import Container, Sequence

import msgspec

from schemas import deadletter
from schemas.identity import MapRow
from schemas.internal import Asserted, Command, Outcome, Owner, Snapshot, Tick, Told, Touch
from schemas.keys import event_key, identifier_key, partition_of
from schemas.topics import DEAD, LINKS, MAP, SNAPSHOTS, VALID
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.fragments import clock, erasure, keeping, row
from streams.fragments.idle import Idle
from streams.fragments.moves import moved, name_predecessors
from streams.fragments.row import Fragment
from streams.fragments.snapshots import snapshots, withdrawn
from streams.fragments.statements import Statement, statements
from streams.fragments.update import Update
from streams.fragments.waiting import Waiting
from streams.letters import letter

_Input = Touch | Owner | Told | Outcome | Command

_decode_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick | Asserted | Outcome | Command).decode
_decode_map = msgspec.json.Decoder(MapRow).decode
_encode = msgspec.msgpack.Encoder().encode


class Fragments:
    """Rows: group = key of (tenant, identifier), member empty; and one for the clock."""

    name = "fragments"
    inputs: tuple[str, ...] = (VALID.name, MAP.name)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._config = config
        self._key_of = config.key_of
        self._clock = config.key_of("clock")
        self._idle = Idle()
        self._waiting = Waiting(live=config.live)

    def recovered(self, rows: Rows) -> None:
        """Find out when which row may be forgotten."""
        for group in rows.groups():
            value = rows.get(group)
            if value is None:
                continue
            if group != self._clock:
                self._idle.recovered(group, value)
                self._waiting.recovered(group, value)
            elif (reached := clock.decode(value).reached(self._config.partitions)) is not None:
                self._idle.resume(reached[0])

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Take in a batch; sends the statements and snapshots that changed, then the clock if it rose."""
        del now  # only T counts, and T comes in band
        ticks: list[Tick] = []
        # tenant, identifier, map rows, other messages
        batch: dict[Group, tuple[str, str, list[MapRow], list[_Input]]] = {}
        for record in records:
            if record.value is None:
                continue
            if record.topic == MAP.name:
                said = _decode_map(record.value)
                key = record.key or identifier_key(self._key_of, said.tenant, said.identifier)
                batch.setdefault(key, (said.tenant, said.identifier, [], []))[2].append(said)
                continue
            message = _decode_valid(record.value)
            if isinstance(message, Tick):
                ticks.append(message)
                continue
            if isinstance(message, Asserted) or not (identifier := _about(message)):
                continue  # what people say of pairs, and unattributed: for the views alone
            key = record.key or self._key_of(message.tenant, identifier)
            if key not in batch:
                batch[key] = (message.tenant, identifier, [], [])
            batch[key][3].append(message)
        outputs: list[Output] = []
        for group, (tenant, identifier, maps, messages) in batch.items():
            outputs += self._update(rows, group, Fragment(tenant, identifier), maps, messages, version)
        if ticks:
            outputs += self._tick(rows, ticks, batch.keys())
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """Everything the row states, its snapshots and what it has withdrawn; or the clock."""
        value = rows.get(group, member)
        if value is None:
            return []
        if group == self._clock:
            return self._ticks(clock.decode(value))
        fragment = row.decode(value)
        standing = [
            *snapshots(fragment).values(),
            *(withdrawn(fragment, left) for left in fragment.left),
        ]
        refused = [said for said in keeping.counted(fragment.outcomes) if said.event_id in fragment.refused]
        return [
            *self._state(fragment.tenant, statements(fragment)),
            *(self._snapshot(each, version) for each in standing),
            *map(self._letter, refused),
        ]

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """Accounts that only a session that had lost the partition told of this fragment: withdrawn."""
        if group == self._clock:
            return
        other, ours = row.decode(theirs), rows.get(group, member)
        fragment = Fragment(other.tenant, other.identifier) if ours is None else row.decode(ours)
        theirs_stand, stand = snapshots(other), snapshots(fragment)
        known = {*stand, *(left.account for left in fragment.left)}
        strange = {account: said for account, said in theirs_stand.items() if account not in known}
        left = moved(fragment.left, strange, other.mapped, stand, fragment.mapped, b"")
        withdrawn_there = [each for each in other.left if each.account not in {*known, *strange}]
        fragment.left = [*left, *withdrawn_there][-row.LEFT :]
        hashes = fragment.erased
        if (erased := erasure.of(fragment, self._key_of)) is not None:
            gone = [touch for touch in other.touches if erased.covers(touch.at)]
            erasure.hash_touches(fragment, gone, self._key_of)
        if strange or withdrawn_there or fragment.erased != hashes:
            rows.put(group, member, row.encode(fragment))

    def _update(
        self,
        rows: Rows,
        group: Group,
        fresh: Fragment,
        maps: list[MapRow],
        messages: list[_Input],
        version: Version,
    ) -> list[Output]:
        before = rows.get(group)
        fragment = fresh if before is None else row.decode(before)
        stood, mapped, last = snapshots(fragment), fragment.mapped, fragment.last
        named, erased = fragment.identifier, fragment.erased
        update = Update(fragment, self._key_of)
        for said in maps:
            update.mapped(said)
        for message in messages:
            update.take(message)
        update.finish()
        stand = snapshots(fragment)
        if stand:
            fragment.refused = []  # from now on the account decides
        else:
            self._waiting.note(group, fragment)
        gone = [account for account in stood if account not in stand]
        if gone or fragment.left:
            fragment.left = moved(fragment.left, stood, mapped, stand, fragment.mapped, version)
            name_predecessors(stand, fragment.left)
        # Who is erased had no name when the row was read back, so it may not have been noted.
        if not stand and (stood or last is None or named != fragment.identifier):
            self._idle.note(group, fragment.identifier, fragment.last)
        after = row.encode(fragment)
        if after != before:
            rows.put(group, b"", after)
        outputs = [self._refuse(touch) for touch in update.refused]
        outputs += self._state(fragment.tenant, update.overflow)
        if update.stated:
            known = set() if before is None or update.restated else set(statements(row.decode(before)))
            outputs += self._state(fragment.tenant, [s for s in statements(fragment) if s not in known])
        changed = [snapshot for account, snapshot in stand.items() if stood.get(account) != snapshot]
        if fragment.left:
            # Whoever ever had what is now erased must hear of it.
            tell = fragment.erased != erased or (
                fragment.identifier != named and fragment.identifier[0] == "#"
            )
            changed += [withdrawn(fragment, left) for left in fragment.left if tell or left.account in gone]
        return outputs + [self._snapshot(each, version) for each in changed]

    def _refuse(self, touch: Touch) -> Output:
        """The dead letter of a touch that is erased: without bytes; one for an event, however often it comes.

        So its offset is negative: a number that stands for the event.
        """
        key = event_key(self._key_of, touch.tenant, touch.source, touch.event_id)
        headers = deadletter.headers(
            reason="erased",
            field="occurred_at",
            error="what was said of this identifier up to then is erased",
            topic=VALID.name,
            partition=self._config.partition,
            offset=-1 - int.from_bytes(key[:6], "big"),
            generation=self._config.generation,
            original=b"",
            tenant=touch.tenant,
        )
        return Output(DEAD.name, self._config.partition, None, b"", headers)

    def _letter(self, said: Outcome) -> Output:
        return letter(said, "no_handoff", "no account has this id", self._config)

    def _state(self, tenant: str, said: Sequence[Statement]) -> list[Output]:
        if not said:
            return []
        key = self._key_of(tenant)
        partition = partition_of(key, self._config.partitions)
        return [Output(LINKS.name, partition, key, _encode(each)) for each in said]

    def _snapshot(self, snapshot: Snapshot, version: Version) -> Output:
        snapshot.version = version
        key = self._key_of(snapshot.tenant, "account", snapshot.account)
        return Output(SNAPSHOTS.name, partition_of(key, self._config.partitions), key, _encode(snapshot))

    def _tick(self, rows: Rows, ticks: list[Tick], heard_of: Container[Group]) -> list[Output]:
        before = rows.get(self._clock)
        heard = clock.Clock() if before is None else clock.decode(before)
        stood = heard.reached(self._config.partitions)
        for tick in ticks:
            heard.hear(tick)
        after = clock.encode(heard)
        if after != before:
            rows.put(self._clock, b"", after)
        reached = heard.reached(self._config.partitions)
        if reached is None or reached == stood:
            return []
        self._idle.forget(rows, reached[0], heard_of)
        drained = reached[1] > (stood[1] if stood is not None else 0)
        refused = self._waiting.refuse(rows, reached[0], drained=drained)
        return [*map(self._letter, refused), *self._ticks(heard)]

    def _ticks(self, heard: clock.Clock) -> list[Output]:
        reached = heard.reached(self._config.partitions)
        if reached is None:
            return []
        value = _encode(Tick(self._config.partition, *reached))
        return [
            Output(SNAPSHOTS.name, partition, None, value) for partition in range(self._config.partitions)
        ]


def _about(message: _Input) -> str:
    if isinstance(message, Touch):
        return message.identifier
    if isinstance(message, Outcome | Command):
        return message.account[0]
    return message.weak if isinstance(message, Owner) else message.account
