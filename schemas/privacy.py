"""Privacy requests (JSON on `privacy-requests`) and the public answer to them (JSON on `privacy-results`)."""

from typing import Annotated, Final, Literal, NotRequired

import msgspec
from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.events import SCHEMA_VERSION, Headers, cloud_events
from schemas.internal import STRONG_KINDS, WEAK_KINDS
from schemas.message import EventId, Key, OccurredAt, Says, Text, reader, unknown_kept

KINDS: Final = (*STRONG_KINDS, *WEAK_KINDS, "journeys_contact_id")  # by which a person can be named

Values = Annotated[Key | list[Key], Says("must be text or a number, or a list of these")]


@unknown_kept
class PrivacyRequest(TypedDict):
    """The wish of one person. Everything up to its time is meant. Unknown fields say nothing."""

    event_id: EventId
    occurred_at: OccurredAt
    request: Annotated[Literal["erase", "export"], Says("must be erase or export")]
    identifiers: Annotated[
        dict[str, Values],
        Says('must be an object, e.g. {"email": "jane@acme.nl"}'),
        Field(description=f"at least one of {', '.join(KINDS)}: a value, or a list of values"),
    ]
    tenant: NotRequired[Text]


ADAPTER: Final[TypeAdapter[PrivacyRequest]] = TypeAdapter(PrivacyRequest)

_read: Final = reader(ADAPTER, ("event_id", "occurred_at", "request", "identifiers"))


def parse(value: bytes) -> PrivacyRequest:
    """The request in `value` (UTF-8 JSON); raises RefusedError.

    >>> parse(b'{"event_id":"1","occurred_at":"2025-02-03T08:12:04Z","request":"erase"}')
    Traceback (most recent call last):
    schemas.message.RefusedError: identifiers: is required and missing
    """
    return _read(value)


class PrivacyResult(msgspec.Struct):
    """What a request came to.

    Of one request (`subject`) the highest `version` holds: evidence that arrives late may have more to erase.
    """

    id: str
    type: str  # privacy_result
    tenant: str
    subject: str  # event_id of the request
    occurred_at: str  # its time: everything up to then is meant
    emitted_at: str
    version: tuple[int, int, int]
    request: str  # erase, export
    result: str  # done; not_found: nothing is known of it, the request is kept
    counts: dict[str, int]  # identifiers, devices
    contact_ids: list[str]  # that it was about
    caused_by: list[str]  # event_id of the request
    schema_version: int = SCHEMA_VERSION


def headers(result: PrivacyResult) -> Headers:
    """The Kafka headers of an answer."""
    return cloud_events(result, "identity", "privacy-result")
