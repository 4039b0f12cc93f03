"""JSON Schemas of the public topics, made from the models: `python -m schemas.export` writes docs/schemas."""

import json
import sys
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas import assertion, command, outcome, privacy, touchpoint
from schemas.deadletter import PREFIX_BYTES, REASONS
from schemas.events import SCHEMA_VERSION, AccountProfile, JourneyEvent
from schemas.handoff import LeadHandoff
from schemas.identity import MapRow
from schemas.privacy import PrivacyResult
from schemas.topics import (
    ALL,
    ASSERTIONS,
    COMMANDS,
    DEAD,
    EVENTS,
    HANDOFFS,
    MAP,
    OUTCOMES,
    PRIVACY,
    PROFILES,
    RESULTS,
    TOUCHPOINTS,
)

FOLDER: Final = Path(__file__).parents[1] / "docs" / "schemas"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]+$"}

_DEAD_LETTER: Final[dict[str, Any]] = {
    "title": "DeadLetter",
    "description": (
        "The headers of a dead letter, as UTF-8 text. The value of the record is the refused one's, of a"
        f" longer one the first {PREFIX_BYTES:,} bytes; only then there are `size` and `sha256`."
    ),
    "type": "object",
    "properties": {
        "reason": {"type": "string", "enum": list(REASONS)},
        "field": {"type": "string", "description": "path of the field to blame; empty: the whole message"},
        "error": {"type": "string", "description": "a sentence with the value and what to send"},
        "topic": {"type": "string", "description": "where the refused record was"},
        "partition": _NUMBER,
        "offset": _NUMBER,
        "generation": _NUMBER | {"description": "tells restarts of an embedded broker apart"},
        "tenant": {
            "type": "string",
            "description": "whose it is, where a trusted header or the step names it",
        },
        "size": _NUMBER | {"description": "bytes of the whole record"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "required": ["reason", "field", "error", "topic", "partition", "offset", "generation"],
    "additionalProperties": False,
}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each public topic's values (of dead letters: of their headers), by topic.

    >>> schemas()["journey-events"]["$id"]
    'urn:dmu-journeys:journey-event:1'
    """
    made = {
        TOUCHPOINTS.name: ("touchpoint", touchpoint.ADAPTER.json_schema()),
        ASSERTIONS.name: ("identity-assertion", assertion.ADAPTER.json_schema()),
        PRIVACY.name: ("privacy-request", privacy.ADAPTER.json_schema()),
        OUTCOMES.name: ("lead-outcome", outcome.ADAPTER.json_schema()),
        COMMANDS.name: ("account-command", command.ADAPTER.json_schema()),
        MAP.name: ("identity", msgspec.json.schema(MapRow)),
        EVENTS.name: ("journey-event", msgspec.json.schema(JourneyEvent)),
        HANDOFFS.name: ("lead-handoff", msgspec.json.schema(LeadHandoff)),
        PROFILES.name: ("account-profile", msgspec.json.schema(AccountProfile)),
        RESULTS.name: ("privacy-result", msgspec.json.schema(PrivacyResult)),
        DEAD.name: ("dead-letter", _DEAD_LETTER),
    }
    return {
        topic.name: {"$schema": _DIALECT, "$id": f"urn:dmu-journeys:{name}:{SCHEMA_VERSION}", **_tidy(schema)}
        for topic, (name, schema) in ((topic, made[topic.name]) for topic in ALL if topic.public)
    }


def _tidy(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Descriptions that were docstrings, without their indentation."""
    tidied = {name: _tidy(part) if isinstance(part, dict) else part for name, part in schema.items()}
    match tidied:
        case {"description": str(text)}:
            tidied["description"] = cleandoc(text)
    return tidied


def files() -> dict[str, str]:
    """The files of `docs/schemas`: name and text."""
    return {
        f"{topic}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for topic, schema in schemas().items()
    }


def write(folder: Path = FOLDER) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
