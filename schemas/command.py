"""What people decide about an account: one command as a JSON object on `account-commands`.

`parse` reads one message as `touchpoint.parse` does; which fields a command needs is INGEST's to check.
`docs/events.md` tells it all with examples.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.message import By, EventId, Label, OccurredAt, Says, Text, reader, unknown_kept
from schemas.touchpoint import NamedAccount, NamedPerson

# Each command and the fields it needs.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "assign_role": ("identifiers", "role"),
    "remove_role": ("identifiers", "role"),
    "set_owner": ("owner",),
    "assign_segment": ("scheme", "segment"),
    "close_journey": (),
}

Kind = Annotated[
    Literal["assign_role", "remove_role", "set_owner", "assign_segment", "close_journey"],
    Says("must be assign_role, remove_role, set_owner, assign_segment or close_journey"),
]
Role = Annotated[
    Literal["initiator", "user", "influencer", "decider", "buyer", "gatekeeper"] | None,
    Says("must be initiator, user, influencer, decider, buyer or gatekeeper"),
]


@unknown_kept
class AccountCommand(TypedDict):
    """What somebody decides about one account. Fields that the command does not need say nothing."""

    event_id: EventId
    occurred_at: OccurredAt
    command: Kind
    account: NamedAccount
    identifiers: NotRequired[
        Annotated[NamedPerson | None, Field(description="of assign_role and remove_role: whose role")]
    ]
    role: NotRequired[Annotated[Role, Field(description="of assign_role and remove_role")]]
    owner: NotRequired[Annotated[Label, Field(description="of set_owner: who of us looks after the account")]]
    scheme: NotRequired[
        Annotated[Label, Field(description="of assign_segment: which division into segments")]
    ]
    segment: NotRequired[Annotated[Label, Field(description="of assign_segment")]]
    by: NotRequired[By]
    tenant: NotRequired[Text]


ADAPTER: Final[TypeAdapter[AccountCommand]] = TypeAdapter(AccountCommand)

_read: Final = reader(ADAPTER, ("event_id", "occurred_at", "command", "account"))


def parse(value: bytes) -> AccountCommand:
    """The command in `value` (UTF-8 JSON); raises RefusedError.

    >>> parse(b'{"event_id":"1","occurred_at":"2025-02-03T08:12:04Z","command":"close_journey"}')
    Traceback (most recent call last):
    schemas.message.RefusedError: account: is required and missing
    """
    return _read(value)
