"""Orders as several sources tell them: what counts, what is taken off, what cannot be added."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import OrderRow
from schemas.internal import CRM, ERP, MACHINE, OTHER, PERSON, US, Mini, Trade
from schemas.times import DAY_MS
from streams.definition import load
from streams.journeys.orders import NONE, Trading, months_before, trade
from streams.journeys.stages import Touched

RULES = load("[orders.rates]\nUSD = 0.92", "journeys.toml")
YEAR = round(365.25 * DAY_MS)
RANKS = {"erp": ERP, "crm": CRM}


def told(
    at: int, type: str = "order_placed", value: str = "", order: str = "default:1", **other: Any
) -> Touched:
    source = other.pop("source", "shop")
    event_id = other.pop("event_id", f"{source}-{type}-{order}-{at}")
    actor = other.pop("actor", PERSON)
    made = Trade(value, other.pop("currency", "EUR"), other.pop("families", []), other.pop("reason", ""))
    rank = RANKS.get(source, OTHER)
    touch = Mini(at, 0, event_id, source, type, actor, rank, "", "", "", order, source, trade=made)
    return Touched(at, source, event_id, "c1", touch)


def traded(*touches: Touched) -> Trading:
    return trade(RULES.orders, RULES.journey.orders, touches)


def test_without_trade_there_is_nothing():
    viewed = told(1, "price_viewed", "100")
    assert traded() == traded(viewed) == NONE
    assert (NONE.revenue, NONE.aov, NONE.return_rate, NONE.frequency, NONE.breadth) == (
        "0",
        None,
        None,
        None,
        0,
    )


def test_shop_and_erp_tell_of_one_order_and_the_erp_is_right():
    shop = told(1, value="4850", families=["warmtepompen"])
    erp = told(5, value="4612.75", source="erp", families=["warmtepompen", "expansievaten"])
    found = traded(shop, erp)
    assert (found.number, found.revenue, found.aov) == (1, "4612.75", 4612.75)
    assert found.orders[0].row() == OrderRow(
        "default:1",
        "1970-01-01T00:00:00.001Z",
        "4612.75",
        "EUR",
        "",
        False,
        ["expansievaten", "warmtepompen"],
    )
    assert (found.families, found.breadth) == (["expansievaten", "warmtepompen"], 2)


def test_a_stronger_source_without_a_value_blanks_none():
    found = traded(told(1, value="100", families=["a"]), told(2, source="erp", currency="USD"))
    assert (found.orders[0].value, found.orders[0].currency, found.families) == ("100", "EUR", ["a"])


def test_of_equally_strong_sources_the_earlier_one_is_right():
    assert traded(told(9, value="120", source="app"), told(3, value="100")).revenue == "100"


def test_the_currency_that_the_stronger_source_leaves_out_is_that_of_the_weaker():
    found = traded(told(1, value="100", currency="USD"), told(2, value="90", source="erp", currency=""))
    assert (found.orders[0].value, found.orders[0].currency, found.revenue) == ("90", "USD", "82.8")


def test_orders_without_an_id_are_orders_of_their_own():
    found = traded(told(1, value="10", order=""), told(2, value="20", order=""))
    assert (found.number, found.revenue) == (2, "30")
    assert found.orders[0].row().order == "shop shop-order_placed--1"


def test_a_subscription_is_an_order_and_its_end_changes_nothing():
    assert traded(told(1, "subscription_started", "99"), told(2, "subscription_ended", "99")).revenue == "99"


def test_what_places_an_order_is_what_the_definition_says():
    assert trade(RULES.orders, ["order_placed"], [told(1, "subscription_started", "99")]) == NONE


@pytest.mark.parametrize("actor", [PERSON, MACHINE, US])
def test_whoever_acts_an_order_is_an_order(actor):
    assert traded(told(1, value="5", actor=actor)).number == 1


# ---- cancelled


@pytest.mark.parametrize("at", [0, 1, 99])
def test_a_cancelled_order_does_not_count_whenever_that_was_told(at):
    kept = told(50, value="10", order="default:2", families=["b"])
    found = traded(told(1, value="100", families=["a"]), told(at, "order_cancelled", source="erp"), kept)
    assert (found.number, found.revenue, found.aov, found.families) == (1, "10", 10.0, ["b"])
    assert [order.cancelled for order in found.orders] == [True, False]


@pytest.mark.parametrize("order", ["", "default:7", "other:1"])
def test_a_cancellation_of_no_known_order_changes_nothing(order):
    assert traded(told(1, value="100"), told(2, "order_cancelled", "100", order)) == traded(
        told(1, value="100")
    )


def test_what_came_back_of_a_cancelled_order_is_not_taken_off_twice():
    gone = told(1, value="100"), told(2, "order_returned", "100"), told(3, "order_cancelled")
    assert (traded(*gone).revenue, traded(*gone).return_rate) == ("0", None)
    assert traded(*gone[1:]).revenue == "0"


# ---- what comes back


def test_returns_are_taken_off_revenue_and_not_off_the_mean_value():
    found = traded(
        told(1, value="100"),
        told(2, value="50", order="default:2"),
        told(3, "order_returned", "30.50", reason="broken"),
        told(4, "order_returned", "10", reason="late"),
    )
    assert (found.revenue, found.aov, found.return_rate) == ("109.5", 75.0, 0.5)
    assert (found.orders[0].returned, found.orders[0].reasons) == ("40.5", ("broken", "late"))
    assert found.orders[1].returned == ""


def test_of_a_return_that_several_sources_tell_the_strongest_with_values_counts():
    found = traded(
        told(1, value="100"),
        told(2, "order_returned", "30"),
        told(3, "order_returned", "20", source="erp"),
        told(4, "order_returned", "5", source="erp"),
        told(5, "order_returned", source="crm", reason="broken"),
    )
    assert (found.revenue, found.orders[0].returned, found.orders[0].reasons) == ("75", "25", ("broken",))


@pytest.mark.parametrize("order", ["", "default:7"])
def test_a_return_of_no_known_order_is_taken_off_too(order):
    found = traded(told(1, value="100"), told(2, "order_returned", "30", order))
    assert (found.revenue, found.return_rate, found.number) == ("70", 0.0, 1)


def test_a_return_without_a_value_is_a_return():
    found = traded(told(1, value="100"), told(2, "order_returned", reason="broken"))
    assert (found.revenue, found.return_rate, found.orders[0].returned) == ("100", 1.0, "0")


def test_the_sign_of_a_return_does_not_matter():
    assert traded(told(1, value="100"), told(2, "order_returned", "-30")).revenue == "70"


# ---- currencies


def test_other_currencies_are_converted_or_kept_apart():
    found = traded(
        told(1, value="100", order="default:1"),
        told(2, value="10.01", order="default:2", currency="USD"),
        told(3, value="7", order="default:3", currency="GBP"),
        told(4, "order_returned", "2", "default:3", currency=""),
        told(5, value="9", order="default:4", currency=""),
    )
    assert (found.revenue, found.aov) == ("109.21", 54.6)
    assert found.unconverted == {"GBP": "5", "unknown": "9"}
    assert (found.number, found.orders[2].returned, found.orders[3].currency) == (4, "2", "")


def test_a_return_in_another_currency_is_taken_off_in_its_own():
    found = traded(told(1, value="100"), told(2, "order_returned", "10", currency="USD"))
    assert (found.revenue, found.orders[0].returned, found.return_rate) == ("90.8", "0", 1.0)


def test_cents_are_not_lost_in_sums():
    cents = [told(at, value="0.1", order=f"default:{at}") for at in range(3)]
    assert traded(*cents).revenue == "0.3"
    odd = [told(1, value="9" * 15 + ".01", order="a:1"), told(2, value="0.00000000000000000001", order="a:2")]
    assert traded(*odd).revenue == "9" * 15 + ".01000000000000000001"


# ---- over time


def test_orders_a_year_from_the_second_on():
    def yearly(*days: int) -> float | None:
        return traded(*[told(day * DAY_MS, order=f"default:{day}") for day in days]).frequency

    assert yearly(0) is None
    assert yearly(0, 29) is None  # too close to say anything of a year
    assert yearly(0, 30) == 12.18
    assert yearly(0, 100, 365, 730) == 1.5


def test_a_customer_has_an_order_not_cancelled_in_the_last_months():
    now = 10 * YEAR
    found = traded(told(now - 2 * YEAR), told(now - 1, order="default:2"),
                   told(now, "order_cancelled", order="default:2"))  # fmt: skip
    assert found.since(months_before(now, RULES.orders.customer_months))
    assert not found.since(months_before(now + 1, RULES.orders.customer_months))
    assert not found.since(months_before(now, RULES.orders.active_months))


# ---- whatever the order of news

amounts = st.decimals(min_value=-1000, max_value=10**14, allow_nan=False, places=2).map(str)
touches = st.builds(
    told,
    at=st.integers(0, 3) | st.integers(0, 3 * YEAR),
    type=st.sampled_from(["order_placed", "subscription_started", "order_cancelled", "order_returned"]),
    value=st.just("") | amounts,
    order=st.sampled_from(["", "default:1", "default:2", "erp:1"]),
    source=st.sampled_from(["shop", "erp", "crm", "app"]),
    currency=st.sampled_from(["EUR", "USD", "GBP", ""]),
    families=st.lists(st.sampled_from("abc"), unique=True).map(sorted),
    reason=st.sampled_from(["", "broken", "late"]),
    event_id=st.integers(0, 10**6).map(str),
)


@given(st.lists(touches, max_size=12, unique_by=lambda t: (t.source, t.event_id)), st.randoms())
def test_the_order_of_news_does_not_matter(known, random):
    shuffled = random.sample(known, len(known))
    assert traded(*known) == traded(*shuffled)


@given(st.lists(touches, max_size=12, unique_by=lambda t: (t.source, t.event_id)))
def test_what_always_holds(known):
    found = traded(*known)
    lasting = [order for order in found.orders if not order.cancelled]
    assert found.number == len(lasting) <= len(found.orders)
    assert found.return_rate is None or 0 <= found.return_rate <= 1
    assert found.frequency is None or found.frequency > 0
    assert Decimal(found.revenue).is_finite()
    assert "EUR" not in found.unconverted
    assert "USD" not in found.unconverted
    if not any(t.touch.type == "order_returned" or t.touch.trade.currency != "EUR" for t in known):
        assert Decimal(found.revenue) == sum(Decimal(order.value or 0) for order in lasting)
