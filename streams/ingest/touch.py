"""From an input event to a touch: defaults, one spelling of everything, hard caps, what counts as present."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, cast

from schemas.identifiers import NOBODY, Identified, email
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
from schemas.message import ID_BYTES, IDENTIFIER_BYTES, RefusedError
from schemas.touchpoint import (
    CUSTOM,
    DEFAULT_NAMESPACE,
    FACTS,
    TYPES,
    Campaign,
    Commerce,
    Consent,
    Content,
    OrderLine,
    Touchpoint,
)
from streams.ingest.values import Spelling, check, label, required

Object = Mapping[str, Any]  # a JSON object
Extra = dict[str, Any]  # unknown fields; those of an inner object stand under its name

_RANKS: Final = {"steward": STEWARD, "crm": CRM, "erp": ERP}
_ACTORS: Final = {"person": PERSON, "machine": MACHINE, "us": US}

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
    address: str = ""  # that mailbox
    unused: Extra = field(default_factory=dict)  # values that identify nobody, as they came


def rank_of(source: str) -> int:
    """The trust rank of a source.

    >>> rank_of("CRM") == CRM, rank_of("web") == OTHER
    (True, True)
    """
    return _RANKS.get(source.lower(), OTHER)


def keys(event: Touchpoint, spelling: Spelling) -> Keys:
    """What the event says about who and which firm it was; RefusedError where no key is present at all."""
    found = Keys()
    person = cast(Object, event.get("identifiers") or {})
    firm = cast(Object, event.get("account") or {})
    present = 0
    for kind in STRONG_KINDS:
        if kind in person:
            present += 1
            identifier, places = _identified("identifiers", kind, person[kind], spelling, found.unused)
            if identifier:
                found.strong.append(identifier)
            elif places:
                found.mailbox = places
                found.address = email(str(person[kind])) or ""
    for kind in WEAK_KINDS:
        if kind in person:
            present += 1
            if identifier := _identified(
                "identifiers", kind, person[kind], spelling, found.unused
            ).identifier:
                found.weak.append(identifier)
    if firm:
        for kind in ACCOUNT_KINDS:
            if kind in firm:
                present += 1
                if key := _identified("account", kind, firm[kind], spelling, found.unused).identifier:
                    found.account.append(key)
    if not present:
        kinds = ", ".join((*STRONG_KINDS, *WEAK_KINDS))
        wanted = f"identifiers ({kinds}) or account keys ({', '.join(ACCOUNT_KINDS)})"
        raise RefusedError("no_identifier", "identifiers", f"send at least one of the {wanted}")
    _keep_unknown("identifiers", person, _IDENTIFIER_FIELDS, found.unused)
    _keep_unknown("account", firm, _ACCOUNT_FIELDS, found.unused)
    return found


def _identified(
    where: str, kind: str, value: str | float | bool | None, spelling: Spelling, unused: Extra
) -> Identified:
    if value is None:
        return NOBODY
    found = spelling.identified(f"{where}.{kind}", kind, value)
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
    campaign = event.get("campaign")
    contact, organisation = _facts(event)
    check(event["event_id"], "event_id", ID_BYTES)
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
        consent=_consent(name, event.get("consent") or {}, extra),
        extra=extra,
    )


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
# What an event of this type refuses where it names no purpose.
_REFUSED: Final = {"consent_withdrawn": ("email", "phone", "profiling"), "unsubscribed": ("email",)}


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


def _consent(type_name: str, given: Consent, extra: Extra) -> dict[str, bool]:
    """Per purpose; one that is named itself counts, `marketing` for those that are not.

    A refusal that names no purpose is never nothing: it is everything that its type can mean.
    """
    if all(said is None for said in given.values()):
        return dict.fromkeys(_REFUSED.get(type_name, ()), False)
    _keep_unknown("consent", cast(Object, given), _CONSENT_FIELDS, extra)
    marketing = given.get("marketing")
    consent = {
        "email": marketing if given.get("email") is None else given.get("email"),
        "phone": marketing if given.get("phone") is None else given.get("phone"),
        "profiling": given.get("profiling"),
    }
    return {purpose: said for purpose, said in consent.items() if said is not None}
