"""What a fragment keeps beside touches, facts and claims, each a function of the set of what was told.

Facts per employment: of each attribute the latest ones, and the last of each bucket of time. So of what is
dated later than an erasure the same is kept, whether that came first or last. Words on consent: all, and
beyond a bound the first and the last of each bucket (`row.WORD_LADDER`). Outcomes and commands: the latest
ones, every copy of an event; which one counts is decided on the way out, like that of a touch.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from schemas.internal import Command, Fact, Outcome, Touch, Trade, Word
from schemas.keys import erased_name, identifier_key
from schemas.times import DAY_MS
from streams.fragments.row import TRADE_TYPES, Said

LATEST_FACTS: Final = 16  # of one attribute
FACT_BUCKET_MS: Final = 90 * DAY_MS
DECISIONS: Final = 500  # copies of outcomes, and as many of commands
MAILBOXES: Final = 16
FAMILIES: Final = 16  # product families of one order
TEXT: Final = 128  # characters of one of them, of a reason

Decision = TypeVar("Decision", bound=Outcome | Command)

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


def trade(touch: Touch) -> Trade | None:
    """What an order, its cancellation or its return was worth; None where nothing of it is told."""
    if touch.type not in TRADE_TYPES:
        return None
    told = touch.commerce.get
    families = sorted({line.product_family[:TEXT] for line in touch.lines} - {""})[:FAMILIES]
    made = Trade(
        told("value", ""), told("currency", ""), families, (told("return_reason") or "")[:TEXT].rstrip()
    )
    return made if any((made.value, made.currency, families, made.reason)) else None


def remembered(facts: Iterable[Fact]) -> list[Fact]:
    """Of the facts of one attribute those that are kept, ascending in time.

    >>> told = [Fact(1, day * DAY_MS, "crm", "planner") for day in range(1000)]
    >>> [fact.at // DAY_MS for fact in remembered(told)][:13]
    [89, 179, 269, 359, 449, 539, 629, 719, 809, 899, 984, 985, 986]
    """
    distinct = {_fact_order(fact): fact for fact in facts}
    ascending = [distinct[order] for order in sorted(distinct)]
    early = ascending[:-LATEST_FACTS]
    last = {fact.at // FACT_BUCKET_MS: fact for fact in ascending}
    return [fact for fact in early if last[fact.at // FACT_BUCKET_MS] is fact] + ascending[-LATEST_FACTS:]


def _fact_order(fact: Fact) -> tuple[int, int, str, bytes]:
    return fact.at, -fact.rank, fact.source, _json(fact.value)


def words(said: Iterable[Said]) -> dict[str, list[Word]]:
    """What was said of each purpose, ascending; of what was said at one time the refusal.

    >>> words([(1, "email", True), (2, "email", False), (2, "email", True), (2, "phone", True)])
    {'email': [(1, True), (2, False)], 'phone': [(2, True)]}
    """
    found: dict[str, dict[int, bool]] = {}
    for at, purpose, given in said:
        told = found.setdefault(purpose, {})
        told[at] = told.get(at, True) and given
    return {purpose: list(told.items()) for purpose, told in found.items()}


def decisions(known: list[Decision], heard: Iterable[Decision]) -> list[Decision]:
    """The copies of outcomes, or of commands, that are kept."""
    copies = {_pack(said): said for said in (*known, *heard)}
    return [copies[one] for one in sorted(copies, key=lambda one: _order(copies[one], one))][-DECISIONS:]


def counted(copies: Sequence[Decision]) -> list[Decision]:
    """Of the copies of an event the one that counts: the first in the row's order."""
    firsts: dict[str, Decision] = {}
    for said in copies:
        firsts.setdefault(said.event_id, said)
    return list(firsts.values()) if len(firsts) < len(copies) else list(copies)


def _order(said: Outcome | Command, packed: bytes) -> tuple[int, str, bytes]:
    return said.at, said.event_id, packed


def nameless(said: Command, key_of: Callable[..., bytes]) -> Command:
    """The command with what stands for its person: so there is nothing to erase in it."""
    if not said.identifiers:
        return said
    keys = (identifier_key(key_of, said.tenant, identifier) for identifier in said.identifiers)
    return msgspec.structs.replace(said, identifiers=[erased_name(key) for key in keys])
