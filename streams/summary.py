"""The main job from files to summary: stack up, run, what was found, stack down."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.times import from_rfc3339, rfc3339
from schemas.topics import OUTCOMES, VALID
from schemas.touchpoint import FACT_TYPES
from streams import maturity, topics
from streams.clickhouse import connect, migrate
from streams.definition.model import HANDOFFS
from streams.embedded import Stack, StackError, free_port
from streams.maturity import Phase
from streams.run import INPUTS, Progress, Run, Worked, Workers, state_file
from streams.settings import Settings
from streams.sink.forgetting import purge
from streams.sink.insert import Server
from streams.sink.propose import propose
from streams.store import Disk

EMBEDDED_PARTITIONS = 8  # where JOURNEYS_PARTITIONS says nothing else
EARLIEST, TOO_LATE = from_rfc3339("2000-01-01T00:00:00Z"), from_rfc3339("9999-01-01T00:00:00Z")  # ms
STATEFUL = ("fragments", "identity", "journeys")
STATE_FORMAT = 3  # of the rows of the steps; it rises when older rows can no longer be read
CLEAR_SECONDS = 10.0  # for queries to let go of files that held what is erased; they take milliseconds

# Accepted so far. An erased touch counts as well; so does one that came to ClickHouse when it was erased
# already, unless FRAGMENTS refused it: the offset of such a dead letter tells of which event it is.
_APPLIED = """
SELECT
    (
        SELECT uniqExact(event_key) FROM (
            SELECT event_key FROM touchpoints
            UNION ALL
            SELECT event_key FROM erased_touchpoints FINAL
            WHERE held OR -1 - toInt64(bitShiftRight(event_key, 16)) NOT IN (
                SELECT offset FROM dead_letters WHERE topic = {valid: String} AND reason = 'erased'
            )
        )
    )
    + (SELECT count() FROM v_assertions) + (SELECT count() FROM v_privacy_requests)
    + (SELECT count() FROM v_lead_outcomes) + (SELECT count() FROM v_account_commands)
"""
# An outcome that counts for no hand-off is refused after it was accepted, perhaps runs later: when the touch
# that made the hand-off is erased.
_OUTCOMES = "SELECT sipHash64(tenant, event_id) FROM v_lead_outcomes"
_REFUSED_LATER = """
SELECT DISTINCT sipHash64(JSONExtractString(original, 'tenant'), JSONExtractString(original, 'event_id'))
FROM dead_letters WHERE generation = {generation: UInt64} AND topic = {outcomes: String} AND offset < 0
"""
_DEAD = """
SELECT count() FROM v_dead_letters WHERE generation = {generation: UInt64} AND (
    topic IN {inputs: Array(String)} AND NOT (topic = {outcomes: String} AND offset < 0)
    OR topic = {valid: String} AND reason = 'erased'
)
"""
# Only touches move T: what people say of the past, on the day they say it, is no sign of time going by.
_LATEST = """
SELECT toUnixTimestamp64Milli(max(occurred_at)) FROM v_touchpoints
WHERE toUnixTimestamp64Milli(occurred_at) <= {now: Int64}
"""
_OPEN = "SELECT count() FROM v_handoffs WHERE status IN {states: Array(String)}"


@dataclass(frozen=True)
class Summary:
    """What a run did, and what holds afterwards. `lines = applied + duplicates + dead_letters`."""

    lines: int  # without blank ones
    applied: int  # new distinct (tenant, source, event_id); messages on the other inputs, (tenant, event_id)
    duplicates: int
    dead_letters: int  # distinct input records refused
    unattributed: int  # touches with neither contact nor account, of all runs on this data directory
    contacts: int
    accounts: int
    stages: dict[str, int]  # stage -> accounts in it now
    handoffs: int  # to sales: all that were made and hold, over or not
    open_handoffs: int  # of these the ones that are not over
    silent: int  # accounts that have fallen silent
    maturity: tuple[Phase, ...]  # what there is enough data for
    events_per_second: float  # start-up left out
    as_of: str  # the clock, RFC 3339; empty: no touch was accepted yet, so there is none

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


class ChildEndedError(StackError):
    """A part of the embedded stack ended while it was needed."""


def embedded_settings(settings: Settings) -> Settings:
    """Settings as the embedded stack has them: eight partitions unless told otherwise."""
    if "partitions" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"partitions": EMBEDDED_PARTITIONS})


def run_lines(
    lines: Iterable[bytes],
    data_dir: Path,
    settings: Settings,
    as_of: int | None,
    tell: Callable[[Progress], None],
) -> Summary:
    """Process the lines on the embedded stack in `data_dir`; the data stays there.

    `as_of` is the clock at the end in ms; None: the latest accepted `occurred_at` that is not in the future.
    Raises StackError with one clear line when the stack cannot be had or a part of it ends.
    """
    settings = embedded_settings(settings)
    ended = _Ended()
    port = free_port()  # of ClickHouse, the slowest to start: the sink is told before it is up
    dsn = f"http://127.0.0.1:{port}"
    with Stack(data_dir, clickhouse_port=port, on_end=ended.tell) as stack:
        facts = _Facts(state_file(stack), settings.partitions, settings.hash_key)
        workers = Workers(stack, dsn, settings, ended.tell)
        try:
            stack.start(kafka=True, clickhouse=False)
            topics.ensure(stack.kafka or "", settings.partitions, settings.group, ())
            workers.start()
            stack.start(kafka=False, clickhouse=True)
            migrate(dsn)
            with connect(dsn) as client:
                found = _Found(client, stack.generation)
                before = found.before()
                run = Run(stack, workers, settings, tell)
                worked = ended.watched(run.go(lines, lambda: max(found.clock(as_of), facts.clock)))
                propose(Server(dsn), int(time() * 1000))
                summary = found.summary(worked, before)
                clear(client)
        finally:
            workers.stop()
        facts.drained(stack.generation, worked.at)
    return summary


class _Ended:
    """Turns the unasked end of a child into an error of the run that needs it."""

    def __init__(self) -> None:
        self._message: str | None = None
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] = lambda: None

    def tell(self, message: str) -> None:
        with self._lock:
            self._message = self._message or message
            self._cancel()

    def watched(self, going: Any) -> Worked:
        """Run the coroutine; raises ChildEndedError when a child has ended."""
        try:
            return asyncio.run(self._watch(going))
        except asyncio.CancelledError:
            raise ChildEndedError(self._message or "cancelled") from None

    async def _watch(self, going: Any) -> Worked:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(going)

        def cancel() -> None:
            loop.call_soon_threadsafe(task.cancel)

        with self._lock:
            self._cancel = cancel
            if self._message is not None:
                task.cancel()
        try:
            worked: Worked = await task
        finally:
            with self._lock:
                self._cancel = lambda: None  # the loop ends
        return worked


class _Facts:
    """What the data directory knows of earlier runs."""

    def __init__(self, path: Path, partitions: int, hash_key: str) -> None:
        self._path = path
        disk = Disk(path)
        try:
            kept = disk.fact("partitions")
            if kept is not None and kept != partitions:
                raise StackError(
                    f"{path.parent.parent} was made with {kept} partitions, not {partitions}: "
                    f"set JOURNEYS_PARTITIONS={kept}, or use another --data-dir and feed everything again"
                )
            if kept is not None and (disk.fact("format") or 1) != STATE_FORMAT:
                raise StackError(
                    f"{path.parent.parent} was made by another version of dmu-journeys: "
                    "use another --data-dir and feed everything again"
                )
            key = int.from_bytes(blake2b(hash_key.encode(), digest_size=7).digest())  # SQLite: 63 bits
            if (disk.fact("hash_key") or key) != key:
                raise StackError(
                    f"{path.parent.parent} was made with another JOURNEYS_HASH_KEY: "
                    "set that one, or use another --data-dir and feed everything again"
                )
            disk.set_fact("partitions", partitions)
            disk.set_fact("format", STATE_FORMAT)
            disk.set_fact("hash_key", key)
            self.clock = disk.fact("clock") or 0
        finally:
            disk.close()

    def drained(self, generation: int, at: int) -> None:
        """The run has ended with nothing left to do."""
        disk = Disk(self._path)
        disk.set_fact("drained", generation)
        disk.set_fact("clock", max(at, self.clock))
        disk.close()


class _Before(NamedTuple):
    """What had been accepted before a run."""

    applied: int
    outcomes: set[int]  # hashes


class _Found:
    """What ClickHouse says."""

    def __init__(self, client: Client, generation: int) -> None:
        self._client = client
        self._generation = generation

    def _one(self, sql: str, **parameters: Any) -> Any:
        return self._client.query(sql, parameters=parameters).result_rows[0][0]

    def _hashes(self, sql: str, **parameters: Any) -> set[int]:
        return {each for (each,) in self._client.query(sql, parameters=parameters).result_rows}

    def before(self) -> _Before:
        """Distinct touchpoints so far, those erased too, and what people said and asked."""
        return _Before(self._applied(), self._hashes(_OUTCOMES))

    def _applied(self) -> int:
        return int(self._one(_APPLIED, valid=VALID.name))

    def clock(self, as_of: int | None) -> int:
        """T at the end, in ms; 0 while no touch was ever accepted."""
        if as_of is not None:
            return as_of
        now = int(time() * 1000)
        latest = self._one(_LATEST, now=now)
        return int(latest) or (now if self._one("SELECT count() FROM v_touchpoints") else 0)

    def summary(self, worked: Worked, before: _Before) -> Summary:
        """The figures of a run."""
        named = {"generation": self._generation, "outcomes": OUTCOMES.name}
        refused = len(self._hashes(_REFUSED_LATER, **named) - before.outcomes)
        applied = self._applied() - before.applied - refused
        dead = refused + int(self._one(_DEAD, **named, inputs=sorted(INPUTS), valid=VALID.name))
        # A touch may be in ClickHouse before it is refused as erased: it is no accepted one then.
        applied = min(applied, worked.lines - dead)
        unattributed = self._one(
            "SELECT count() FROM v_touchpoints WHERE contact_id = '' AND account_id = ''"
            " AND type NOT IN {facts: Array(String)}",
            facts=sorted(FACT_TYPES),
        )
        stages = self._client.query(
            "SELECT stage, count() FROM v_accounts WHERE stage != '' GROUP BY stage ORDER BY stage"
        )
        return Summary(
            lines=worked.lines,
            applied=applied,
            duplicates=worked.lines - applied - dead,
            dead_letters=dead,
            unattributed=int(unattributed),
            contacts=int(self._one("SELECT count() FROM v_contacts")),
            accounts=int(self._one("SELECT count() FROM v_accounts")),
            stages={str(stage): int(count) for stage, count in stages.result_rows},
            handoffs=int(self._one("SELECT count() FROM v_handoffs WHERE status != 'withdrawn'")),
            open_handoffs=int(self._one(_OPEN, states=[*HANDOFFS])),
            silent=int(self._one("SELECT count() FROM v_accounts WHERE status = 'silent'")),
            maturity=maturity.of(self._client),
            events_per_second=round(worked.lines / worked.seconds, 1) if worked.seconds else 0.0,
            as_of=rfc3339(worked.at) if worked.at else "",
        )


def clear(client: Client) -> None:
    """Take files that held what is erased off the disk, also those that were being read when it was."""
    if not client.query("SELECT 1 FROM erasures LIMIT 1").result_rows:
        return
    parts = "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() AND NOT active"
    until = monotonic() + CLEAR_SECONDS
    while (tables := client.query(parts).result_rows) and monotonic() < until:
        for (table,) in tables:
            client.command(purge(table))
        sleep(0.01)


def parse_as_of(text: str) -> int:
    """`--as-of` as ms; ValueError with what to write instead.

    >>> parse_as_of("2025-03-11T18:20:00Z")
    1741717200000
    """
    try:
        at = from_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time with an offset; write 2025-03-11T18:20:00Z ({error})"
        ) from None
    if not EARLIEST <= at < TOO_LATE:
        raise ValueError(f"{text!r} is not between 2000-01-01 and 9998-12-31 (UTC)")
    return at
