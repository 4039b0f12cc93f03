"""Everything that can be seen of a deployment from outside, folded as consumers fold it.

Two worlds that were fed the same lines must look the same (`Found.differences`), and the topics and views of
one must agree (`Found.broken_promises`). What depends on when something arrived is left out.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition

from schemas.topics import ALL, EVENTS, HANDOFFS, MAP, PROFILES, VALID, changelog
from streams import clickhouse
from streams.sink.erased import number, short
from streams.summary import STATEFUL

PARTITIONS = 4

# What depends on when it was told, not on what holds.
WHEN_TOLD = {
    "v_stage_transitions": {"corrected"},
    "v_dead_letters": {"at"},
    "v_privacy_requests": {"answered_at"},
}
VIEWS = (
    "v_touchpoints",
    "v_contacts",
    "v_members",
    "v_accounts",
    "v_journeys",
    "v_stage_transitions",
    "v_crossings",
    "v_handoffs",
    "v_inactivity",
    "v_dead_letters",
    "v_identity_conflicts",
    "v_assertions",
    "v_privacy_requests",
    "v_lead_outcomes",
    "v_account_commands",
)
NOBODYS = """
SELECT v_touchpoints.*, hex(event_key) AS event
FROM v_touchpoints
INNER JOIN touchpoints USING (tenant, source, event_id)
WHERE contact_id = '' AND startsWith(v_touchpoints.identifier, 'anonymous_id:')
"""
CHANGES = ("contact_change", "account_change")  # they tell of what had been published
# Their natural key begins with a journey's number.
NUMBERED = ("journey", "journey_end", "stage", "moment", "crossing", "feedback")
OUTCOMES = ("no_handoff", "impossible_outcome")  # an outcome may be refused on the way, and count in the end
ISSUED = ("journeys_contact_id:", "journeys_account_id:")  # such ids have a row where they had been published

Key = tuple[str, str, str, str]  # tenant, subject, kind, natural key


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def fold(facts: Iterable[tuple[Any, Any, Any]]) -> dict[Any, Any]:
    """Of each key the value of the highest version; keys whose value is None are gone."""
    best: dict[Any, tuple[Any, Any]] = {}
    for key, version, value in facts:
        if key not in best or best[key][0] <= version:
            best[key] = (version, value)
    return {key: value for key, (_, value) in best.items() if value is not None}


# ---- one world


@dataclass
class Sent:
    """What stands on the public topics, folded, and what was said more than once."""

    events: dict[Key, Any]
    ids: set[str]
    profiles: dict[Any, Any]
    handoffs: dict[tuple[str, str], Any]  # tenant, hand-off
    identities: dict[int, Any]
    erased: dict[int, Any]  # what is erased of which identifiers
    repeats: Counter[str]  # of each topic, records that say again what an earlier one said
    records: Counter[str]
    torn: list[Any]  # repeats of one content and version under different ids

    @classmethod
    def read(cls, broker: str) -> "Sent":
        records = {
            topic.name: [(r.key, json.loads(r.value)) for r in read(broker, topic.name) if r.value]
            for topic in (EVENTS, PROFILES, MAP, HANDOFFS)
        }
        told = {name: [row for _, row in rows] for name, rows in records.items()}
        events, profiles = told[EVENTS.name], told[PROFILES.name]
        maps = [(short(key), row["version"], row) for key, row in records[MAP.name]]
        ids: dict[Any, set[str]] = {}
        for event in events:
            said = {k: v for k, v in event.items() if k != "id"}
            ids.setdefault(canonical(said), set()).add(event["id"])
        repeats = Counter({name: len(rows) - len({same(row) for row in rows}) for name, rows in told.items()})
        return cls(
            events=fold(
                (
                    (e["tenant"], e["subject"], e["kind"], e["natural_key"]),
                    e["version"],
                    None if e.get("retracted") else event_value(e, (e.get("contact") or {}).get("id", "")),
                )
                for e in events
            ),
            ids={event["id"] for event in events},
            profiles=fold(
                ((p["tenant"], p["subject"]), p["version"], None if p["gone"] else profile_value(p))
                for p in profiles
            ),
            handoffs=fold(
                (
                    (h["tenant"], h["handoff_id"]),
                    h["version"],
                    None if h["retracted"] else handoff_of_topic(h),
                )
                for h in told[HANDOFFS.name]
            ),
            identities=fold((key, version, spans_of_topic(row)) for key, version, row in maps),
            erased={
                key: row["erased"]
                for key, row in fold(maps).items()
                if row.get("erased") and not row["identifier"].startswith(ISSUED)
            },
            repeats=repeats,
            records=Counter({name: len(rows) for name, rows in told.items()}),
            torn=[several for several in ids.values() if len(several) > 1],
        )


@dataclass
class Found:
    """Everything that can be seen of a world from outside."""

    views: dict[str, list[str]]
    events: dict[Key, Any]
    ids: set[str]
    profiles: dict[Any, Any]
    handoffs: dict[tuple[str, str], Any]
    identities: dict[int, Any]
    refused: Counter[int]  # offsets of dead letters with reason `erased`: each stands for an event
    erased: set[str]  # events that are erased, as rows of `erased_touchpoints`
    suppressed: set[int]  # offsets that stand for them
    nobodys: dict[str, str]  # touches of devices of nobody: what each would be there -> its row
    sent: Sent
    remains: list[str]  # where something is left of people who are erased

    def broken_promises(self) -> list[str]:
        """Where the topics and the views of this world say different things, or what is erased is left."""
        pairs = (
            ("journey-events", self.sent.events, self.events),
            ("account-profiles", self.sent.profiles, self.profiles),
            ("identity-map", self.sent.identities, self.identities),
        )
        wrong = [
            f"{name}: {key}: topic {on_topic.get(key)}, view {in_view.get(key)}"
            for name, on_topic, in_view in pairs
            for key in sorted(on_topic.keys() | in_view.keys(), key=str)
            if on_topic.get(key) != in_view.get(key)
        ]
        wrong += self._handed_over()
        wrong += [f"event {id_} is on the topic or in the view only" for id_ in self.sent.ids ^ self.ids]
        wrong += [f"one event under several ids: {sorted(ids)}" for ids in self.sent.torn]
        wrong += [f"refused as erased, but is not: {one}" for one in self.refused.keys() - self.suppressed]
        return wrong + self.remains

    def _handed_over(self) -> list[str]:
        """Where sales was told other hand-offs than the view has.

        One may have been told by an account that is part of another now, under its former id.
        """
        told = {canonical([tenant, value]) for (tenant, _), value in self.sent.handoffs.items()}
        wrong = [
            f"hand-off {key} was not told: {value}, but {self.sent.handoffs.get(key)}"
            for key, value in self.handoffs.items()
            if canonical([key[0], value]) not in told
        ]
        here = [(k, v) for k, v in self.sent.handoffs.items() if (k[0], k[1].split(".")[0]) in self.profiles]
        wrong += [
            f"hand-off {key} was told: {value}, the view has {self.handoffs.get(key)}"
            for key, value in here
            if self.handoffs.get(key) != value
        ]
        return wrong

    def differences(self, reference: "Found") -> list[str]:
        """Rows that only one of the two has.

        But for touches of a device that more than one used: if its other users were heard of only after the
        request of one of them, what was that one's by then is erased, and stays so.
        """
        lost, kept = self.erased & reference.nobodys.keys(), reference.erased & self.nobodys.keys()
        excused = {
            "v_touchpoints": [reference.nobodys[event] for event in lost]
            + [self.nobodys[event] for event in kept],
            "erased_touchpoints": [*lost, *kept],
        }
        found = []
        for view, rows in reference.views.items():
            neither = Counter(excused.get(view, ()))
            expected, got = Counter(rows) - neither, Counter(self.views[view]) - neither
            found += [f"{view} lacks {row}" for row in (expected - got).elements()]
            found += [f"{view} has {row}" for row in (got - expected).elements()]
        return found


def look(dsn: str, broker: str, left: list[str]) -> Found:
    """A world whose work is done; `left`: what `remains`."""
    sent = Sent.read(broker)
    with clickhouse.connect(dsn) as client:
        views = {view: _rows(client, f"SELECT * FROM {view}") for view in VIEWS}
        told = _rows(client, "SELECT * FROM journey_events FINAL")
        identities = _rows(client, "SELECT * FROM identity_map FINAL")
        erased = _rows(client, "SELECT tenant, hex(event_key) AS event FROM erased_touchpoints FINAL")
        nobodys = _rows(client, NOBODYS)
        by_id = _rows(client, "SELECT id FROM v_journey_events")
    letters = [row for row in views["v_dead_letters"] if row["reason"] == "erased"]
    # A touch of an erased person is erased where it came before the request, and refused where it came later.
    views["v_dead_letters"] = [
        row for row in views["v_dead_letters"] if row["reason"] not in ("erased", *OUTCOMES)
    ]
    views["v_handoffs"] = [row for row in views["v_handoffs"] if row["status"] != "withdrawn"]
    views |= {
        "erased_touchpoints": erased,
        "journey-events": [{"key": key, "value": value} for key, value in held(told).items()],
        "identity-map": [
            {"key": key, "spans": row}
            for key, row in sent.identities.items()
            if not row[0].startswith(ISSUED)
        ],
        "erased in identity-map": [{"key": key, "erased": value} for key, value in sent.erased.items()],
    }
    return Found(
        views={
            view: sorted(_without(row, WHEN_TOLD.get(view, ())) for row in rows)
            for view, rows in views.items()
        },
        events=fold(
            (
                (row["tenant"], row["subject"], row["kind"], row["natural_key"]),
                int(row["version"]),
                None if row["retracted"] else event_value(row, row["contact_id"]),
            )
            for row in told
        ),
        ids={row["id"] for row in by_id},
        profiles={(row["tenant"], row["account_id"]): profile_value(row) for row in views["v_accounts"]},
        handoffs={(row["tenant"], row["handoff_id"]): handoff_of_view(row) for row in views["v_handoffs"]},
        identities={int(row["identifier_key"]): spans_of_table(row) for row in identities},
        refused=Counter(int(row["offset"]) for row in letters if row["topic"] == VALID.name),
        erased=set(map(canonical, erased)),
        suppressed={-1 - int(row["event"][:12], 16) for row in erased},
        nobodys={
            canonical({"tenant": row["tenant"], "event": row.pop("event")}): canonical(row) for row in nobodys
        },
        sent=sent,
        remains=left,
    )


def _rows(client: Client, sql: str) -> list[dict[str, Any]]:
    return [json.loads(line.replace(b".000Z", b"Z")) for line in _lines(client, sql)]


def _lines(client: Client, sql: str) -> list[bytes]:
    told = client.raw_query(
        sql,
        fmt="JSONEachRow",
        settings={
            "date_time_output_format": "iso",
            "session_timezone": "UTC",
            "output_format_json_quote_64bit_integers": 0,
        },
    )
    return told.splitlines()


def _without(row: dict[str, Any], loose: Iterable[str]) -> str:
    return canonical({name: value for name, value in row.items() if name not in loose})


def event_value(event: dict[str, Any], contact: str) -> list[Any]:
    """What an event says, without when and in which words (entered or corrected) it was said."""
    kind = "stage_entered" if event["type"] == "stage_corrected" else event["type"]
    return [kind, event["occurred_at"], contact, event.get("caused_by", [])]


PROFILE = ("kind", "name", "keys", "crm_account_id", "stage", "stage_since", "journey_id", "touches")


def profile_value(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in (*PROFILE, "first_seen", "last_seen", "industry", "employees", "country")]


def handoff_of_topic(message: dict[str, Any]) -> list[Any]:
    return [message["feedback_due"], message["status"]]


def handoff_of_view(row: dict[str, Any]) -> list[Any]:
    return [row["feedback_due"], row["status"]]


def spans_of_table(row: dict[str, Any]) -> list[Any]:
    columns = (row["span_from"], row["span_contact"], row["span_account"], row["span_placed"])
    ever = "1970-01-01T00:00:00Z"
    spans = [[None if f == ever else f, c or None, a or None, p] for f, c, a, p in zip(*columns, strict=True)]
    return [row["identifier"], spans, row["accounts"], row["places"]]


def spans_of_topic(row: dict[str, Any]) -> list[Any] | None:
    """None where the identifier is erased: the table has no row then."""
    if row["identifier"].startswith("#"):
        return None
    spans = [[s["from"], s["contact_id"], s["account_id"], s["placed"]] for s in row["spans"]]
    return [row["identifier"], spans, row.get("accounts", {}), row.get("places", {})]


def same(row: dict[str, Any]) -> str:
    """What makes two records one output."""
    return row["id"] if "id" in row else canonical(row)


# ---- journey events of accounts that became one


class _Merge(NamedTuple):
    at: str
    tenant: str
    origin: str
    into: str
    until: int
    journeys: dict[str, str]


def held(told: Sequence[dict[str, Any]]) -> dict[Key, Any]:
    """What holds, as `docs/journeys.md` says: what `from` had told up to `until` counts for `into`, which has
    the last word; what it corrects under another key does not hold under its own. `told`: rows of
    `journey_events`, all that were ever told.
    """
    corrected = {(row["tenant"], row["subject"], row["corrects"]) for row in told}
    merges: list[_Merge] = []
    said: dict[tuple[str, str], dict[tuple[str, str], list[tuple[int, Any]]]] = {}
    for row in told:
        if row["type"] == "account_merged":
            details = row["details"]
            merges.append(
                _Merge(
                    *(row["emitted_at"], row["tenant"], details["from"], row["subject"]),
                    *(number(json.loads(details["until"])), json.loads(details["journeys"])),
                )
            )
        elif row["kind"] not in CHANGES:
            value = None if row["retracted"] else (row["id"], event_value(row, row["contact_id"]))
            own = said.setdefault((row["tenant"], row["subject"]), {})
            own.setdefault((row["kind"], row["natural_key"]), []).append((int(row["version"]), value))
    taken: dict[tuple[str, str], dict[tuple[str, str], Any]] = {}  # account -> what others had told
    given: dict[tuple[str, str], int] = {}
    for merge in sorted(merges):
        origin, into = (merge.tenant, merge.origin), (merge.tenant, merge.into)
        own = said.get(origin, {})
        since = given.get(origin, -1)
        before = {
            key: value
            for key, versions in own.items()
            if (value := _latest(versions, merge.until, since)) is not None
        }
        before |= {key: value for key, value in taken.pop(origin, {}).items() if key not in own}
        given[origin] = max(since, merge.until)
        for (kind, key), value in sorted(before.items(), key=lambda one: _order(one[0][1])):
            here = _moved(kind, key, merge)
            elsewhere = (*into, value[0]) in corrected
            if here is not None and (kind, here) not in said.get(into, {}) and not elsewhere:
                taken.setdefault(into, {}).setdefault((kind, here), value)
    found = {
        (*account, *key): value[1]
        for account, own in said.items()
        for key, versions in own.items()
        if (value := _latest(versions, max(v for v, _ in versions), given.get(account, -1))) is not None
    }
    return found | {
        (*account, *key): value for account, rows in taken.items() for key, (_, value) in rows.items()
    }


def _latest(versions: Iterable[tuple[int, Any]], until: int, since: int) -> Any:
    """The value of the latest version up to `until`; None where that is not later than `since`."""
    version, value = max(
        ((v, x) for v, x in versions if v <= until), key=lambda one: one[0], default=(-1, None)
    )
    return value if version > since else None


def _order(key: str) -> tuple[int, str]:
    first = key.partition("/")[0]
    return (int(first) if first.isdigit() else 0, key)


def _moved(kind: str, key: str, merge: _Merge) -> str | None:
    """The natural key in the account that it became part of; None: there is no such journey any more."""
    if kind not in NUMBERED:
        return key
    journey, slash, item = key.partition("/")
    into = merge.journeys.get(f"{merge.origin}.{journey}")
    return None if into is None else f"{into.rpartition('.')[2]}{slash}{item}"


# ---- what is left of people who are erased


def remains(dsn: str, broker: str, group: str, gone: Sequence[str]) -> list[str]:
    """Where one of the identifiers (kind:value) can be read: rows and views, compacted topics, changelogs.

    Of a key on a topic the last value counts: it is what compaction leaves.
    """
    if not gone:
        return []
    texts = sorted({identifier.partition(":")[2].encode() for identifier in gone})
    found = []
    compacted = [topic.name for topic in ALL if topic.compacted]
    for topic in (*compacted, *(changelog(group, step).name for step in STATEFUL)):
        last = {(record.partition, record.key): record.value for record in read(broker, topic)}
        found += _naming(texts, topic, [value for value in last.values() if value])
    with clickhouse.connect(dsn) as client:
        tables = client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
        for (table,) in tables:
            found += _naming(texts, table, _lines(client, f"SELECT * FROM {table}"))
    return found


def _naming(texts: Iterable[bytes], where: str, values: Sequence[bytes]) -> list[str]:
    everything = b"\n".join(values).lower()
    return [
        f"{text!r} is left in {where}: {value[:500]!r}"
        for text in texts
        if text in everything
        for value in values
        if text in value.lower()
    ]


def read(broker: str, topic: str) -> Iterator[Any]:
    """The records of a topic, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", group_id=None)
    try:
        tps = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        consumer.assign(tps)
        consumer.seek_to_beginning()
        for tp, end in consumer.end_offsets(tps).items():
            consumer.assign([tp])
            consumer.seek_to_beginning(tp)
            while consumer.position(tp) < end:
                for records in consumer.poll(timeout_ms=500, max_records=10_000).values():
                    yield from records
    finally:
        consumer.close()
