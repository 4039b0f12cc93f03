"""Ids that IDENTITY gave out, by hand: what they mean now, and what waits for one."""

from itertools import permutations

import pytest

from schemas.identity import Period
from schemas.internal import Seen
from schemas.keys import KEY_BYTES, erased_name
from schemas.times import rfc3339
from tests.unit.test_identity_erasure import (
    BOB,
    COOKIE,
    CRM_1,
    JANE,
    KEY_OF,
    LOGIN,
    Map,
    day,
    employed,
    erase,
    key,
    link,
    owns,
    seen,
    word,
)


def contact(identifier: str, *generation: str) -> str:
    """The id that an identifier gives its contact."""
    return "c" + KEY_OF("t", "contact", identifier, *generation).hex()[:15]


def account(key_: str) -> str:
    return "a" + KEY_OF("t", "account", key_).hex()[:15]


def of_contact(issued: str) -> str:
    return f"journeys_contact_id:{issued}"


def of_account(issued: str) -> str:
    return f"journeys_account_id:a{issued[1:]}"


def test_a_former_id_means_the_contact_that_its_identifier_is_in_now() -> None:
    found = Map(seen(JANE, 1), seen(LOGIN, 2))
    former = found.contact(LOGIN)
    assert former == contact(LOGIN)
    assert key(of_contact(former)) not in found.rows
    found.say(link(JANE, LOGIN, 3))
    assert found.at(of_contact(former), 0) == found.at(JANE, 0)
    assert found.row(of_contact(former)).identifier == of_contact(former)
    found.say(word("unlink", JANE, LOGIN, 4))
    assert found.contact(of_contact(former)) == former == found.contact(LOGIN)


def test_former_ids_follow_a_merge_of_accounts_and_employments() -> None:
    found = Map(seen(JANE, 1), seen("account_id:7", 0))
    domain = account("domain:acme.nl")
    found.say(link("account_id:7", "domain:acme.nl", 2, "crm"))
    assert found.at(of_account(domain), 0) == (None, account("account_id:7"))
    found.say(seen("vat_number:NL1", -5), link("account_id:7", "vat_number:NL1", 3, "crm"))
    assert found.at(of_account(domain), 0) == (None, account("vat_number:NL1"))
    assert found.at(of_account(account("account_id:7")), 0) == (None, account("vat_number:NL1"))


def test_a_person_account_that_found_a_firm_means_the_firm() -> None:
    found = Map(seen("email:jan@gmail.com", 1))
    person = found.at("email:jan@gmail.com", 0)[1]
    assert person == of_account(contact("email:jan@gmail.com")).partition(":")[2]
    found.say(
        employed("email:jan@gmail.com", "account_id:1", 5), employed("email:jan@gmail.com", "account_id:2", 9)
    )
    assert found.at(of_account(person), 6) == (None, account("account_id:1"))
    assert found.at(of_account(person), 9) == (None, account("account_id:2"))


def test_an_id_that_somebody_names_has_a_row_also_before_it_means_anything() -> None:
    for order in permutations(
        (seen(LOGIN, 2), Seen("t", of_contact(contact(LOGIN)), day(5)), link(JANE, LOGIN, 1))
    ):
        found = Map(*order)
        assert found.at(of_contact(contact(LOGIN)), 0) == found.at(LOGIN, 0) != (None, None)
    found = Map(Seen("t", of_contact("c" + 15 * "0"), day(5)), Seen("t", of_account("a" + 15 * "0"), day(5)))
    assert found.at(of_contact("c" + 15 * "0"), 0) == found.at(of_account("a" + 15 * "0"), 0) == (None, None)


def test_an_id_of_another_kind_means_nothing() -> None:
    found = Map(seen("account_id:7", 0), Seen("t", of_contact("c" + account("account_id:7")[1:]), day(5)))
    assert found.at(of_contact("c" + account("account_id:7")[1:]), 0) == (None, None)


@pytest.mark.parametrize("restart", [False, True])
def test_people_may_say_it_by_ids_known_or_not_yet(restart: bool) -> None:
    said = [
        seen(LOGIN, 2),
        seen("contact_id:2", 1),
        word("link", of_contact(contact(LOGIN)), of_contact(contact("contact_id:2")), 3),
        word("alias", of_account(account("account_id:7")), "account_id:8", 3),
        seen("account_id:7", 1),
    ]
    for order in permutations(said):
        found = Map(*order[:3])
        if restart:
            found.restart()
        for one in order[3:]:
            found.say(one)
        assert found.contact(LOGIN) == found.contact("contact_id:2") is not None
        assert found.at("account_id:7", 0) == found.at("account_id:8", 0)
        assert {len(member) for member in found.session.rows.group(KEY_OF("t"))} == {
            KEY_BYTES
        }  # nothing waits


def test_a_person_may_be_erased_by_any_of_the_ids() -> None:
    known = [seen(JANE, 1), seen(LOGIN, 2), link(JANE, LOGIN, 3)]
    for issued in (contact(JANE), contact(LOGIN)):
        for order in permutations((*known, erase(of_contact(issued), at=5))):
            found = Map(*order)
            assert found.is_gone(JANE, 5)
            assert found.is_gone(LOGIN, 5)
            assert found.results["r"].counts == {"identifiers": 2, "devices": 0}


def test_the_ids_of_who_is_erased_mean_nobody_for_ever() -> None:
    found = Map(seen(JANE, 1), seen(LOGIN, 2), link(JANE, LOGIN, 3), erase(JANE, at=5))
    for issued in (contact(JANE), contact(LOGIN)):
        assert found.at(of_contact(issued), 0) == (None, None)
        assert found.row(of_contact(issued)).erased == [Period(None, rfc3339(day(5) + 1))]
    found.say(seen(JANE, 8), Seen("t", of_account(contact(JANE)), day(9)))
    found.restart()
    assert found.at(of_contact(contact(JANE)), 0) == found.at(of_account(contact(JANE)), 0) == (None, None)
    assert found.contact(JANE) == contact(JANE, str(day(5)))
    found.say(erase(of_contact(contact(JANE)), at=9, event_id="r2"))
    assert found.results["r2"].result == "not_found"
    found.say(erase(of_contact(contact(JANE, str(day(5)))), at=10, event_id="r3"))
    assert found.is_gone(JANE, 10)
    assert found.row(JANE).identifier == erased_name(key(JANE))


def test_what_people_say_later_by_an_id_from_before_means_nobody() -> None:
    former = of_contact(contact(JANE))
    said = word("link", former, BOB, 8)
    known = [seen(JANE, 1), seen(BOB, 1), seen(JANE, 9)]
    for order in permutations((said, erase(JANE, at=5))):
        found = Map(*known, *order)
        found.restart()
        found.say(seen(JANE, 9), seen(BOB, 0))
        assert found.contact(JANE) == contact(JANE, str(day(5))) != found.contact(BOB) is not None
        assert found.at(former, 0) == (None, None)
    said = word("link", COOKIE, former, 8)
    for order in permutations((said, erase(JANE, at=5))):
        found = Map(*known, *order, seen(JANE, 9))
        assert key(COOKIE) not in found.rows or found.contact(COOKIE, 8) is None


def test_an_id_that_people_name_has_a_row() -> None:
    found = Map(seen(JANE, 1), seen(BOB, 1), word("link", of_contact(contact(JANE)), BOB, 8))
    assert found.contact(of_contact(contact(JANE))) == found.contact(JANE) == found.contact(BOB)


def test_what_waits_may_not_name_who_is_erased() -> None:
    waiting = word("link", of_contact(contact(BOB)), JANE, 3)
    found = Map(seen(JANE, 1), waiting)
    assert found.names("jane@")
    found.say(erase(JANE, at=5))
    assert not found.names("jane@")
    found.say(waiting)
    assert not found.names("jane@")
    found.say(word("link", of_contact(contact(BOB)), JANE, 7, "later"), seen(BOB, 2))
    assert found.contact(JANE) == found.contact(BOB) is not None


def test_the_devices_of_somebody_named_by_an_id() -> None:
    found = Map(seen(CRM_1, 1), word("link", COOKIE, of_contact(contact(CRM_1)), 3), owns(COOKIE, BOB, 9))
    assert found.contact(COOKIE, 3) == found.contact(CRM_1)
    assert found.contact(COOKIE, 9) == found.contact(BOB)


@pytest.mark.parametrize("what", ["link", "unlink", "cannot_link"])
def test_accounts_of_two_persons_are_no_word_on_the_persons(what: str) -> None:
    jane, bob = "email:jane@gmail.com", "email:bob@gmail.com"
    found = Map(seen(jane, 1), seen(bob, 1))
    ids = of_account(contact(jane)), of_account(contact(bob))
    if what != "link":
        found.say(link(jane, bob, 1))
    rows = dict(found.rows)
    found.say(word(what, *ids, 3))
    assert found.rows == rows
