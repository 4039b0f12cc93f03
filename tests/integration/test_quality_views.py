"""What is known, by whom, how good it is, and what sales was sent."""

import pytest
from warehouse import Warehouse, member

from schemas.events import FactRow
from schemas.identity import Span
from streams.core import Record

pytestmark = pytest.mark.embedded

DAY1, DAY2, DAY3 = (f"2025-01-0{n}T00:00:00Z" for n in (1, 2, 3))
NEVER = "2199-01-01T00:00:00Z"


USED = [
    FactRow("a1", "employees", "1200", "crm", DAY1, 0.9, NEVER),
    FactRow("a1", "intention", "new pumps", "form", DAY1, 0.7, "2025-02-01T00:00:00Z"),
    FactRow("a1", "name", "Acme", "crm", DAY1, 0.9, None),
    FactRow("cj", "job_title", "buyer", "crm", DAY2, 0.9, NEVER),
    FactRow("cj", "name", "Jane", "form", DAY1, 0.7, None),
]


def told(at: Warehouse) -> list[Record]:
    """What crm, a form and a chat tell of Jane and her firm; `USED` is what counts of it."""
    jane, firm = "email:jane@acme.nl", "domain:acme.nl"
    about = {"type": "profile_updated", "account": firm}
    return [
        at.mapped(jane, Span(None, "cj", "a1")),
        at.mapped(firm, Span(None, None, "a1")),
        at.touch("1", jane, DAY1, source="crm", rank=1, contact={"job_title": "planner"}, **about),
        at.touch("2", jane, DAY2, source="crm", rank=1, contact={"job_title": "buyer"}, **about),
        at.touch("3", jane, DAY3, source="form", contact={"job_title": "Planner "}, **about),
        at.touch("4", jane, DAY1, source="form", contact={"name": "Jane"}, **about),
        at.touch("5", jane, DAY3, source="chat", contact={"job_title": "Buyer!", "name": ""}, **about),
        at.touch(
            "6",
            firm,
            DAY1,
            source="crm",
            rank=1,
            organisation={"employees": "1.200", "name": "Acme"},
            **about,
        ),
        at.touch(
            "7",
            firm,
            DAY1,
            source="form",
            organisation={"employees": 1500, "intention": "new pumps"},
            **about,
        ),
        at.touch("8", firm, DAY3, source="chat", organisation={"employees": 1200.0, "budget": None}, **about),
        at.profile(1, [member("cj")], facts=USED),
    ]


def test_a_fact_is_used_expired_or_contradicted(at: Warehouse) -> None:
    at.feed(*told(at))
    columns = "entity, attribute, value, source, confidence, expired, used"
    assert at.rows("v_profile_facts", columns) == [
        ("a1", "employees", "1200", "crm", 0.9, False, True),
        ("a1", "employees", "1500", "form", 0.7, False, False),
        ("a1", "intention", "new pumps", "form", 0.7, True, False),
        ("a1", "name", "Acme", "crm", 0.9, False, True),
        # What crm said before, and what says the same in other signs, contradicts nothing.
        ("cj", "job_title", "Planner ", "form", 0.7, False, False),
        ("cj", "job_title", "buyer", "crm", 0.9, False, True),
        ("cj", "name", "Jane", "form", 0.7, False, True),
    ]
    columns = "attribute, about, account_id, observed_at, expires_at"
    contradicted = [
        row for row in at.rows("v_profile_facts", f"{columns}, used, expired") if not (row[5] or row[6])
    ]
    assert [row[:5] for row in contradicted] == [
        # It holds as long as the fact that is used: 174 years from the 1st, so it ends as that does.
        ("employees", "account", "a1", f"{DAY1[:-1]}.000Z", "2199-01-01T00:00:00.000Z"),
        # That one ends 174 years after the 2nd, this one is of the 3rd.
        ("job_title", "contact", "a1", f"{DAY3[:-1]}.000Z", "2199-01-02T00:00:00.000Z"),
    ]


def test_how_good_it_is_what_sources_tell(at: Warehouse) -> None:
    jane, cookie = "email:jane@acme.nl", "anonymous_id:k"
    at.feed(
        *told(at),
        at.touch("t1", jane, DAY1, content={"topic": "pumps"}),
        at.touch("t2", jane, DAY1),
        at.touch("t3", jane, DAY1, source="mail", type="email_sent", actor=2),
        at.touch("t4", cookie, DAY1),
        at.touch("t5", "", DAY1),
        # The account counted another touch, whose copy in another account is the one that the views show.
        at.profile(2, [member("cj")], facts=USED, touches=4, unconverted={"USD": "5"}, orders=1),
    )
    found = {
        (problem, source): (count, total)
        for problem, source, count, total in at.rows("v_data_quality", "problem, source, count, total")
    }
    # Of a contact name and job title, of a firm name, industry and employees are basic.
    assert found["incomplete", "crm"] == (1 + 1, 2 + 3)  # her name; industry
    assert found["incomplete", "form"] == (0 + 2, 2 + 3)  # name and industry of the firm
    assert found["incomplete", "chat"] == (1 + 2, 2 + 3)  # her name; name and industry
    # Facts of the form: intention and name that count, employees and title that do not.
    assert found["stale", "form"] == (1, 4)
    assert found["contradicting", "form"] == (2, 4)
    assert found["contradicting", "crm"] == (0, 3)
    assert found["judgement_based", "form"] == (1, 4)  # the intention
    # Of crm's title, employees and name: 1.200 employees.
    assert found["non_standard", "crm"] == (1, 3)
    assert found["non_standard", "form"] == (0, 4)
    assert found["without_topic", "web"] == (3, 4)  # t2, t4, t5
    assert ("without_topic", "mail") not in found  # what we send is not asked for one
    assert found["unattributed", "web"] == (1, 4)  # t5
    assert found["anonymous", "web"] == (1, 4)  # t4
    assert found["in_two_accounts", ""] == (1, 3)  # four counted; t1, t2 and t3 are there
    assert found["unconverted", ""] == (1, 1)
    assert at.rows("v_data_quality", "share", "problem = 'unconverted' DESC LIMIT 1") == [(1.0,)]


def test_what_sales_was_sent_without_anybody_in_it(at: Warehouse) -> None:
    made = at.handed(1, occurred_at=DAY1, emitted_at=DAY2, feedback_due=DAY3)
    gone = at.handed(
        2, type="handoff_withdrawn", occurred_at=DAY1, emitted_at=DAY2, corrects="h1", retracted=True
    )
    at.feed(made, gone, made)
    columns = "id, type, handoff_id, account_id, attempt, status, stage, score, reason_codes, members"
    assert at.rows("v_handoff_messages", columns) == [
        (id_, type_, *("a1.1.1", "a1", 1, "open", "evaluation", 42.5, ["quote_requested", "group_ready"], 1))
        for id_, type_ in (("h1", "handoff_made"), ("h2", "handoff_withdrawn"))
    ]
    columns = (
        "roles_missing, interests, assigned_to, occurred_at, emitted_at, feedback_due, corrects, retracted"
    )
    times = (f"{DAY1[:-1]}.000Z", f"{DAY2[:-1]}.000Z")
    assert at.rows("v_handoff_messages", columns, "id") == [
        (["decider"], ["pumps"], "marleen", *times, f"{DAY3[:-1]}.000Z", "", False),
        (["decider"], ["pumps"], "marleen", *times, None, "h1", True),
    ]
    [(row,)] = at.rows("handoff_messages", "toString(tuple(*)) AS row", "id LIMIT 1")
    assert "Jane" not in row
    assert "e1" not in row
