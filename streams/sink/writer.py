"""One write of the sink: what is erased is learned first, then taken out, then the rest is inserted."""

from collections.abc import Sequence

from schemas.keys import hasher
from streams.core import Record
from streams.ingest.values import Habits
from streams.runner import Spent
from streams.settings import Settings
from streams.sink.erased import Erased
from streams.sink.eraser import Eraser
from streams.sink.insert import Inserter, Server
from streams.sink.rows import plan
from streams.sink.tables import Plan, Refused


class Writer:
    """Writes records into the ClickHouse of `server`. One write at a time."""

    def __init__(self, settings: Settings, server: Server, spent: Spent) -> None:
        self._spent = spent
        self._inserter = Inserter(server.insert)
        self._erased = Erased(hasher(settings.hash_key))
        self._eraser = Eraser(server, self._inserter, self._erased)
        self._habits = Habits.of(settings.of_steps)

    async def refresh(self) -> None:
        """Hear what ClickHouse knows of erasures; once before the first write, then now and then."""
        await self._eraser.refresh()

    async def write(self, records: Sequence[Record]) -> list[Refused]:
        """Returns when everything is kept, but for what is handed back as refused."""
        erasures, causes = await self._eraser.learn(records)
        with self._spent.applying(len(records)):
            planned = plan(records, self._erased, self._habits)
        with self._spent.sending():
            await self._eraser.erase(erasures, causes | late_causes(planned), planned.tombstones)
            return planned.refused + await self._inserter.insert(planned.blocks)


def late_causes(planned: Plan) -> set[int]:
    """The keys, as causes, of events that came when they were erased already."""
    block = planned.blocks.get("erased_touchpoints")
    return set() if block is None else {row[2] for row in block.rows}
