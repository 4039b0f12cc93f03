"""The shell of erasure: learns what is erased, and takes it out of ClickHouse.

Whatever is interrupted is done again: the record that told of the erasure is acknowledged at the end. What
another sink wrote before it knew is erased when that sink hears of it, by asking for what is new.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from schemas.topics import MAP
from streams.core import Record
from streams.sink import forgetting
from streams.sink.erased import Erased, Erasure, before
from streams.sink.forgetting import AT_ONCE
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
        events = await self._ask(forgetting.KNOWN_EVENTS + only)
        news = {cause: fresh for cause, key, at, fresh in events if self._erased.forget_touch(cause, key, at)}
        self._loaded = True
        # Another sink may have removed the touches already, so that they do not tell which causes are erased.
        causes = {cause for cause, fresh in news.items() if fresh and self._erased.forgets(cause)}
        await self.erase(found, causes | await self._causes(found), [])

    async def learn(self, records: Iterable[Record]) -> tuple[list[Erasure], set[int]]:
        """The erasures that map rows tell of, and the keys of the events that go with them, all kept."""
        found = {e.key: e for e in self._erased.news(r for r in records if r.topic == MAP.name)}
        for some in _parts(list(found.values())):
            for key, contacts, person in await self._ask(forgetting.former_contacts(some)):
                found[key] = before(found[key], contacts, bool(person))
        for erasure in found.values():
            self._erased.learn(erasure)
        known = [one for key in found if (one := self._erased.find(key)) is not None]
        await self._insert("erasures", [_row(erasure) for erasure in known])
        return known, await self._causes(known)

    async def _causes(self, erasures: Sequence[Erasure]) -> set[int]:
        """The keys, as causes, of the events that ClickHouse holds of the erased; they go on counting."""
        causes = set()
        for some in _parts(erasures):
            touches = await self._ask(forgetting.touches(some))
            rows = [
                (tenant, event, self._erased.cause(tenant, event_id), 1, key, at)
                for tenant, event_id, event, key, at in touches
            ]
            await self._insert("erased_touchpoints", rows)
            for _, _, cause, _, key, at in rows:
                self._erased.forget_touch(cause, key, at)
                causes.add(cause)
        return causes

    async def erase(self, erasures: Sequence[Erasure], causes: Collection[int], links: Sequence[int]) -> None:
        """Take out what is erased, events as causes (their keys), and links by their own word."""
        changes = [forgetting.buried(some) for some in _parts(links)]
        for some in _parts(sorted(causes)):
            changes += forgetting.unnamed_causes(some)
        for some in _parts(erasures):
            changes += forgetting.mutations(some)
        for mutation in changes:
            if await self._ask(mutation.there):
                await self._do(mutation.statement)
        for table in sorted({mutation.table for mutation in changes}):
            await self._do(forgetting.purge(table))

    async def _insert(self, table: str, rows: list[Row]) -> None:
        if not rows:
            return
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
    tenant, key, version, since, until, gone, keeps, contacts, person = row[:9]
    periods = tuple(zip(since, until, strict=True))
    return Erasure(tenant, key, int(version), periods, gone, frozenset(keeps), frozenset(contacts), person)


def _row(erasure: Erasure) -> Row:
    since, until = ([period[end] for period in erasure.periods] for end in (0, 1))
    return (
        *(erasure.tenant, erasure.key, str(erasure.version), since, until),
        *(erasure.gone, sorted(erasure.keeps), sorted(erasure.contacts), erasure.person),
    )


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[n : n + AT_ONCE] for n in range(0, len(items), AT_ONCE)]
