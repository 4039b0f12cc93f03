"""Firm names that a person should look at, and those that nobody should."""

import random
import string
from time import process_time
from typing import Any

import pytest

from streams.sink.candidates import EACH, alike, cleaned, proposals
from streams.sink.propose import propose


@pytest.mark.parametrize(
    ("a", "b", "least"),
    [
        ("De Klerk Installatietechniek B.V.", "de klerk installatietechniek bv", 1.0),
        ("Coöperatie Zorgplein U.A.", "Cooperatie Zorgplein", 1.0),
        ("Bakkerij Müller GmbH", "Bakkerij Muller", 1.0),
        ("N.V. Nederlandse Gasunie", "Nederlandse Gasunie NV", 1.0),
        ("Acme Ltd.", "ACME Limited", 1.0),
        ("Acme B V", "Acme B.V. i.o.", 1.0),
        ("'t Hart Bouw", "t Hart Bouw B.V.", 1.0),
        ("Van den Berg Transport", "Vandenberg Transport BV", 0.98),
        ("Techniek Jansen", "Jansen Techniek B.V.", 0.96),
        ("Bolsius Groep", "Bolsius B.V.", 0.9),
        ("Van Dijk Beheer B.V.", "Van Dijk", 0.9),
        ("Nordhaven Logistics Nederland B.V.", "NordHaven Logistics", 0.9),
        ("Smit & Zonen", "Smit en Zonen B.V.", 0.9),
        ("KLM", "Koninklijke Luchtvaart Maatschappij N.V.", 0.8),
        ("Jansen Techniek", "Janssen Techniek B.V.", 0.86),
        ("Philips", "Phillips NV", 0.86),
        ("Veldhuis Installatietechniek", "Veldhuis Instalatietechnick", 0.82),
        ("Veldhuis Inst. B.V.", "Veldhuis Installaties", 0.75),
    ],
)
def test_names_to_look_at(a: str, b: str, least: float) -> None:
    for one, other in ((a, b), (b, a)):
        found = alike(cleaned(one), cleaned(other))
        assert found is not None
        assert found[0] == pytest.approx(least)
        assert found[1]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Jansen Techniek B.V.", "Jansen Transport B.V."),
        ("Van Dijk Bouw", "Van Dijk Bouwmaterialen"),
        ("Bakker Noord", "Bakker Zuid"),
        ("Technische Unie Utrecht", "Technische Unie Dordrecht"),
        ("Acme Nederland B.V.", "Acme België N.V."),
        ("Studio 1", "Studio 2"),
        ("Bosch", "Bos"),
        ("Smit", "Smits"),
        ("ING", "IKEA"),
        ("Hansen Installatietechniek", "Jansen Installatietechniek"),
        ("De Groot B.V.", "De Boer B.V."),
        ("Groep B.V.", "Holding N.V."),
        ("Vlot Consultancy", "Valk Consultancy"),
        ("ABN AMRO", "ABN"),
    ],
)
def test_names_that_nobody_need_look_at(a: str, b: str) -> None:
    assert alike(cleaned(a), cleaned(b)) is None
    assert proposals([("a1", a), ("a2", b)]) == []


def test_pairs_are_found_among_many_that_share_words() -> None:
    rng = random.Random(4)
    trades = ("Techniek", "Bouw", "Transport", "Groep", "Advies")
    accounts = [
        (f"n{n:05}", f"{''.join(rng.choices(string.ascii_lowercase, k=8)).title()} {trades[n % 5]} B.V.")
        for n in range(4_000)
    ]
    accounts += [("a1", "Klimaatmakers Techniek"), ("a2", "Klimatmakers Techniek BV"), ("a3", "Philips")]
    accounts += [("a4", "Phillips"), ("a5", "Zilveren Kruis"), ("a6", "Zilverenkruis N.V.")]
    begun = process_time()
    found = proposals(accounts)
    assert process_time() - begun < 5
    assert {pair[:2] for pair in found if pair.a < "b"} == {("a1", "a2"), ("a3", "a4"), ("a5", "a6")}


def test_of_very_many_with_one_name_each_is_proposed_with_few() -> None:
    found = proposals([(f"a{n:04}", "Jansen B.V.") for n in range(2_000)])
    assert len(found) <= 2_000 * EACH / 2
    assert {pair.a for pair in found} | {pair.b for pair in found} == {f"a{n:04}" for n in range(2_000)}


def test_what_people_said_is_not_asked_again_and_order_does_not_matter() -> None:
    accounts = [("a1", "Acme"), ("a2", "ACME B.V."), ("a3", "Acme NV"), ("a4", "")]
    pairs = [pair[:2] for pair in proposals(accounts, {("a1", "a2")})]
    assert pairs == [("a1", "a3"), ("a2", "a3")]
    assert proposals(accounts[::-1], {("a1", "a2")}) == proposals(accounts, {("a1", "a2")})


class Database:
    """Answers in the order in which they are asked for: names, pairs kept apart, proposals that are there."""

    def __init__(self, *answers: list[tuple[Any, ...]]) -> None:
        self.answers = list(answers)
        self.inserted: list[bytes] = []

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        assert sql
        return self.answers.pop(0)

    def insert(self, table: str, body: bytes, token: str) -> None:
        assert (table, token) == ("merge_candidates", "merge_candidates 5")
        self.inserted.append(body)


def test_only_what_changed_is_kept() -> None:
    names = [("t", "a1", "Acme"), ("t", "a2", "Acme BV"), ("u", "a3", "Acme"), ("t", "a4", "Bolsius")]
    same = ("a1", "a2", "Acme", "Acme BV", 1.0, "the same name but for legal form, capitals and signs")
    there = [("t", *same), ("t", "a2", "a4", "Acme BV", "Acme", 1.0, "once")]
    database = Database(names, [], there)
    assert propose(database, 5) == 1
    assert database.inserted == [b'["t","a2","a4",5,"Acme BV","Acme",1.0,"once",true]\n']
    unchanged = Database(names, [], there[:1])
    propose(unchanged, 5)
    assert unchanged.inserted == []
