import json
from pathlib import Path
from typing import Any

import pytest

from schemas import deadletter
from schemas.message import EVENT_BYTES, RefusedError
from schemas.touchpoint import ADAPTER, FACT_TYPES, TYPES, parse

EVENT: dict[str, Any] = {
    "event_id": "seg-1",
    "type": "page_viewed",
    "occurred_at": "2025-02-03T08:12:04Z",
    "source": "web",
}


def text(**fields: Any) -> bytes:
    return json.dumps({**EVENT, **fields}).encode()


def refusal(value: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parse(value)
    assert caught.value.reason in deadletter.REASONS
    return caught.value


def test_the_least_event() -> None:
    assert parse(text()) == EVENT


def test_types_and_who_acts() -> None:
    assert len(TYPES) == 41  # 40 of the contract and custom
    assert [name for name, actor in TYPES.items() if actor != "person"] == ["email_sent", "email_bounced"]
    assert TYPES.keys() > FACT_TYPES


def test_unknown_fields_stay_everywhere() -> None:
    event = parse(text(more={"a": [1, None]}, content={"url": "/", "depth": 3}))
    assert dict(event)["more"] == {"a": [1, None]}
    assert event["content"] == {"url": "/", "depth": 3}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"{'event_id': 1}",
        b'{"event_id": "a",}',
        b"{} {}",
        b"\xff\xfe{\x00}\x00",
        b'{"event_id": "\xff"}',
        b'{"event_id": "\\ud800"}',
        text(x="#").replace(b'"#"', b"NaN"),
        text(x="#").replace(b'"#"', b"-Infinity"),
        text(x="#").replace(b'"#"', b"012"),
    ],
)
def test_what_is_not_json(value: bytes) -> None:
    assert refusal(value).reason == "not_json"


@pytest.mark.parametrize("value", [b"[]", b"null", b"1", b'"text"', b"true", b"[" + text() + b"]"])
def test_what_is_json_but_no_object(value: bytes) -> None:
    assert refusal(value).reason == "not_an_object"


@pytest.mark.parametrize("field", ["event_id", "type", "occurred_at", "source"])
def test_missing_fields(field: str) -> None:
    event = {name: value for name, value in EVENT.items() if name != field}
    assert (refusal(json.dumps(event).encode()).reason, refusal(json.dumps(event).encode()).field) == (
        "missing_field",
        field,
    )
    assert refusal(text(**{field: None})).reason == "missing_field"


@pytest.mark.parametrize(
    ("fields", "field", "error"),
    [
        ({"event_id": 7}, "event_id", "event_id: 7 must be text"),
        ({"type": True}, "type", "type: true must be text"),
        ({"occurred_at": 1738570324}, "occurred_at", "occurred_at: 1738570324 must be text"),
        ({"tenant": ["a"]}, "tenant", 'tenant: ["a"] must be text'),
        ({"identifiers": "jane"}, "identifiers", "identifiers: 'jane' must be an object"),
        ({"identifiers": []}, "identifiers", "identifiers: [] must be an object"),
        (
            {"identifiers": {"email": {}}},
            "identifiers.email",
            "identifiers.email: {} must be text or a number",
        ),
        ({"account": {"domain": [1]}}, "account.domain", "account.domain: [1] must be text or a number"),
        ({"actor": "robot"}, "actor", "actor: 'robot' must be person, machine or us"),
        ({"contact": [1]}, "contact", "contact: [1] must be an object"),
        ({"content": {"url": 1}}, "content.url", "content.url: 1 must be text"),
        (
            {"content": {"search_terms": ["a", 1]}},
            "content.search_terms",
            'content.search_terms: ["a", 1] must be text or a list of texts',
        ),
        ({"consent": {"email": "yes"}}, "consent.email", "consent.email: 'yes' must be true or false"),
        ({"consent": {"email": 1}}, "consent.email", "consent.email: 1 must be true or false"),
        ({"commerce": {"lines": {}}}, "commerce.lines", "commerce.lines: {} must be a list"),
        (
            {"commerce": {"order_id": True}},
            "commerce.order_id",
            "commerce.order_id: true must be text or a number",
        ),
        ({"commerce": {"lines": [{}, 3]}}, "commerce.lines[1]", "commerce.lines[1]: 3 must be an object"),
        ({"event_id": 7, "tenant": 8}, "event_id", "event_id: 7 must be text (also wrong: tenant)"),
    ],
)
def test_wrong_types_name_field_and_value(fields: dict[str, Any], field: str, error: str) -> None:
    found = refusal(text(**fields))
    assert (found.reason, found.field, found.error) == ("wrong_type", field, error)


@pytest.mark.parametrize(
    "value", [True, "1.234,56", "€ 5", "", "1e3", "nan", 10**15, -(10**15), 1e300, [], {}]
)
def test_what_is_no_amount(value: Any) -> None:
    for commerce in ({"value": value}, {"lines": [{"value": value}]}, {"lines": [{"quantity": value}]}):
        found = refusal(text(commerce=commerce))
        assert found.reason == "wrong_type"
        assert "number below 10^15" in found.error


@pytest.mark.parametrize("value", [0, -4.5, 4612.75, "4612.75", "-0.10", 999_999_999_999_999, None])
def test_amounts(value: Any) -> None:
    parse(text(commerce={"value": value}))


def test_null_objects_count_as_absent() -> None:
    names = (
        "identifiers",
        "account",
        "contact",
        "organisation",
        "content",
        "commerce",
        "campaign",
        "consent",
    )
    parse(text(**dict.fromkeys(names)))


def test_of_a_key_twice_the_last_counts() -> None:
    assert parse(text(source="#").replace(b'"#"', b'7, "source": "crm"'))["source"] == "crm"


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + text()) == EVENT


def test_names_that_only_look_like_numbers_out_of_range() -> None:
    assert parse(text(name="Infinity NaN B.V."))["event_id"] == "seg-1"


def test_hard_caps_of_the_text() -> None:
    full = text(x="#" * (EVENT_BYTES - len(text(x=""))))
    assert len(full) == EVENT_BYTES
    parse(full)
    assert refusal(full + b" ").reason == "too_large"
    assert refusal(b"{" * 10_000_000).error == "the event has 10000000 bytes, 65536 are allowed"


def test_nesting_and_numbers_without_end() -> None:
    deep = text(x="#").replace(b'"#"', b'{"a":' * 10_000 + b"1" + b"}" * 10_000)
    assert (refusal(deep).reason, refusal(deep).error) == ("too_large", "nested more than 200 levels deep")
    digits = text(x="#").replace(b'"#"', b"9" * 10_000)
    assert refusal(digits).reason == "too_large"


def test_errors_stay_readable() -> None:
    many = refusal(text(commerce={"lines": [0] * 20_000}))
    assert many.field == "commerce.lines[0]"
    assert len(many.error) < 300
    assert len(refusal(text(tenant=["x" * 50_000])).error) < 200


DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_reference_names_every_type_field_and_reason() -> None:
    named = {*TYPES, *deadletter.REASONS}
    for definition in (
        {"properties": ADAPTER.json_schema()["properties"]},
        *ADAPTER.json_schema()["$defs"].values(),
    ):
        named |= definition["properties"].keys()
    assert {name for name in named if f"`{name}`" not in DOCS} == set()


def test_the_example_of_the_reference_is_accepted() -> None:
    parse(DOCS.split("```json\n")[1].split("```")[0].encode())


def test_the_json_schema_can_be_made() -> None:
    schema = ADAPTER.json_schema()
    assert schema["required"] == ["event_id", "type", "occurred_at", "source"]
    assert schema["properties"]["event_id"]["description"] == "unique per tenant and source"
