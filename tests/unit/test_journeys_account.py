"""Which touches, members and facts an account has, given its snapshots."""

from schemas.internal import CRM, ERP, OTHER, Fact
from tests.unit.test_journeys_given import (
    DAY,
    START,
    account,
    at_time,
    command,
    firm,
    fragment,
    gone,
    having,
    of,
    touch,
)

JANE, BRAM = "email:jane@acme.nl", "email:bram@acme.nl"


def told(value, at=START, rank=OTHER):
    return Fact(rank, at, "web", value)


def test_an_event_that_two_fragments_hold_counts_once_in_the_stronger_one():
    weak = fragment("anonymous_id:c1", of("bram", touch(START, event_id="e1")))
    strong = fragment(JANE, of("jane", touch(START + 5, event_id="e1")))
    for given in (account(weak, strong), account(strong, weak)):
        assert given.walked.touches == 1
        assert {s.contact: s.touches for s in given.spells} == {"jane": 1, "bram": 0}
        assert given.walked.first_seen == START + 5


def test_of_two_fragments_of_one_kind_the_smaller_identifier_keeps_the_event():
    first = fragment("email:a@acme.nl", of("a", touch(START, event_id="e1")))
    second = fragment("email:b@acme.nl", of("b", touch(START, event_id="e1")))
    for given in (account(first, second), account(second, first)):
        assert {s.contact: s.touches for s in given.spells} == {"a": 1, "b": 0}


def test_one_event_id_of_two_sources_is_two_events():
    given = account(
        fragment(JANE, of("jane", touch(START, event_id="1"), touch(START, event_id="1", source="crm")))
    )
    assert given.walked.touches == 2


def test_a_typed_company_names_a_person_without_a_firm_and_makes_no_firm_of_it():
    facts = {"name": told("Jane"), "organisation.name": told("Jane's Pumps")}
    there = fragment("email:jane@gmail.com", of("jane", touch(START)), facts=facts)
    assert (account(there).name, account(there).organisation) == ("Jane's Pumps", False)
    del facts["organisation.name"]
    there = fragment("email:jane@gmail.com", of("jane", touch(START)), facts=facts)
    assert account(there).name == "Jane"


def test_a_withdrawn_fragment_counts_for_nothing():
    given = account(fragment(JANE, of("jane", touch(START))), gone("domain:acme.nl", 2))
    assert (given.gone, given.organisation, given.keys) == (False, False, [])
    assert account(gone(JANE, 2)).gone


def test_the_parts_of_an_employment_are_one_period():
    given = account(
        fragment(
            JANE, of("jane", touch(START), until=START + 5), of("jane", since=START + 5, until=START + 9)
        ),
        fragment("contact_id:7", of("jane", since=START + 2, until=START + 20)),
    )
    assert [(s.since < 0, s.until) for s in given.spells] == [(True, START + 20)]


def test_who_left_and_came_back_has_two_periods_each_with_its_own_touches():
    given = account(
        fragment(
            JANE,
            of("jane", touch(START), until=START + 5),
            of("jane", touch(START + 10), touch(START + 11), since=START + 10),
        )
    )
    assert [(s.touches, s.until == START + 5) for s in given.spells] == [(1, True), (2, False)]


def test_an_address_of_the_next_employer_makes_nobody_a_member_before():
    given = account(
        fragment(JANE, of("jane", until=START), of("jane", since=START + 5)),
        fragment("contact_id:7", of("jane", touch(START + 9), since=START + 5)),
    )
    assert [(s.since, s.touches) for s in given.spells] == [(START + 5, 1)]
    assert len(account(fragment(JANE, of("jane", touch(START - 1), until=START))).spells) == 1


def test_spans_of_a_device_say_nothing_of_employment():
    phone = fragment("phone:+31612345678", of("jane", touch(START), until=START + 5))
    given = account(phone, fragment(JANE, of("jane")))
    assert [(s.since < 0, s.until > START + 10_000 * DAY, s.touches) for s in given.spells] == [
        (True, True, 1)
    ]


def test_a_touch_that_names_the_former_employer_does_not_undo_leaving_it():
    named = of("jane", touch(START + 9, account="domain:acme.nl"), since=START + 5)
    given = account(fragment(JANE, of("jane", touch(START), until=START + 5), named))
    assert [s.until for s in given.spells] == [START + 5]
    assert given.spells[0].touches == 2


def test_a_visitor_who_only_names_the_account_is_a_member():
    given = account(fragment(JANE, of("jane", touch(START, account="domain:acme.nl"))))
    assert [(s.contact, s.touches) for s in given.spells] == [("jane", 1)]


def test_the_name_is_the_best_told_of_the_firm():
    shop = fragment(JANE, of("jane"), facts={"organisation.name": told("acme bv"), "name": told("Jane")})
    erp = fragment("customer_number:1", facts={"name": told("ACME", START - 1, ERP)})
    crm = fragment("account_id:7", facts={"name": told("Acme B.V.", START - 2, CRM)})
    assert account(shop).name == "acme bv"
    assert account(shop, erp).name == "ACME"
    assert account(shop, erp, crm).name == "Acme B.V."


def test_of_equal_rank_the_later_fact_holds():
    one = fragment("domain:acme.nl", facts={"industry": told("old", START)})
    two = fragment("domain:acme.com", facts={"industry": told("new", START + 1)})
    for given in (account(one, two), account(two, one)):
        assert {name: fact.value for name, fact in given.facts.items()} == {"industry": "new"}


def test_a_person_without_a_firm_gives_the_account_its_name_and_a_firm_does_not():
    jane = fragment(JANE, of("jane"), facts={"name": told("Jane")})
    assert account(jane).name == "Jane"
    assert account(jane, fragment("domain:acme.nl")).name == ""


def test_what_a_form_said_of_the_next_employer_stays_out():
    facts = {"organisation.name": told("Next B.V.", START + 9)}
    assert account(fragment(JANE, of("jane", until=START + 5), facts=facts)).name == ""
    assert account(fragment(JANE, of("jane", since=START + 5), facts=facts)).name == "Next B.V."


def test_a_name_typed_on_a_shared_device_goes_to_its_owner_then():
    device = fragment(
        "anonymous_id:c1",
        of("jane", until=START + 5),
        of("bram", since=START + 5),
        facts={"name": told("Bram", START + 7)},
    )
    given = account(device, fragment(JANE, of("jane")), fragment(BRAM, of("bram")))
    assert {c: known.name for c, known in given.contacts.items()} == {"jane": "", "bram": "Bram"}
    assert {c: known.identifiers for c, known in given.contacts.items()} == {"jane": [JANE], "bram": [BRAM]}


def test_what_only_outcomes_and_commands_name_is_no_account():
    known = fragment("customer_number:7", of(""))
    assert not account(known).gone
    named = having(known, named=True)
    assert account(named).gone
    # Beside others it is a key of theirs: somebody says so, or it would not be here.
    given = account(fragment("account_id:7", of("")), named)
    assert (given.gone, given.keys) == (False, ["account_id:7", "customer_number:7"])


def test_a_command_from_before_a_person_was_erased_is_about_nobody():
    jane = having(fragment(JANE, of("jane", touch(START))), anew=START)
    for at, held in ((START - 1, ["initiator"]), (START, ["buyer", "initiator"])):
        given = at_time(START, jane, firm(command("assign_role", at, JANE, role="buyer")))
        assert sorted(role.role for role in given.group.roles["jane"]) == held


def test_dense_fragments_are_shown():
    jane = fragment(JANE, of("jane"))
    assert not account(jane).dense
    jane.dense = True
    assert account(jane).dense


def test_a_person_all_whose_touches_name_firms_is_no_account():
    crm = fragment("contact_id:7", of("jane"))
    assert not account(crm).gone  # known from the CRM alone
    crm.elsewhere = True
    assert account(crm, fragment(JANE, of("jane"))).gone
    assert not account(crm, fragment(JANE, of("jane", touch(START)))).gone
    assert not account(crm, fragment("domain:acme.nl")).gone
