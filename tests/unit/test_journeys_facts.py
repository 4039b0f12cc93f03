"""Facts: one spelling, the best of several sources, how long they hold."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.events import FactRow
from schemas.internal import CRM, ERP, OTHER, STEWARD, Fact
from schemas.times import DAY_MS
from streams.definition import default
from streams.journeys import facts
from streams.journeys.facts import Held, next_expiry, used, values
from streams.journeys.standard import LONGEST, standard

RULES = default().facts


def held(
    firm: dict[str, Any] | None = None, members: dict[str, Any] | None = None, clock: int = 0
) -> list[Held]:
    return used(RULES, "a1", firm or {}, members or {}, clock)


def shown(*arguments: Any, **named: Any) -> list[tuple[str, str, str, bool]]:
    return [(fact.entity, fact.attribute, fact.value, fact.expired) for fact in held(*arguments, **named)]


# ---- one spelling


@pytest.mark.parametrize(
    ("kind", "told", "spelled"),
    [
        ("number", "1.200", "1200"),
        ("number", "1,200", "1200"),
        ("number", "1 200", "1200"),
        ("number", "1\u00a0200", "1200"),
        ("number", "1'200", "1200"),
        ("number", "1.200.000", "1200000"),
        ("number", "1.200,50", "1200.5"),
        ("number", 34.0, "34"),
        ("number", "34,0", "34"),
        ("number", "8,5", "8.5"),
        ("number", "0.500", "0.5"),
        ("number", "1234.567", "1234.567"),
        ("number", "-0", "0"),
        ("country", "nl", "NL"),
        ("country", "Nederland", "NL"),
        ("country", "The Netherlands", "NL"),
        ("country", "NLD", "NL"),
        ("country", "België", "BE"),
        ("country", "UK", "GB"),
        ("country", "Côte d’Ivoire", "CI"),
        ("language", "NL", "nl"),
        ("language", "nl_BE", "nl"),
        ("language", "Français", "fr"),
        ("yes_no", "Ja", "true"),
        ("yes_no", "yes", "true"),
        ("yes_no", True, "true"),
        ("yes_no", 0, "false"),
        ("yes_no", "nee", "false"),
        ("money", "€ 1.200.000", "1200000 EUR"),
        ("money", "EUR 1,2 mln", "1200000 EUR"),
        ("money", "$50k", "50000 USD"),
        ("money", 50_000, "50000"),
        ("money", "1.500,-", "1500"),
        ("money", {"value": "12.50", "currency": "eur"}, "12.5 EUR"),
        ("channel", "E-mail", "email"),
        ("channel", "Telefoon", "phone"),
        ("text", "  De   Klerk ", "De Klerk"),
        ("text", ["a", "b"], '["a","b"]'),
        ("text", 5, "5"),
    ],
)
def test_values_have_one_spelling(kind, told, spelled):
    assert standard(kind, told) == spelled
    assert standard(kind, spelled) == spelled


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("number", "50-100"),
        ("number", "about 40"),
        ("number", "1.2.3"),
        ("number", "1,200,00"),
        ("country", "Benelux"),
        ("language", "no way"),
        ("language", "xx"),
        ("yes_no", "maybe"),
        ("money", "100-200k"),
        ("money", "50 pcs"),
        ("money", "2 EUR USD"),
        ("channel", "fax"),
    ],
)
def test_what_cannot_be_read_is_kept_as_text(kind, told):
    assert standard(kind, told) == told


@pytest.mark.parametrize(
    ("kind", "told"), [("number", True), ("number", 10**15), ("country", 31), ("money", [1, "x"])]
)
def test_what_is_no_text_is_kept_as_json(kind, told):
    assert msgspec.json.decode(standard(kind, told)) == told


@pytest.mark.parametrize("told", ["", "  ", "-", "Unknown", "n/a", "onbekend", None])
def test_no_answer_is_no_fact(told):
    assert held({"industry": Fact(CRM, 1, "crm", told)}) == []


@given(
    st.sampled_from(["text", "number", "country", "language", "yes_no", "money", "channel"]),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
)
def test_every_value_has_a_spelling_which_is_its_own(kind, told):
    spelled = standard(kind, told)
    assert len(spelled) <= LONGEST
    # 1.125 that is told as a number is 1.125; in a text the point separates thousands.
    assume(kind not in ("number", "money") or not re.search(r"\.\d{3}\b", spelled))
    assert standard(kind, spelled) == spelled


def test_long_values_are_cut():
    assert len(standard("text", "x" * 70_000)) == len(standard("money", "1 ," * 30_000)) == LONGEST


# ---- which one counts


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (Fact(OTHER, 9, "web", "b"), Fact(ERP, 1, "erp", "a")),
        (Fact(ERP, 9, "erp", "b"), Fact(CRM, 1, "crm", "a")),
        (Fact(CRM, 9, "crm", "b"), Fact(STEWARD, 1, "steward", "a")),
        (Fact(CRM, 1, "crm", "b"), Fact(CRM, 2, "crm", "a")),
        (Fact(CRM, 1, "crm", "b"), Fact(CRM, 1, "crm", "a")),
        (Fact(CRM, 9, "crm", "unknown"), Fact(OTHER, 1, "web", "a")),
    ],
    ids=["erp before forms", "crm before erp", "steward before crm", "the later", "the smaller", "an answer"],
)
def test_of_several_the_best_counts(weaker, stronger):
    for told in ([weaker, stronger], [stronger, weaker]):
        assert shown(members={"c1": {"hobby": told}}) == [("c1", "hobby", "a", False)]


def test_a_weaker_source_that_holds_comes_before_a_stronger_one_that_has_expired():
    told = [Fact(CRM, 0, "crm", "planner"), Fact(OTHER, DAY_MS, "web", "COO")]
    members = {"c1": {"job_title": told}}
    assert shown(members=members, clock=730 * DAY_MS) == [("c1", "job_title", "planner", False)]
    assert shown(members=members, clock=730 * DAY_MS + 1) == [("c1", "job_title", "COO", False)]
    assert shown(members=members, clock=731 * DAY_MS + 1) == [("c1", "job_title", "planner", True)]


@pytest.mark.parametrize(("rank", "confidence"), [(STEWARD, 1.0), (CRM, 0.9), (ERP, 0.9), (OTHER, 0.7)])
def test_how_sure_it_is_by_its_source(rank, confidence):
    assert held({"industry": Fact(rank, 0, "s", "steel")})[0].confidence == confidence


def test_a_row_tells_until_when_it_holds():
    [timing] = held({"timing": Fact(CRM, 0, "crm", "June")})
    assert timing.row() == FactRow(
        "a1", "timing", "June", "crm", "1970-01-01T00:00:00Z", 0.9, "1970-04-01T00:00:00Z"
    )
    assert held({"vat_number": Fact(CRM, 0, "crm", "NL8")}, clock=10**13)[0].row().expires_at is None


def test_a_fact_without_a_rule_is_kept_for_ever():
    assert held({"mascot": Fact(OTHER, 0, "web", "fox")}, clock=10**13)[0].expires is None


def test_a_firm_s_budget_is_not_a_member_s():
    found = held(
        {"employees": Fact(CRM, 0, "crm", "1.200")}, {"c1": {"employees": [Fact(CRM, 0, "crm", "1.200")]}}
    )
    assert [(fact.about, fact.value) for fact in found] == [("account", "1200"), ("contact", "1.200")]


def test_words_on_consent_are_told_elsewhere():
    assert held(members={"c1": {"consent.email": [Fact(OTHER, 1, "web", True)]}}) == []


def test_what_is_known_is_what_has_not_expired():
    found = held({"timing": Fact(CRM, 0, "crm", "June"), "industry": Fact(CRM, 0, "crm", "steel")},
                 {"c1": {"name": [Fact(CRM, 0, "crm", "Jo")]}}, clock=91 * DAY_MS)  # fmt: skip
    assert values(found, "a1") == {"industry": "steel"}
    assert values(found, "c1") == {"name": "Jo"}
    assert next_expiry(found) == 1825 * DAY_MS
    assert next_expiry(held({"name": Fact(CRM, 0, "crm", "Acme")})) is None


def test_others_count_from_the_next_expiry_on():
    told = [Fact(CRM, 0, "crm", "planner"), Fact(OTHER, DAY_MS, "web", "COO")]
    at = next_expiry(held(members={"c1": {"job_title": told}}))
    assert at is not None
    assert [shown(members={"c1": {"job_title": told}}, clock=at + more)[0][2] for more in (0, 1)] == [
        "planner", "COO"
    ]  # fmt: skip


def test_by_entity_then_attribute_whatever_the_order_of_news():
    told = [Fact(CRM, 0, "crm", "x")]
    one = held({"b": told[0], "a": told[0]}, {"c2": {"z": told}, "c1": {"y": told, "x": told}})
    assert [(f.entity, f.attribute) for f in one] == [
        ("a1", "a"), ("a1", "b"), ("c1", "x"), ("c1", "y"), ("c2", "z")
    ]  # fmt: skip
    assert one == held({"a": told[0], "b": told[0]}, {"c1": {"x": told, "y": told}, "c2": {"z": told}})


def test_very_many_facts_are_bounded(monkeypatch):
    told = [Fact(OTHER, 0, "web", "x")]
    many = {f"a{n:03}": told for n in range(100)}
    found = held(members={"c1": {**many, "job_title": told}})
    assert len(found) == facts.MOST_OF_ONE
    assert {"job_title", "a000"} < {fact.attribute for fact in found}
    monkeypatch.setattr(facts, "MOST", 2)
    later = [Fact(OTHER, 5, "web", "x")]
    found = held({"name": told[0]}, {"c1": {"name": told}, "c2": {"name": later}, "c3": {"name": later}})
    assert [fact.entity for fact in found] == ["a1", "c2"]
