"""What every message from outside has in common: how it is read, and what a refusal says.

`reader` reads one message; what cannot be read raises `RefusedError`, whose reason, field and error a data
engineer can act on.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError, with_config
from pydantic_core import CoreSchema, ErrorDetails, core_schema

EVENT_BYTES: Final = 65_536  # of one message
ID_BYTES: Final = 128  # of event_id, type, source, tenant, channel, and the ids of content, orders, campaigns
IDENTIFIER_BYTES: Final = 256  # of one identifier, account key or topic, in UTF-8

DEFAULT_TENANT: Final = "default"
DEFAULT_COUNTRY: Final = "NL"  # of phone numbers without country code

Message = TypeVar("Message")


class RefusedError(Exception):
    """A message that is not accepted: why (one of `deadletter.REASONS`), which field, what to do about it."""

    def __init__(self, reason: str, field: str, error: str) -> None:
        super().__init__(f"{field}: {error}" if field else error)
        self.reason = reason
        self.field = field
        self.error = str(self)


class Says:
    """One sentence for whatever is wrong with a value, instead of one error per member of a union."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the type, with one error."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="says", custom_error_message=self.sentence
        )


Text = Annotated[str | None, Says("must be text")]
Label = Annotated[str | int | float | None, Says("must be text or a number")]
Key = Annotated[str | int | float | bool | None, Says("must be text or a number")]  # true, false: worthless

# Fields of the messages that people send.
EventId = Annotated[str, Field(description="unique per tenant")]
OccurredAt = Annotated[str, Field(description="RFC 3339 with an offset", examples=["2025-02-03T08:12:04Z"])]
By = Annotated[Label, Field(description="who says so")]

unknown_kept = with_config(ConfigDict(extra="allow", strict=True))  # unknown fields stay in the object

_BOM: Final = b"\xef\xbb\xbf"
_SAYS: Final = {
    "string_type": "must be text",
    "dict_type": "must be an object",
    "list_type": "must be a list",
}


def reader(adapter: TypeAdapter[Message], required: Sequence[str]) -> Callable[[bytes], Message]:
    """A function from UTF-8 JSON to the message; it raises RefusedError.

    Of a key that occurs twice in an object the last counts, as JSON readers have it; a byte order mark is
    skipped. Of the fields `required` a null says as little as their absence.
    """
    validate = adapter.validator.validate_json  # looked up once: it runs for every event

    def read(value: bytes) -> Message:
        if len(value) > EVENT_BYTES:
            raise RefusedError(
                "too_large", "", f"the event has {len(value)} bytes, {EVENT_BYTES} are allowed"
            )
        if value.startswith(_BOM):
            value = value[len(_BOM) :]
        try:
            message: Message = validate(value)
        except ValidationError as error:
            raise _refused(error.errors(include_url=False, include_context=False), required) from None
        if (
            b"NaN" in value or b"Infinity" in value
        ):  # as numbers the reader takes them; JSON has no such thing
            _check_numbers(value)
        return message

    return read


def show(value: object) -> str:
    """A value for an error message, cut to a readable length.

    >>> show("2025-13-01"), show({"a": True})
    ("'2025-13-01'", '{"a": true}')
    """
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _check_numbers(value: bytes) -> None:
    try:
        msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise RefusedError(
            "not_json", "", f"NaN and Infinity are no JSON, leave the field out ({error})"
        ) from None


def _refused(errors: Sequence[ErrorDetails], required: Sequence[str]) -> RefusedError:
    """The first error decides; the fields of the others are named, so that one look shows all."""
    refusal = _one(errors[0], required)
    others = dict.fromkeys(_path(error["loc"]) for error in errors[1:6])
    if others:
        refusal.error += f" (also wrong: {', '.join(others)})"
    return refusal


def _one(error: ErrorDetails, required: Sequence[str]) -> RefusedError:
    kind, loc, value = error["type"], error["loc"], error["input"]
    if kind == "json_invalid":
        return _unreadable(error["msg"].removeprefix("Invalid JSON: "))
    if not loc:
        return RefusedError("not_an_object", "", f"the message is {show(value)}; send one JSON object")
    field = _path(loc)
    if kind == "missing":
        return RefusedError("missing_field", field, "is required and missing")
    if value is None and field in required:
        return RefusedError("missing_field", field, "is required and null")
    return RefusedError("wrong_type", field, f"{show(value)} {_SAYS.get(kind, error['msg'])}")


def _unreadable(message: str) -> RefusedError:
    if message.startswith("recursion limit"):
        return RefusedError("too_large", "", "nested more than 200 levels deep")
    if message.startswith("number out of range"):
        return RefusedError("too_large", "", f"a number has more than 4300 digits ({message})")
    return RefusedError("not_json", "", f"no JSON in UTF-8: {message}")


def _path(loc: tuple[int | str, ...]) -> str:
    """`commerce.lines[0].value`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
