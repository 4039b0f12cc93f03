"""From an input event to a touch: defaults, one spelling of everything, hard caps, what counts as present."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from schemas.identifiers import Identified, identify
from schemas.internal import (
    ACCOUNT_KINDS,
    CRM,
    ERP,
    MACHINE,
    OTHER,
    PERSON,
    STEWARD,
    STRONG_KINDS,
    US,
    WEAK_KINDS,
    Line,
    Touch,
)
from schemas.times import from_rfc3339
from schemas.touchpoint import (
    CUSTOM,
    DEFAULT_NAMESPACE,
    FACTS,
    ID_BYTES,
    IDENTIFIER_BYTES,
    TYPES,
    Campaign,
    Commerce,
    Consent,
    Content,
    OrderLine,
    RefusedError,
    Touchpoint,
    show,
)

EARLIEST_MS: Final = from_rfc3339("2000-01-01T00:00:00Z")
AHEAD_MS: Final = 48 * 3_600_000  # an event may lie this far after its record's Kafka timestamp

Object = Mapping[str, Any]  # a JSON object
Extra = dict[str, Any]  # unknown fields; those of an inner object stand under its name

_RANKS: Final = {"steward": STEWARD, "crm": CRM, "erp": ERP}
_ACTORS: Final = {"person": PERSON, "machine": MACHINE, "us": US}
_NOBODY: Final = Identified("", "")
_LONGEST_NUMBER: Final = 10**IDENTIFIER_BYTES

_EVENT_FIELDS: Final = Touchpoint.__required_keys__ | Touchpoint.__optional_keys__
_IDENTIFIER_FIELDS: Final = frozenset((*STRONG_KINDS, *WEAK_KINDS))
_ACCOUNT_FIELDS: Final = frozenset((*ACCOUNT_KINDS, "name"))


@dataclass(slots=True)
class Keys:
    """The identifiers and account keys of one event, normalised, strongest first."""

    strong: list[str] = field(default_factory=list)
    weak: list[str] = field(default_factory=list)
    account: list[str] = field(default_factory=list)  # those inside the event's `account`
    mailbox: str = ""  # `domain:…` of the firm whose role mailbox is on the event
    unused: Extra = field(default_factory=dict)  # values that identify nobody, as they came


def rank_of(source: str) -> int:
    """The trust rank of a source.

    >>> rank_of("CRM") == CRM, rank_of("web") == OTHER
    (True, True)
    """
    return _RANKS.get(source.lower(), OTHER)


def moment(text: str, latest: int) -> int:
    """`occurred_at` in ms; RefusedError unless it is a time with an offset from 2000-01-01 to `latest`."""
    try:
        at = from_rfc3339(text.upper())  # RFC 3339 allows t and z
    except (ValueError, OverflowError):
        raise RefusedError("bad_time", "occurred_at", _why_no_time(text)) from None
    if at < EARLIEST_MS:
        raise RefusedError("bad_time", "occurred_at", f"{show(text)} is before 2000-01-01")
    if at > latest:
        raise RefusedError(
            "bad_time", "occurred_at", f"{show(text)} is over 48 h after the record's Kafka time"
        )
    return at


def _why_no_time(text: str) -> str:
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return f"{show(text)} is no time; send RFC 3339 with an offset, e.g. 2025-02-03T08:12:04Z"
    return f"{show(text)} has no offset; send e.g. 2025-02-03T08:12:04Z or 2025-02-03T09:12:04+01:00"


def keys(event: Touchpoint) -> Keys:
    """What the event says about who and which firm it was; RefusedError where no key is present at all."""
    found = Keys()
    person = cast(Object, event.get("identifiers") or {})
    firm = cast(Object, event.get("account") or {})
    present = 0
    for kind in STRONG_KINDS:
        if kind in person:
            present += 1
            identifier, places = _identified("identifiers", kind, person[kind], found.unused)
            if identifier:
                found.strong.append(identifier)
            elif places:
                found.mailbox = places
    for kind in WEAK_KINDS:
        if kind in person:
            present += 1
            if identifier := _identified("identifiers", kind, person[kind], found.unused).identifier:
                found.weak.append(identifier)
    if firm:
        for kind in ACCOUNT_KINDS:
            if kind in firm:
                present += 1
                if key := _identified("account", kind, firm[kind], found.unused).identifier:
                    found.account.append(key)
    if not present:
        kinds = ", ".join((*STRONG_KINDS, *WEAK_KINDS))
        wanted = f"identifiers ({kinds}) or account keys ({', '.join(ACCOUNT_KINDS)})"
        raise RefusedError("no_identifier", "identifiers", f"send at least one of the {wanted}")
    _keep_unknown("identifiers", person, _IDENTIFIER_FIELDS, found.unused)
    _keep_unknown("account", firm, _ACCOUNT_FIELDS, found.unused)
    return found


def _identified(where: str, kind: str, value: str | float | bool | None, unused: Extra) -> Identified:
    if value is None:
        return _NOBODY
    found = _NOBODY
    if value is not True and value is not False:
        text = value if isinstance(value, str) else _number(value, f"{where}.{kind}")
        _check(text, f"{where}.{kind}", IDENTIFIER_BYTES)
        found = identify(kind, text)
    if not found.identifier:
        unused.setdefault(where, {})[kind] = value
    return found


def touch(event: Touchpoint, found: Keys, tenant: str, source: str, at: int) -> Touch:
    """The touch that `event` tells of; its `digest` is still 0. RefusedError where a hard cap is exceeded."""
    strong, weak = found.strong, found.weak
    account = found.account[0] if found.account else found.mailbox
    extra = found.unused
    if not event.keys() <= _EVENT_FIELDS:
        extra |= {key: value for key, value in event.items() if key not in _EVENT_FIELDS}
    name = required(event["type"], "type")
    known = name in TYPES
    content, commerce = event.get("content"), event.get("commerce")
    campaign, consent = event.get("campaign"), event.get("consent")
    contact, organisation = _facts(event)
    _check(event["event_id"], "event_id", ID_BYTES)
    return Touch(
        tenant=tenant,
        source=source,
        event_id=event["event_id"],
        type=name if known else CUSTOM,
        type_name="" if known else name,
        occurred_at=at,
        digest=0,
        identifier=strong[0] if strong else weak[0] if weak else account,
        account=account,
        strong=strong,
        weak=weak,
        actor=_ACTORS[event.get("actor") or TYPES.get(name, "person")],
        channel=label(event.get("channel"), "channel", ID_BYTES) or source,
        rank=rank_of(source),
        content=_content(content, extra) if content else {},
        commerce=_commerce(commerce, extra) if commerce else {},
        lines=_lines(commerce, extra) if commerce else [],
        campaign=_campaign(campaign, extra) if campaign else {},
        contact=contact,
        organisation=organisation,
        consent=_consent(consent, extra) if consent else {},
        extra=extra,
    )


def required(text: str, name: str) -> str:
    """A required label, trimmed; RefusedError where it is blank or too long."""
    text = text.strip()
    if not text:
        raise RefusedError("missing_field", name, "is required and empty")
    _check(text, name, ID_BYTES)
    return text


def label(value: str | float | None, name: str, cap: int | None = None) -> str:
    """Text or a number as trimmed text of at most `cap` bytes; empty where there is none."""
    if value is None:
        return ""
    text = value.strip() if isinstance(value, str) else _number(value, name)
    if cap is not None:
        _check(text, name, cap)
    return text


def amount(value: str | float | None) -> str:
    """A decimal as text, in one spelling; empty where there is none.

    >>> amount(4850.0), amount("12.50"), amount(1e-7), amount(-0.0)
    ('4850', '12.5', '0.0000001', '0')
    """
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(value if isinstance(value, str) else repr(value)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(value: float, name: str) -> str:
    if isinstance(value, int):
        if abs(value) >= _LONGEST_NUMBER:  # also keeps Python from refusing to write it
            raise RefusedError("too_large", name, f"a number of more than {IDENTIFIER_BYTES} digits")
        return str(value)
    if not math.isfinite(value):
        raise RefusedError("wrong_type", name, "the number is out of range; send it as text")
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _check(text: str, name: str, cap: int) -> None:
    if len(text) > cap or (not text.isascii() and len(text.encode()) > cap):
        raise RefusedError("too_large", name, f"has more than {cap} bytes: {show(text)}")


def _keep_unknown(name: str, given: Object, known: frozenset[str], extra: Extra) -> None:
    if not given.keys() <= known:
        extra.setdefault(name, {}).update((key, given[key]) for key in given if key not in known)


def _facts(event: Touchpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """About the person and about the firm. A null says nothing."""
    contact, organisation, firm = event.get("contact"), event.get("organisation"), event.get("account")
    about_person = {k: v for k, v in contact.items() if v is not None} if contact else {}
    about_firm = {k: v for k, v in organisation.items() if v is not None} if organisation else {}
    if len(about_person) + len(about_firm) > FACTS:
        longer = "contact" if len(about_person) >= len(about_firm) else "organisation"
        count = len(about_person) + len(about_firm)
        raise RefusedError("too_large", longer, f"{count} facts on one event, {FACTS} are allowed")
    if firm and (name := label(firm.get("name"), "account.name")):
        about_firm["name"] = name
    return about_person, about_firm


_CONTENT_FIELDS: Final = Content.__optional_keys__
_COMMERCE_FIELDS: Final = Commerce.__optional_keys__
_LINE_FIELDS: Final = OrderLine.__optional_keys__
_CAMPAIGN_FIELDS: Final = Campaign.__optional_keys__
_CONSENT_FIELDS: Final = Consent.__optional_keys__


def _content(given: Content, extra: Extra) -> dict[str, Any]:
    terms = given.get("search_terms")
    content = {
        "url": given.get("url"),
        "title": given.get("title"),
        "topic": label(given.get("topic"), "content.topic", IDENTIFIER_BYTES),
        "search_terms": [terms] if isinstance(terms, str) else terms,
        "content_id": label(given.get("content_id"), "content.content_id", ID_BYTES),
    }
    _keep_unknown("content", cast(Object, given), _CONTENT_FIELDS, extra)
    return {name: value for name, value in content.items() if value}


def _commerce(given: Commerce, extra: Extra) -> dict[str, Any]:
    order = label(given.get("order_id"), "commerce.order_id", ID_BYTES)
    namespace = label(given.get("order_namespace"), "commerce.order_namespace", ID_BYTES)
    commerce = {
        "order_id": order,
        "order_namespace": (namespace or DEFAULT_NAMESPACE) if order else namespace,
        "value": amount(given.get("value")),
        "currency": label(given.get("currency"), "commerce.currency", ID_BYTES).upper(),
        "return_reason": label(given.get("return_reason"), "commerce.return_reason"),
        "promotion": label(given.get("promotion"), "commerce.promotion"),
    }
    _keep_unknown("commerce", cast(Object, given), _COMMERCE_FIELDS, extra)
    return {name: value for name, value in commerce.items() if value}


def _lines(given: Commerce, extra: Extra) -> list[Line]:
    lines = given.get("lines") or []
    unknown = [{k: v for k, v in line.items() if k not in _LINE_FIELDS} for line in lines]
    if any(unknown):
        extra.setdefault("commerce", {})["lines"] = unknown
    return [
        Line(
            sku=label(line.get("sku"), f"commerce.lines[{n}].sku", ID_BYTES),
            product_family=label(line.get("product_family"), "commerce.lines"),
            brand=label(line.get("brand"), "commerce.lines"),
            quantity=amount(line.get("quantity")),
            value=amount(line.get("value")),
        )
        for n, line in enumerate(lines)
    ]


def _campaign(given: Campaign, extra: Extra) -> dict[str, str]:
    campaign = {
        "campaign_id": label(given.get("campaign_id"), "campaign.campaign_id", ID_BYTES),
        "name": label(given.get("name"), "campaign.name"),
        "medium": label(given.get("medium"), "campaign.medium"),
        "source": label(given.get("source"), "campaign.source"),
    }
    _keep_unknown("campaign", cast(Object, given), _CAMPAIGN_FIELDS, extra)
    return {name: value for name, value in campaign.items() if value}


def _consent(given: Consent, extra: Extra) -> dict[str, bool]:
    """Per purpose; one that is named itself counts, `marketing` for those that are not."""
    _keep_unknown("consent", cast(Object, given), _CONSENT_FIELDS, extra)
    marketing = given.get("marketing")
    consent = {
        "email": marketing if given.get("email") is None else given.get("email"),
        "phone": marketing if given.get("phone") is None else given.get("phone"),
        "profiling": given.get("profiling"),
    }
    return {purpose: said for purpose, said in consent.items() if said is not None}
