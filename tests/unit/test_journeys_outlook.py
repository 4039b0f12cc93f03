"""What follows from an account: for whom the next best action is, and that it does not hang on the clock."""

import msgspec
import pytest

from schemas.events import Action
from schemas.internal import CRM, Fact, Snapshot
from streams.definition import default
from streams.journeys.account import Given, derive
from streams.journeys.ledger import Ledger
from streams.journeys.outlook import Outlook, outlook
from streams.journeys.profile import content
from tests.unit.test_journeys_given import ACCOUNT, DAY, START, TENANT, fragment, of, touch

YEAR = 365 * DAY


def ahead(*snapshots: Snapshot, clock: int = START) -> Outlook:
    given = Given(default(), TENANT, ACCOUNT, clock)
    return outlook(derive(snapshots, given), given)


def action(*snapshots: Snapshot, clock: int = START) -> Action:
    found = ahead(*snapshots, clock=clock).action
    assert found
    return found


def jane(*touches: tuple[int, str], no: int | None = None) -> Snapshot:
    made = fragment("email:jane@acme.nl", of("jane", *[touch(at, type) for at, type in touches]))
    return msgspec.structs.replace(made, words={"email": [(no, False)]} if no is not None else {})


def test_who_asked_is_called_though_nobody_said_yes():
    found = action(jane((START, "demo_requested")))
    assert (found.to, found.channel, found.when) == ("jane", "email", "2025-01-02")
    assert found.why.endswith("(hand-off open)")


def test_who_said_no_after_asking_is_not():
    found = action(jane((START, "demo_requested"), no=START + 1), clock=START + DAY)
    assert (found.to, found.channel) == ("", "web")


def test_a_second_member_who_asks_while_the_hand_off_is_open_may_be_called_too():
    bob = fragment("email:bob@acme.nl", of("bob", touch(START + DAY, "quote_requested")))
    found = action(jane((START, "demo_requested"), no=START + 1), bob, clock=START + DAY)
    assert (found.to, found.channel) == ("bob", "email")


@pytest.mark.parametrize("clock", [START + 201 * DAY, START + 370 * DAY, START + 5 * YEAR])
def test_without_news_a_customer_stays_one_whatever_the_clock(clock):
    bought = jane((START, "order_placed"), (START + 200 * DAY, "catalogue_requested"))
    bought = msgspec.structs.replace(bought, words={"email": [(START, True)]})
    found = action(bought, clock=clock)
    assert found.why.endswith("(consideration; a customer)")
    assert found == action(bought)


def test_the_profile_tells_of_the_firm_in_one_spelling_what_has_not_expired():
    told = {
        "employees": Fact(CRM, START, "crm", "1.200"),
        "country": Fact(CRM, START, "crm", "Nederland"),
        "industry": Fact(CRM, START, "crm", " metal  works "),
    }
    for days, employees in ((0, 1200), (730, 1200), (731, None)):
        given = Given(default(), TENANT, ACCOUNT, START + days * DAY)
        account = derive([fragment("account_id:A-1", of("", touch(START)), facts=told)], given)
        profile = content(Ledger(TENANT, ACCOUNT, [], []), account, given, outlook(account, given))
        assert (profile.industry, profile.employees, profile.country) == ("metal works", employees, "NL")
