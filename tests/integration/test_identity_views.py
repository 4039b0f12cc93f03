"""Views of who is who: places, consent, conflicts, statements, aliases, requests, merge candidates."""

import pytest
from warehouse import Warehouse, encode, key_of, member

from schemas.identity import MapRow, Span
from schemas.topics import MAP
from streams.core import Record
from streams.sink.insert import Server
from streams.sink.propose import propose

pytestmark = pytest.mark.embedded

CRM, JANE, OTHER = "contact_id:C-1", "email:jane@acme.nl", "email:jane@client.nl"
DAY = "2025-01-0{}T00:00:00Z".format


def test_the_address_on_a_touch_places_it_where_no_employment_holds(at: Warehouse) -> None:
    spans = [Span(None, "c1", "home", placed=True), Span(DAY(5), "c1", "employer")]
    row = MapRow(at.tenant, CRM, (0, 1, 1), spans, places={"domain:client.nl": "client"})
    strong = {"strong": [CRM, OTHER]}
    at.feed(
        Record(MAP.name, 0, 0, 0, key_of(at.tenant, CRM), encode(row)),
        at.mapped("domain:shop.nl", Span(None, None, "shop")),
        at.touch("placed", CRM, DAY(1), **strong),
        at.touch("elsewhere", CRM, DAY(1), strong=[CRM, "email:jane@else.nl"]),
        at.touch("no address", CRM, DAY(1), strong=[CRM]),
        at.touch("named", CRM, DAY(1), account="domain:shop.nl", **strong),
        at.touch("employed", CRM, DAY(6), **strong),
    )
    assert at.rows("v_touchpoints", "event_id, account_id") == [
        ("elsewhere", "home"),
        ("employed", "employer"),
        ("named", "shop"),
        ("no address", "home"),
        ("placed", "client"),
    ]


def test_one_refusal_among_the_identifiers_of_a_contact_is_a_refusal(at: Warehouse) -> None:
    def word(name: str, identifier: str, day: int, **consent: bool) -> Record:
        return at.touch(name, identifier, DAY(day), consent=consent, type="consent_given")

    at.feed(
        *(at.mapped(name, Span(None, "c1", "a1")) for name in (CRM, JANE)),
        at.mapped("email:bob@acme.nl", Span(None, "c2", "a1")),
        at.mapped("anonymous_id:k", Span(DAY(3), "c1", "a1"), Span(DAY(5), "c2", "a1")),
        word("1", CRM, 1, email=False, phone=True, profiling=True),
        word("2", CRM, 2, email=True),  # a later word of the same identifier
        word("3", JANE, 2, phone=True, profiling=True),
        word("4", "anonymous_id:k", 4, profiling=False),  # hers then
        word("5", "email:bob@acme.nl", 1, email=True),
        word("6", "email:bob@acme.nl", 1, email=False),  # of equal times the refusal
        at.touch("7", JANE, DAY(1), rank=3, contact={"job_title": "typed"}),
        at.touch("8", CRM, DAY(1), rank=1, contact={"job_title": "buyer"}),
        at.touch("9", CRM, DAY(2), rank=1, contact={"job_title": "head of buying"}),
    )
    assert at.rows("v_contacts", "contact_id, consent, job_title") == [
        ("c1", {"email": True, "phone": True, "profiling": False}, "head of buying"),
        ("c2", {"email": False}, ""),
    ]
    jane = member("c1")
    jane.consent = {"email": True}
    at.feed(at.profile(1, [jane]))
    assert at.rows("v_members", "contact_id, consent") == [("c1", {"email": True})]


def test_issued_ids_are_aliases_and_no_identifiers(at: Warehouse) -> None:
    at.feed(
        at.mapped(JANE, Span(None, "c0123456789abcde", "a1")),
        at.mapped("journeys_contact_id:cffffffffffffff0", Span(None, "c0123456789abcde", "a1")),
        at.mapped("journeys_contact_id:c0123456789abcde", Span(None, "c0123456789abcde", "a1")),
        at.mapped("journeys_contact_id:cffffffffffffff1", Span(None)),
        at.mapped("journeys_account_id:affffffffffffff2", Span(None, None, "a1")),
    )
    assert at.rows("v_contacts", "contact_id, identifiers, devices") == [("c0123456789abcde", [JANE], [])]
    assert at.rows("v_aliases", "former_id, kind, current_id") == [
        ("affffffffffffff2", "account", "a1"),
        ("cffffffffffffff0", "contact", "c0123456789abcde"),
        ("cffffffffffffff1", "contact", ""),
    ]


def test_conflicts_tell_who_the_two_are_now(at: Warehouse) -> None:
    at.feed(
        at.mapped(JANE, Span(None, "c1", "a1")),
        at.mapped(OTHER, Span(None, "c2", "a2")),
        at.mapped("domain:acme.nl", Span(None, None, "a1")),
        at.link(JANE, OTHER, "held", seq=2),
        at.link(JANE, OTHER, "refused", seq=3, reason="two CRM contact ids"),
        at.link(JANE, OTHER, "held", seq=1, source="erp"),
        at.link("account_id:9", "domain:acme.nl", "void", reason="an unlink"),
        at.link(CRM, JANE, "inert", seq=1, source="web"),
        at.link(CRM, JANE, "", source="web"),
    )
    assert at.rows("v_identity_conflicts", "kind, a, b, source, state, why, a_id, b_id") == [
        ("account", "account_id:9", "domain:acme.nl", "crm", "void", "an unlink", "", "a1"),
        ("contact", JANE, OTHER, "crm", "refused", "two CRM contact ids", "c1", "c2"),
    ]


def test_the_parent_is_the_one_told_last(at: Warehouse) -> None:
    at.feed(
        *(at.mapped(f"domain:{name}.nl", Span(None, None, name)) for name in ("a1", "mother", "former")),
        at.mapped("journeys_account_id:affffffffffffff2", Span(None, None, "a1")),
        at.profile(1),
        at.profile(1, subject="mother"),
        at.said("s1", "parent", "domain:a1.nl", "domain:former.nl", DAY(1)),
        at.said("s2", "parent", "journeys_account_id:affffffffffffff2", "domain:mother.nl", DAY(2)),
        at.said("s3", "parent", "domain:a1.nl", "domain:unheard.nl", DAY(3)),
        at.said("s4", "alias", "domain:mother.nl", "domain:former.nl", DAY(4)),
    )
    assert at.rows("v_accounts", "account_id, parent_account_id") == [("a1", "mother"), ("mother", "")]
    assert at.rows("v_assertions", "event_id, assertion, said_by")[1] == ("s2", "parent", "marleen")


def test_outcomes_and_commands_are_shown_as_they_were_told(at: Warehouse) -> None:
    firm = ["account_id:9", "domain:acme.nl"]
    at.feed(
        at.happened("o1", "won", DAY(1), *firm, handoff="a1.1.1", value="1250.5", currency="EUR", by="k"),
        at.happened("o2", "lost", DAY(2), *firm, reason="geen budget", reason_code="no_budget"),
        at.ordered("k1", "assign_role", DAY(3), JANE, OTHER, role="buyer"),
        at.ordered("k2", "assign_segment", DAY(4), scheme="size", segment="large"),
    )
    assert at.rows("v_lead_outcomes", "* EXCEPT tenant", "event_id") == [
        ("o1", "won", "a1.1.1", firm, "why", "", 1250.5, "EUR", "2025-01-01T00:00:00.000Z", "k"),
        ("o2", "lost", "", firm, "geen budget", "no_budget", None, "", "2025-01-02T00:00:00.000Z", "crm"),
    ]
    assert at.rows("v_account_commands", "* EXCEPT tenant", "event_id") == [
        (
            "k1",
            "assign_role",
            ["domain:acme.nl"],
            [JANE, OTHER],
            "buyer",
            "",
            "",
            "",
            "2025-01-03T00:00:00.000Z",
            "crm",
        ),
        (
            "k2",
            "assign_segment",
            ["domain:acme.nl"],
            [],
            "",
            "",
            "size",
            "large",
            "2025-01-04T00:00:00.000Z",
            "crm",
        ),
    ]


def test_a_request_has_the_latest_answer(at: Warehouse) -> None:
    at.feed(
        at.answer("r1", ["c1", "c2"], seq=3, counts={"identifiers": 3, "devices": 1}),
        at.answer("r1", [], seq=1, result="not_found", counts={}),
        at.answer("r2", ["c3"], request="export", counts={}),
    )
    columns = "request_id, request, result, identifiers, devices, contact_ids"
    assert at.rows("v_privacy_requests", columns) == [
        ("r1", "erase", "done", 3, 1, ["c1", "c2"]),
        ("r2", "export", "done", 0, 0, ["c3"]),
    ]


def test_alike_names_are_proposed_until_people_have_spoken(at: Warehouse) -> None:
    server = Server(at.dsn)
    at.feed(
        at.profile(1, name="Bolsius Groep", subject="b1", keys=["domain:b1.nl"]),
        at.profile(1, name="Bolsius B.V.", subject="b2", keys=["domain:b2.nl"]),
        at.profile(1, name="Bolsius", subject="b3", kind="person", keys=[]),
        at.profile(1, name="Valk Advies", subject="b4"),
        *(at.mapped(f"domain:b{n}.nl", Span(None, None, f"b{n}")) for n in (1, 2)),
    )
    propose(server, 1)
    assert at.rows("v_merge_candidates", "account_id, name, other_account_id, other_name, score, why") == [
        ("b1", "Bolsius Groep", "b2", "Bolsius B.V.", 0.9, "the same name but for groep")
    ]
    at.feed(at.said("s1", "cannot_link", "domain:b2.nl", "domain:b1.nl", DAY(1)))
    propose(server, 2)
    assert at.rows("v_merge_candidates", "account_id") == []
    at.feed(at.said("s2", "unlink", "domain:b1.nl", "domain:b2.nl", DAY(2)))  # may be one, says nobody
    propose(server, 3)
    assert at.rows("v_merge_candidates", "account_id") == [("b1",)]
    at.feed(at.profile(2, name="Bolsius Groep", subject="b1", gone=True))  # they are one now
    propose(server, 4)
    assert at.rows("v_merge_candidates", "account_id") == []
