"""The shell of erasure: learns what is erased, and takes it out of ClickHouse.

Whatever is interrupted is done again: the record that told of the erasure is acknowledged at the end. What
another sink wrote before it knew is erased when that sink hears of it, by asking for what is new.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas.topics import MAP
from streams.core import Record
from streams.sink import forgetting
from streams.sink.erased import Erased, Erasure, contacts_of, number, tells
from streams.sink.forgetting import AT_ONCE, Mutation
from streams.sink.insert import Inserter, Server
from streams.sink.tables import Block, Row


class Eraser:
    """Erases in ClickHouse what `erased` comes to know."""

    def __init__(self, server: Server, inserter: Inserter, erased: Erased) -> None:
        self._server = server
        self._inserter = inserter
        self._erased = erased
        self._loaded = False

    async def refresh(self) -> None:
        """Learn what ClickHouse knows: everything at first, then what is new; erase what is fresh."""
        only = forgetting.FRESH if self._loaded else ""
        found = []
        for row in await self._ask(forgetting.KNOWN + only):
            *_, fresh = row
            erasure = _erasure(row)
            if self._erased.learn(erasure) and fresh:
                found.append(erasure)
        self._erased.forget_events(key for (key,) in await self._ask(forgetting.KNOWN_EVENTS + only))
        self._loaded = True
        await self._erase(found)

    async def learn(self, records: Iterable[Record]) -> list[Erasure]:
        """The erasures that map rows tell of, once they are kept and known."""
        told, others = tells([record.value for record in records if record.topic == MAP.name])
        if not told:
            return []
        erasures: dict[int, Erasure] = {}
        now: dict[int, frozenset[str]] = {}
        for row in told:
            erasure = self._erased.told(row)
            if erasure.key not in erasures or erasure.version > erasures[erasure.key].version:
                erasures[erasure.key], now[erasure.key] = erasure, contacts_of(row)
        before: dict[int, set[str]] = {key: set() for key in erasures}
        persons = set()
        for row in (*told, *others):
            key = self._erased.key(row.tenant, row.identifier)
            if key in erasures and number(row.version) < erasures[key].version:
                before[key] |= contacts_of(row)
        for some in _parts(list(erasures.values())):
            for key, contacts, person in await self._ask(forgetting.former_contacts(some)):
                before[key] |= set(contacts) - {""}
                if person:
                    persons.add(key)
        found = [
            replace(e, contacts=frozenset(before[key] - now[key]), person=key in persons)
            for key, e in erasures.items()
        ]
        for erasure in found:
            self._erased.learn(erasure)
        known = [one for one in (self._erased.find(erasure.key) for erasure in found) if one is not None]
        await self._insert("erasures", [_row(erasure) for erasure in known])
        return known

    async def erase(self, erasures: Sequence[Erasure], late: Collection[int], links: Sequence[int]) -> None:
        """Take out what is erased, causes that came `late` (their keys), and links by their own word."""
        if links:
            await self._change([forgetting.buried(list(some)) for some in _parts(links)])
        await self._erase(erasures, late)

    async def _erase(self, erasures: Sequence[Erasure], late: Collection[int] = ()) -> None:
        causes = set(late)
        for some in _parts(erasures):
            touches = await self._ask(forgetting.touches(some))
            rows = [(tenant, key, self._erased.cause(tenant, event), 1) for tenant, event, key in touches]
            if rows:
                await self._insert("erased_touchpoints", rows)
                causes |= {cause for _, _, cause, _ in rows}
        if causes:
            self._erased.forget_events(causes)
        for part in _parts(sorted(causes)):
            await self._change(forgetting.unnamed_causes(part))
        for some in _parts(erasures):
            await self._change(forgetting.mutations(some))

    async def _change(self, changes: Iterable[Mutation]) -> None:
        changed = set()
        for mutation in changes:
            if await self._ask(mutation.there):
                await self._do(mutation.statement)
                changed.add(mutation.table)
        for table in sorted(changed):
            await self._do(forgetting.purge(table))

    async def _insert(self, table: str, rows: list[Row]) -> None:
        # No record of ours is to blame for what ClickHouse might say of these.
        refused = await self._inserter.insert({table: Block(rows, [_NO_RECORD] * len(rows))})
        if refused:
            raise RuntimeError(refused[0].error)

    async def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return await self._inserter.patiently("erasures", self._server.ask, sql)

    async def _do(self, sql: str) -> None:
        await self._inserter.patiently("erasures", self._server.do, sql)


_NO_RECORD: Final = Record("", 0, 0, 0, None, None)


def _erasure(row: Sequence[Any]) -> Erasure:
    tenant, key, version, since, until, gone, contacts, person = row[:8]
    periods = tuple(zip(since, until, strict=True))
    return Erasure(tenant, key, int(version), periods, gone, frozenset(contacts), person)


def _row(erasure: Erasure) -> Row:
    since, until = zip(*erasure.periods, strict=True)
    return (
        *(erasure.tenant, erasure.key, str(erasure.version), list(since), list(until)),
        *(erasure.gone, sorted(erasure.contacts), erasure.person),
    )


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[n : n + AT_ONCE] for n in range(0, len(items), AT_ONCE)]
