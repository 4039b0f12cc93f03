"""The input event: one touchpoint as a JSON object on the topic `touchpoints`.

`parse` reads one message; what cannot be read raises `RefusedError`, whose reason, field and error a data
engineer can act on. Rules that need more than the text (the record's time, who may name which tenant)
are INGEST's. `docs/events.md` tells it all with examples.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired

import msgspec
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError, with_config
from pydantic_core import CoreSchema, ErrorDetails, core_schema
from typing_extensions import TypedDict

EVENT_BYTES: Final = 65_536  # of one message
ID_BYTES: Final = 128  # of event_id, type, source, tenant, channel, and the ids of content, orders, campaigns
IDENTIFIER_BYTES: Final = 256  # of one identifier, account key or topic, in UTF-8
FACTS: Final = 64  # in `contact` and `organisation` together

DEFAULT_TENANT: Final = "default"
DEFAULT_NAMESPACE: Final = "default"  # of orders: shop and ERP telling of one order tell of one order
CUSTOM: Final = "custom"  # what an unknown type becomes

# Each type and who acts by default.
TYPES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            # website
            "page_viewed", "product_viewed", "price_viewed", "site_searched", "content_downloaded",
            "faq_viewed", "howto_viewed", "cart_updated", "form_submitted",
            # the concrete start
            "catalogue_requested", "sample_requested", "quote_requested", "demo_requested", "call_requested",
            "account_registered",
            # mail and offers
            "email_opened", "email_clicked", "offer_viewed", "offer_clicked", "ad_clicked", "unsubscribed",
            # trade
            "order_placed", "order_cancelled", "order_returned", "subscription_started", "subscription_ended",
            # use and service
            "trial_started", "app_used", "support_contacted", "review_posted", "survey_answered",
            # people
            "event_attended", "meeting_held", "call_held",
            # only facts
            "identified", "profile_updated", "consent_given", "consent_withdrawn",
            CUSTOM,
        ),
        "person",
    ),
    "email_sent": "us",
    "email_bounced": "machine",
}  # fmt: skip

# Types that are no touch: they only tell facts.
FACT_TYPES: Final = frozenset({"identified", "profile_updated", "consent_given", "consent_withdrawn"})


class RefusedError(Exception):
    """A message that is not accepted: why (one of `deadletter.REASONS`), which field, what to do about it."""

    def __init__(self, reason: str, field: str, error: str) -> None:
        super().__init__(f"{field}: {error}" if field else error)
        self.reason = reason
        self.field = field
        self.error = str(self)


class _Says:
    """One sentence for whatever is wrong with a value, instead of one error per member of a union."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="says", custom_error_message=self.sentence
        )


_AMOUNT = r"^-?[0-9]{1,15}(\.[0-9]{1,20})?$"
_LIMIT = 10**15  # amounts and quantities stay below it

Text = Annotated[str | None, _Says("must be text")]
Label = Annotated[str | int | float | None, _Says("must be text or a number")]
Key = Annotated[str | int | float | bool | None, _Says("must be text or a number")]  # true, false: worthless
Amount = Annotated[
    Annotated[int, Field(gt=-_LIMIT, lt=_LIMIT)]
    | Annotated[float, Field(gt=-_LIMIT, lt=_LIMIT)]
    | Annotated[str, Field(pattern=_AMOUNT)]
    | None,
    _Says("must be a number below 10^15, or one as text with a decimal point, e.g. 1234.56"),
]
Facts = Annotated[dict[str, Any] | None, _Says("must be an object")]
Terms = Annotated[list[str] | str | None, _Says("must be text or a list of texts")]
Permission = Annotated[bool | None, _Says("must be true or false")]
Actor = Annotated[Literal["person", "machine", "us"] | None, _Says("must be person, machine or us")]

_open = with_config(ConfigDict(extra="allow", strict=True))  # unknown fields stay in the object


@_open
class Identifiers(TypedDict, total=False):
    """Who it was, strongest first. A key counts as present whatever its value."""

    contact_id: Annotated[Key, Field(description="id of the person in the CRM")]
    user_id: Annotated[Key, Field(description="login")]
    email: Key
    phone: Annotated[Key, Field(description="with country code, else Dutch")]
    anonymous_id: Annotated[Key, Field(description="cookie")]
    device_id: Key


@_open
class Account(TypedDict, total=False):
    """The firm, by its keys, strongest first; `name` is no key."""

    account_id: Annotated[Key, Field(description="id of the firm in the CRM")]
    customer_number: Annotated[Key, Field(description="in the ERP")]
    vat_number: Key
    domain: Annotated[Key, Field(description="mail domain")]
    name: Label


@_open
class Content(TypedDict, total=False):
    """What was looked at."""

    url: Text
    title: Text
    topic: Text
    search_terms: Terms
    content_id: Label


@_open
class OrderLine(TypedDict, total=False):
    """One line of an order; `value` is the line total."""

    sku: Label
    product_family: Label
    brand: Label
    quantity: Amount
    value: Amount


@_open
class Commerce(TypedDict, total=False):
    """The order; `value` is net."""

    order_id: Label
    order_namespace: Label
    value: Amount
    currency: Text
    lines: list[OrderLine] | None
    return_reason: Label
    promotion: Label


@_open
class Campaign(TypedDict, total=False):
    """What brought it about."""

    campaign_id: Label
    name: Label
    medium: Label
    source: Label


@_open
class Consent(TypedDict, total=False):
    """Purpose: given or withdrawn; `marketing` is `email` and `phone`."""

    email: Permission
    phone: Permission
    profiling: Permission
    marketing: Permission


@_open
class Touchpoint(TypedDict):
    """One touchpoint. Unknown fields are kept, as they came."""

    event_id: Annotated[str, Field(description="unique per tenant and source")]
    type: Annotated[str, Field(description="an unknown one is kept as `custom`")]
    occurred_at: Annotated[
        str, Field(description="RFC 3339 with an offset", examples=["2025-02-03T08:12:04Z"])
    ]
    source: Annotated[str, Field(description="the system it came from")]
    tenant: NotRequired[Text]
    channel: NotRequired[Text]
    actor: NotRequired[Actor]
    identifiers: NotRequired[Identifiers | None]
    account: NotRequired[Account | None]
    contact: NotRequired[Facts]
    organisation: NotRequired[Facts]
    content: NotRequired[Content | None]
    commerce: NotRequired[Commerce | None]
    campaign: NotRequired[Campaign | None]
    consent: NotRequired[Consent | None]


ADAPTER: Final[TypeAdapter[Touchpoint]] = TypeAdapter(Touchpoint)
_validate: Final = ADAPTER.validator.validate_json  # looked up once: it runs for every event

REQUIRED: Final = ("event_id", "type", "occurred_at", "source")
_BOM: Final = b"\xef\xbb\xbf"
_SAYS: Final = {
    "string_type": "must be text",
    "dict_type": "must be an object",
    "list_type": "must be a list",
}


def parse(value: bytes) -> Touchpoint:
    """The touchpoint in `value` (UTF-8 JSON); raises RefusedError.

    Of a key that occurs twice in an object the last counts, as JSON readers have it; a byte order mark is
    skipped.

    >>> text = b'{"event_id":"1","type":"page_viewed","occurred_at":"2025-02-03T08:12:04Z","source":"web"}'
    >>> parse(text)["type"]
    'page_viewed'
    >>> parse(b'{"event_id":"1","type":"page_viewed","occurred_at":"2025-02-03T08:12:04Z"}')
    Traceback (most recent call last):
    schemas.touchpoint.RefusedError: source: is required and missing
    """
    if len(value) > EVENT_BYTES:
        raise RefusedError("too_large", "", f"the event has {len(value)} bytes, {EVENT_BYTES} are allowed")
    if value.startswith(_BOM):
        value = value[len(_BOM) :]
    try:
        event: Touchpoint = _validate(value)
    except ValidationError as error:
        raise _refused(error.errors(include_url=False, include_context=False)) from None
    if b"NaN" in value or b"Infinity" in value:  # as numbers the reader takes them; JSON has no such thing
        _check_numbers(value)
    return event


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


def _refused(errors: Sequence[ErrorDetails]) -> RefusedError:
    """The first error decides; the fields of the others are named, so that one look shows all."""
    refusal = _one(errors[0])
    others = dict.fromkeys(_path(error["loc"]) for error in errors[1:6])
    if others:
        refusal.error += f" (also wrong: {', '.join(others)})"
    return refusal


def _one(error: ErrorDetails) -> RefusedError:
    kind, loc, value = error["type"], error["loc"], error["input"]
    if kind == "json_invalid":
        return _unreadable(error["msg"].removeprefix("Invalid JSON: "))
    if not loc:
        return RefusedError("not_an_object", "", f"the message is {show(value)}; send one JSON object")
    field = _path(loc)
    if kind == "missing":
        return RefusedError("missing_field", field, "is required and missing")
    if value is None and field in REQUIRED:
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
