"""Orders: what an account bought, sent back and cancelled, from all that its sources tell.

Shop and ERP tell of one order by its namespace and id; what the higher-ranked source says of it counts.
Money is added as decimals, exactly; what is in another currency is converted where the rule has a rate, else
kept apart.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NamedTuple

from schemas.events import OrderRow
from schemas.internal import Trade
from schemas.times import DAY_MS, rfc3339
from streams.definition.model import OrderRule
from streams.journeys.stages import Touched, order_of

CANCELLED, RETURNED = "order_cancelled", "order_returned"
UNKNOWN: Final = "unknown"  # the currency of what came without one

_YEAR_DAYS: Final = 365.25
_MONTH_MS: Final = round(_YEAR_DAYS / 12 * DAY_MS)
_SHORTEST_DAYS: Final = 30  # two orders closer than this say nothing of a year
_EXACT: Final = Context(prec=400)  # digits: no sum of what a message can hold is rounded
_CENT: Final = Decimal("0.01")
_NO_TRADE: Final = Trade("", "", [], "")


class Order(NamedTuple):
    """One order, as all its sources together tell it."""

    order: str  # namespace and id, as `stages.order_of` has it
    at: int  # when it was first placed, ms
    value: str  # net, a decimal; empty: none told
    currency: str  # empty: none told
    returned: str  # net value of what came back in that currency, a decimal; empty: nothing came back
    reasons: tuple[str, ...]  # of what came back, ascending
    cancelled: bool
    families: tuple[str, ...]  # product families, ascending

    def row(self) -> OrderRow:
        """As the profile shows it."""
        return OrderRow(
            self.order.strip(),
            rfc3339(self.at),
            self.value,
            self.currency,
            self.returned,
            self.cancelled,
            list(self.families),
        )


class Trading(NamedTuple):
    """What an account's orders come to."""

    orders: list[Order]  # by time
    number: int  # not cancelled
    revenue: str  # a decimal, in the reporting currency
    aov: float | None  # mean value of an order, in the reporting currency, before returns
    return_rate: float | None  # orders of which something came back ÷ orders
    frequency: float | None  # orders a year
    unconverted: dict[str, str]  # currency without a rate -> revenue in it
    families: list[str]  # product families of orders not cancelled, ascending

    @property
    def breadth(self) -> int:
        """How many product families were bought."""
        return len(self.families)

    def since(self, at: int) -> bool:
        """Whether there is an order, not cancelled, at or after a time (ms)."""
        return any(order.at >= at and not order.cancelled for order in self.orders)


NONE: Final = Trading([], 0, "0", None, None, None, {}, [])


def trade(rule: OrderRule, types: Collection[str], touches: Iterable[Touched]) -> Trading:
    """What these touches, of whatever actor and in whatever order, tell of orders; `types` place one.

    >>> from schemas.internal import Mini
    >>> from streams.definition import default
    >>> def told(at, rank, source, type, value):
    ...     trade = Trade(value, "EUR", ["pumps"], "")
    ...     touch = Mini(at, 0, f"e{at}", source, type, 0, rank, "", "", "", "default:7", source, trade=trade)
    ...     return Touched(at, source, touch.event_id, "", touch)
    >>> found = trade(default().orders, default().journey.orders, [
    ...     told(1, 3, "shop", "order_placed", "4800"),
    ...     told(2, 2, "erp", "order_placed", "4612.75"),
    ...     told(9, 2, "erp", "order_returned", "212.75"),
    ... ])
    >>> found.number, found.revenue, found.aov, found.orders[0].value, found.orders[0].returned
    (1, '4400', 4612.75, '4612.75', '212.75')
    """
    kinds = frozenset((*types, CANCELLED, RETURNED))
    told = [touched for touched in touches if touched.touch.type in kinds]
    if not told:
        return NONE
    placed: dict[str, list[Touched]] = defaultdict(list)
    returns: dict[str, list[Touched]] = defaultdict(list)
    cancelled = set()
    for touched in sorted(told, key=_strength):
        order = order_of(touched.touch)
        if touched.touch.type == RETURNED:
            returns[order].append(touched)
        elif touched.touch.type == CANCELLED:
            cancelled.add(order)
        else:
            placed[order].append(touched)

    revenue, values, orders = _Purse(rule), [], []
    for order, strongest_first in placed.items():
        sent_back = _Returned(returns.pop(order, ()))
        found = _order(order, strongest_first, sent_back, order in cancelled)
        orders.append(found)
        if found.cancelled:
            continue
        if found.value:
            values.append(revenue.add(Decimal(found.value), found.currency))
        for currency, value in sent_back.values.items():
            revenue.add(-value, currency or found.currency)
    for order, of_unknown in returns.items():  # an order placed before anything was heard, or without an id
        if order not in cancelled:
            for currency, value in _Returned(of_unknown).values.items():
                revenue.add(-value, currency)

    orders.sort(key=lambda order: (order.at, order.order))
    lasting = [order for order in orders if not order.cancelled]
    in_reporting = [value for value in values if value is not None]
    return Trading(
        orders,
        len(lasting),
        _text(revenue.total),
        round(float(_sum(in_reporting) / len(in_reporting)), 2) if in_reporting else None,
        round(sum(o.returned != "" for o in lasting) / len(lasting), 4) if lasting else None,
        _a_year(lasting),
        {currency: _text(value) for currency, value in sorted(revenue.others.items())},
        sorted({family for order in lasting for family in order.families}),
    )


def months_before(at: int, months: int) -> int:
    """The time (ms) so many months of 30.4 days earlier."""
    return at - months * _MONTH_MS


def _strength(touched: Touched) -> tuple[int, int, str, str]:
    """The strongest first: the higher-ranked source, then the earlier word."""
    return (touched.touch.rank, touched.at, touched.source, touched.event_id)


def _order(order: str, strongest_first: Sequence[Touched], sent_back: "_Returned", cancelled: bool) -> Order:
    """Value and currency are of the strongest source that tells a value, families of that which tells any."""
    trades = [touched.touch.trade or _NO_TRADE for touched in strongest_first]
    valued = next((trade for trade in trades if trade.value), _NO_TRADE)
    # The currency of an order is one fact: who told the value without it meant that of the others.
    currency = valued.currency or next((trade.currency for trade in trades if trade.currency), "")
    own = sum((value for of, value in sent_back.values.items() if of in ("", currency)), Decimal())
    return Order(
        order,
        min(touched.at for touched in strongest_first),
        valued.value,
        currency,
        _text(own) if sent_back.any else "",
        sent_back.reasons,
        cancelled,
        tuple(sorted(next((trade.families for trade in trades if trade.families), ()))),
    )


class _Returned:
    """What came back of one order, strongest word first.

    An order can come back in parts, each told once by a source, and several sources tell of the same parts:
    those count that the strongest source tells which tells values.
    """

    def __init__(self, strongest_first: Sequence[Touched]) -> None:
        self.any = bool(strongest_first)
        told = [(touched, touched.touch.trade) for touched in strongest_first if touched.touch.trade]
        self.reasons = tuple(sorted({trade.reason for _, trade in told if trade.reason}))
        self.values: dict[str, Decimal] = {}  # currency -> value
        teller = next((touched.source for touched, trade in told if trade.value), "")
        for touched, trade in told:
            if trade.value and touched.source == teller:
                value = abs(Decimal(trade.value))  # some send it with a minus
                self.values[trade.currency] = _EXACT.add(self.values.get(trade.currency, Decimal()), value)


class _Purse:
    """Adds money of several currencies."""

    def __init__(self, rule: OrderRule) -> None:
        self._rule = rule
        self.total = Decimal()  # in the reporting currency
        self.others: dict[str, Decimal] = {}  # currency without a rate -> total in it

    def add(self, value: Decimal, currency: str) -> Decimal | None:
        """Add it; its value in the reporting currency, None where that is not known."""
        if currency != self._rule.currency:
            rate = self._rule.rates.get(currency)
            if rate is None:
                name = currency or UNKNOWN
                self.others[name] = _EXACT.add(self.others.get(name, Decimal()), value)
                return None
            value = _EXACT.multiply(value, Decimal(repr(rate))).quantize(_CENT, ROUND_HALF_EVEN, _EXACT)
        self.total = _EXACT.add(self.total, value)
        return value


def _text(value: Decimal) -> str:
    """In one spelling, as values come in."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _sum(values: Iterable[Decimal]) -> Decimal:
    total = Decimal()
    for value in values:
        total = _EXACT.add(total, value)
    return total


def _a_year(lasting: Sequence[Order]) -> float | None:
    """Orders a year, from the first to the last; None: too few, or too close to each other to say."""
    if len(lasting) < 2:
        return None
    days = (lasting[-1].at - lasting[0].at) / DAY_MS
    return round((len(lasting) - 1) * _YEAR_DAYS / days, 2) if days >= _SHORTEST_DAYS else None
