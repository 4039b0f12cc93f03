"""What people say of identities: one statement about a pair as a JSON object on `identity-assertions`.

`parse` reads one message as `touchpoint.parse` does. Which pairs there may be is INGEST's to say;
`docs/events.md` tells it all with examples.
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.internal import ACCOUNT_KINDS, ISSUED_KINDS, STRONG_KINDS, WEAK_KINDS
from schemas.message import EventId, Key, Label, OccurredAt, Says, Text, reader, unknown_kept

DEFAULT_BY: Final = "steward"
KINDS: Final = (*STRONG_KINDS, *WEAK_KINDS, *ACCOUNT_KINDS, *ISSUED_KINDS)  # that can be spoken of

Kind = Annotated[
    Literal["link", "unlink", "cannot_link", "alias", "parent"],
    Says("must be link, unlink, cannot_link, alias or parent"),
]
Named = Annotated[
    dict[str, Key],
    Says('must be an object with one identifier or account key, e.g. {"email": "jane@acme.nl"}'),
    Field(
        json_schema_extra={"propertyNames": {"enum": list(KINDS)}, "minProperties": 1, "maxProperties": 1},
        description="an identifier, an account key, or an id that we gave out: kind and value",
    ),
]


@unknown_kept
class Assertion(TypedDict):
    """Of the statements about one pair the latest stands. Unknown fields say nothing."""

    event_id: EventId
    occurred_at: OccurredAt
    assertion: Annotated[
        Kind, Field(description="alias: two account keys are one account; parent: `a` is a subsidiary of `b`")
    ]
    a: Named
    b: Named
    tenant: NotRequired[Text]
    by: NotRequired[Annotated[Label, Field(description=f"who says so; default {DEFAULT_BY}")]]


ADAPTER: Final[TypeAdapter[Assertion]] = TypeAdapter(Assertion)

_read: Final = reader(ADAPTER, ("event_id", "occurred_at", "assertion", "a", "b"))


def parse(value: bytes) -> Assertion:
    """The statement in `value` (UTF-8 JSON); raises RefusedError.

    >>> parse(b'{"event_id":"1","occurred_at":"2025-02-03T08:12:04Z","assertion":"same","a":{},"b":{}}')
    Traceback (most recent call last):
    schemas.message.RefusedError: assertion: 'same' must be link, unlink, cannot_link, alias or parent
    """
    return _read(value)
