"""The public `identity-map`: which contact and which account an identifier belongs to, per span of time."""

import msgspec


class Span(msgspec.Struct, frozen=True):
    """From `since` on (JSON `from`; None: since ever) until the next span. None: nobody, no account."""

    since: str | None = msgspec.field(name="from")  # RFC 3339 in UTC
    contact_id: str | None = None
    account_id: str | None = None


class MapRow(msgspec.Struct):
    """One row per identifier; of several the highest `version` holds.

    `accounts` resolves every account key that touches of the identifier name: account key -> account id.
    """

    tenant: str
    identifier: str  # kind:value
    version: tuple[int, int, int]  # generation, epoch, seq
    spans: list[Span]
    accounts: dict[str, str] = {}
