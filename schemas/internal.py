"""Compact messages between the steps (MessagePack arrays; times are integer milliseconds since 1970, UTC).

An identifier or account key is written `kind:value` (`email:jane@acme.nl`, `account_id:001NH`); the kind
has no colon. Trust ranks: 0 steward, 1 crm, 2 erp, 3 all others; the lower the stronger.

Every message is a member of a set or the latest of its key: order, repetition and batch cuts never matter.
"""

from typing import Any

import msgspec

STRONG_KINDS = ("contact_id", "user_id", "email")  # join people, strongest first
WEAK_KINDS = ("phone", "anonymous_id", "device_id")  # owned per span of time, strongest first
ACCOUNT_KINDS = ("account_id", "customer_number", "vat_number", "domain")  # strongest first
ISSUED_KINDS = ("journeys_contact_id", "journeys_account_id")  # ids that we gave out, former ones too

STEWARD, CRM, ERP, OTHER = 0, 1, 2, 3  # trust ranks
PERSON, MACHINE, US = 0, 1, 2  # actors

BARELY = (1 << 62) - 1  # ms, after any time: since when a key is known that is merely mentioned

PER_EMPLOYMENT = ("job_title", "role", "department", "seniority")  # facts about a person in a firm


def kind_of(identifier: str) -> str:
    """The kind of an identifier or account key.

    >>> kind_of("email:jane@acme.nl")
    'email'
    """
    return identifier.partition(":")[0]


class Line(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One order line; `value` is the line total, a decimal as text."""

    sku: str
    product_family: str
    brand: str
    quantity: str
    value: str


class Touch(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="touch"):
    """A validated touchpoint (topic `touchpoints.valid`, keyed by `identifier`; if empty, by event).

    `identifier` is the strongest valid one on the touch, else its strongest account key, else empty
    (unattributed). `digest` is a hash of the canonical content: of two events with one id the least
    (occurred_at, digest) wins.
    """

    tenant: str
    source: str
    event_id: str
    type: str  # one of touchpoint.TYPES; an unknown one is `custom` and its name is in `type_name`
    type_name: str
    occurred_at: int
    digest: int  # unsigned 63 bits
    identifier: str
    account: str  # strongest account key that the touch itself names; empty: none
    strong: list[str]  # all strong identifiers on it, strongest first
    weak: list[str]  # all weak identifiers on it, strongest first
    actor: int
    channel: str
    rank: int
    content: dict[str, Any]  # url, title, topic, search_terms, content_id: those present
    commerce: dict[
        str, Any
    ]  # order_id, order_namespace, value, currency, return_reason, promotion: those present
    lines: list[Line]
    campaign: dict[str, str]
    contact: dict[str, Any]  # facts about the person
    organisation: dict[str, Any]  # facts about the firm, `name` (typed account name) among them
    consent: dict[str, bool]  # purpose: email, phone, profiling
    extra: dict[str, Any]  # unknown fields, as they came


class Owner(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="owner", frozen=True):
    """At `at` the weak identifier was seen with `strong` (topic `touchpoints.valid`, keyed by `weak`)."""

    tenant: str
    weak: str
    strong: str
    at: int


class Told(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="told"):
    """What one message said of an account (topic `touchpoints.valid`, keyed by `account`).

    `keys` are all valid account keys inside its `account` object, strongest first; `facts` its name
    (`name`) and firmographics.
    """

    tenant: str
    account: str
    keys: list[str]
    source: str
    rank: int
    at: int
    facts: dict[str, Any]
    mailbox: str = ""  # role mailbox (`info@acme.nl`) on the message, else empty


class Tick(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="tick", frozen=True):
    """The clock, in band: everything up to `at` that partition `source` of the sender had to say was said.

    `drain` is not 0 when the sender's input is at its end for good: the number of the drain (it rises).
    Topics `touchpoints.valid` and `fragment-snapshots`; every sender's partition ticks every partition.
    """

    source: int
    at: int
    drain: int


class Seen(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="seen", frozen=True):
    """Identifier or account key exists, earliest at `at` (topic `identity-links`, like the four below).

    `BARELY`: only outcomes and commands name it; then it may be the id of an account that we issued, too.
    """

    tenant: str
    identifier: str
    at: int


class Link(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="link", frozen=True):
    """`a` and `b` (a < b; both strong identifiers or both account keys) are the same, said `source`."""

    tenant: str
    a: str
    b: str
    source: str
    rank: int
    at: int


class Owns(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="owns", frozen=True):
    """From `at` on (until the next one) the weak identifier belongs to `strong`."""

    tenant: str
    weak: str
    strong: str
    at: int


class Named(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="named", frozen=True):
    """Touches of `identifier` name account key `account`; the map row of the identifier must resolve it."""

    tenant: str
    identifier: str
    account: str
    at: int


class Employed(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="employed", frozen=True):
    """`source` said at `at` that the person works for `account`; ends the former of (source, contact)."""

    tenant: str
    identifier: str  # strong
    contact: str  # CRM contact_id on the message, else empty
    source: str
    rank: int
    at: int
    account: str


class Profiling(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="profiling", frozen=True):
    """The latest word on the consent to profiling of `identifier`; of equal times the refusal."""

    tenant: str
    identifier: str  # strong or weak
    given: bool
    at: int


class Asserted(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="asserted", frozen=True):
    """What a person says of a pair (topics `identity-links` and, for the views, `touchpoints.valid`).

    `a` and `b` are identifiers, or account keys, or ids that we issued (`ISSUED_KINDS`), as they were named;
    their order counts for `parent`: `a` is the subsidiary of `b`. Of the statements about one pair the one
    with the highest (at, event_id) stands.
    """

    tenant: str
    event_id: str
    assertion: str  # link, unlink, cannot_link, alias, parent
    a: str
    b: str
    at: int
    by: str


class Request(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="request", frozen=True):
    """A privacy request (topic `identity-links`)."""

    tenant: str
    event_id: str
    request: str  # erase, export
    identifiers: list[str]  # identifiers or ids that we issued
    at: int


class Outcome(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="outcome", frozen=True):
    """What became of a hand-off (topic `touchpoints.valid`, keyed by the first of `account`)."""

    tenant: str
    event_id: str
    outcome: str  # accepted, rejected, working, won, lost, recycled
    handoff: str  # id of the hand-off; empty: the account is named alone
    account: list[
        str
    ]  # all valid keys of the account, strongest first; else that of the hand-off; never empty
    reason: str
    reason_code: str
    value: str  # a decimal; empty: none told
    currency: str
    at: int
    by: str


class Command(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="command", frozen=True):
    """What somebody decides about an account (topic `touchpoints.valid`, keyed by the first of `account`).

    What the command does not need is empty. In snapshots `identifiers` are `keys.erased_name` of their keys.
    """

    tenant: str
    event_id: str
    command: str  # assign_role, remove_role, set_owner, assign_segment, close_journey
    account: list[str]  # all valid keys of the account, strongest first; never empty
    identifiers: list[str]  # all valid ones of the person, strongest first
    role: str
    owner: str
    scheme: str
    segment: str
    at: int
    by: str


class Trade(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What an order, its cancellation or its return was worth, as compact as a touch."""

    value: str  # net, a decimal; empty: none told
    currency: str  # ISO 4217; empty: none told
    families: list[str]  # product families of its lines, ascending
    reason: str  # of a return


class Mini(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A compact touch, as fragments and snapshots keep it."""

    at: int
    digest: int
    event_id: str
    source: str
    type: str
    actor: int
    rank: int
    account: str  # account key on the touch, else empty
    topic: str
    content_id: str
    order: str  # namespace and id of the order, else empty
    channel: str
    place: str = ""  # `domain:…` of the firm address on a touch of a stronger identifier, else empty
    trade: Trade | None = None  # of types of trade (order_placed and the like) that tell any of it


class Fact(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One fact: of several the lowest rank, then the latest, then the smallest value (as JSON) is used."""

    rank: int
    at: int
    source: str
    value: Any


Word = tuple[int, bool]  # consent: when (ms), given or refused


class Part(msgspec.Struct, array_like=True, gc=False):
    """The touches of a fragment that belong to one contact (empty: to the account only) in one account.

    `since` and `until` bound the employment they fall in (None: open); they repeat a span of the map.
    `came_from` is the account at which the contact was employed in the span before, where that is another
    one; else empty. Strong identifiers tell it.
    """

    contact: str
    since: int | None
    until: int | None
    touches: list[Mini]
    came_from: str = ""


class Snapshot(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="fragment"):
    """What one fragment contributes to one account (topic `fragment-snapshots`, keyed by account).

    The highest `version` per (account, identifier) holds. No parts and `withdrawn`: nothing any more.
    `facts` are keyed by attribute; of a strong or weak identifier they are about the person and, prefixed
    `organisation.`, about the firm; of an account key about the firm.
    Where the fragment, or a part of it, moved: a withdrawal names the accounts where it is now
    (`successors`), a standing snapshot those it came from (`predecessors`: account id -> version of the
    withdrawal there).
    `erased` are keyed hashes of the ids of events that were erased (`keys.event_key`); nothing may name them.
    The identifier of a fragment that is erased as a whole is `keys.erased_name` of its key. `anew`: all that
    it tells is of then or later (ms; 0: since ever), as what is before is erased.
    `history` are the facts that count per employment (`PER_EMPLOYMENT`), each value that was told; `words` is
    what was said of each purpose of consent, ascending. `outcomes` and `commands` stand in the fragment of
    the account key that they name first. `named`: the key is known by these alone, which is no sign of an
    account. `mailboxes` are the role mailboxes on its touches. `elsewhere`: all touches of the fragment
    are in other accounts.
    """

    tenant: str
    account: str  # our account id
    identifier: str
    version: bytes  # 24 bytes: generation, epoch, seq, big-endian
    withdrawn: bool
    dense: bool
    parts: list[Part]
    facts: dict[str, Fact]
    successors: list[str] = []
    predecessors: dict[str, bytes] = {}
    erased: list[bytes] = []
    anew: int = 0
    history: dict[str, list[Fact]] = {}
    words: dict[str, list[Word]] = {}
    outcomes: list[Outcome] = []
    commands: list[Command] = []
    named: bool = False
    mailboxes: list[str] = []
    elsewhere: bool = False


class AccountRecord(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="record"):
    """What `predecessor` had published, told to `account` (topic `account-records`, keyed by account).

    The answer to the withdrawal of `fragment` (its key) at `version`: the predecessor's ledger if it has
    ceased to exist, else empty: it goes on, and keeps what it said.
    """

    tenant: str
    account: str
    predecessor: str
    fragment: bytes
    version: bytes
    ledger: bytes


class Evidence(msgspec.Struct, array_like=True, gc=False, tag_field="_", tag="evidence", frozen=True):
    """How one link fared (topic `identity-evidence`, keyed by the link; empty value: it is erased).

    The highest `version` per (tenant, a, b, source) holds.
    """

    tenant: str
    a: str  # a < b; both strong identifiers or both account keys
    b: str
    source: str
    rank: int
    at: int  # earliest time at which it was said
    state: str  # held, refused (a limit or a cannot_link), void (an unlink), inert (too many partners)
    reason: str  # in words, for people; empty where it is held
    version: bytes
