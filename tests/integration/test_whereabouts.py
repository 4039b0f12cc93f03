"""What the commands of people ask of ClickHouse, on the tables as the sink fills them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chdb_process import ChdbServer
from clickhouse_connect.driver.client import Client

from schemas.internal import Asserted, Request
from streams import clickhouse
from streams.whereabouts import Answer, Asking, Group, Person

pytestmark = pytest.mark.embedded

EVER = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000  # ms


@pytest.fixture(scope="module")
def client(chdb: ChdbServer) -> Iterator[Client]:
    clickhouse.migrate(chdb.dsn)
    with clickhouse.connect(chdb.dsn) as made:
        yield made


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def insert(client: Client, table: str, **row: Any) -> None:
    client.insert(table, [list(row.values())], column_names=list(row))


def mapped(client: Client, tenant: str, identifier: str, *spans: tuple[int, str, str]) -> None:
    """`spans`: from (ms), contact, account."""
    insert(
        client,
        "identity_map",
        tenant=tenant,
        identifier=identifier,
        version=1,
        span_from=[EVER + timedelta(milliseconds=at) for at, _, _ in spans],
        span_contact=[contact for _, contact, _ in spans],
        span_account=[account for _, _, account in spans],
    )


def touched(client: Client, tenant: str, event_id: str, identifier: str, at: int, **more: Any) -> None:
    insert(
        client,
        "touchpoints",
        **{"tenant": tenant, "source": "web", "event_id": event_id, "type": "page_viewed"},
        **{"occurred_at": EVER + timedelta(milliseconds=at), "identifier": identifier, "actor": "person"},
        **more,
    )


def said(tenant: str, a: str, b: str, at: int = 0, assertion: str = "link") -> Asserted:
    return Asserted(tenant, "st-1", assertion, a, b, at, "steward")


def test_people_with_their_names_and_why_they_are_two(client: Client, tenant: str) -> None:
    asking = Asking(client)
    mapped(client, tenant, "contact_id:7", (0, "c1", "a1"))
    mapped(client, tenant, "email:j@acme.nl", (0, "c2", "a1"))
    mapped(client, tenant, "anonymous_id:x", (0, "", ""), (9 * DAY, "c2", "a1"))
    mapped(client, "other", "user_id:u", (0, "c2", "a1"))
    mapped(client, tenant, "journeys_contact_id:c0", (0, "c2", "a1"))
    touched(client, tenant, "1", "email:j@acme.nl", 1_000, contact_facts='{"name": "Jane"}',
            strong=["email:j@acme.nl"])  # fmt: skip
    insert(client, "identity_links", tenant=tenant, link_key=1, version=1, a="contact_id:7",
           b="email:j@acme.nl", source="web", state="refused", why="kept apart by steward")  # fmt: skip
    insert(client, "identity_links", tenant=tenant, link_key=2, version=1, a="contact_id:7",
           b="user_id:z", source="web", state="refused", why="no matter")  # fmt: skip
    two = Group("c2", "Jane", ("anonymous_id:x", "email:j@acme.nl"))
    pair = asking.pair(said(tenant, "contact_id:7", "journeys_contact_id:c0"))
    assert (pair.a, pair.b) == (Group("c1", "", ("contact_id:7",)), two)
    assert pair.obstacles == ("contact_id:7 and email:j@acme.nl, said web: kept apart by steward",)
    assert asking.pair(said(tenant, "email:j@acme.nl", "anonymous_id:x", at=9 * DAY)).one
    assert not asking.pair(said(tenant, "email:j@acme.nl", "anonymous_id:x", at=9 * DAY - 1)).known
    assert asking.pair(said(tenant, "email:j@acme.nl", "user_id:unknown")).b == Group()
    assert (
        asking.pair(said(tenant, "contact_id:7", "journeys_contact_id:c2")).b == two
    )  # in use: it has no row
    assert asking.pair(said(tenant, "contact_id:7", "journeys_contact_id:c3")).b == Group()


def test_accounts(client: Client, tenant: str) -> None:
    mapped(client, tenant, "domain:acme.nl", (0, "", "a1"))
    mapped(client, tenant, "account_id:9", (0, "", "a1"))
    mapped(client, tenant, "domain:left.nl", (0, "", "a1"), (DAY, "", "a2"))
    mapped(client, tenant, "email:j@acme.nl", (0, "c2", "a1"))
    pair = Asking(client).pair(said(tenant, "domain:acme.nl", "account_id:9"))
    assert pair.a == pair.b == Group("a1", "", ("account_id:9", "domain:acme.nl"))


def test_whether_a_statement_was_heard(client: Client, tenant: str) -> None:
    asking, one = Asking(client), said(tenant, "domain:acme.nl", "account_id:9")
    assert not asking.has_heard(one)
    insert(client, "assertions", tenant="other", event_id="st-1")
    assert not asking.has_heard(one)
    insert(client, "assertions", tenant=tenant, event_id="st-1")
    assert asking.has_heard(one)


def test_a_person_their_touches_and_the_answer(client: Client, tenant: str) -> None:
    asking = Asking(client)
    request = Request(tenant, "pr-1", "erase", ["email:j@acme.nl", "phone:+31612345678"], DAY)
    assert asking.person(request) == Person()
    assert asking.answer(request) is None
    mapped(client, tenant, "email:j@acme.nl", (0, "c1", "a1"))
    mapped(client, tenant, "user_id:u", (0, "c1", "a1"))
    mapped(client, tenant, "phone:+31612345678", (0, "c2", "a1"))  # a device of somebody else
    for n, identifier in enumerate(("email:j@acme.nl", "user_id:u", "phone:+31612345678", "user_id:no")):
        touched(client, tenant, str(n), identifier, DAY)
    touched(client, tenant, "late", "user_id:u", DAY + 1)
    person = Person((Group("c1", "", ("email:j@acme.nl", "user_id:u")),), 3)
    assert asking.person(request) == person
    issued = Request(tenant, "pr-2", "erase", ["journeys_contact_id:c1"], DAY)
    assert asking.person(issued) == Person(person.contacts, 2)
    insert(client, "privacy_results", tenant=tenant, request_id="pr-1", version=1, request="erase",
           result="done", counts={"identifiers": 2, "devices": 1}, contact_ids=["c1"])  # fmt: skip
    insert(client, "privacy_results", tenant=tenant, request_id="pr-1", version=2, request="erase",
           result="done", counts={"identifiers": 3}, contact_ids=["c1"])  # fmt: skip
    assert asking.answer(request) == Answer("done", {"identifiers": 3}, ("c1",))


def test_the_tenants_that_know_an_identifier(client: Client, tenant: str) -> None:
    mapped(client, tenant, f"user_id:{tenant}", (0, f"c{tenant}", "a1"))
    mapped(client, f"{tenant}2", f"user_id:{tenant}", (0, "", f"a{tenant}"))
    touched(client, tenant, "1", f"anonymous_id:{tenant}", DAY)
    touched(client, tenant, "2", "user_id:z", DAY, account=f"domain:{tenant}")
    both = [tenant, f"{tenant}2"]
    known = {
        f"user_id:{tenant}": both,
        f"anonymous_id:{tenant}": [tenant],
        f"domain:{tenant}": [tenant],
        f"journeys_contact_id:c{tenant}": [tenant],
        f"journeys_account_id:a{tenant}": both[1:],
        "user_id:nobody has seen it": [],
    }
    assert Asking(client).tenants(list(known)) == known
