"""Whatever comes in: each line is applied, a duplicate, or a dead letter that says why."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from journeys_command import JOURNEYS, Rows, ask, environment, event, journeys, line, run

from schemas.deadletter import PREFIX_BYTES, REASONS

pytestmark = pytest.mark.embedded


@dataclass(frozen=True)
class Case:
    """A line and what becomes of it."""

    name: str
    line: bytes
    reason: str = ""  # empty: it is applied
    field: str = ""
    error: str = ""  # part of it


def raw(number: int, **parts: str) -> bytes:
    """A line whose values are JSON as written."""
    values = {name: json.dumps(value) for name, value in event(number).items()} | parts
    return ("{" + ",".join(f'"{name}":{value}' for name, value in values.items()) + "}").encode()


def plain(number: int, at: str = "2025-02-03T08:12:04Z", **fields: Any) -> bytes:
    return line(event(number, at, **fields)).rstrip()


def without(number: int, *names: str) -> bytes:
    return line({name: value for name, value in event(number).items() if name not in names}).rstrip()


FAR = (datetime.now(UTC) + timedelta(hours=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
SOON = (datetime.now(UTC) + timedelta(hours=40)).strftime("%Y-%m-%dT%H:%M:%SZ")

CASES = [
    Case("a byte order mark", b"\xef\xbb\xbf" + plain(1)),
    Case("no JSON", b"hello", "not_json", "", "no JSON in UTF-8"),
    Case("cut off", plain(2)[:-9], "not_json", "", "EOF"),
    Case("something behind it", plain(3) + b" {}", "not_json", "", "trailing"),
    Case("a single quote", b"{'event_id': '4'}", "not_json"),
    Case("invalid UTF-8", plain(5).replace(b"web", b"w\xff\xfeb"), "not_json", "", "UTF-8"),
    Case("UTF-8 cut in a character", b"\xe2\x82", "not_json"),
    Case("UTF-16", "{}".encode("utf-16"), "not_json"),
    Case("a NUL byte", b"\0", "not_json"),
    Case("half a surrogate pair", raw(7, source='"\\ud800"'), "not_json"),
    Case("a list", b"[" + plain(8) + b"]", "not_an_object", "", "send one JSON object"),
    Case("a text", b'"event"', "not_an_object"),
    Case("a number", b"42", "not_an_object"),
    Case("null", b"null", "not_an_object"),
    *(
        Case(f"no {name}", without(10 + n, name), "missing_field", name, "required")
        for n, name in enumerate(("event_id", "type", "occurred_at", "source"))
    ),
    *(
        Case(f"null {name}", plain(20 + n, **{name: None}), "missing_field", name, "null")
        for n, name in enumerate(("event_id", "type", "occurred_at", "source"))
    ),
    *(
        Case(f"empty {name}", plain(30 + n, **{name: " "}), "missing_field", name)
        for n, name in enumerate(("event_id", "type", "source"))
    ),
    Case("empty time", plain(34, occurred_at=""), "bad_time", "occurred_at"),
    Case("a number as id", raw(40, event_id="7"), "wrong_type", "event_id", "7 must be text"),
    Case("a number as time", raw(41, occurred_at="1738570324"), "wrong_type", "occurred_at"),
    Case("a list as type", raw(42, type="[]"), "wrong_type", "type"),
    Case("identifiers as text", plain(43, identifiers="jane@acme.nl"), "wrong_type", "identifiers", "object"),
    Case("an object as e-mail", plain(44, identifiers={"email": {}}), "wrong_type", "identifiers.email"),
    Case(
        "text as consent", plain(45, consent={"email": "yes"}), "wrong_type", "consent.email", "true or false"
    ),
    Case(
        "text as amount",
        plain(46, commerce={"lines": [{"value": "1,50"}]}),
        "wrong_type",
        "commerce.lines[0].value",
        "decimal point",
    ),
    Case("an amount without end", plain(47, commerce={"value": 10**15}), "wrong_type", "commerce.value"),
    Case("an unknown actor", plain(48, actor="dog"), "wrong_type", "actor", "person, machine or us"),
    Case("an unknown type", plain(49, type="tea_poured")),
    Case("unknown fields", plain(50, weather={"wind": [1, 2]})),
    Case("year 0", plain(60, occurred_at="0000-01-01T00:00:00Z"), "bad_time", "occurred_at"),
    Case("year 1", plain(61, occurred_at="0001-01-01T00:00:00Z"), "bad_time", "occurred_at"),
    Case("before 2000", plain(62, occurred_at="1999-12-31T23:59:59.999Z"), "bad_time", "occurred_at"),
    Case("the year 2000", plain(63, occurred_at="2000-01-01T00:00:00Z")),
    Case("year 9999", plain(64, occurred_at="9999-12-31T23:59:59Z"), "bad_time", "occurred_at"),
    Case("year 9999, west", plain(65, occurred_at="9999-12-31T23:59:59-23:59"), "bad_time", "occurred_at"),
    Case("60 hours ahead", plain(66, occurred_at=FAR), "bad_time", "occurred_at"),
    Case("40 hours ahead", plain(67, occurred_at=SOON)),
    Case("no offset", plain(68, occurred_at="2025-02-03T08:12:04"), "bad_time", "occurred_at", "offset"),
    Case("only a day", plain(69, occurred_at="2025-02-03"), "bad_time", "occurred_at"),
    Case("30 February", plain(70, occurred_at="2025-02-30T08:12:04Z"), "bad_time", "occurred_at"),
    Case("no time", plain(71, occurred_at="yesterday"), "bad_time", "occurred_at", "RFC 3339"),
    Case("an event of 10 MB", plain(80, note="x" * 10_000_000), "too_large", "", "bytes"),
    Case("an event of 65,537 bytes", plain(81, note="x" * (65_537 - len(plain(81, note="")))), "too_large"),
    Case("an event of 65,536 bytes", plain(82, note="x" * (65_536 - len(plain(82, note=""))))),
    Case("an event of 600,000 spaces", b"{" + b" " * 600_000 + plain(83)[1:], "too_large"),
    Case("nested 10,000 deep", raw(84, note="[" * 10_000 + "]" * 10_000), "too_large", "", "200 levels"),
    Case("nested 10,000 objects deep", raw(85, note='{"a":' * 9_000 + "1" + "}" * 9_000), "too_large"),
    Case("NaN", raw(86, note="NaN"), "not_json", "", "NaN"),
    Case("Infinity", raw(87, note="-Infinity"), "not_json", "", "Infinity"),
    Case("Infinity as amount", raw(6, commerce='{"value":Infinity}'), "wrong_type", "commerce.value"),
    Case("the word NaN", plain(88, content={"title": "Infinity of NaN"})),
    Case("10,000 digits", raw(89, note="9" * 10_000), "too_large", "", "digits"),
    Case("10,000 digits as amount", raw(90, commerce='{"value":' + "9" * 10_000 + "}"), "too_large"),
    Case("200 digits", raw(91, note="9" * 200), "wrong_type", "note", "64 bits"),
    Case(
        "200 digits as fact",
        raw(92, contact='{"a":[{"b":' + "9" * 200 + "}]}"),
        "wrong_type",
        "contact.a[0].b",
    ),
    Case("1e999", raw(93, note="1e999"), "wrong_type", "note", "64 bits"),
    Case("duplicate keys: the last counts", raw(94)[:-1] + b',"source":"crm"}'),
    Case("duplicate keys: the last is wrong", raw(95)[:-1] + b',"source":7}', "wrong_type", "source"),
    Case("no identifier", without(96, "identifiers"), "no_identifier", "identifiers", "send at least one"),
    Case(
        "empty identifiers",
        plain(97, identifiers={}, account={"name": "Acme"}),
        "no_identifier",
        "identifiers",
    ),
    Case("worthless identifiers", plain(98, identifiers={"email": None, "phone": "0"})),
    Case("only an account", plain(99, identifiers={}, account={"domain": "acme.nl"})),
    Case("an id of 129 bytes", plain(100, event_id="x" * 129), "too_large", "event_id"),
    Case(
        "an e-mail address of 300",
        plain(101, identifiers={"email": "x" * 300}),
        "too_large",
        "identifiers.email",
    ),
    Case("65 facts", plain(102, contact={str(n): n for n in range(65)}), "too_large", "contact"),
    Case("control characters", plain(103, content={"title": "a\0\t\r\n\u202e\U0001f984"})),
    Case("a topic nobody reads", b'{"topic":"segment-events","message":{}}', "wrong_type", "topic"),
    Case("a wrapped event", b'{"topic":"touchpoints","message":' + plain(104) + b"}"),
    Case("a topic that is no text", b'{"topic":"\x80","message":{}}', "not_json"),
    Case("a list as topic", b'{"topic":[],"message":{}}', "wrong_type", "topic"),
    Case("a wrapped text", b'{"topic":"touchpoints","message":"hello"}', "not_an_object"),
]

# Of several events with one id the earliest counts, in whatever order they come.
LATE, EARLY, BETWEEN = (f"2025-02-0{day}T08:00:00Z" for day in (7, 5, 6))
ONE_ID = [
    *(plain(900, at, channel="a") for at in (EARLY, LATE, BETWEEN)),
    *(plain(901, at, channel="b") for at in (LATE, BETWEEN, EARLY, EARLY)),
    plain(901, LATE, source="app"),  # ids are unique per source
    plain(901, LATE, tenant="other"),  # and tenant
    without(901, "type"),  # refused, whatever its id
]

ENDS = (b"\n", b"\r\n", b"\n\n", b"  \r\n \t \n")


def values() -> st.SearchStrategy[Any]:
    """Any JSON value, wrong ones of our own fields among them."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    named = st.sampled_from(("2025-02-03T08:12:04Z", "jane@acme.nl", "crm", "page_viewed", "0", "default"))
    return st.recursive(
        leaves | named,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names(), inner, max_size=3),
    )


NAMES = (
    *event(0),
    *("tenant", "channel", "actor", "account", "contact", "content", "commerce", "consent"),
    *("email", "anonymous_id", "domain", "order_id", "value", "lines", "currency", "topic", "message"),
)


def names() -> st.SearchStrategy[str]:
    return st.sampled_from(NAMES) | st.text(max_size=4)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A line that was an event, with other values for some fields, and bytes changed, lost or repeated."""
    fields = event(2_000 + draw(st.integers(0, 60)))
    fields |= draw(st.dictionaries(names(), values(), max_size=2))
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=1)):
        del fields[name]
    text = bytearray(json.dumps(fields, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 3)))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 5))
        text[at : at + length] = draw(st.binary(max_size=3)) * draw(st.sampled_from((1, 1, 200)))
    return bytes(text).replace(b"\n", b"").strip(b" \t\r")


def mutated_lines() -> list[bytes]:
    """The same ones at every run."""
    lines: list[bytes] = []

    @seed(20250203)
    @settings(
        max_examples=250, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(mutated())
    def collect(one: bytes) -> None:
        if one:
            lines.append(one)

    collect()
    return lines


@dataclass(frozen=True)
class Ran:
    """What went in, line by line, and what came out."""

    lines: list[bytes]
    summary: dict[str, Any]
    touchpoints: dict[tuple[str, str, str], dict[str, Any]]  # by tenant, source and id
    letters: dict[int, dict[str, Any]]  # by line, from 0
    validated: list[dict[str, Any]]
    shown: bytes  # by `dead-letters show`
    text: list[str]  # the refused records as a question for them is answered

    def of(self, line: int) -> tuple[str, str, str]:
        """Reason, field and error of a line's dead letter; empty where there is none."""
        letter = self.letters.get(line, {})
        return letter.get("reason", ""), letter.get("field", ""), letter.get("error", "")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("bad")
    written = [case.line for case in CASES] + ONE_ID
    first, second = folder / "cases.jsonl", folder / "mutated.jsonl"
    first.write_bytes(b"".join(one + ENDS[n % len(ENDS)] for n, one in enumerate(written)))
    mutations = mutated_lines()
    second.write_bytes(b"\n".join(mutations))  # no end of the last line
    lines = written + mutations
    assert len(lines) < 500  # so all are on one partition, in order: line n is offset n
    summary = run(first, second, data_dir=folder / "data")
    touchpoints, letters, text = ask(
        folder / "data",
        "SELECT tenant, source, event_id, occurred_at, channel, type, type_name FROM v_touchpoints",
        "SELECT topic, partition, offset, reason, field, error, hex(original) AS original, size"
        " FROM v_dead_letters",
        "SELECT original FROM v_dead_letters ORDER BY offset",
    )
    assert {(row["topic"], row["partition"]) for row in letters} == {("touchpoints", 0)}
    (folder / "both.jsonl").write_bytes(b"\n".join(lines))
    validated = journeys("validate", folder / "both.jsonl", "--json")
    assert validated.returncode == 0, validated.stderr
    shown = subprocess.run(
        [
            JOURNEYS,
            "dead-letters",
            "show",
            "--data-dir",
            folder / "data",
            "--where",
            f"size <= {PREFIX_BYTES}",
        ],
        stdout=subprocess.PIPE,
        check=True,
        env=environment(),
    )
    return Ran(
        lines,
        summary,
        _by_id(touchpoints),
        {row["offset"]: row for row in letters},
        [json.loads(found) for found in validated.stdout.splitlines()],
        shown.stdout,
        [row["original"] for row in text],
    )


def _by_id(rows: Rows) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = {(row["tenant"], row["source"], row["event_id"]): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_each_case(ran: Ran, number: int) -> None:
    case = CASES[number]
    reason, field, error = ran.of(number)
    assert (reason, field) == (case.reason, case.field)
    assert case.error in error
    assert bool(error) == bool(case.reason)


def test_every_line_is_one_of_three(ran: Ran) -> None:
    summary = ran.summary
    assert summary["lines"] == len(ran.lines)
    assert summary["dead_letters"] == len(ran.letters)
    assert summary["applied"] == len(ran.touchpoints)
    assert summary["applied"] + summary["duplicates"] + summary["dead_letters"] == summary["lines"]


def test_what_is_not_refused_is_there_once(ran: Ran) -> None:
    accepted = [
        json.loads(line.decode("utf-8-sig")) for n, line in enumerate(ran.lines) if n not in ran.letters
    ]
    events = [said["message"] if said.keys() == {"topic", "message"} else said for said in accepted]
    keys = Counter(
        ((said.get("tenant") or "").strip() or "default", said["source"].strip(), said["event_id"].strip())
        for said in events
    )
    assert keys.keys() == ran.touchpoints.keys()
    assert ran.summary["duplicates"] == keys.total() - len(keys)
    assert ran.summary["duplicates"] > 10  # mutated events repeat ids


def test_dead_letters_keep_the_bytes_that_came(ran: Ran) -> None:
    assert ran.letters
    for number, letter in ran.letters.items():
        whole = came(ran, number)
        assert bytes.fromhex(letter["original"]) == whole[:PREFIX_BYTES]
        assert letter["size"] == len(whole)
        assert letter["reason"] in REASONS
        assert letter["error"]


def came(ran: Ran, number: int) -> bytes:
    """The message of a line."""
    line, start = ran.lines[number], b'{"topic":"touchpoints","message":'
    return line.removeprefix(start).removesuffix(b"}") if line.startswith(start) else line


def test_dead_letters_can_be_shown_as_they_came(ran: Ran) -> None:
    short = [came(ran, n) for n in sorted(ran.letters) if ran.letters[n]["size"] <= PREFIX_BYTES]
    assert ran.shown == b"".join(one + b"\n" for one in short)


def test_what_is_no_text_can_be_asked_for(ran: Ran) -> None:
    assert ran.text == [came(ran, n)[:PREFIX_BYTES].decode(errors="replace") for n in sorted(ran.letters)]


def test_validate_says_the_same(ran: Ran) -> None:
    told = {found["line"] - 1: found for found in ran.validated if found["reason"] != "unattributed"}
    assert told.keys() == ran.letters.keys()
    for number, found in told.items():
        assert (found["reason"], found["field"], found["error"]) == ran.of(number)


def test_unattributed_touches_are_counted_and_foretold(ran: Ran) -> None:
    worthless = [case.name for case in CASES].index("worthless identifiers")
    assert worthless + 1 in {found["line"] for found in ran.validated if found["reason"] == "unattributed"}
    assert ran.summary["unattributed"] >= 1


def test_of_one_id_the_earliest_counts(ran: Ran) -> None:
    assert {
        key: (row["occurred_at"], row["channel"]) for key, row in ran.touchpoints.items() if "e-90" in key[2]
    } == {
        ("default", "web", "e-900"): ("2025-02-05T08:00:00.000Z", "a"),
        ("default", "web", "e-901"): ("2025-02-05T08:00:00.000Z", "b"),
        ("default", "app", "e-901"): ("2025-02-07T08:00:00.000Z", "app"),
        ("other", "web", "e-901"): ("2025-02-07T08:00:00.000Z", "web"),
    }


def test_an_unknown_type_is_custom_and_keeps_its_name(ran: Ran) -> None:
    row = ran.touchpoints["default", "web", "e-49"]
    assert (row["type"], row["type_name"]) == ("custom", "tea_poured")


def test_of_a_key_that_occurs_twice_the_last_counts(ran: Ran) -> None:
    assert ("default", "crm", "e-94") in ran.touchpoints
    assert ("default", "web", "e-94") not in ran.touchpoints
