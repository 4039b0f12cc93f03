"""The input event: one touchpoint as a JSON object on the topic `touchpoints`.

`parse` reads one message; what cannot be read raises `RefusedError`, whose reason, field and error a data
engineer can act on. Rules that need more than the text (the record's time, who may name which tenant)
are INGEST's. `docs/events.md` tells it all with examples.
"""

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.message import Key, Label, Says, Text, reader, unknown_kept

FACTS: Final = 64  # in `contact` and `organisation` together

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


_AMOUNT = r"^-?[0-9]{1,15}(\.[0-9]{1,20})?$"
_LIMIT = 10**15  # amounts and quantities stay below it

Amount = Annotated[
    Annotated[int, Field(gt=-_LIMIT, lt=_LIMIT)]
    | Annotated[float, Field(gt=-_LIMIT, lt=_LIMIT)]
    | Annotated[str, Field(pattern=_AMOUNT)]
    | None,
    Says("must be a number below 10^15, or one as text with a decimal point, e.g. 1234.56"),
]
Facts = Annotated[dict[str, Any] | None, Says("must be an object")]
Terms = Annotated[list[str] | str | None, Says("must be text or a list of texts")]
Permission = Annotated[bool | None, Says("must be true or false")]
Actor = Annotated[Literal["person", "machine", "us"] | None, Says("must be person, machine or us")]


@unknown_kept
class Identifiers(TypedDict, total=False):
    """Who it was, strongest first. A key counts as present whatever its value."""

    contact_id: Annotated[Key, Field(description="id of the person in the CRM")]
    user_id: Annotated[Key, Field(description="login")]
    email: Key
    phone: Annotated[Key, Field(description="with country code, else Dutch")]
    anonymous_id: Annotated[Key, Field(description="cookie")]
    device_id: Key


@unknown_kept
class Account(TypedDict, total=False):
    """The firm, by its keys, strongest first; `name` is no key."""

    account_id: Annotated[Key, Field(description="id of the firm in the CRM")]
    customer_number: Annotated[Key, Field(description="in the ERP")]
    vat_number: Key
    domain: Annotated[Key, Field(description="mail domain")]
    name: Label


@unknown_kept
class NamedPerson(Identifiers, total=False):
    """One person, by any key."""

    journeys_contact_id: Annotated[Key, Field(description="id that we gave out, also a former one")]


@unknown_kept
class NamedAccount(Account, total=False):
    """One account, by any key."""

    journeys_account_id: Annotated[Key, Field(description="id that we gave out, also a former one")]


@unknown_kept
class Content(TypedDict, total=False):
    """What was looked at."""

    url: Text
    title: Text
    topic: Text
    search_terms: Terms
    content_id: Label


@unknown_kept
class OrderLine(TypedDict, total=False):
    """One line of an order; `value` is the line total."""

    sku: Label
    product_family: Label
    brand: Label
    quantity: Amount
    value: Amount


@unknown_kept
class Commerce(TypedDict, total=False):
    """The order; `value` is net."""

    order_id: Label
    order_namespace: Label
    value: Amount
    currency: Text
    lines: list[OrderLine] | None
    return_reason: Label
    promotion: Label


@unknown_kept
class Campaign(TypedDict, total=False):
    """What brought it about."""

    campaign_id: Label
    name: Label
    medium: Label
    source: Label


@unknown_kept
class Consent(TypedDict, total=False):
    """Purpose: given or withdrawn; `marketing` is `email` and `phone`."""

    email: Permission
    phone: Permission
    profiling: Permission
    marketing: Permission


@unknown_kept
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

REQUIRED: Final = ("event_id", "type", "occurred_at", "source")

_read: Final = reader(ADAPTER, REQUIRED)


def parse(value: bytes) -> Touchpoint:
    """The touchpoint in `value` (UTF-8 JSON); raises RefusedError.

    >>> text = b'{"event_id":"1","type":"page_viewed","occurred_at":"2025-02-03T08:12:04Z","source":"web"}'
    >>> parse(text)["type"]
    'page_viewed'
    >>> parse(b'{"event_id":"1","type":"page_viewed","occurred_at":"2025-02-03T08:12:04Z"}')
    Traceback (most recent call last):
    schemas.message.RefusedError: source: is required and missing
    """
    return _read(value)
