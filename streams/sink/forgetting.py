"""The SQL that erases: what to look for, and the mutations. Pure: text from erasures.

Everything is found by keyed hashes and named by nothing else, since ClickHouse keeps the text of a mutation.
A mutation rewrites every row that is there, also those that a later one supersedes. Doing it again changes
nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from streams.sink.erased import EVER, NEVER_ENDS, Erasure, Period, persons
from streams.sink.rows import ERASED
from streams.sink.tables import FIELDS

AT_ONCE: Final = 500  # erasures in one statement: its text stays far below ClickHouse's 256 KB


class Mutation(NamedTuple):
    """A change of every row of a table for which `where` holds."""

    table: str
    change: str  # DELETE, or UPDATE … with what is to be changed
    where: str

    @property
    def there(self) -> str:
        """The question whether there is anything to change."""
        return f"SELECT 1 FROM {self.table} WHERE {self.where} LIMIT 1"

    @property
    def statement(self) -> str:
        """The mutation; it has ended on all replicas when it is answered."""
        return f"ALTER TABLE {self.table} {self.change} WHERE {self.where} SETTINGS mutations_sync = 2"


def purge(table: str) -> str:
    """Take files of superseded parts off the disk as soon as the server's `old_parts_lifetime` allows.

    That is at once in the embedded engine, where nothing else does it soon: dropping a partition that is not
    there drops nothing else.
    """
    return f"ALTER TABLE {table} DROP PARTITION ID 'none'"


def former_contacts(erasures: Collection[Erasure]) -> str:
    """The question whose the identifiers were: key, contacts, whether it is a person's own."""
    rows = " OR ".join(f"(identifier_key = {e.key} AND version < toUInt256('{e.version}'))" for e in erasures)
    return (
        "SELECT identifier_key, groupUniqArrayArray(span_contact),"
        " max(splitByChar(':', identifier)[1] IN ('contact_id', 'user_id', 'email'))"
        f" FROM identity_map WHERE {rows} GROUP BY identifier_key"
    )


KNOWN: Final = (
    "SELECT tenant, identifier_key, version, since, until, gone, keeps, contacts, person,"
    " kept_at > now() - INTERVAL 1 HOUR AS fresh FROM erasures FINAL"
)
KNOWN_EVENTS: Final = (
    "SELECT DISTINCT caused_key, identifier_key, dated, kept_at > now() - INTERVAL 1 HOUR AS fresh"
    " FROM erased_touchpoints"
)
FRESH: Final = " WHERE kept_at > now() - INTERVAL 1 HOUR"  # what another sink has just written


def touches(erasures: Collection[Erasure]) -> str:
    """The question which events are erased: tenant, event_id, event_key, whose (key), when (ms)."""
    where = _dated(erasures, "identifier_key", "occurred_at")
    return (
        "SELECT DISTINCT tenant, event_id, event_key, identifier_key, toUnixTimestamp64Milli(occurred_at)"
        f" FROM touchpoints WHERE {where}"
    )


def buried(links: Sequence[int]) -> Mutation:
    """Links that are erased by their own word."""
    return Mutation(_LINKS, "DELETE", _in("link_key", links))


def unnamed_causes(events: Collection[int]) -> list[Mutation]:
    """Erased events are no causes that anything may name (`events`: their caused_keys)."""
    known = _in("k", events)
    pairs = f"arrayFilter((e, k) -> NOT ({known}), "
    found = f"arrayExists(k -> {known}, caused_keys)"
    update = (
        f"UPDATE caused_by = {pairs}caused_by, caused_keys),"
        f" caused_keys = arrayFilter(k -> NOT ({known}), caused_keys)"
    )
    without = {
        "caused_by": f"{pairs}s.caused_by, s.caused_keys)",
        "caused_keys": f"arrayFilter(k -> NOT ({known}), s.caused_keys)",
    }
    stage = _with("s", "stages", without)
    journey = _with("j", "journeys", {"stages": f"arrayMap({stage}, j.stages)"})
    in_stages = (
        f"arrayExists(j -> arrayExists(s -> arrayExists(k -> {known}, s.caused_keys), j.stages), journeys)"
    )
    return [
        Mutation("journey_events", update, found),
        Mutation("accounts", f"UPDATE journeys = arrayMap({journey}, journeys)", in_stages),
    ]


def mutations(erasures: Collection[Erasure]) -> list[Mutation]:
    """What the erasures change; the map rows, from which contacts are known, come last."""
    erasures = list(erasures)
    own = _dated(erasures, "identifier_key", "occurred_at")
    on_touch = _dated(erasures, "k", "occurred_at")
    in_event = f"({_named(erasures, 'contact_id')} OR {_dated(erasures, 'k', 'occurred_at')})"
    in_letter = _dated(erasures, "k", "dated")
    on_command = _dated(erasures, "k", "said_at")
    a, b = (_dated(erasures, key, "said_at") for key in ("a_key", "b_key"))
    people = sorted({account for e in erasures for account in persons(e)})
    return [
        Mutation("touchpoints", "DELETE", own),
        Mutation(
            "touchpoints",
            f"UPDATE {_kept('strong', 'strong_keys', on_touch)}, {_kept('weak', 'weak_keys', on_touch)}",
            f"arrayExists(k -> {on_touch}, arrayConcat(strong_keys, weak_keys))",
        ),
        Mutation(
            "journey_events",
            f"UPDATE {_kept('contact_identifiers', 'identifier_keys', in_event)}",
            f"arrayExists(k -> {in_event}, identifier_keys)",
        ),
        Mutation(
            "journey_events",
            "UPDATE account_name = ''",
            f"account_name != '' AND account_keys = [] AND {_in_texts('account_id', people)}",
        ),
        _members(erasures),
        Mutation(_LINKS, "DELETE", f"{a} OR {b}"),
        *(
            Mutation(
                "assertions",
                f"UPDATE {name} = concat('#', lower(leftPad(hex({name}_key), 16, '0')))",
                f"NOT startsWith({name}, '#') AND {dated}",
            )
            for name, dated in (("a", a), ("b", b))
        ),
        Mutation(
            "account_commands",
            f"UPDATE identifiers = arrayMap((i, k) -> if({on_command}, {_HASH}, i),"
            " identifiers, identifier_keys)",
            f"arrayExists((i, k) -> NOT startsWith(i, '#') AND {on_command}, identifiers, identifier_keys)",
        ),
        Mutation(
            "dead_letters",
            f"UPDATE original = '', error = '{ERASED}', identifier_keys = []",
            f"arrayExists(k -> {in_letter}, identifier_keys)",
        ),
        Mutation(
            "identity_map",
            "DELETE",
            " OR ".join(
                f"(identifier_key = {e.key} AND version < toUInt256('{e.version}'))" for e in erasures
            ),
        ),
    ]


_LINKS: Final = "identity_links"
_NOTHING: Final = "''"
_HASH: Final = "concat('#', lower(leftPad(hex(k), 16, '0')))"  # rows.erased_name of key k


def _members(erasures: Collection[Erasure]) -> Mutation:
    """Members lose the identifiers and, since it may come from them, their name; a person's account too.

    Whatever else tells of people goes as well, whose it is: the account tells it anew with its next profile.
    """
    named = _outdated(erasures, "m.contact_id")
    kept = f"arrayFilter(k -> NOT {named}, m.keys)"
    whole = f"length({kept}) = length(m.keys)"
    without = {field: f"if({whole}, m.{field}, '')" for field in ("name", "job_title", "reach")}
    without |= {
        "identifiers": f"arrayFilter((i, k) -> NOT {named}, m.identifiers, m.keys)",
        "roles": f"if({whole}, m.roles, arrayMap({_with('r', 'roles', {'evidence': _NOTHING})}, m.roles))",
        "steps": f"if({whole}, m.steps, [])",
        "keys": kept,
    }
    left = (
        f"arrayMap({_with('m', 'members', without)},"
        f" arrayFilter(m -> empty(m.keys) OR NOT empty({kept}), members))"
    )
    nobody = f"({', '.join([_NOTHING] * 5)})"
    handoff = _with("h", "handoffs", {"reasons": "[]", "call_first": nobody})
    return Mutation(
        "accounts",
        f"UPDATE name = if(kind = 'person' AND empty({left}), '', name), members = {left},"
        f" score_parts = [], crossings = [], facts = [], handoffs = arrayMap({handoff}, handoffs),"
        f" silences = arrayFilter(s -> s.contact_id = '', silences),"
        f" next_best_action = ({', '.join([_NOTHING] * 6)})",
        f"arrayExists(m -> arrayExists(k -> {named}, m.keys), members)",
    )


def _with(name: str, tuples: str, changed: Mapping[str, str]) -> str:
    """A lambda over one of these tuples that gives it with some of its fields changed."""
    fields = (changed.get(field, f"{name}.{field}") for field in FIELDS[tuples])
    return f"{name} -> ({', '.join(fields)})"


def _kept(names: str, keys: str, erased: str) -> str:
    """Assignments that take what is erased out of two columns that go beside each other."""
    return (
        f"{names} = arrayFilter((i, k) -> NOT {erased}, {names}, {keys}),"
        f" {keys} = arrayFilter(k -> NOT {erased}, {keys})"
    )


def _named(erasures: Iterable[Erasure], contact: str) -> str:
    """Whether key `k` must not stand beside the contact, whatever the time."""
    gone = [e.key for e in erasures if e.gone]
    pairs = [(e.key, one) for e in erasures for one in sorted(e.contacts)]
    beside = ", ".join(f"({key}, {_quoted(one)})" for key, one in pairs)
    return f"({_in('k', gone)} OR {f'(k, {contact}) IN ({beside})' if pairs else '0'})"


def _outdated(erasures: Iterable[Erasure], contact: str) -> str:
    """Whether a profile must not name key `k` beside the contact (Erasure.outdates)."""
    groups: dict[tuple[int, frozenset[str]], list[int]] = defaultdict(list)
    for erasure in erasures:
        groups[erasure.until, erasure.keeps].append(erasure.key)
    told = [
        f"({_in('k', keys)} AND anew[k] < {until} AND NOT {_in_texts(contact, sorted(keeps))})"
        for (until, keeps), keys in groups.items()
    ]
    return f"({' OR '.join(told) or '0'})"


def _dated(erasures: Iterable[Erasure], key: str, at: str) -> str:
    """Whether what the key stands for is erased at that time."""
    groups: dict[tuple[Period, ...], list[int]] = defaultdict(list)
    for erasure in erasures:
        groups[erasure.periods].append(erasure.key)
    told = [f"({_in(key, keys)} AND ({_within(periods, at)}))" for periods, keys in groups.items()]
    return f"({' OR '.join(told) or '0'})"


def _within(periods: Iterable[Period], at: str) -> str:
    ms = f"toUnixTimestamp64Milli({at})"
    spans = []
    for since, until in periods:
        begun = "1" if since == EVER else f"{ms} >= {since}"
        spans.append(f"({begun})" if until == NEVER_ENDS else f"({begun} AND {ms} < {until})")
    return " OR ".join(spans) or "0"


def _in(name: str, keys: Iterable[int]) -> str:
    listed = ", ".join(map(str, sorted(set(keys))))
    return f"{name} IN ({listed})" if listed else "0"


def _in_texts(name: str, texts: Iterable[str]) -> str:
    listed = ", ".join(map(_quoted, texts))
    return f"{name} IN ({listed})" if listed else "0"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
