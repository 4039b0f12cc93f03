"""Analyses of five journeys, small enough to be counted by hand.

| account | size | first touch | stages (day of January) | what became of it |
|---|---|---|---|---|
| a1 | big | google | awareness 1, consideration 5, purchase 15 | orders of 100 (20 came back) and 20 |
| a2 | big | google | awareness 1, consideration 3 | lost on the 20th |
| a3 | small | ads | awareness 2 | nobody came any more |
| a4 | small | web | awareness 2, consideration 10 | open |
| a5 | big | web | awareness 1, evaluation 2 | sales says won, 50 |
"""

from typing import Any

import pytest
from warehouse import Warehouse

from schemas.events import CallFirst, HandoffRow, JourneyRow, OrderRow, StageEntered
from schemas.identity import Span
from schemas.internal import US
from schemas.topics import VALID
from streams.core import Record

pytestmark = pytest.mark.embedded


def on(day: int, hour: int = 0) -> str:
    return f"2025-01-{day:02}T{hour:02}:00:00Z"


def journeys(at: Warehouse) -> list[Record]:
    google = {"campaign_id": "g1", "source": "google"}
    news = {"campaign_id": "n1", "source": "news", "name": "News"}
    people = {"c1": "a1", "c2": "a1", "c3": "a2", "c4": "a3", "c5": "a4", "c6": "a5"}

    def touch(event_id: str, who: str, day: int, type_: str, channel: str = "web", **more: Any) -> Record:
        topic, source = more.pop("topic", ""), more.pop("source", channel)
        content = {"topic": topic} if topic else {}
        return at.touch(
            event_id,
            f"user_id:{who}",
            on(day),
            type=type_,
            channel=channel,
            source=source,
            content=content,
            **more,
        )

    return [
        *(at.mapped(f"user_id:{who}", Span(None, who, account)) for who, account in people.items()),
        touch("e1", "c1", 1, "page_viewed", topic="pumps", campaign=google),
        touch("e2", "c1", 5, "email_clicked", "email", campaign=news),
        touch("e3", "c2", 8, "page_viewed", topic="pumps"),
        touch("e4", "c1", 15, "order_placed", "erp"),
        touch("e5", "c3", 1, "page_viewed", topic="pumps", campaign=google),
        touch("e6", "c3", 3, "catalogue_requested", campaign=news),
        touch("e7", "c4", 2, "ad_clicked", "ads"),
        touch("e8", "c5", 2, "page_viewed"),
        touch("e9", "c5", 10, "page_viewed"),
        touch("e10", "c6", 1, "page_viewed", topic="pumps"),
        touch("e11", "c6", 2, "demo_requested"),
        touch("e12", "c1", 17, "order_returned", "erp", commerce={"return_reason": "broken"}),
        *(touch(f"m{who}", who, 3, "email_sent", "email", actor=US, campaign=news) for who in ("c1", "c2")),
        touch("o1", "c1", 4, "email_opened", "email", campaign=news),
        touch("late", "c3", 25, "page_viewed"),  # when the journey was lost already
        touch("facts", "c1", 2, "profile_updated"),
        account(at, "a1", "big", {"awareness": 1, "consideration": 5, "purchase": 15}, trade=True),
        account(at, "a2", "big", {"awareness": 1, "consideration": 3}, "lost", handoff=LOST),
        account(at, "a3", "small", {"awareness": 2}, "gap"),
        account(at, "a4", "small", {"awareness": 2, "consideration": 10}, handoff=WITHDRAWN),
        account(at, "a5", "big", {"awareness": 1, "evaluation": 2}, handoff=WON),
    ]


def handoff(account: str, status: str, day: int, **more: Any) -> HandoffRow:
    nobody = CallFirst("", "", "", "", "")
    return HandoffRow(f"{account}.1.1", 1, 1, on(day), 0.0, [], nobody, status, **more)


LOST = handoff("a2", "lost", 3, outcome="lost", responded_at=on(3, 12))
WON = handoff("a5", "won", 2, outcome="won", responded_at=on(3), outcome_at=on(4), value="50", currency="EUR")
WITHDRAWN = handoff("a4", "withdrawn", 10)


def account(
    at: Warehouse,
    name: str,
    size: str,
    stages: dict[str, int],
    closed_by: str = "",
    *,
    trade: bool = False,
    handoff: HandoffRow | None = None,
) -> Record:
    entered = [StageEntered(stage, on(day), [], False) for stage, day in stages.items()]
    moments = {"catalogue_request": on(2)} if name == "a1" else {}
    one = JourneyRow(1, entered[0].entered_at, on(20) if closed_by else None, closed_by, entered, moments)
    orders = [
        OrderRow("d:1", on(15), "100", "EUR", "20", False, ["pumps", "valves"]),
        OrderRow("d:2", on(16), "20", "EUR", "", False, ["pumps"]),
        OrderRow("d:3", on(17), "900", "EUR", "", True, ["tools"]),
    ]
    told = {
        "orders": 2,
        "revenue": "100",
        "aov": 60.0,
        "return_rate": 0.5,
        "product_families": ["pumps", "valves"],
    }
    return at.profile(
        1,
        subject=name,
        stage=entered[-1].stage,
        journeys=[one],
        segments={"size": size},
        currency="EUR",
        handoffs=[handoff] if handoff else [],
        **told | {"order_list": orders} if trade else {},
    )


def where(at: Warehouse, view: str, columns: str, condition: str = "1") -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM {view} WHERE tenant = '{at.tenant}' AND {condition} ORDER BY ALL"
    return [tuple(row.values()) for row in at.ask(sql)]


ALL = "segment_kind = '' AND first_source = ''"
EVERYBODY = "segment_kind = ''"


def test_funnel(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "stage, place, accounts, journeys, moved_on, conversion, median_days"
    assert where(at, "v_funnel", columns, ALL) == [
        # 4, 2, 8 and 1 days to the next stage, and a3 stays: the median is 3.
        ("awareness", 1, 1, 5, 4, 0.8, 3.0),
        # a1 went on after 10 days; a2 and a4 are in it.
        ("consideration", 2, 2, 3, 1, 0.3333, 10.0),
        ("evaluation", 2, 1, 1, 0, 0.0, None),
        ("purchase", 3, 1, 1, 0, 0.0, None),
    ]
    assert where(at, "v_funnel", "first_source, journeys", "stage = 'awareness' AND first_source != ''") == [
        ("ads", 1),
        ("google", 2),
        ("web", 2),
    ]
    sizes = "segment_kind, segment, stage, journeys, moved_on"
    assert where(at, "v_funnel", sizes, "segment_kind != ''") == [
        ("size", "big", "awareness", 3, 3),
        ("size", "big", "consideration", 2, 1),
        ("size", "big", "evaluation", 1, 0),
        ("size", "big", "purchase", 1, 0),
        ("size", "small", "awareness", 2, 1),
        ("size", "small", "consideration", 1, 0),
    ]


def test_where_journeys_end(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "segment, first_source, stage, ended, by_gap, lost, share"
    assert where(at, "v_dropoff", columns) == [
        ("", "", "awareness", 1, 1, 0, 0.5),  # a3
        ("", "", "consideration", 1, 0, 1, 0.5),  # a2
        ("", "ads", "awareness", 1, 1, 0, 1.0),
        ("", "google", "consideration", 1, 0, 1, 1.0),
        ("big", "", "consideration", 1, 0, 1, 1.0),
        ("small", "", "awareness", 1, 1, 0, 1.0),
    ]


def test_channels_per_stage(at: Warehouse) -> None:
    at.feed(*journeys(at))
    assert where(at, "v_channel_use", "stage, channel, touches, people, accounts", EVERYBODY) == [
        ("awareness", "ads", 1, 1, 1),  # e7
        ("awareness", "web", 4, 4, 4),  # e1, e5, e8, e10
        ("consideration", "email", 1, 1, 1),  # e2; what we send and what is opened does not count
        ("consideration", "web", 3, 3, 3),  # e3, e6, e9; the late one came after the loss
        ("evaluation", "web", 1, 1, 1),  # e11
        ("purchase", "erp", 2, 1, 1),  # e4, e12
    ]
    assert where(at, "v_channel_use", "stage, channel, touches", "segment = 'small'") == [
        ("awareness", "ads", 1),
        ("awareness", "web", 1),
        ("consideration", "web", 1),
    ]


def test_paths_and_how_often_they_are_won(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "rank, path, journeys, share, won, missed, win_rate"
    assert where(at, "v_paths", columns, EVERYBODY) == [
        (1, ["awareness web", "consideration web"], 2, 0.4, 0, 1, 0.0),  # a2 lost, a4 open
        (
            *(2, ["awareness web", "consideration email", "consideration web", "purchase erp"]),
            *(1, 0.2, 1, 0, 1.0),
        ),
        (3, ["awareness web", "evaluation web"], 1, 0.2, 1, 0, 1.0),  # a5
        (4, ["awareness ads"], 1, 0.2, 0, 1, 0.0),  # a3
    ]
    assert [row[0] for row in where(at, "v_paths", "rank", "segment = 'small'")] == [1, 2]


def test_crucial_moments(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "segment, moment, journeys, won, win_rate, win_rate_without, lift"
    assert where(at, "v_moments", columns) == [
        # With it a1 is won. Without it a5 is, and a2 and a3 are not: 1 of 3; 1 ÷ 0.3333 = 3.
        ("", "catalogue_request", 1, 1, 1.0, 0.3333, 3.0),
        # Of the big ones without it a5 is won and a2 is not.
        ("big", "catalogue_request", 1, 1, 1.0, 0.5, 2.0),
    ]


def test_steps_of_won_journeys(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "type, topic, won, won_share, won_shared, missed, missed_share, missed_shared, difference"
    # a1 and a5 are won, a2 and a3 are not; in a1 both contacts saw the page.
    assert where(at, "v_steps", columns, "type IN ('page_viewed', 'ad_clicked')") == [
        ("ad_clicked", "", 0, 0.0, 0, 1, 0.5, 0, -0.5),
        ("page_viewed", "pumps", 2, 1.0, 1, 1, 0.5, 0, 0.5),
    ]


def test_what_became_of_leads(at: Warehouse) -> None:
    mail = {"channel": "email", "source": "email", "content": {}, "campaign": {"campaign_id": "n1"}}
    at.feed(
        *journeys(at),
        # What we send, and mail that is opened, brings nobody.
        at.touch("m6", "user_id:c6", on(1), type="email_sent", actor=US, **mail),
        at.touch("o6", "user_id:c6", on(2), type="email_opened", **mail),
    )
    columns = "dimension, value, handoffs, won, lost, conversion, revenue, median_hours"
    lost, won = (1, 0, 1, 0.0, 0, 12.0), (1, 1, 0, 1.0, 50, 24.0)
    assert where(at, "v_lead_results", columns) == [
        ("all", "", 2, 1, 1, 0.5, 50, 18.0),  # the median of 12 and 24 hours; a4's is withdrawn
        ("campaign_first", "", *won),  # nobody of a5 came by a campaign
        ("campaign_first", "g1", *lost),
        ("campaign_last", "", *won),
        ("campaign_last", "n1", *lost),
        ("segment:size", "big", 2, 1, 1, 0.5, 50, 18.0),
        ("source", "google", *lost),
        ("source", "web", *won),
    ]
    counts = "accepted + rejected + working + recycled + open + expired"
    assert where(at, "v_lead_results", counts, "dimension = 'all'") == [(0,)]


def test_attribution_over_the_whole_group(at: Warehouse) -> None:
    at.feed(*journeys(at))
    g1, n1, web = ("g1", "web", "google"), ("n1", "email", "news"), ("", "web", "web")
    # a1 is won on the 15th and worth 100 - 20 + 20 = 100; its e1 (g1), e2 (n1), e3 (web, another person) are
    # 14, 10 and 7 days old then: weights 1/2, 2^(-10/14) = 0.6095 and 2^(-1/2) = 0.7071, together 1.8166.
    # a5 is won on the 4th and worth 50; its e10 and e11 are both web.
    assert where(
        at, "v_attribution", "model, campaign_id, channel, source, touches, journeys, credit, revenue"
    ) == [
        ("decay", *web, 3, 2, 1.3892, 88.92),  # 0.7071 ÷ 1.8166 = 0.3892, and a5
        ("decay", *g1, 1, 1, 0.2752, 27.52),
        ("decay", *n1, 1, 1, 0.3355, 33.55),
        ("first", *web, 3, 2, 1.0, 50.0),
        ("first", *g1, 1, 1, 1.0, 100.0),
        ("first", *n1, 1, 1, 0.0, 0.0),
        ("last", *web, 3, 2, 2.0, 150.0),
        ("last", *g1, 1, 1, 0.0, 0.0),
        ("last", *n1, 1, 1, 0.0, 0.0),
        ("linear", *web, 3, 2, 1.3333, 83.33),
        ("linear", *g1, 1, 1, 0.3333, 33.33),
        ("linear", *n1, 1, 1, 0.3333, 33.33),
        ("position", *web, 3, 2, 1.4, 90.0),  # 40 % of a1; of two touches each half of a5
        ("position", *g1, 1, 1, 0.4, 40.0),
        ("position", *n1, 1, 1, 0.2, 20.0),
    ]


def test_an_order_that_nothing_preceded_is_credited_to_itself(at: Warehouse) -> None:
    records = journeys(at)
    trade = [r for r in records if r.topic == VALID.name and b"order_" in (r.value or b"")]
    at.feed(*records[:6], *trade, account(at, "a1", "big", {"purchase": 15}, trade=True))
    assert where(at, "v_attribution", "channel, credit, revenue", "model = 'linear'") == [("erp", 1.0, 100.0)]


def test_response_to_mail(at: Warehouse) -> None:
    at.feed(*journeys(at))
    assert where(at, "v_message_response", "* EXCEPT tenant") == [
        ("n1", "News", 2, 0, 1, 1, 0, 2, 1, 0.5, 0.5),  # sent to c1 and c2; c1 opened and clicked
    ]


def test_products_and_trade(at: Warehouse) -> None:
    at.feed(*journeys(at))
    columns = "segment, product_family, accounts, orders, returned, share"
    assert where(at, "v_products", columns) == [
        (segment, *row)
        for segment in ("", "big")
        for row in (("pumps", 1, 2, 1, 1.0), ("valves", 1, 1, 1, 1.0))  # the tools were cancelled
    ]
    columns = "segment, accounts, buyers, orders, revenue, currency, aov, frequency, breadth, return_rate"
    assert where(at, "v_trade", f"{columns}, return_reasons") == [
        ("", 5, 1, 2, 100, "EUR", 60.0, None, 2.0, 0.5, {"broken": 1}),
        ("big", 3, 1, 2, 100, "EUR", 60.0, None, 2.0, 0.5, {"broken": 1}),
        ("small", 2, 0, 0, 0, "EUR", None, None, None, None, {}),
    ]
