"""What was said, in short: the set from which the naive oracle tells what follows. Times are in ms."""

from typing import Any, NamedTuple

Event = dict[str, Any]

DAY_MS = 86_400_000
STRONG = ("contact_id", "user_id", "email")
WEAK = ("phone", "anonymous_id", "device_id")
ACCOUNT = ("account_id", "customer_number", "vat_number", "domain")
STRENGTH = {kind: n for n, kind in enumerate((*STRONG, *WEAK, *ACCOUNT))}
RANK = {"steward": 0, "crm": 1, "erp": 2}
FACTS = ("identified", "profile_updated", "consent_given", "consent_withdrawn")
FREE_MAIL = ("gmail.com",)


class Said(NamedTuple):
    """An accepted event; `at` in ms."""

    at: int
    id: str
    source: str
    type: str
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    keys: tuple[str, ...]  # account keys, strongest first
    person: bool  # the actor is one
    topic: str
    order: str
    profiling: bool | None  # what it says of the consent to it
    name: str

    @property
    def fragment(self) -> str:
        """Its strongest identifier, else its strongest account key."""
        return (*self.strong, *self.weak, *self.keys)[0]

    @property
    def rank(self) -> int:
        return RANK.get(self.source, 3)


class Assertion(NamedTuple):
    """What a person says of two identifiers, or of two account keys; `a` < `b`.

    `named`: they are named themselves, not by an id that we issued, so they exist from then on.
    """

    at: int
    id: str
    what: str  # link, unlink, cannot_link; an alias is a link
    a: str
    b: str
    named: bool = True


class Request(NamedTuple):
    """Erase all that belongs together with these identifiers, dated up to `at`."""

    at: int
    id: str
    identifiers: tuple[str, ...]


class Decision(NamedTuple):
    """What sales says became of a hand-off, or what somebody decides about an account.

    `handoff` is an id that it names, empty: none. The account is that of `key`, which exists if it
    is `named` itself, not by the hand-off alone.
    """

    at: int
    id: str
    what: str  # an outcome, or a command
    key: str
    handoff: str
    named: bool


def said(at: int, event: Event) -> Said:
    """An event of `people` in short."""
    given, firm = event.get("identifiers", {}), event.get("account", {})
    consent = event.get("consent", {})
    if not consent and event["type"] == "consent_withdrawn":  # without a purpose: of everything
        consent = {"profiling": False}
    return Said(
        at,
        event["event_id"],
        event["source"],
        event["type"],
        tuple(f"{kind}:{given[kind]}" for kind in STRONG if kind in given),
        tuple(f"{kind}:{given[kind]}" for kind in WEAK if kind in given),
        tuple(f"{kind}:{firm[kind]}" for kind in ACCOUNT if kind in firm),
        event["type"] not in ("email_sent", "email_bounced"),
        event.get("content", {}).get("topic", ""),
        event.get("commerce", {}).get("order_id", ""),
        consent.get("profiling"),
        event.get("contact", {}).get("name", ""),
    )


def kind_of(identifier: str) -> str:
    return identifier.partition(":")[0]


def domain_of(identifier: str) -> str | None:
    """The account key of a firm's address."""
    host = identifier.partition("@")[2]
    return f"domain:{host}" if host and host not in FREE_MAIL else None
