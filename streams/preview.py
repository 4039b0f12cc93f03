"""What another journey definition would change, from the rows of JOURNEYS; nothing is written. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.internal import Snapshot
from streams.core import Member, Rows
from streams.definition import Definition
from streams.journeys.account import Account, Given, derive
from streams.journeys.publish import HEAD, Head
from streams.journeys.records import is_fragment
from streams.journeys.step import Clock

SHOWN: Final = 20  # accounts that move, where not all are asked for
NO_STAGE: Final = "none"

_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_head = msgspec.msgpack.Decoder(Head).decode
_clock = msgspec.msgpack.Decoder(Clock).decode


class Stands(msgspec.Struct, frozen=True):
    """How an account stands by one definition."""

    stage: str
    journeys: int
    handoffs: int
    silent: bool

    @classmethod
    def of(cls, account: Account) -> "Stands":
        """What a derived account comes to."""
        walked = account.walked.journeys
        stage = walked[-1].stage if walked else ""
        status = account.group.rhythm.status
        return cls(stage or NO_STAGE, len(walked), len(account.desk.made), status == "silent")


class Moves(msgspec.Struct, frozen=True):
    """An account that would stand otherwise."""

    tenant: str
    account_id: str
    name: str
    was: Stands
    now: Stands


class Counts(msgspec.Struct):
    """All accounts by one definition."""

    accounts: int = 0
    stages: Counter[str] = msgspec.field(default_factory=Counter)
    handoffs: int = 0
    silent: int = 0

    def add(self, stands: Stands) -> None:
        """One more."""
        self.accounts += 1
        self.stages[stands.stage] += 1
        self.handoffs += stands.handoffs
        self.silent += stands.silent


class Preview(msgspec.Struct):
    """What would change."""

    was_version: str
    now_version: str
    rules: list[str]  # parts of the definition that differ
    was: Counts
    now: Counts
    moves: list[Moves]  # by tenant and name


class Kept(NamedTuple):
    """An account as JOURNEYS keeps it."""

    tenant: str
    account_id: str
    clock: int  # T, ms
    snapshots: list[Snapshot]


def accounts(rows: Rows, key_of: Callable[..., bytes]) -> Iterator[Kept]:
    """The accounts in the rows of one partition of JOURNEYS."""
    clock_group = key_of("clock")
    told = rows.get(clock_group, HEAD)
    clock = min((at for at, _ in _clock(told).ticks.values()), default=0) if told else 0
    for group in rows.groups():
        members = rows.group(group)
        if group != clock_group and HEAD in members and (snapshots := _fragments(members)):
            head = _head(members[HEAD])
            yield Kept(head.tenant, head.account, clock, snapshots)


def _fragments(members: Mapping[Member, bytes]) -> list[Snapshot]:
    return [_snapshot(value) for member, value in members.items() if is_fragment(member)]


def preview(kept: Iterable[Kept], was: Definition, now: Definition, key_of: Callable[..., bytes]) -> Preview:
    """Derive every account by both definitions."""
    names = Definition.__struct_fields__
    rules = [name for name in names if getattr(was, name) != getattr(now, name)]
    found = Preview(was.version, now.version, rules, Counts(), Counts(), [])
    for one in kept:
        before, after = (
            derive(one.snapshots, Given(rule, one.tenant, one.account_id, one.clock, key_of))
            for rule in (was, now)
        )
        if before.gone and after.gone:
            continue
        stood, stands = Stands.of(before), Stands.of(after)
        found.was.add(stood)
        found.now.add(stands)
        if stood != stands:
            found.moves.append(Moves(one.tenant, one.account_id, after.name or before.name, stood, stands))
    found.moves.sort(key=lambda move: (move.tenant, move.name, move.account_id))
    return found


def in_words(found: Preview, was: Definition, now: Definition, *, all_: bool) -> Iterator[str]:
    """What would change, a line each."""
    if not found.rules:
        yield f"this is the definition that is in force ({found.was_version}); nothing changes"
        return
    yield f"definition {found.was_version} → {found.now_version}; other rules: {', '.join(found.rules)}"
    if "topics" in found.rules:
        yield "  topic rules: touches that are taken in already keep their topic; only new ones get another"
    yield ""
    yield f"  {'':<16}{'now':>10}{'then':>10}"
    order = [stage.name for stage in (*was.stages, *now.stages)]
    for stage in dict.fromkeys([*order, NO_STAGE]):
        if found.was.stages[stage] or found.now.stages[stage] or stage != NO_STAGE:
            yield _counted(stage, found.was.stages[stage], found.now.stages[stage])
    yield _counted("accounts", found.was.accounts, found.now.accounts)
    yield _counted("hand-offs", found.was.handoffs, found.now.handoffs)
    yield _counted("silent", found.was.silent, found.now.silent)
    yield ""
    if not found.moves:
        yield "no account changes its stage, journeys, hand-offs or silence; scores and times may differ"
        return
    many = "1 account" if len(found.moves) == 1 else f"{len(found.moves):,} accounts"
    yield f"{many} would stand otherwise"
    tenants = len({move.tenant for move in found.moves}) > 1
    for move in found.moves if all_ else found.moves[:SHOWN]:
        tenant = f"{move.tenant}  " if tenants else ""
        name = move.name or "without a name"
        yield f"  {tenant}{move.account_id}  {name}: {', '.join(_differs(move))}"
    if len(found.moves) > SHOWN and not all_:
        yield f"  and {len(found.moves) - SHOWN:,} more: --all"


def _counted(what: str, was: int, now: int) -> str:
    change = f"  {now - was:+,}" if now != was else ""
    return f"  {what:<16}{was:>10,}{now:>10,}{change}"


def _differs(move: Moves) -> Iterator[str]:
    was, now = move.was, move.now
    if was.stage != now.stage:
        yield f"{was.stage} → {now.stage}"
    if was.journeys != now.journeys:
        yield f"journeys {was.journeys} → {now.journeys}"
    if was.handoffs != now.handoffs:
        yield f"hand-offs {was.handoffs} → {now.handoffs}"
    if was.silent != now.silent:
        yield "silent" if now.silent else "silent no more"
