"""`journeys validate` says of a line what INGEST would do with it."""

import io
import json
from collections import Counter
from typing import Any

import pytest

from streams.run import numbered
from streams.settings import Settings
from streams.validate import Finding, findings

GOOD = {
    "event_id": "1",
    "type": "page_viewed",
    "occurred_at": "2025-02-03T08:12:04Z",
    "source": "web",
    "tenant": "acme",
    "identifiers": {"email": "jane@acme.nl"},
}


def line(**fields: Any) -> bytes:
    return json.dumps(GOOD | fields).encode()


def found(*lines: bytes, settings: Settings | None = None) -> list[Finding | None]:
    return list(findings(enumerate(lines, 1), settings or Settings(), Counter()))


def test_a_good_line_is_nothing_to_look_at() -> None:
    assert found(line(), line(event_id="2")) == [None, None]
    assert found() == []


def test_refused_lines_are_numbered_among_all() -> None:
    assert found(line(), b"hello", line(), line(source=None)) == [
        None,
        Finding(2, "not_json", "", "no JSON in UTF-8: expected value at line 1 column 1"),
        None,
        Finding(4, "missing_field", "source", "source: is required and null"),
    ]


NOBODY = "names neither person nor firm"


@pytest.mark.parametrize(
    ("person", "firm", "field", "error"),
    [
        ({"email": None}, {}, "", "every identifier and account key is null"),
        ({"email": "unknown"}, {}, "identifiers.email", f'identifiers.email: "unknown" {NOBODY}'),
        ({"phone": "0", "x": 1}, {}, "identifiers.phone", f'identifiers.phone: "0" {NOBODY}'),
        (
            {"email": "Info@gmail.com"},
            {},
            "identifiers.email",
            'identifiers.email: "Info@gmail.com" is a role mailbox, which is nobody\'s own',
        ),
        (
            {},
            {"name": "Acme", "domain": "Gmail.com"},
            "account.domain",
            'account.domain: "Gmail.com" is a free-mail domain, so it names no firm',
        ),
    ],
)
def test_what_names_nobody_is_unattributed(
    person: dict[str, Any], firm: dict[str, Any], field: str, error: str
) -> None:
    (finding,) = found(line(identifiers=person, account=firm))
    assert finding == Finding(1, "unattributed", field, error)


def test_lines_are_numbered_as_in_the_file() -> None:
    file = io.BytesIO(b"\n\n" + line() + b"\n  \nhello\n")
    told = [finding.line for finding in findings(numbered(file), Settings(), Counter()) if finding]
    assert told == [5]


def test_types_that_are_not_known_are_counted_and_no_finding() -> None:
    unknown: Counter[str] = Counter()
    lines = [line(type="page_view"), line(type="page_view", identifiers={"email": None}), line()]
    told = list(findings(enumerate(lines, 1), Settings(), unknown))
    assert [finding is None for finding in told] == [True, False, True]
    assert unknown == {"page_view": 2}


def test_a_touch_of_a_firm_alone_is_attributed() -> None:
    assert found(line(identifiers={}, account={"domain": "acme.nl"})) == [None]


def test_the_same_event_again_is_nothing_to_look_at() -> None:
    assert found(line(), line()) == [None, None]


def test_a_wrapped_line_is_unwrapped_and_a_long_one_is_too_large() -> None:
    wrapped = b'{"topic": "touchpoints", "message": ' + line() + b"}"
    long = line(note="x" * 600_000)
    (nothing, finding) = found(wrapped, long)
    assert nothing is None
    assert finding is not None
    assert (finding.reason, finding.line) == ("too_large", 2)
    assert str(len(long)) in finding.error


def test_other_inputs_are_looked_at_too() -> None:
    rest = {"event_id": "1", "occurred_at": "2025-02-03T08:12:04Z"}
    link = rest | {"assertion": "link", "a": {"email": "jane@acme.nl"}, "b": {"email": "info@acme.nl"}}
    erase = rest | {"request": "erase", "identifiers": {"email": "jane@acme.nl"}}

    def wrapped(topic: str, message: dict[str, Any]) -> bytes:
        return json.dumps({"topic": topic, "message": message}).encode()

    why = "b.email: 'info@acme.nl' is a role mailbox, which is nobody's own"
    assert found(
        wrapped("identity-assertions", link),
        wrapped("identity-assertions", link | {"b": {"phone": "06-12345678"}}),
        wrapped("privacy-requests", erase),
        wrapped("lead-outcomes", rest | {"outcome": "won", "account": {"domain": "acme.nl"}}),
        wrapped("account-commands", rest | {"command": "set_owner", "account": {"domain": "acme.nl"}}),
    ) == [
        Finding(1, "no_identifier", "b.email", why),
        *(None, None, None),
        Finding(5, "missing_field", "owner", "owner: is required by set_owner and missing"),
    ]


def test_settings_hold_here_too() -> None:
    local = line(occurred_at="2025-02-03T08:12:04")
    assert [finding.reason for finding in found(local) if finding] == ["bad_time"]
    assert found(local, settings=Settings(zones={"web": "Europe/Amsterdam"})) == [None]


def test_times_ahead_are_measured_from_now() -> None:
    assert [finding.reason for finding in found(line(occurred_at="2200-01-01T00:00:00Z")) if finding] == [
        "bad_time"
    ]


def test_headers_are_trusted_where_there_are_any() -> None:
    assert found(line(), settings=Settings(trust_headers=True)) == [None]


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        (
            Finding(3, "bad_time", "occurred_at", "occurred_at: no"),
            "line 3: bad_time (occurred_at): occurred_at: no",
        ),
        (Finding(4, "not_json", "", "no JSON"), "line 4: not_json: no JSON"),
    ],
)
def test_a_finding_in_words_and_as_json(finding: Finding, told: str) -> None:
    assert str(finding) == told
    assert finding.as_json() == {
        "line": finding.line,
        "reason": finding.reason,
        "field": finding.field,
        "error": finding.error,
    }
