"""What became of a lead: one outcome as a JSON object on `lead-outcomes`.

`parse` reads one message as `touchpoint.parse` does; `docs/events.md` tells it all with examples.
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.message import By, EventId, OccurredAt, Says, Text, reader, unknown_kept
from schemas.touchpoint import Amount, NamedAccount

Kind = Annotated[
    Literal["accepted", "rejected", "working", "won", "lost", "recycled"],
    Says("must be accepted, rejected, working, won, lost or recycled"),
]
Code = Annotated[
    Literal[
        "no_budget",
        "no_need",
        "bad_timing",
        "competitor",
        "wrong_person",
        "duplicate",
        "already_customer",
        "not_our_market",
        "other",
    ]
    | None,
    Says(
        "must be no_budget, no_need, bad_timing, competitor, wrong_person, duplicate, already_customer,"
        " not_our_market or other"
    ),
]


@unknown_kept
class LeadOutcome(TypedDict):
    """What sales says of a hand-off. It names the hand-off or the account. Unknown fields say nothing."""

    event_id: EventId
    occurred_at: OccurredAt
    outcome: Kind
    handoff_id: NotRequired[Annotated[Text, Field(description="the hand-off; this or `account` is required")]]
    account: NotRequired[NamedAccount | None]
    reason: NotRequired[Annotated[Text, Field(description="in words; name nobody here")]]
    reason_code: NotRequired[Code]
    value: NotRequired[Annotated[Amount, Field(description="net")]]
    currency: NotRequired[Annotated[Text, Field(description="ISO 4217", examples=["EUR"])]]
    by: NotRequired[By]
    tenant: NotRequired[Text]


ADAPTER: Final[TypeAdapter[LeadOutcome]] = TypeAdapter(LeadOutcome)

_read: Final = reader(ADAPTER, ("event_id", "occurred_at", "outcome"))


def parse(value: bytes) -> LeadOutcome:
    """The outcome in `value` (UTF-8 JSON); raises RefusedError.

    >>> parse(b'{"event_id":"1","occurred_at":"2025-02-03T08:12:04Z","outcome":"maybe"}')
    Traceback (most recent call last):
    schemas.message.RefusedError: outcome: 'maybe' must be accepted, rejected, working, won, lost or recycled
    """
    return _read(value)
