"""What the figures of docs/quality.md are counted with."""

import doctest
import json
from importlib.metadata import PackageNotFoundError

import pytest

from benchmarks import bounds, febrl, pairs, stitching
from benchmarks.chain import Chain
from benchmarks.pairs import measure

JANE = {
    "rec_id": "rec-17-org",
    "given_name": "jane",
    "surname": "o'neil",
    "street_number": "8",
    "address_1": "stanley street",
    "postcode": "4223",
    "date_of_birth": "19151111",
    "soc_sec_id": "5304218",
}


def sent_as(way, **other):
    return febrl.touchpoint(JANE | other, 3, "febrl9", way)


@pytest.mark.parametrize("module", [febrl, pairs, stitching])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


def test_a_record_is_a_registration_made_of_its_own_fields():
    sent = sent_as("log-in")
    event = json.loads(sent.line)
    assert event["identifiers"] | {"phone": ""} == {
        "user_id": "5304218",
        "email": "jane.oneil.19151111@gmail.com",
        "phone": "",
    }
    assert sent.strong == ["user_id:5304218", "email:jane.oneil.19151111@gmail.com"]
    assert (sent.person, event["tenant"]) == ("17", "febrl9-log-in")


@pytest.mark.parametrize("way", febrl.WAYS)
def test_who_it_truly_is_is_nowhere_in_the_line(way):
    assert sent_as(way).line == sent_as(way, rec_id="rec-99-dup-3").line
    assert b"17" not in sent_as(way).line.replace(b"19151111", b"")


def test_a_slip_in_a_name_is_in_the_address_and_a_missing_field_leaves_none():
    assert sent_as("log-in", surname="oniel").strong[1] == "email:jane.oniel.19151111@gmail.com"
    assert sent_as("log-in", surname="").strong == ["user_id:5304218"]
    assert sent_as("log-in", date_of_birth="").strong == ["user_id:5304218"]


def test_the_telephone_is_of_the_house():
    one, other, street = (
        json.loads(sent_as("log-in", **change).line)["identifiers"]["phone"]
        for change in ({}, {"given_name": "john", "soc_sec_id": "1"}, {"street_number": "9"})
    )
    assert one == other != street


def test_mixed_records_come_from_three_systems():
    kinds = {sent_as("mixed", soc_sec_id=str(n)).strong[0].partition(":")[0] for n in range(40)}
    assert kinds == {"email", "user_id", "contact_id"}


def test_clashing_addresses_are_of_the_name_alone():
    addresses = {sent_as("clashing", date_of_birth=born).strong[-1] for born in ("19000101", "19991231")}
    assert addresses == {"email:jane.oneil@gmail.com"}


def test_pairs_of_three_records_of_one_and_two_of_another():
    people = ["a", "a", "a", "b", "b"]
    identifiers = [["u:1", "e:1"], ["e:1"], ["u:2"], ["u:2"], []]
    found = {"u:1": "x", "e:1": "x", "u:2": "y"}
    quality = measure(people, identifiers, found)
    assert (quality.records, quality.people, quality.true) == (5, 2, 4)
    assert (quality.knowable, quality.known) == (
        1,
        1,
    )  # `u:2` is of two people and connects neither's records
    assert (quality.found, quality.right) == (2, 1)
    assert (quality.precision, quality.recall, quality.recall_of_knowable) == (0.5, 0.25, 1.0)


def test_a_pair_is_knowable_by_way_of_a_third_record():
    quality = measure([1, 1, 1], [["u:1"], ["u:1", "e:1"], ["e:1"]], {"u:1": "x", "e:1": "y"})
    assert (quality.knowable, quality.known) == (3, 1)


def test_somebody_elses_record_makes_no_pair_knowable():
    quality = measure([1, 1, 2], [["u:1"], ["e:1"], ["u:1", "e:1"]], {})
    assert (quality.true, quality.knowable) == (1, 0)


def test_a_link_that_a_limit_keeps_apart_is_explained_and_others_are_not():
    sent = [febrl.Sent(b"", "1", ["user_id:2", "email:a"])]
    apart = {"user_id:1": "x", "email:a": "x", "user_id:2": "y"}
    assert febrl.unexplained(sent, apart) == []
    assert febrl.unexplained(sent, {"email:a": "x", "user_id:2": "y"}) == [("user_id:2", "email:a")]
    assert febrl.unexplained(sent, {"email:a": "x", "user_id:2": "x"}) == []


def test_the_files_that_ship():
    try:
        found = {name: len(febrl.records(name)) for name in febrl.SETS}
    except PackageNotFoundError:
        pytest.skip("the dependency group `quality` is not installed")
    assert found == {"febrl1": 1_000, "febrl2": 5_000, "febrl3": 5_000, "febrl4": 10_000}
    people = {sent.person for sent in febrl.touchpoints("febrl1", "mixed")}
    assert len(people) == 500


def test_extremes_cost_what_the_chain_of_steps_counts():
    chain = Chain()
    chain.feed(bounds.people(50, 5))
    assert chain.cost("ingest").records == 50
    assert chain.cost("identity").records == 50 * 2  # a link, and when the log-in was first seen
    chain.reset()
    chain.feed(bounds.visits(80, 50, 5, 50))
    assert (chain.cost("ingest").records, chain.cost("identity").records) == (80, 0)
    chain.settle()
    assert chain.cost("journeys").largest_output > 1_000  # profiles of ten people
    assert chain.state_bytes("identity") > chain.cost("fragments").largest_row > 0


def test_all_extremes_are_of_one_tenant_and_every_event_is_another_one():
    events = [json.loads(line) for line in bounds.extremes(500)]
    assert {event["tenant"] for event in events} == {"heavy"}
    assert len({event["event_id"] for event in events}) == len(events) == 100 + 200 + 20 + 5
