"""The row of a profile fragment: everything that is known of ONE identifier, or of one account key.

Each field is a set, a minimum or the latest version, kept in canonical order: of the same messages in any
order come the same bytes (`left` and `erased` apart, which remember what was sent).
"""

from collections.abc import Callable, Hashable
from typing import Final

import msgspec

from schemas.identity import MapRow
from schemas.internal import (
    ACCOUNT_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Command,
    Fact,
    Mini,
    Outcome,
    kind_of,
)
from schemas.times import DAY_MS, from_rfc3339
from streams.fragments.thinning import Ladder, Level, thin

EXACT_TOUCHES: Final = 1_000  # of one identifier; beyond, it is dense
EXACT_BYTES: Final = 400_000  # so that a row never outgrows a Kafka message; 400 bytes a touch at 1,000
DENSE_TOUCHES: Final = 600
DENSE_BYTES: Final = 60_000
FEW_TOUCHES: Final = 3  # the earliest of a group, beside the last
CLAIMS: Final = 256  # owners of a weak identifier, employments of a strong one
LINKS: Final = 1_000  # that a row remembers
NAMED: Final = 1_000  # account keys that touches name: the smallest as text; IDENTITY caps its own alike
ACCOUNTS_BYTES: Final = 4_000_000  # per actor, of a dense row, for the first and last touches of accounts
PLACES: Final = 16  # firm domains of addresses on its touches: the smallest as text
LEFT: Final = 1_000  # accounts whose snapshot was withdrawn
SAID: Final = 16  # times of messages that were no touch: the latest
ERASED: Final = 1_000  # events that are erased, as keyed hashes: the smallest
FACTS: Final = 64  # attributes
FACT_BYTES: Final = 512  # of one value, as JSON; a longer one is no fact
WORDS: Final = 100  # on consent, of all purposes: so many are kept one by one

TRADE_TYPES: Final = frozenset(
    {"order_placed", "order_cancelled", "order_returned", "subscription_started", "subscription_ended"}
)

HOUR_MS: Final = 3_600_000
MONTH_MS: Final = 30 * DAY_MS  # buckets nest: each lies in one of the next size
YEAR_MS: Final = 12 * MONTH_MS
EVER_MS: Final = 1_000 * YEAR_MS

Claim = tuple[int, str, str, int]  # at, value (a strong identifier, an account key), source, rank
Said = tuple[int, str, bool]  # a word on consent: at, purpose, given
LinkKey = tuple[str, str, str, int]  # a, b, source, rank
LinkRow = tuple[str, str, str, int, int, int]  # the same, earliest at, latest at
PeriodRow = tuple[int | None, int | None]  # from (ms; None: since ever) to before (None: without end)


class SpanRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """From `since` (ms; None: since ever) until the next span."""

    since: int | None
    contact: str | None
    account: str | None
    placed: bool = False  # the firm of the address on a touch goes first


class MapState(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What IDENTITY last said of the identifier."""

    version: tuple[int, int, int]
    spans: list[SpanRow]
    accounts: dict[str, str]
    places: dict[str, str] = {}  # domains of the contact's own firm addresses -> account id
    erased: list[PeriodRow] = []
    forgotten: dict[str, int] = {}  # key (hex) of an erased identifier -> until when (ms), included
    every: bool = False  # people spoke of this device: all its owners are stated


class Left(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An account whose snapshot was withdrawn."""

    account: str
    version: bytes  # of the withdrawal; empty: a session that had lost the partition made it necessary
    successors: list[str]  # accounts where what it had is now


class Fragment(msgspec.Struct, array_like=True, gc=False):
    """A row. `touches` holds every distinct copy of an event; which one counts is decided on the way out."""

    tenant: str
    identifier: str  # `keys.erased_name` where all is erased and nothing later is known
    last: int | None = None  # latest ms of anything said of it; None: nothing that is not erased
    level: int = 0  # of TOUCH_LADDER; above 0: dense, for good
    widest: int = 1  # bytes of the widest touch ever
    touches: list[Mini] = []
    facts: dict[str, Fact] = {}
    lesser: dict[
        str, list[Fact]
    ] = {}  # less trusted than the fact, but later: what is left when it is erased
    seen: int | None = None  # earliest ms; None: nobody announces it (a weak one, or only a map row came)
    said: list[int] = []  # ms of messages that announced it and were no touch, ascending; the SAID latest
    links: list[LinkRow] = []
    named: dict[str, int] = {}  # account key that touches name -> earliest ms; the NAMED smallest
    places: list[str] = []  # firm domains of addresses on its touches, ascending; the PLACES smallest
    claims_level: int = 0  # of CLAIM_LADDER
    claims: list[Claim] = []
    mapped: MapState | None = None
    left: list[Left] = []  # oldest first
    erased: list[bytes] = []  # hashes (`keys.event_key`) of touches that were in the row, ascending
    history: dict[str, list[Fact]] = {}  # facts that count per employment (`keeping.remembered`)
    words_level: int = 0  # of WORD_LADDER
    words: list[Said] = []  # ascending
    mailboxes: list[str] = []  # role mailboxes on touches, ascending
    outcomes: list[Outcome] = []  # every distinct copy, ascending (`keeping.decisions`)
    commands: list[Command] = []  # the same; what they name people by are keyed hashes
    refused: list[str] = []  # ids of outcomes of which a dead letter was sent, ascending


class Brief(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a row: what it takes to find out when it may be forgotten."""

    tenant: str
    identifier: str
    last: int | None


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Fragment)

encode = _encoder.encode
decode = _decoder.decode
brief = msgspec.msgpack.Decoder(Brief).decode


def is_strong(identifier: str) -> bool:
    """Whether it joins people.

    >>> is_strong("email:jane@acme.nl"), is_strong("phone:+31201234567")
    (True, False)
    """
    return kind_of(identifier) in STRONG_KINDS


def is_account(identifier: str) -> bool:
    """Whether it is an account key."""
    return kind_of(identifier) in ACCOUNT_KINDS


def is_bare(row: Fragment) -> bool:
    """Whether of a device nothing is left but that erased persons owned it, and its word on consent."""
    is_weak = kind_of(row.identifier) in WEAK_KINDS or row.identifier.startswith("#")
    owned = bool(row.claims) and all(value.startswith("#") for _, value, _, _ in row.claims)
    return is_weak and owned and not (row.touches or row.named)


def map_state(row: MapRow) -> MapState:
    """A map row with its times in ms; ValueError for a bad time."""
    return MapState(
        row.version,
        [SpanRow(_ms(each.since), each.contact_id, each.account_id, each.placed) for each in row.spans],
        row.accounts,
        row.places,
        [(_ms(period.since), _ms(period.until)) for period in row.erased],
        {key: from_rfc3339(until) for key, until in row.forgotten.items()},
        row.every,
    )


def _ms(time: str | None) -> int | None:
    return None if time is None else from_rfc3339(time)


def touch_order(touch: Mini) -> tuple[int, int, str, str]:
    """The order in which a row keeps touches: of the copies of an event, the one that counts comes first.

    Equal means the same copy, as the digest covers the content.
    """
    return touch.at, touch.digest, touch.event_id, touch.source


def _by_topic(bucket: int) -> Callable[[Mini], Hashable]:
    # The account and the actor belong to the group: a touch counts where it was made, or not at all.
    def group(touch: Mini) -> Hashable:
        if touch.type in TRADE_TYPES:
            return None
        return touch.at // bucket, touch.type, touch.topic, touch.account, touch.place, touch.actor

    return group


def _by_actor(bucket: int) -> Callable[[Mini], Hashable]:
    # Whoever was active in a bucket stays so: silence is not made up by thinning. Touches that name an
    # account do not stand in the place of others.
    def group(touch: Mini) -> Hashable:
        return None if touch.type in TRADE_TYPES else (touch.at // bucket, touch.actor, bool(touch.account))

    return group


def _by_type(bucket: int) -> Callable[[Mini], Hashable]:
    def group(touch: Mini) -> Hashable:
        return None if touch.type in TRADE_TYPES else (touch.at // bucket, touch.type, bool(touch.account))

    return group


def _each_trade(touch: Mini) -> Hashable:
    return touch_order(touch) if touch.type in TRADE_TYPES else None


def _trade_by_type(bucket: int) -> Callable[[Mini], Hashable]:
    def group(touch: Mini) -> Hashable:
        return (touch.at // bucket, touch.type, bool(touch.account)) if touch.type in TRADE_TYPES else None

    return group


def _touches(*groupings: Callable[[Mini], Hashable]) -> Level[Mini]:
    return Level(groupings, few=FEW_TOUCHES, most=DENSE_TOUCHES, room=DENSE_BYTES)


def _by_value(bucket: int) -> Callable[[Claim], Hashable]:
    return lambda claim: (claim[0] // bucket, *claim[1:])


def _by_time(bucket: int) -> Callable[[Claim], Hashable]:
    return lambda claim: claim[0] // bucket


def _claims(*groupings: Callable[[Claim], Hashable]) -> Level[Claim]:
    return Level(groupings, few=1, most=CLAIMS, room=CLAIMS)


def of_accounts(row: Fragment, touches: list[Mini]) -> list[Mini]:
    """Of ascending `touches` those that a dense row keeps at every level: no account is thinned away.

    The first and the last of each (account or place that counts, actor, type); regardless of type once those
    of one actor could be more than ACCOUNTS_BYTES. What that depends on (accounts, types, width) only
    grows with the set, and an account that no longer counts never does again: so this too is a function of
    the set of touches.
    """
    types = len({touch.type for touch in touches})
    by_type = 2 * (1 + len(row.named) + len(row.places)) * types * row.widest <= ACCOUNTS_BYTES
    places = set(row.places)

    def group(touch: Mini) -> Hashable:
        if touch.account and touch.account != row.identifier and touch.account not in row.named:
            return None
        where = touch.account or (touch.place if touch.place in places else "")
        return where, touch.actor, touch.type if by_type else ""

    return thin(Level((group,), few=1, most=0, room=0), touches)[1]


TOUCH_LADDER: Final[Ladder[Mini]] = (
    Level((), FEW_TOUCHES, EXACT_TOUCHES, EXACT_BYTES),
    _touches(_each_trade, _by_topic(HOUR_MS)),
    _touches(_each_trade, _by_topic(DAY_MS)),
    _touches(_each_trade, _by_topic(MONTH_MS)),
    _touches(_each_trade, _by_actor(MONTH_MS), _by_type(MONTH_MS)),
    _touches(_each_trade, _by_actor(MONTH_MS), _by_type(YEAR_MS)),
    _touches(_each_trade, _by_actor(YEAR_MS), _by_type(EVER_MS)),
    _touches(_trade_by_type(MONTH_MS), _by_actor(YEAR_MS), _by_type(EVER_MS)),
    _touches(_trade_by_type(YEAR_MS), _by_actor(YEAR_MS), _by_type(EVER_MS)),
)


def _words(*groupings: Callable[[Said], Hashable]) -> Level[Said]:
    return Level(groupings, few=1, most=WORDS, room=WORDS)


def _by_word(bucket: int) -> Callable[[Said], Hashable]:
    return lambda said: (said[0] // bucket, *said[1:])


WORD_LADDER: Final[Ladder[Said]] = (
    _words(),
    _words(_by_word(HOUR_MS)),
    _words(_by_word(DAY_MS)),
    _words(_by_word(MONTH_MS)),
    _words(_by_word(YEAR_MS)),
)

CLAIM_LADDER: Final[Ladder[Claim]] = (
    _claims(),
    _claims(_by_value(HOUR_MS)),
    _claims(_by_value(DAY_MS)),
    _claims(_by_value(MONTH_MS)),
    _claims(_by_time(MONTH_MS)),
    _claims(_by_time(YEAR_MS)),
)
