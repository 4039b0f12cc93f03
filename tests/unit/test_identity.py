"""IDENTITY by hand: what must come out, case by case. Times are days after 2025-01-01."""

from itertools import count, permutations

import msgspec
import pytest

from schemas.identity import MapRow
from schemas.internal import (
    CRM,
    ERP,
    ISSUED_KINDS,
    OTHER,
    STEWARD,
    Asserted,
    Employed,
    Evidence,
    Link,
    Named,
    Owns,
    Profiling,
    Seen,
    kind_of,
)
from schemas.keys import hasher, partition_of
from schemas.times import DAY_MS, from_rfc3339
from schemas.topics import EVIDENCE, LINKS, MAP
from streams.core import Record, StepConfig
from streams.fragments.row import NAMED as FRAGMENTS_NAMED
from streams.identity import batch
from streams.identity.rows import NAMED
from streams.identity.spans import Person, ownership
from streams.identity.step import Identity
from streams.identity.table import Index
from streams.session import Session

KEY_OF = hasher("secret")
CONFIG = StepConfig(partition=0, partitions=8, generation=0, key_of=KEY_OF)
START = from_rfc3339("2025-01-01T00:00:00Z")
Statement = Seen | Link | Owns | Named | Employed | Profiling | Asserted

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.json.Decoder(MapRow).decode
_evidence = msgspec.msgpack.Decoder(Evidence).decode


def day(n: float) -> int:
    return START + int(n * DAY_MS)


def seen(identifier: str, at: float = 0) -> Seen:
    return Seen("t", identifier, day(at))


def link(a: str, b: str, at: float = 0, source: str = "web") -> Link:
    rank = {"steward": STEWARD, "crm": CRM, "erp": ERP}.get(source, OTHER)
    return Link("t", *sorted((a, b)), source, rank, day(at))


def owns(weak: str, strong: str, at: float) -> Owns:
    return Owns("t", weak, strong, day(at))


def named(identifier: str, account: str, at: float = 0) -> Named:
    return Named("t", identifier, account, day(at))


def employed(identifier: str, account: str, at: float, source: str = "crm") -> Employed:
    contact = identifier if identifier.startswith("contact_id:") else ""
    return Employed("t", identifier, contact, source, CRM, day(at), account)


def profiling(identifier: str, at: float, *, given: bool) -> Profiling:
    return Profiling("t", identifier, given, day(at))


_events = count()


def person(assertion: str, a: str, b: str, at: float = 0, by: str = "steward") -> Asserted:
    return Asserted("t", f"s{next(_events)}", assertion, a, b, day(at), by)


class Map:
    """The identity map after statements, each in a batch of its own."""

    def __init__(self, *said: Statement, device_policy: str = "last_known") -> None:
        config = StepConfig(0, 8, 0, KEY_OF, settings={"device_policy": device_policy})
        self.session = Session(Identity(config), 0, 0)
        self.session.claimed(1)
        self.rows: dict[str, MapRow] = {}
        self.evidence: dict[tuple[str, str, str], Evidence] = {}
        self.told: list[Evidence] = []
        for one in said:
            self.say(one)

    def say(self, *said: Statement) -> list[str]:
        """The identifiers whose map rows were sent."""
        records = [Record(LINKS.name, 0, n, 0, None, _encode(one)) for n, one in enumerate(said)]
        outputs = self.session.work(records, 0).outputs
        sent = [_decode(output.value) for output in outputs if output.topic == MAP.name]
        self.rows |= {row.identifier: row for row in sent}
        self.told = [_evidence(output.value) for output in outputs if output.topic == EVIDENCE.name]
        self.evidence |= {(one.a, one.b, one.source): one for one in self.told}
        return [row.identifier for row in sent]

    def at(self, identifier: str, time: float) -> tuple[str | None, str | None]:
        """Contact and account of a touch of the identifier on that day."""
        since = [
            s for s in self.rows[identifier].spans if s.since is None or from_rfc3339(s.since) <= day(time)
        ]
        return since[-1].contact_id, since[-1].account_id

    def contact(self, identifier: str, time: float = 0) -> str | None:
        return self.at(identifier, time)[0]

    def account(self, identifier: str, time: float = 0) -> str | None:
        return self.at(identifier, time)[1]


# Contacts


def test_two_new_identifiers_that_are_linked_are_one_contact() -> None:
    found = Map(link("user_id:7", "email:jane@acme.nl"))
    assert found.contact("user_id:7") == found.contact("email:jane@acme.nl")
    assert found.contact("user_id:7") is not None


def test_two_that_are_identified_as_different_people_remain_two() -> None:
    found = Map(link("contact_id:1", "email:jane@acme.nl", 1), link("contact_id:2", "email:bob@acme.nl", 1))
    found.say(link("email:jane@acme.nl", "email:bob@acme.nl", 2))
    assert found.contact("email:jane@acme.nl") == found.contact("contact_id:1")
    assert found.contact("email:bob@acme.nl") == found.contact("contact_id:2")
    assert found.contact("email:jane@acme.nl") != found.contact("email:bob@acme.nl")


def test_an_address_stays_with_the_first_contact_that_had_it() -> None:
    said = (
        link("contact_id:abc123", "email:jane@acme.nl", 1),
        link("contact_id:abc456", "email:jane@acme.nl", 2),
    )
    for order in permutations(said):
        found = Map(*order)
        assert found.contact("email:jane@acme.nl") == found.contact("contact_id:abc123")
        assert found.contact("contact_id:abc456") != found.contact("contact_id:abc123")


def test_the_more_trusted_source_goes_before_the_earlier_one() -> None:
    found = Map(
        link("contact_id:1", "email:jane@acme.nl", 1), link("contact_id:2", "email:jane@acme.nl", 2, "crm")
    )
    assert found.contact("email:jane@acme.nl") == found.contact("contact_id:2")


def test_of_one_message_the_stronger_kinds_go_first() -> None:
    found = Map(link("contact_id:2", "email:jane@acme.nl", 0))
    found.say(
        link("contact_id:1", "user_id:1", 1),
        link("contact_id:1", "email:jane@acme.nl", 1),
        link("user_id:1", "email:jane@acme.nl", 1),
    )
    assert found.contact("user_id:1") == found.contact("contact_id:1")


def test_a_fourth_address_is_another_contact() -> None:
    found = Map(*(link("user_id:7", f"email:{n}@acme.nl", n) for n in range(4)))
    assert len({found.contact(f"email:{n}@acme.nl") for n in range(3)}) == 1
    assert found.contact("email:3@acme.nl") != found.contact("user_id:7")


def test_a_skipped_link_counts_when_the_obstacle_goes() -> None:
    found = Map(link("contact_id:1", "email:j@acme.nl", 2), link("contact_id:2", "email:j@acme.nl", 3))
    found.say(
        link("contact_id:1", "email:k@acme.nl", 4, "crm"), link("user_id:9", "email:k@acme.nl", 0, "crm")
    )
    found.say(
        link("contact_id:2", "user_id:9", 9, "steward")
    )  # now user 9 is contact 2, so k is, so 1 is not k
    assert found.contact("email:k@acme.nl") == found.contact("contact_id:2")
    assert found.contact("email:j@acme.nl") == found.contact("contact_id:1")


def test_the_id_comes_from_the_earliest_member_not_from_arrival() -> None:
    said = (seen("user_id:7", 5), seen("email:jane@acme.nl", 1), link("user_id:7", "email:jane@acme.nl", 5))
    ids = {Map(*order).contact("user_id:7") for order in permutations(said)}
    assert ids == {Map(seen("email:jane@acme.nl")).contact("email:jane@acme.nl")}


def test_seventeen_partners_of_one_rank_are_none() -> None:
    junk = [link("user_id:7", f"email:{n}@junk{n}.nl", n) for n in range(17)]
    found = Map(link("user_id:7", "email:jane@acme.nl", 0, "crm"), *junk[:16])
    assert found.contact("email:0@junk0.nl") == found.contact("user_id:7")
    found.say(junk[16])
    assert found.contact("email:0@junk0.nl") != found.contact("user_id:7")
    assert found.contact("email:jane@acme.nl") == found.contact(
        "user_id:7"
    )  # the CRM's link is of another rank


def test_the_links_of_a_bot_cost_its_row_nothing() -> None:
    found = Map(*(link("user_id:7", f"email:{n}@junk.nl", n) for n in range(17)))
    key = KEY_OF("t", "user_id:7")
    bytes_before = len(found.session.rows.get(KEY_OF("t"), key) or b"")
    assert found.say(link("user_id:7", "email:x@junk.nl", 99)) == ["email:x@junk.nl"]
    assert len(found.session.rows.get(KEY_OF("t"), key) or b"") == bytes_before < 1_000


# Accounts


def test_domains_that_the_crm_gives_one_account_are_one() -> None:
    found = Map(
        *(seen(f"email:{name}") for name in ("a@acme.nl", "b@acme.nl", "c@acme.com")),
        link("account_id:7", "domain:acme.nl", 3, "crm"),
        link("account_id:7", "domain:acme.com", 4, "crm"),
    )
    accounts = {found.account(f"email:{name}") for name in ("a@acme.nl", "b@acme.nl", "c@acme.com")}
    assert accounts == {found.account("account_id:7")} == {found.account("domain:acme.com")}
    assert len({found.contact(f"email:{name}") for name in ("a@acme.nl", "b@acme.nl", "c@acme.com")}) == 3


def test_free_mail_makes_persons_not_a_firm() -> None:
    found = Map(*(seen(f"email:{n}@gmail.com") for n in range(3)))
    assert len({found.account(f"email:{n}@gmail.com") for n in range(3)}) == 3
    assert "domain:gmail.com" not in found.rows


def test_a_firm_is_its_registrable_domain() -> None:
    found = Map(seen("email:a@mail.acme.co.uk"))
    assert found.account("email:a@mail.acme.co.uk") == found.account("domain:acme.co.uk")


@pytest.mark.parametrize("key", ["domain:acme.nl", "vat_number:NL1"])
def test_what_the_crm_moves_to_another_account_is_there_from_then_on(key: str) -> None:
    other = "vat_number:NL1" if key.startswith("domain") else "domain:acme.nl"
    first = [
        link("account_id:1", key, 1, "crm"),
        link("account_id:1", other, 1, "crm"),
        link(key, other, 1, "crm"),
    ]
    moved = link("account_id:2", key, 5, "crm")
    for order in ([*first, moved], [moved, *first]):
        found = Map(*order)
        assert found.account(key) == found.account("account_id:2")
        assert found.account(other) == found.account("account_id:1") != found.account(key)


def test_a_later_erp_record_moves_nothing_that_the_crm_said() -> None:
    found = Map(
        link("account_id:1", "vat_number:NL1", 1, "crm"),
        link("customer_number:9", "vat_number:NL1", 5, "erp"),
        link("account_id:2", "customer_number:9", 6, "erp"),
    )
    assert found.account("vat_number:NL1") == found.account("account_id:1")


def test_an_account_may_have_five_hundred_customer_numbers() -> None:
    found = Map()
    found.say(*(link("account_id:1", f"customer_number:{n}", n, "erp") for n in range(500)))
    assert found.account("customer_number:499") == found.account("account_id:1")
    found.say(link("account_id:1", "customer_number:500", 1, "erp"))
    assert found.account("customer_number:499") != found.account("account_id:1")


def test_an_account_key_has_one_span_without_contact() -> None:
    found = Map(seen("vat_number:NL1"))
    (span,) = found.rows["vat_number:NL1"].spans
    assert (span.since, span.contact_id) == (None, None)
    assert span.account_id is not None


# Persons in accounts


def test_a_job_change_leaves_earlier_touches_with_the_old_account() -> None:
    found = Map(
        seen("email:f@nordhaven.com", 0),
        employed("contact_id:F", "account_id:NH", 8),
        link("contact_id:F", "email:f@nordhaven.com", 8, "crm"),
        link("account_id:NH", "domain:nordhaven.com", 8, "crm"),
        employed("contact_id:F", "account_id:KT", 195),
        link("contact_id:F", "email:f@kustlijn.nl", 195, "crm"),
        link("account_id:KT", "domain:kustlijn.nl", 195, "crm"),
    )
    assert found.account("email:f@nordhaven.com", 0) == found.account("account_id:NH")
    assert found.account("contact_id:F", 194.999) == found.account("account_id:NH")
    assert found.account("contact_id:F", 195) == found.account("account_id:KT")
    assert (
        len({found.contact(one) for one in ("contact_id:F", "email:f@kustlijn.nl", "email:f@nordhaven.com")})
        == 1
    )
    assert found.account("account_id:NH") != found.account("account_id:KT")


def test_a_person_without_a_firm_is_absorbed_with_the_past_when_the_crm_tells_the_firm() -> None:
    found = Map(seen("email:jan@gmail.com", 0))
    person = found.account("email:jan@gmail.com")
    found.say(employed("email:jan@gmail.com", "account_id:1", 50))
    assert found.account("email:jan@gmail.com", 0) == found.account("account_id:1") != person


def test_the_firm_address_holds_before_the_first_employment() -> None:
    found = Map(seen("email:jan@acme.nl", 0), employed("email:jan@acme.nl", "account_id:1", 50))
    assert found.account("email:jan@acme.nl", 49) == found.account("domain:acme.nl")
    assert found.account("email:jan@acme.nl", 50) == found.account("account_id:1")


def test_the_address_on_the_touch_chooses_else_the_earliest_firm_address() -> None:
    found = Map(
        seen("email:jan@acme.nl", 1),
        seen("email:jan@gmail.com", 0),
        link("user_id:1", "email:jan@acme.nl", 1),
        link("user_id:1", "email:jan@beta.nl", 2),
        link("user_id:1", "email:jan@gmail.com", 2),
    )
    assert found.account("email:jan@beta.nl") == found.account("domain:beta.nl")
    for other in ("user_id:1", "email:jan@gmail.com", "email:jan@acme.nl"):
        assert found.account(other) == found.account("domain:acme.nl")


def test_of_employments_side_by_side_the_own_domain_chooses_else_the_latest() -> None:
    found = Map(
        link("user_id:1", "email:jan@acme.nl", 0),
        employed("email:jan@acme.nl", "domain:acme.nl", 5),
        employed("email:jan@acme.nl", "account_id:2", 9, "erp"),
    )
    assert found.account("email:jan@acme.nl", 10) == found.account("domain:acme.nl")
    assert found.account("user_id:1", 10) == found.account("account_id:2")


def test_repeating_an_employment_does_not_make_it_later() -> None:
    found = Map(
        employed("user_id:1", "account_id:1", 1),
        employed("user_id:1", "account_id:2", 5, "erp"),
        employed("user_id:1", "account_id:1", 9),
    )
    assert found.account("user_id:1", 10) == found.account("account_id:2")


# Weak identifiers


def test_jane_nobody_mary_nobody_nobody() -> None:
    found = Map(owns("device_id:d", "email:jane@acme.nl", 1), owns("device_id:d", "email:mary@acme.nl", 3))
    jane, mary = found.contact("email:jane@acme.nl"), found.contact("email:mary@acme.nl")
    assert [found.contact("device_id:d", n) for n in (1, 2, 3, 4, 500)] == [jane, jane, mary, mary, mary]
    assert jane != mary


def test_the_past_of_a_cookie_counts_for_ninety_days() -> None:
    found = Map(owns("anonymous_id:c", "email:jane@acme.nl", 100))
    assert found.contact("anonymous_id:c", 10) == found.contact("email:jane@acme.nl")
    assert found.at("anonymous_id:c", 10 - 1 / DAY_MS) == (None, None)


def test_two_cookies_of_one_person_are_one_contact() -> None:
    found = Map(
        owns("anonymous_id:1", "email:jane@acme.nl", 1), owns("anonymous_id:2", "email:jane@acme.nl", 2)
    )
    assert {found.contact(f"anonymous_id:{n}", 2) for n in (1, 2)} == {found.contact("email:jane@acme.nl")}


def test_a_device_that_is_reset_follows_the_new_user() -> None:
    found = Map(owns("device_id:1", "user_id:1", 1), owns("device_id:2", "user_id:2", 1))
    assert found.contact("device_id:1", 1) == found.contact("user_id:1")
    assert found.contact("device_id:2", 1) == found.contact("user_id:2") != found.contact("user_id:1")


def test_a_shared_phone_does_not_join_people() -> None:
    found = Map(owns("phone:+31", "email:alice@acme.nl", 1), owns("phone:+31", "user_id:bob", 2))
    assert found.contact("email:alice@acme.nl") != found.contact("user_id:bob")


def test_a_weak_identifier_follows_the_contact_of_its_owner() -> None:
    found = Map(owns("anonymous_id:c", "user_id:7", 1))
    sent = found.say(link("contact_id:1", "user_id:7", 0, "crm"), employed("contact_id:1", "account_id:9", 2))
    assert "anonymous_id:c" in sent
    assert found.at("anonymous_id:c", 1) == (found.contact("contact_id:1"), found.account("account_id:9"))


def test_an_unowned_cookie_has_a_map_row_only_when_it_names_an_account() -> None:
    found = Map(named("anonymous_id:c", "account_id:9"))
    assert found.at("anonymous_id:c", 0) == (None, None)
    assert found.rows["anonymous_id:c"].accounts == {"account_id:9": found.account("account_id:9")}
    found.say(link("account_id:9", "domain:acme.nl", -5, "crm"))
    assert found.rows["anonymous_id:c"].accounts == {"account_id:9": found.account("domain:acme.nl")}


def test_of_too_many_accounts_that_one_identifier_names_the_smallest_count() -> None:
    assert NAMED == FRAGMENTS_NAMED  # what FRAGMENTS keeps back is what has no answer here
    keys = [f"domain:firm{n:05d}.nl" for n in range(1_500)]
    forth, back = Map(), Map()
    forth.say(*(named("anonymous_id:1", key) for key in keys))
    for cut in range(0, 1_500, 100):
        back.say(*(named("anonymous_id:1", key) for key in reversed(keys[1_400 - cut : 1_500 - cut])))
    for told in (forth, back):
        assert sorted(told.rows["anonymous_id:1"].accounts) == keys[:1_000]
        assert all(told.rows["anonymous_id:1"].accounts.values())
    assert forth.rows["anonymous_id:1"].accounts == back.rows["anonymous_id:1"].accounts


def test_a_consultant_touches_for_a_client_and_stays_where_he_is() -> None:
    found = Map(seen("email:c@consult.nl"), named("email:c@consult.nl", "account_id:client", 3))
    assert found.rows["email:c@consult.nl"].accounts == {
        "account_id:client": found.account("account_id:client")
    }
    assert found.account("email:c@consult.nl", 3) == found.account("domain:consult.nl")


def test_four_people_on_one_device_within_ninety_days_share_it() -> None:
    people = [f"email:{name}@acme.nl" for name in "abcd"]
    found = Map(*(owns("device_id:kiosk", one, 10 * n) for n, one in enumerate(people)))
    assert found.at("device_id:kiosk", 15) == (None, found.account("domain:acme.nl"))
    found = Map(*(owns("device_id:kiosk", one, 30.001 * n) for n, one in enumerate(people)))
    assert found.contact("device_id:kiosk", 15) == found.contact("email:a@acme.nl")


def test_identifiers_of_one_contact_are_one_in_the_count() -> None:
    said = [
        owns("device_id:d", one, n)
        for n, one in enumerate(["user_id:1", *(f"email:{c}@a.nl" for c in "abc")])
    ]
    found = Map(*said)
    assert found.contact("device_id:d", 3) is None
    found.say(link("user_id:1", "email:a@a.nl"))
    assert found.contact("device_id:d", 3) == found.contact("email:c@a.nl")


def test_who_is_in_no_crowded_window_with_the_touch_does_not_speak_for_it() -> None:
    firm = {name: [(None, "a1")] for name in "abcd"}
    people = {one: Person(one, firm.get(one, [(None, "a2")])) for one in "abcdex"}
    owners = {"x": [day(0)], "a": [day(60)], "b": [day(70)], "c": [day(80)], "d": [day(90)]}
    spans = ownership(owners, people)
    assert spans[2:4] == [
        (day(-10), None, None),
        (day(90) + 1, None, "a1"),
    ]  # until day 90 with x, behind without
    backwards = {one: [day(90) - (at - day(0))] for one, (at,) in owners.items()}
    assert ownership(backwards, people)[2:4] == [(day(-60), None, "a1"), (day(0), None, None)]


def test_nobody_owns_what_more_than_a_thousand_have_used() -> None:
    found = Map()
    found.say(*(owns("phone:+31", f"user_id:{n}", n / 24) for n in range(1_000)))
    assert found.contact("phone:+31", 30) is None  # shared, for a while
    assert len(found.rows["phone:+31"].spans) > 1
    found.say(owns("phone:+31", "user_id:x", 2_000))
    (span,) = found.rows["phone:+31"].spans
    assert (span.since, span.contact_id, span.account_id) == (None, None, None)


# What people say


C1, C2, JANE, BOB = "contact_id:1", "contact_id:2", "email:jane@acme.nl", "email:bob@acme.nl"


def in_any_order(*said: Statement) -> list[Map]:
    """Maps that were told the same in every order, one by one; they must be one."""
    maps = [Map(*order) for order in permutations(said)]
    spans = {
        tuple(
            sorted(
                (identifier, repr(row.spans), repr(sorted(row.places.items())))
                for identifier, row in found.rows.items()
                if kind_of(identifier) not in ISSUED_KINDS  # what had been published depends on the order
            )
        )
        for found in maps
    }
    fared = {tuple(sorted((k, e.state, e.reason, e.at) for k, e in m.evidence.items())) for m in maps}
    assert len(spans) == len(fared) == 1
    return maps


def test_a_person_makes_one_of_two_crm_records() -> None:
    said = link(C1, JANE, 1), link(C2, BOB, 1), person("link", C1, C2, 5)
    for found in in_any_order(*said):
        assert len({found.contact(one) for one in (C1, C2, JANE, BOB)}) == 1
        assert found.evidence[C1, C2, "people"].state == "held"


def test_what_sources_could_not_join_holds_when_a_person_joins_it_otherwise() -> None:
    said = link(C1, JANE, 1, "crm"), link(C2, JANE, 2, "crm"), person("link", C1, C2, 5)
    for found in in_any_order(*said):
        assert found.contact(C2) == found.contact(JANE) == found.contact(C1)
        assert found.evidence[C2, JANE, "crm"].state == "held"


def test_the_crm_says_one_the_steward_says_two() -> None:
    said = link(C1, JANE, 1, "crm"), link(C1, JANE, 9), person("unlink", JANE, C1, 5)
    for found in in_any_order(*said):
        assert found.contact(JANE) != found.contact(C1)
        told = found.evidence[C1, JANE, "crm"]
        assert (told.state, told.reason) == ("void", "unlink by steward on 2025-01-06")
        assert found.evidence[C1, JANE, "web"].state == "void"  # of every source, later ones too


def test_the_crm_says_two_the_steward_says_one() -> None:
    said = link(C1, JANE, 1, "crm"), link(C2, JANE, 2, "crm"), person("unlink", C1, JANE, 3)
    for found in in_any_order(*said):  # to move an address to another record: unlink it there
        assert found.contact(JANE) == found.contact(C2) != found.contact(C1)


def test_an_unlink_leaves_other_paths() -> None:
    said = link("user_id:7", JANE, 1), link("user_id:7", C1, 1), link(C1, JANE, 1), person("unlink", C1, JANE)
    for found in in_any_order(*said):
        assert found.contact(JANE) == found.contact(C1)


def test_after_unlink_and_link_again_what_sources_say_counts_again() -> None:
    said = link(C1, JANE, 1), person("unlink", C1, JANE, 5), person("link", C1, JANE, 6)
    for found in in_any_order(*said):
        assert found.contact(JANE) == found.contact(C1)
        assert found.evidence[C1, JANE, "web"].state == "held"
    for found in in_any_order(*said, person("unlink", C1, JANE, 7, by="crm")):
        assert found.contact(JANE) != found.contact(C1)
        told = found.evidence[C1, JANE, "people"]
        assert (told.state, told.reason, told.at) == ("void", "unlink by crm on 2025-01-08", day(6))


def test_of_words_of_one_time_the_greater_event_id_stands() -> None:
    words = [
        Asserted("t", event, what, C1, JANE, day(5), "s") for event, what in (("a", "unlink"), ("b", "link"))
    ]
    for found in in_any_order(link(C1, JANE, 1), *words):
        assert found.contact(JANE) == found.contact(C1)


def test_cannot_link_holds_by_whatever_path() -> None:
    said = link(C1, "user_id:7", 1), link("user_id:7", JANE, 2), person("cannot_link", C1, JANE, 0)
    for found in in_any_order(*said):
        assert found.contact(C1) == found.contact("user_id:7") != found.contact(JANE)
        told = found.evidence["email:jane@acme.nl", "user_id:7", "web"]
        assert (told.state, told.reason) == ("refused", "cannot_link by steward on 2025-01-01")


def test_cannot_link_goes_before_what_another_person_joins() -> None:
    said = person("cannot_link", C1, JANE, 1), person("link", C1, BOB, 2), person("link", BOB, JANE, 3)
    for found in in_any_order(*said):
        assert found.contact(C1) == found.contact(BOB) != found.contact(JANE)
        assert found.evidence[BOB, JANE, "people"].state == "refused"


def test_cannot_link_keeps_two_accounts_apart_that_share_a_domain() -> None:
    said = [
        link("account_id:1", "domain:acme.nl", 1, "crm"),
        link("customer_number:9", "domain:acme.nl", 2, "erp"),
        person("cannot_link", "account_id:1", "customer_number:9", 0),
    ]
    for found in in_any_order(*said):
        assert found.account("domain:acme.nl") == found.account("account_id:1")
        assert found.account("customer_number:9") != found.account("account_id:1")


def test_an_alias_makes_one_account_of_two_crm_accounts() -> None:
    said = [
        link("account_id:1", "domain:acme.nl", 1, "crm"),
        link("account_id:2", "domain:acme.com", 2, "crm"),
        person("alias", "account_id:2", "account_id:1", 9),
    ]
    for found in in_any_order(*said):
        keys = ("account_id:1", "account_id:2", "domain:acme.nl", "domain:acme.com")
        assert len({found.account(one) for one in keys}) == 1
    found.say(person("unlink", "account_id:1", "account_id:2", 10))
    assert found.account("domain:acme.com") == found.account("account_id:2") != found.account("account_id:1")


def test_a_parent_is_no_merge_and_what_cannot_be_paired_says_nothing() -> None:
    found = Map(
        person("parent", "account_id:1", "account_id:2"),
        person("link", JANE, "account_id:2"),
        person("link", "phone:+31", "device_id:d"),
        person("alias", C1, JANE),
        person("link", JANE, JANE),
    )
    assert found.rows == {}


def test_a_person_says_whose_device_it_is() -> None:
    said = owns("device_id:d", JANE, 1), person("link", "device_id:d", BOB, 5)
    for found in in_any_order(*said):
        jane, bob = found.contact(JANE), found.contact(BOB)
        assert [found.contact("device_id:d", n) for n in (1, 4, 5, 9)] == [jane, jane, bob, bob]
        assert found.evidence == {}


@pytest.mark.parametrize("word", ["unlink", "cannot_link"])
def test_a_person_says_whose_device_it_is_not(word: str) -> None:
    said = owns("device_id:d", JANE, 1), owns("device_id:d", BOB, 5), person(word, BOB, "device_id:d", 0)
    for found in in_any_order(*said):
        assert found.contact("device_id:d", 9) == found.contact(JANE)
    found = Map(owns("device_id:d", JANE, 1), person(word, "device_id:d", JANE, 2))
    assert found.at("device_id:d", 1) == (None, None)
    found.say(person("link", "device_id:d", JANE, 3))
    assert found.contact("device_id:d", 1) == found.contact(JANE)


# How links fared


def test_it_is_told_how_a_link_fared_and_only_when_that_is_news() -> None:
    found = Map(link(C1, JANE, 1))
    assert [(e.a, e.b, e.source, e.rank, e.at, e.state, e.reason) for e in found.told] == [
        (C1, JANE, "web", OTHER, day(1), "held", "")
    ]
    found.say(link(C1, JANE, 2))
    assert found.told == []
    found.say(link(C1, JANE, 2, "crm"))
    assert [(e.source, e.state) for e in found.told] == [("crm", "held")]
    found.say(link(C2, JANE, 0, "crm"))
    fared = {(e.a, e.source): (e.state, e.reason) for e in found.told}
    assert fared == {
        (C1, "web"): ("refused", "two CRM contact ids"),
        (C1, "crm"): ("refused", "two CRM contact ids"),
        (C2, "crm"): ("held", ""),
    }


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ([("user_id:1", JANE), ("user_id:2", JANE)], "two log-ins"),
        ([("user_id:1", f"email:{c}@x.nl") for c in "abcd"], "more than three e-mail addresses"),
        ([("account_id:1", "vat_number:1"), ("account_id:2", "vat_number:1")], "two CRM accounts"),
        ([("customer_number:1", "vat_number:1"), ("customer_number:1", "vat_number:2")], "two VAT numbers"),
    ],
)
def test_why_a_link_is_refused(links: list[tuple[str, str]], reason: str) -> None:
    found = Map(*(link(a, b, n, "erp") for n, (a, b) in enumerate(links)))
    assert [e.reason for e in found.evidence.values() if e.state == "refused"] == [reason]


def test_what_is_inert_is_told_also_where_neither_end_keeps_it() -> None:
    bots = "user_id:1", "user_id:2"
    found = Map(*(link(bot, f"email:{n}@junk{bot[-1]}.nl", n) for n in range(17) for bot in bots))
    assert [e.state for e in found.evidence.values()] == ["inert"] * 34
    for _ in range(2):  # nothing would tell it again after a crash
        assert found.say(link(*bots, 99)) == []
        assert [(e.a, e.b, e.state) for e in found.told] == [(*bots, "inert")]


@pytest.mark.parametrize("bot", ["contact_id:7", "user_id:7"])  # the smaller and the larger end of its links
def test_every_link_of_a_bot_is_told_as_inert_by_a_row_that_keeps_it(bot: str) -> None:
    said = [link(bot, f"email:{n}@junk{n}.nl", n) for n in range(20)]
    found = Map(*said)
    assert [e.state for e in found.evidence.values()] == ["inert"] * 20
    first = Map().session
    rows = first.work([Record(LINKS.name, 0, n, 0, None, _encode(one)) for n, one in enumerate(said)], 0).rows
    again = Session(Identity(CONFIG), 0, 0)
    again.claimed(2)
    owed = [_evidence(o.value) for o in again.recovered(rows).outputs if o.topic == EVIDENCE.name]
    assert {(e.a, e.b, e.state) for e in owed} == {(e.a, e.b, e.state) for e in found.evidence.values()}


def test_evidence_is_keyed_by_its_link_and_owed_by_its_row() -> None:
    session = Map().session
    work = session.work([Record(LINKS.name, 0, 0, 0, None, _encode(link(C1, JANE)))], 0)
    (output,) = [output for output in work.outputs if output.topic == EVIDENCE.name]
    key = KEY_OF("t", "link", C1, JANE, "web")
    assert (output.key, output.partition) == (key, partition_of(key, 8))
    again = Session(Identity(CONFIG), 0, 0)
    again.claimed(2)
    assert output in again.recovered(work.rows).outputs


def test_a_link_costs_what_it_joins_and_not_what_the_component_has(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [link(f"user_id:{n + i}", f"email:{n}@x.nl", 2 * n + i) for n in range(100) for i in (0, 1)]
    found = Map(*chain)
    monkeypatch.setattr(batch, "around", None)  # whoever looks further fails
    found.say(link("user_id:5", "email:new@x.nl", 0))
    assert found.contact("email:new@x.nl") == found.contact("user_id:5") == found.contact("email:5@x.nl")
    whole = Map(link("user_id:5", "email:new@x.nl", 0))
    monkeypatch.undo()
    whole.say(*chain)
    for one in (found, whole):
        one.rows = {name: row for name, row in one.rows.items() if kind_of(name) not in ISSUED_KINDS}
    spans = {name: row.spans for name, row in whole.rows.items()}
    assert spans == {name: row.spans for name, row in found.rows.items()}


# Consent to profiling, devices, places, account links


def test_without_profiling_there_is_no_anonymous_history() -> None:
    said = owns("device_id:d", JANE, 1), profiling(JANE, 5, given=False), seen(JANE, 0)
    for found in in_any_order(*said):
        assert found.at("device_id:d", 1) == (None, None)
        assert found.contact(JANE) is not None
    found.say(profiling(JANE, 5, given=True))
    assert found.contact("device_id:d", 1) is None  # of equal times the refusal
    found.say(profiling(JANE, 6, given=True))
    assert found.contact("device_id:d", 1) == found.contact(JANE)


def test_any_identifier_of_a_contact_refuses_for_all() -> None:
    found = Map(owns("device_id:d", "user_id:7", 1), profiling(JANE, 2, given=False))
    assert found.contact("device_id:d", 1) == found.contact("user_id:7")
    found.say(link("user_id:7", JANE, 3))
    assert found.at("device_id:d", 1) == (None, None)
    found.say(person("unlink", "user_id:7", JANE, 4))  # re-evaluated on un-merge
    assert found.contact("device_id:d", 1) == found.contact("user_id:7")


def test_a_device_that_refused_is_nobodys_and_its_owner_is_not_asked() -> None:
    found = Map(
        owns("device_id:d", JANE, 1), owns("device_id:e", JANE, 1), profiling("device_id:d", 2, given=False)
    )
    assert found.at("device_id:d", 3) == (None, None)
    assert found.contact("device_id:e", 3) == found.contact(JANE)


def test_a_shared_device_is_of_no_account_while_one_of_the_people_refuses() -> None:
    people = [f"email:{name}@acme.nl" for name in "abcd"]
    found = Map(*(owns("device_id:kiosk", one, 10 * n) for n, one in enumerate(people)))
    assert found.at("device_id:kiosk", 15) == (None, found.account("domain:acme.nl"))
    found.say(profiling(people[2], 0, given=False))
    assert found.at("device_id:kiosk", 15) == (None, None)


def test_anonymous_devices_are_their_first_persons_before_and_nobodys_after() -> None:
    said = owns("device_id:d", JANE, 100), owns("device_id:d", BOB, 110), owns("phone:+31", JANE, 100)
    found = Map(*said, device_policy="anonymous")
    assert [found.contact("device_id:d", n) for n in (9, 99, 100, 115)] == [
        None,
        found.contact(JANE),
        None,
        None,
    ]
    assert found.contact("phone:+31", 115) == found.contact(JANE)  # a number is no device
    assert Map(*said).contact("device_id:d", 115) is not None


def test_touches_of_stronger_identifiers_are_placed_by_the_address_on_them() -> None:
    said = [
        link("user_id:1", "email:jan@acme.nl", 1),
        link("user_id:1", "email:jan@beta.nl", 2),
        link("user_id:1", "email:jan@gmail.com", 2),
        employed("user_id:1", "domain:acme.nl", 50),
    ]
    for found in in_any_order(*said):
        firms = {key: found.account(key) for key in ("domain:acme.nl", "domain:beta.nl")}
        row = found.rows["user_id:1"]
        assert row.places == firms
        assert [(s.since, s.account_id, s.placed) for s in row.spans] == [
            (None, firms["domain:acme.nl"], True),
            ("2025-02-20T00:00:00Z", firms["domain:acme.nl"], False),
        ]
        assert found.rows["email:jan@beta.nl"].places == {}
    found = Map(*said[:1], said[2])  # one firm: it is that of every touch
    assert (found.rows["user_id:1"].places, found.rows["user_id:1"].spans[0].placed) == ({}, False)


def test_a_domain_that_came_back_is_with_the_first_account_again() -> None:
    said = [link(f"account_id:{n}", "domain:acme.nl", at, "crm") for n, at in ((1, 0), (2, 2), (1, 5))]
    for found in in_any_order(*said):
        assert (
            found.account("domain:acme.nl") == found.account("account_id:1") != found.account("account_id:2")
        )
        assert found.evidence["account_id:1", "domain:acme.nl", "crm"].at == day(0)  # said first


def test_within_a_day_only_the_first_time_of_an_account_link_counts() -> None:
    said = [link(f"account_id:{n}", "domain:acme.nl", at, "crm") for n, at in ((1, 0.1), (2, 0.2), (1, 0.3))]
    for found in in_any_order(*said):
        assert found.account("domain:acme.nl") == found.account("account_id:2")


# The worked examples, as FRAGMENTS states them (6: see the job change above)


def test_anonymous_reader_to_first_order_is_three_contacts_in_one_account() -> None:
    firm = "deklerk-installatietechniek.nl"
    sanne, marleen, youssef = (f"email:{name}@{firm}" for name in ("sanne", "m.bos", "y.benali"))
    said = [
        owns("anonymous_id:ajs-7f3c01", sanne, 42),
        *(seen(sanne, 42), seen(youssef, 68), seen("user_id:u-20881", 50), seen("contact_id:C-5512", 51)),
        link("user_id:u-20881", marleen, 50),
        owns("anonymous_id:ajs-91be02", "user_id:u-20881", 50),
        link("contact_id:C-5512", marleen, 51, "crm"),
        employed("contact_id:C-5512", "account_id:A-3391", 51),
        link("account_id:A-3391", f"domain:{firm}", 51, "crm"),
        named(marleen, "customer_number:100234", 62),
        link("customer_number:100234", "vat_number:NL812345678B01", 62, "erp"),
        link("customer_number:100234", f"domain:{firm}", 62, "erp"),
        link("vat_number:NL812345678B01", f"domain:{firm}", 62, "erp"),
        owns("phone:+31612345678", youssef, 68),
    ]
    for order in (said, said[::-1]):
        found = Map(*order)
        keys = ["account_id:A-3391", "vat_number:NL812345678B01", "customer_number:100234", f"domain:{firm}"]
        assert {found.account(one) for one in (*keys, sanne, marleen, youssef)} == {found.account(keys[0])}
        assert found.rows[marleen].accounts == {"customer_number:100234": found.account(keys[0])}
        assert (
            found.contact("contact_id:C-5512") == found.contact(marleen) == found.contact("user_id:u-20881")
        )
        assert len({found.contact(one) for one in (sanne, marleen, youssef)}) == 3
        for time in (28, 42, 69):  # four touches before the catalogue request, one after
            assert found.at("anonymous_id:ajs-7f3c01", time) == found.at(sanne, time)
        assert found.contact("phone:+31612345678", 68) == found.contact(youssef)


def test_lost_lead_comes_back_is_three_contacts_in_two_accounts() -> None:
    ruud, petra = (f"email:{name}@deltascheepsonderhoud.nl" for name in ("r.janssen", "p.vos"))
    iris = "email:iris@tuinbouw-vdberg.nl"
    found = Map(*(seen(ruud, 42), seen(petra, 57), seen(iris, 253)))
    found.say(owns("anonymous_id:c-ru", ruud, 42), owns("anonymous_id:c-pe", petra, 64))
    assert len({found.contact(one) for one in (ruud, petra, iris)}) == 3
    assert found.account(ruud) == found.account(petra) == found.account("domain:deltascheepsonderhoud.nl")
    assert found.account(iris) == found.account("domain:tuinbouw-vdberg.nl") != found.account(ruud)
    assert found.at("anonymous_id:c-ru", 35) == found.at(ruud, 35)


# The step


def test_a_known_statement_writes_nothing() -> None:
    said = [
        link("user_id:7", "email:jane@acme.nl", 1),
        owns("phone:+31", "user_id:7", 2),
        named("phone:+31", "domain:x.nl"),
    ]
    found = Map(*said)
    later = [link("user_id:7", "email:jane@acme.nl", 9), seen("email:jane@acme.nl", 9)]
    work = found.session.work([Record(LINKS.name, 0, 0, 0, None, _encode(one)) for one in (*said, *later)], 0)
    assert (work.rows, work.outputs) == ([], [])


def test_who_follows_from_whom_is_kept_once() -> None:
    index = Index()
    assert list(index.of("domain:acme.nl")) == []
    for dependant in ("email:a@acme.nl", "email:a@acme.nl"):
        index.add("domain:acme.nl", dependant)
    assert list(index.of("domain:acme.nl")) == ["email:a@acme.nl"]
    for dependant in ("email:b@acme.nl", "email:a@acme.nl", "email:b@acme.nl"):
        index.add("domain:acme.nl", dependant)
    assert sorted(index.of("domain:acme.nl")) == ["email:a@acme.nl", "email:b@acme.nl"]


def test_only_rows_whose_content_changed_are_sent_with_the_version_of_the_change() -> None:
    found = Map(link("user_id:7", "email:jane@acme.nl", 1))
    before = found.rows["user_id:7"].version
    assert found.say(link("user_id:7", "email:jane@acme.nl", 2, "crm")) == []
    assert found.say(owns("phone:+31", "user_id:7", 2)) == ["phone:+31"]
    assert found.rows["phone:+31"].version > before == found.rows["user_id:7"].version


def test_a_map_row_is_keyed_and_placed_by_its_identifier() -> None:
    session = Map().session
    work = session.work([Record(LINKS.name, 0, 0, 0, None, _encode(seen("user_id:7")))], 0)
    (output,) = work.outputs
    key = KEY_OF("t", "user_id:7")
    assert (output.topic, output.key, output.partition) == (MAP.name, key, partition_of(key, 8))


def test_what_is_owed_is_sent_again_byte_for_byte() -> None:
    session = Map().session
    work = session.work([Record(LINKS.name, 0, 0, 0, None, _encode(owns("phone:+31", "user_id:7", 2)))], 0)
    again = Session(Identity(CONFIG), 0, 0)
    again.claimed(2)
    assert set(again.recovered(work.rows).outputs) == set(work.outputs)


def test_tenants_have_nothing_in_common() -> None:
    found = Map()
    found.say(seen("email:jane@acme.nl"), Seen("other", "email:jane@acme.nl", day(0)))
    work = found.session.work(
        [
            Record(
                LINKS.name,
                0,
                0,
                0,
                None,
                _encode(Link("other", "email:jane@acme.nl", "user_id:7", "web", 3, day(0))),
            )
        ],
        0,
    )
    rows = [_decode(output.value) for output in work.outputs if output.topic == MAP.name]
    assert {row.tenant for row in rows} == {"other"}
