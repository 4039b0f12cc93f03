"""FRAGMENTS driven by hand: messages, the step with its rows, and what comes out, sorted."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from schemas.identity import MapRow, Period, Span
from schemas.internal import Asserted, Command, Outcome, Owner, Snapshot, Tick, Told, Touch
from schemas.keys import erased_name, event_key, hasher, identifier_key, partition_of
from schemas.times import rfc3339
from streams.core import Output, Record, Rows, StepConfig
from streams.fragments import row
from streams.fragments.statements import Statement
from streams.fragments.step import Fragments
from streams.session import pack_version

KEY_OF = hasher("secret")
CONFIG = StepConfig(partition=1, partitions=4, generation=0, key_of=KEY_OF)
START = 1_735_689_600_000  # 2025-01-01
PACK = msgspec.msgpack.Encoder().encode
LINKED = msgspec.msgpack.Decoder(Statement)
SENT = msgspec.msgpack.Decoder(Snapshot | Tick)

Message = Touch | Owner | Told | Tick | Asserted | Outcome | Command | MapRow

JANE = "email:jane@acme.nl"
COOKIE = "anonymous_id:c1"
ACME = "domain:acme.nl"


def touch(identifier: str = JANE, event_id: str = "e1", at: int = START, **fields: Any) -> Touch:
    strong = [identifier] if row.is_strong(identifier) else []
    values: dict[str, Any] = {
        "tenant": "t", "source": "web", "event_id": event_id, "type": "page_viewed", "type_name": "",
        "occurred_at": at, "digest": 1, "identifier": identifier, "account": "", "strong": strong, "weak": [],
        "actor": 0, "channel": "web", "rank": 3, "content": {}, "commerce": {}, "lines": [], "campaign": {},
        "contact": {}, "organisation": {}, "consent": {}, "extra": {},
    }  # fmt: skip
    return Touch(**{**values, **fields})


def told(keys: list[str], at: int = START, **fields: Any) -> Told:
    values: dict[str, Any] = {"source": "crm", "rank": 1, "facts": {}}
    return Told(tenant="t", account=keys[0], keys=keys, at=at, **{**values, **fields})


def mapped(
    identifier: str, *spans: tuple[int | None, str | None, str | None], seq: int = 1, **accounts: str
) -> MapRow:
    named = {key.replace("__", ":").replace("_dot_", "."): account for key, account in accounts.items()}
    return MapRow(
        "t",
        identifier,
        (0, 1, seq),
        [Span(None if at is None else rfc3339(at), contact, account) for at, contact, account in spans],
        named,
    )


def erased(*identifiers: str) -> list[str]:
    """The names that stand for identifiers that are erased."""
    return [erased_name(KEY_OF("t", each)) for each in identifiers]


def erasure(
    map_row: MapRow, *periods: tuple[int | None, int | None], forgotten: dict[str, int] | None = None
) -> MapRow:
    """The map row with periods (ms; from, to before) that are erased, and who is forgotten until when."""
    times = [[None if at is None else rfc3339(at) for at in period] for period in periods]
    map_row.erased = [Period(*each) for each in times]
    map_row.forgotten = {KEY_OF("t", who).hex(): rfc3339(at) for who, at in (forgotten or {}).items()}
    return map_row


def gone(identifier: str, until: int, seq: int = 9) -> MapRow:
    """The map row of an identifier erased up to `until` (included), of which nothing later is known."""
    return erasure(mapped(erased(identifier)[0], (None, None, None), seq=seq), (None, until + 1))


def event(event_id: str, source: str = "web") -> bytes:
    """The hash that stands for an erased event."""
    return event_key(KEY_OF, "t", source, event_id)


class Driven:
    """The step with its rows; `take` applies a batch and sorts what comes out."""

    def __init__(self) -> None:
        self.step = Fragments(CONFIG)
        self.rows = Rows()
        self.seq = 0
        self.stated: list[Any] = []
        self.snapshots: dict[str, Snapshot] = {}
        self.ticks: list[tuple[int, Tick]] = []
        self.letters: list[Output] = []
        self.written = 0

    def take(self, *messages: Message) -> "Driven":
        self.seq += 1
        self.sort(self.step.apply(self.rows, records(messages), self.version, 0))
        self.written = len(self.rows.keep())
        return self

    def recall(self, identifier: str) -> "Driven":
        """What recovery would send again for the row of an identifier."""
        self.sort(self.step.outputs(self.rows, KEY_OF("t", identifier), b"", self.version))
        return self

    def sort(self, outputs: Sequence[Output]) -> None:
        self.stated, self.snapshots, self.ticks, self.letters = [], {}, [], []
        for output in outputs:
            assert output.value is not None
            if output.topic == "touchpoints.dead-letter":
                self.letters.append(output)
                continue
            if output.topic == "identity-links":
                assert output.partition == partition_of(KEY_OF("t"), 4)
                self.stated.append(LINKED.decode(output.value))
                continue
            sent = SENT.decode(output.value)
            if isinstance(sent, Tick):
                self.ticks.append((output.partition, sent))
            else:
                assert output.key == KEY_OF("t", "account", sent.account)
                assert output.partition == partition_of(output.key, 4)
                assert sent.version == self.version
                assert sent.account not in self.snapshots
                self.snapshots[sent.account] = sent

    @property
    def version(self) -> bytes:
        return pack_version(0, 1, self.seq)

    def fragment(self, identifier: str) -> row.Fragment:
        value = self.rows.get(KEY_OF("t", identifier))
        assert value is not None
        return row.decode(value)

    def parts(self, account: str) -> list[tuple[str, int | None, int | None, list[str]]]:
        """contact, since, until, event ids of the parts just sent to an account."""
        return [
            (part.contact, part.since, part.until, [each.event_id for each in part.touches])
            for part in self.snapshots[account].parts
        ]


def records(messages: Iterable[Message]) -> list[Record]:
    made = []
    for offset, message in enumerate(messages):
        if isinstance(message, MapRow):
            key, value = identifier_key(KEY_OF, "t", message.identifier), msgspec.json.encode(message)
            made.append(Record("identity-map", 1, offset, 0, key, value))
            continue
        about = ""
        if not isinstance(message, Tick):
            about = message.identifier if isinstance(message, Touch) else ""
            about = about or getattr(message, "weak", "") or getattr(message, "account", "")
            about = about[0] if isinstance(about, list) else about
        key = KEY_OF("t", about) if about else b"k" * 16
        made.append(Record("touchpoints.valid", 1, offset, 0, key, PACK(message)))
    return made
