"""JSON Schemas in the documentation: those of every public topic, as the models have them now."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import deadletter, topics
from schemas.deadletter import PREFIX_BYTES, REASONS
from schemas.events import AccountProfile, AccountRef, ContactRef, JourneyEvent, Member, headers
from schemas.export import FOLDER, files, schemas
from schemas.touchpoint import REQUIRED, Account, Identifiers, Touchpoint

AT = "2025-01-01T00:00:00Z"


def test_the_files_are_as_they_would_be_made_now() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert kept == files(), "run `python -m schemas.export`"


def test_the_command_writes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "schemas.export", tmp_path / "new"], check=True)
    assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()} == files()


def test_every_public_topic_has_one_and_no_other() -> None:
    assert schemas().keys() == {topic.name for topic in topics.ALL if topic.public}


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return found
    return schema


def fields(topic: str) -> dict[str, Any]:
    schema = schemas()[topic]
    found: dict[str, Any] = resolve(schema, schema)["properties"]
    return found


def test_touchpoints_name_every_field_and_what_is_required() -> None:
    schema = schemas()[topics.TOUCHPOINTS.name]
    assert schema["properties"].keys() == Touchpoint.__annotations__.keys()
    assert set(schema["required"]) == set(REQUIRED)
    assert schema["additionalProperties"] is True
    assert schema["$defs"]["Identifiers"]["properties"].keys() == Identifiers.__annotations__.keys()
    assert schema["$defs"]["Account"]["properties"].keys() == Account.__annotations__.keys()


@pytest.mark.parametrize(
    ("topic", "model"), [(topics.EVENTS.name, JourneyEvent), (topics.PROFILES.name, AccountProfile)]
)
def test_outputs_name_every_field(topic: str, model: type[JourneyEvent | AccountProfile]) -> None:
    assert fields(topic).keys() == set(model.__struct_fields__)


def test_spans_are_named_as_in_the_messages() -> None:
    schema = schemas()[topics.MAP.name]
    assert list(schema["$defs"]["Span"]["properties"]) == ["from", "contact_id", "account_id", "placed"]


def test_the_schema_that_an_output_names_is_there() -> None:
    event = JourneyEvent(
        "id", "stage_entered", "t", "a1", "stage", "1/awareness", AT, AT,
        (0, 0, 1), AccountRef("a1", [], "Acme", "awareness", "a1.1"), "1", contact=ContactRef("c1", []),
    )  # fmt: skip
    member = Member("c1", "", [], None, None, None, None, 0, "", None)
    profile = AccountProfile(
        "a1", "account_profile", "t", "a1", AT, AT, (0, 0, 1), "organisation", "Acme", [], "", "",
        None, "", [member], 0, None, None, "", None, "", False, False, "1",
    )  # fmt: skip
    assert dict(headers(event))["ce_dataschema"].decode() == schemas()[topics.EVENTS.name]["$id"]
    assert dict(headers(profile))["ce_dataschema"].decode() == schemas()[topics.PROFILES.name]["$id"]


@pytest.mark.parametrize("original", [b"x", b"x" * (PREFIX_BYTES + 1)])
@pytest.mark.parametrize("reason", REASONS)
def test_dead_letters_have_the_headers_that_are_told(reason: str, original: bytes) -> None:
    schema = schemas()[topics.DEAD.name]
    made = deadletter.headers(
        reason=reason, field="f", error="e", topic="t", partition=1, offset=2, generation=3, original=original
    )
    names = [name for name, _ in made]
    assert set(schema["required"]) <= set(names) <= schema["properties"].keys()
    assert (set(names) == set(schema["required"])) is (len(original) <= PREFIX_BYTES)
    assert schema["properties"]["reason"]["enum"] == list(REASONS)
    for name, value in made:
        if "pattern" in schema["properties"][name]:
            assert value.decode().isalnum()


def texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("description"), str):
            yield part["description"]
        for inner in part.values():
            yield from texts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from texts(inner)


def test_descriptions_are_not_indented_and_references_lead_somewhere() -> None:
    for schema in schemas().values():
        assert all("\n  " not in text for text in texts(schema))
        text = json.dumps(schema)
        for name in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
            assert name in schema["$defs"]
