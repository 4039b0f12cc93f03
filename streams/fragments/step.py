"""The step FRAGMENTS: one row per identifier; statements to IDENTITY, snapshots to JOURNEYS, the clock on."""

from collections.abc import Sequence

import msgspec

from schemas.identity import MapRow
from schemas.internal import Owner, Snapshot, Tick, Told, Touch
from schemas.keys import partition_of
from schemas.topics import LINKS, MAP, SNAPSHOTS, VALID
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.fragments import clock, row
from streams.fragments.row import Fragment, MapState
from streams.fragments.snapshots import snapshots, withdrawn
from streams.fragments.statements import Statement, statements
from streams.fragments.update import Update

_Input = Touch | Owner | Told | MapState

_decode_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick).decode
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

    def recovered(self, rows: Rows) -> None:
        """Nothing is kept beside the rows."""

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Take in a batch; sends the statements and snapshots that changed, then the clock if it rose."""
        del now  # only T counts, and T comes in band
        ticks: list[Tick] = []
        batch: dict[Group, tuple[str, str, list[_Input]]] = {}  # tenant, identifier, messages
        for record in records:
            if record.value is None:
                continue
            message: _Input
            if record.topic == MAP.name:
                said = _decode_map(record.value)
                message, tenant, identifier = row.map_state(said), said.tenant, said.identifier
            else:
                valid = _decode_valid(record.value)
                if isinstance(valid, Tick):
                    ticks.append(valid)
                    continue
                message, tenant, identifier = valid, valid.tenant, _about(valid)
                if not identifier:
                    continue  # unattributed: kept by the views alone
            key = record.key or self._key_of(tenant, identifier)
            if key not in batch:
                batch[key] = (tenant, identifier, [])
            batch[key][2].append(message)
        outputs: list[Output] = []
        for group, (tenant, identifier, messages) in batch.items():
            outputs += self._update(rows, group, Fragment(tenant, identifier), messages, version)
        if ticks:
            outputs += self._tick(rows, ticks)
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
            *(withdrawn(fragment, account) for account in fragment.left),
        ]
        return self._state(fragment.tenant, statements(fragment)) + [
            self._snapshot(each, version) for each in standing
        ]

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        """Accounts that only a session that had lost the partition told of this fragment: withdrawn."""
        if group == self._clock:
            return
        other, ours = row.decode(theirs), rows.get(group, member)
        fragment = Fragment(other.tenant, other.identifier) if ours is None else row.decode(ours)
        strange = {*snapshots(other), *other.left} - {*snapshots(fragment), *fragment.left}
        if strange:
            fragment.left = [*fragment.left, *sorted(strange)][-row.LEFT :]
            rows.put(group, member, row.encode(fragment))

    def _update(
        self, rows: Rows, group: Group, fresh: Fragment, messages: list[_Input], version: Version
    ) -> list[Output]:
        before = rows.get(group)
        fragment = fresh if before is None else row.decode(before)
        stood = snapshots(fragment)
        update = Update(fragment)
        for message in messages:
            if isinstance(message, Touch):
                update.touch(message)
            elif isinstance(message, Owner):
                update.owner(message)
            elif isinstance(message, Told):
                update.told(message)
            else:
                update.mapped(message)
        update.finish()
        stand = snapshots(fragment)
        gone = [account for account in stood if account not in stand]
        if gone or fragment.left:
            left = [account for account in fragment.left if account not in stand] + sorted(gone)
            fragment.left = left[-row.LEFT :]
        after = row.encode(fragment)
        if after != before:
            rows.put(group, b"", after)
        outputs = self._state(fragment.tenant, update.overflow)
        if update.stated:
            known = set() if before is None else set(statements(row.decode(before)))
            outputs += self._state(fragment.tenant, [s for s in statements(fragment) if s not in known])
        changed = [snapshot for account, snapshot in stand.items() if stood.get(account) != snapshot]
        changed += [withdrawn(fragment, account) for account in gone]
        return outputs + [self._snapshot(each, version) for each in changed]

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

    def _tick(self, rows: Rows, ticks: list[Tick]) -> list[Output]:
        before = rows.get(self._clock)
        heard = clock.Clock() if before is None else clock.decode(before)
        stood = heard.reached(self._config.partitions)
        for tick in ticks:
            heard.hear(tick)
        after = clock.encode(heard)
        if after != before:
            rows.put(self._clock, b"", after)
        return self._ticks(heard) if heard.reached(self._config.partitions) != stood else []

    def _ticks(self, heard: clock.Clock) -> list[Output]:
        reached = heard.reached(self._config.partitions)
        if reached is None:
            return []
        value = _encode(Tick(self._config.partition, *reached))
        return [
            Output(SNAPSHOTS.name, partition, None, value) for partition in range(self._config.partitions)
        ]


def _about(message: Touch | Owner | Told) -> str:
    if isinstance(message, Touch):
        return message.identifier
    return message.weak if isinstance(message, Owner) else message.account
