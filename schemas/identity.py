"""The public `identity-map`: which contact and which account an identifier belongs to, per span of time."""

import msgspec


class Span(msgspec.Struct, frozen=True):
    """From `since` on (JSON `from`; None: since ever) until the next span. None: nobody, no account."""

    since: str | None = msgspec.field(name="from")  # RFC 3339 in UTC
    contact_id: str | None = None
    account_id: str | None = None
    placed: bool = (
        False  # no employment holds: the firm of the address on a touch (`MapRow.places`) goes first
    )


class Period(msgspec.Struct, frozen=True):
    """From `since` on (JSON `from`; None: since ever) to before `until` (None: without end)."""

    since: str | None = msgspec.field(name="from")
    until: str | None = None


class MapRow(msgspec.Struct, omit_defaults=True):
    """One row per identifier, under `key_of(tenant, identifier)`; of several the highest `version` holds.

    `accounts` resolves every account key that touches of the identifier name: account key -> account id;
    `places` the domains of the contact's own firm addresses: where a touch of a stronger identifier carries
    such an address and its span is `placed`, it belongs to that account.
    """

    tenant: str
    identifier: str  # kind:value; `keys.erased_name` of its key where it is erased and nothing later is known
    version: tuple[int, int, int]  # generation, epoch, seq
    spans: list[Span]
    accounts: dict[str, str] = {}
    places: dict[str, str] = {}
    erased: list[Period] = []  # touches of the identifier in these are erased, and refused for ever
    forgotten: dict[
        str, str
    ] = {}  # key (hex) of an erased identifier it was seen with -> until when, included
    every: bool = False  # people spoke of this device: every assertion of an owner counts
