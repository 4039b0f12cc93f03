"""`journeys identity` on the embedded ClickHouse: who it is, and why."""

import json
from typing import Any

import pytest
from chdb_process import ChdbServer
from click.testing import CliRunner
from warehouse import Warehouse, encode, key_of, member

from schemas.events import ContactRef
from schemas.identity import MapRow, Period, Span
from schemas.keys import erased_name
from schemas.topics import MAP
from streams import clickhouse
from streams.cli import main
from streams.core import Record

pytestmark = pytest.mark.embedded

CRM, JANE, LOGIN, COOKIE = "contact_id:C-1", "email:jane@acme.nl", "user_id:7", "anonymous_id:k"
ID, OLD, ACCOUNT = "c0123456789abcde", "cffffffffffffff0", "a0123456789abcde"


@pytest.fixture(scope="module")
def shop(chdb: ChdbServer) -> Warehouse:
    clickhouse.wait_until_up(chdb.dsn, 10)
    clickhouse.migrate(chdb.dsn)
    at = Warehouse(chdb.dsn, "default")
    since, until = "2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z"
    moved = member("c", "Jane", until="2025-06-01T00:00:00Z")
    moved.contact_id = ID
    at.feed(
        at.touch("1", CRM, "2025-01-01T00:00:00Z", strong=[CRM, JANE], rank=1, contact={"name": "Jane"}),
        at.touch("2", JANE, "2025-01-02T00:00:00Z", consent={"email": False}),
        at.touch("3", "domain:acme.nl", "2025-01-03T00:00:00Z", account="domain:acme.nl"),
        *(at.mapped(name, Span(None, ID, ACCOUNT)) for name in (CRM, JANE)),
        at.mapped(LOGIN, Span(None, "c00000000000000b", ACCOUNT)),
        at.mapped(COOKIE, Span(since, ID, ACCOUNT), Span(until, None, None)),
        at.mapped("domain:acme.nl", Span(None, None, ACCOUNT)),
        at.mapped("account_id:7", Span(None, None, ACCOUNT)),
        at.mapped(f"journeys_contact_id:{OLD}", Span(None, ID, ACCOUNT)),
        at.link(CRM, JANE, "held"),
        at.link(JANE, LOGIN, "refused", source="web", rank=3, reason="two log-ins"),
        at.link("account_id:7", "domain:acme.nl", "held"),
        at.said("s1", "cannot_link", JANE, LOGIN, "2025-01-05T00:00:00Z"),
        at.event(
            "contact_change",
            OLD,
            "2025-04-01T00:00:00Z",
            1,
            type="contact_merged",
            details={"from": OLD, "into": ID},
            contact=ContactRef(ID, []),
        ),
        at.profile(1, [moved], subject=ACCOUNT, keys=["domain:acme.nl"]),
    )
    gone = MapRow(
        "default",
        erased_name(key_of("default", "email:gone@acme.nl")),
        (0, 1, 9),
        [Span(None)],
        erased=[Period(None, "2025-06-01T00:00:00.001Z")],
    )
    at.feed(Record(MAP.name, 0, 0, 0, key_of("default", "email:gone@acme.nl"), encode(gone)))
    return at


def told(shop: Warehouse, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("JOURNEYS_CLICKHOUSE", shop.dsn)
    done = CliRunner().invoke(main, ["identity", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


PERSON = f"""\
contact {ID} (Jane)
  accounts
    {ACCOUNT} (Acme) until 2025-06-01T00:00:00Z
  identifiers
    contact_id:C-1  first seen 2025-01-01T00:00:00Z
    email:jane@acme.nl  first seen 2025-01-01T00:00:00Z
  held together by
    contact_id:C-1 = email:jane@acme.nl (crm, 2025-01-01T00:00:00Z)
  told, but not held
    email:jane@acme.nl = user_id:7 (web, 2025-01-01T00:00:00Z), refused: two log-ins
  people said
    2025-01-05T00:00:00Z marleen: cannot_link email:jane@acme.nl user_id:7
  devices
    anonymous_id:k from 2025-02-01T00:00:00Z until 2025-03-01T00:00:00Z
  consent
    email: no
  history
    2025-04-01T00:00:00Z contact merged: from {OLD}, into {ID}
  former ids
    {OLD}
"""


@pytest.mark.parametrize(
    "asked", ["Jane@ACME.nl", "email:jane@acme.nl", "contact_id: C-1 ", ID, f"journeys_contact_id:{OLD}", OLD]
)
def test_a_person_and_why(shop: Warehouse, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    assert told(shop, monkeypatch, asked) == PERSON


@pytest.mark.parametrize("asked", ["domain:www.acme.nl", "account_id:7", ACCOUNT])
def test_an_account_and_why(shop: Warehouse, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    assert told(shop, monkeypatch, asked) == (
        f"account {ACCOUNT} (Acme)\n"
        "  members\n"
        f"    {ID} (Jane) until 2025-06-01T00:00:00Z\n"
        "  keys\n"
        "    account_id:7  seen on no touch\n"
        "    domain:acme.nl  first seen 2025-01-03T00:00:00Z\n"
        "  held together by\n"
        "    account_id:7 = domain:acme.nl (crm, 2025-01-01T00:00:00Z)\n"
    )


def test_a_device_and_whose_it_is(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(shop, monkeypatch, COOKIE) == (
        "anonymous_id:k is a device or phone; it belongs to\n"
        f"  {ID} (Jane) from 2025-02-01T00:00:00Z until 2025-03-01T00:00:00Z\n"
        "  nobody from 2025-03-01T00:00:00Z\n"
    )


@pytest.mark.parametrize(
    "asked", ["nobody@acme.nl", "c000000000000000f"[:16], "domain:nowhere.nl", "phone:0612345678"]
)
def test_who_is_not_known(shop: Warehouse, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    assert told(shop, monkeypatch, asked).startswith("nothing is known of ")


def test_who_is_erased(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(shop, monkeypatch, "Gone@acme.nl") == (
        "email:gone@acme.nl is erased until 2025-06-01T00:00:00.001Z: what is dated so is refused for ever\n"
        "  nothing later is known of it\n"
    )


def test_as_json(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = json.loads(told(shop, monkeypatch, "jane@acme.nl", "--json"))
    assert found["identifier"] == "email:jane@acme.nl"
    [report] = found["found"]
    [group] = report["groups"]
    assert (group["id"], group["former_ids"], group["consent"]) == (ID, [OLD], {"email": False})
    assert json.loads(told(shop, monkeypatch, "x@acme.nl", "--json", "--tenant", "w01"))["found"] == []


@pytest.mark.parametrize("asked", ["jane", "shoe:9", "email:null", "contact_id:0"])
def test_what_names_nothing(shop: Warehouse, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("JOURNEYS_CLICKHOUSE", shop.dsn)
    assert CliRunner().invoke(main, ["identity", asked]).exit_code == 2
