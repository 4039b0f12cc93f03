"""The oracle on stories small enough to follow by hand."""

import pytest

from schemas.times import from_rfc3339
from streams.market.oracle import judge
from streams.market.scene import Event
from streams.market.stages import Touch, journeys, stages
from streams.market.together import Word

DAY = 86_400_000


class Told:
    """Writes a story: identifiers as `kind:value`, days as numbers."""

    def __init__(self):
        self.events = []
        self.words = []

    def __call__(
        self,
        day,
        type_,
        *ids,
        person=1,
        keys=(),
        source="web",
        topic="",
        by_person=True,
        profiling=None,
        same_as=None,
    ):
        strong = tuple(i for i in ids if i.startswith(("contact_id", "user_id", "email")))
        event = Event(
            at=int(day * DAY),
            source=source,
            event_id=same_as or str(len(self.events)),
            type=type_,
            topic=topic,
            person=person,
            line="",
            strong=strong,
            weak=tuple(i for i in ids if i not in strong),
            keys=tuple(keys),
            by_person=by_person,
            profiling=profiling,
            copy=same_as is not None,
        )
        self.events.append(event)
        return event.event_id

    def crm(self, day, contact_id, email, *keys, person=1, type_="profile_updated"):
        ids = (f"contact_id:{contact_id}", f"email:{email}")
        self(day, type_, *ids, person=person, source="crm", keys=keys)

    def says(self, day, what, a, b=""):
        self.words.append(Word(int(day * DAY), what, a, b, ""))

    def verdict(self):
        return judge(self.events, self.words)


@pytest.fixture
def told():
    return Told()


def account(verdict, key):
    return next(a for a in verdict.accounts if key in a.keys)


def test_a_visitor_reads_is_known_and_a_colleague_compares(told):
    """Example 01 in short: the stages and their times."""
    told(0, "page_viewed", "anonymous_id:c1")
    told(9, "catalogue_requested", "email:s@acme.nl", "anonymous_id:c1")
    told(17, "account_registered", "user_id:u2", "email:m@acme.nl", "anonymous_id:c2", person=2)
    told.crm(18, 7, "m@acme.nl", "account_id:A1", "domain:acme.nl", person=2)
    told(29, "order_placed", person=2, source="erp", keys=("customer_number:5", "domain:acme.nl"))
    told(35, "howto_viewed", "anonymous_id:c1")
    verdict = told.verdict()
    assert [(c.id, c.identifiers, c.devices, c.touches) for c in verdict.contacts] == [
        ("p1", ["email:s@acme.nl"], ["anonymous_id:c1"], 3),
        ("p2", ["contact_id:7", "email:m@acme.nl", "user_id:u2"], ["anonymous_id:c2"], 1),
    ]
    (firm,) = verdict.accounts
    assert firm.keys == ["account_id:A1", "customer_number:5", "domain:acme.nl"]
    assert (firm.kind, firm.members) == ("organisation", ["p1", "p2"])
    days = {"awareness": 0, "consideration": 9, "evaluation": 17, "purchase": 29, "experience": 35}
    assert firm.journeys == [{stage: day * DAY for stage, day in days.items()}]
    assert verdict.visits == {"known": 4, "other_person": 0, "firm_only": 1, "nobody": 0}


def test_a_visit_counts_from_ninety_days_before_the_first_log_in_on(told):
    told(0, "page_viewed", "anonymous_id:c1")
    told(9.9, "page_viewed", "anonymous_id:c1")
    told(10, "page_viewed", "anonymous_id:c1")
    told(100, "form_submitted", "email:s@acme.nl", "anonymous_id:c1")
    verdict = told.verdict()
    assert verdict.contacts[0].touches == 2
    assert verdict.visits["nobody"] == 2


def test_a_stranger_at_a_shared_device_is_taken_for_the_last_who_logged_in(told):
    told(0, "page_viewed", "user_id:u1", "anonymous_id:pc")
    told(1, "page_viewed", "user_id:u2", "anonymous_id:pc", person=2)
    told(2, "page_viewed", "anonymous_id:pc", person=1)
    verdict = told.verdict()
    assert [(c.touches, c.devices) for c in verdict.contacts] == [(1, []), (2, [])]
    assert verdict.visits["other_person"] == 1


@pytest.mark.parametrize(("other", "expected"), [("acme.nl", "firm_only"), ("other.nl", "nobody")])
def test_the_device_of_four_people_is_nobodys_or_their_firms(told, other, expected):
    for n in range(4):
        domain = other if n == 3 else "acme.nl"
        told(n, "event_attended", f"email:p{n}@{domain}", "device_id:tablet", person=n)
    told(5, "page_viewed", "device_id:tablet")
    told(200, "page_viewed", "device_id:tablet", person=3)  # much later it is the last one's
    visits = told.verdict().visits
    assert visits == {"known": 5, "other_person": 0, "firm_only": 0, "nobody": 0} | {expected: 1}


def test_three_people_share_a_device_in_turn(told):
    for n in range(3):
        told(n, "page_viewed", f"email:p{n}@acme.nl", "anonymous_id:pc", person=n)
        told(n + 0.5, "page_viewed", "anonymous_id:pc", person=n)
    assert told.verdict().visits == {"known": 6, "other_person": 0, "firm_only": 0, "nobody": 0}


def test_a_new_job_leaves_the_past_with_the_old_firm(told):
    told(0, "content_downloaded", "email:f@old.nl", "anonymous_id:c1")
    told.crm(1, 9, "f@old.nl", "account_id:A", "domain:old.nl")
    told.crm(50, 9, "f@new.nl", "account_id:B", "domain:new.nl")
    told(49, "page_viewed", "anonymous_id:c1")
    told(51, "demo_requested", "anonymous_id:c1")
    verdict = told.verdict()
    (person,) = verdict.contacts
    assert person.identifiers == ["contact_id:9", "email:f@new.nl", "email:f@old.nl"]
    assert account(verdict, "account_id:A").journeys == [{"awareness": 0}]
    assert account(verdict, "domain:new.nl").journeys == [{"awareness": 51 * DAY, "evaluation": 51 * DAY}]


def test_private_mail_is_a_person_until_the_crm_tells_the_firm(told):
    told(0, "page_viewed", "email:a@gmail.com")
    told(1, "page_viewed", "email:b@gmail.com", person=2)
    told.crm(9, 2, "b@gmail.com", "account_id:A", person=2, type_="identified")
    person, firm = told.verdict().accounts
    assert (person.kind, person.keys, person.members) == ("person", [], ["p1"])
    assert (firm.kind, firm.keys, firm.members) == ("organisation", ["account_id:A"], ["p2"])
    assert firm.journeys == [{"awareness": DAY}]


def test_two_domains_are_one_firm_only_where_the_crm_says_so(told):
    told(0, "page_viewed", "email:a@acme.nl")
    told(1, "page_viewed", "email:b@acme.com", person=2)
    assert len(told.verdict().accounts) == 2
    told.crm(2, 1, "a@acme.nl", "account_id:A", "domain:acme.nl")
    told.crm(3, 2, "b@acme.com", "account_id:A", "domain:acme.com", person=2)
    (firm,) = told.verdict().accounts
    assert firm.keys == ["account_id:A", "domain:acme.com", "domain:acme.nl"]
    assert firm.members == ["p1", "p2"]


def test_addresses_that_nobody_saw_together_are_two_contacts(told):
    told(0, "page_viewed", "email:a@acme.nl", "anonymous_id:c1")
    told(1, "page_viewed", "email:a@gmail.com", "anonymous_id:c2")
    assert [contact.id for contact in told.verdict().contacts] == ["p1", "p1/2"]


def test_a_resend_counts_once_and_tells_whose_device_it_is(told):
    first = told(0, "page_viewed", "anonymous_id:c1")
    told(0, "page_viewed", "email:a@acme.nl", "anonymous_id:c1", same_as=first)
    (contact,) = told.verdict().contacts
    assert (contact.touches, contact.devices) == (1, ["anonymous_id:c1"])


def test_machines_and_our_own_mails_are_no_life_and_join_nobody(told):
    told(0, "email_sent", "email:a@acme.nl", by_person=False)
    told(1, "email_clicked", "email:a@acme.nl", "anonymous_id:gateway", by_person=False)
    told(2, "email_opened", "email:a@acme.nl")
    told(3, "page_viewed", "email:a@acme.nl")
    told(4, "page_viewed", "anonymous_id:gateway")
    verdict = told.verdict()
    assert verdict.accounts[0].journeys == [{"awareness": 3 * DAY}]
    assert (verdict.contacts[0].touches, verdict.contacts[0].devices) == (4, [])


def contacts(verdict):
    return sorted(contact.identifiers for contact in verdict.contacts)


def test_two_log_ins_are_two_people_and_the_address_stays_with_the_first(told):
    told(0, "page_viewed", "user_id:u1", "email:a@acme.nl")
    told(1, "page_viewed", "user_id:u2", "email:a@acme.nl", person=2)
    told(2, "page_viewed", "user_id:u2", person=2)
    assert contacts(told.verdict()) == [["email:a@acme.nl", "user_id:u1"], ["user_id:u2"]]


def test_a_steward_joins_parts_and_keeps_apart(told):
    told(0, "page_viewed", "user_id:u1", "email:a@acme.nl")
    told(1, "page_viewed", "user_id:u1", "email:b@acme.nl")
    told(2, "page_viewed", "email:b@acme.nl", person=2)
    told(3, "page_viewed", "email:c@gmail.com")
    a, b, c, u = "email:a@acme.nl", "email:b@acme.nl", "email:c@gmail.com", "user_id:u1"
    assert contacts(told.verdict()) == [[a, b, u], [c]]
    told.says(5, "link", a, c)
    assert contacts(told.verdict()) == [[a, b, c, u]]
    told.says(6, "cannot_link", b, a)
    assert contacts(told.verdict()) == [[a, c, u], [b]]
    told.says(7, "unlink", c, a)
    assert contacts(told.verdict()) == [[a, u], [b], [c]]
    told.says(8, "unlink", a, b)  # the latest word about the two: no longer kept apart by all paths
    assert contacts(told.verdict()) == [[a, b, u], [c]]


def test_a_steward_joins_two_log_ins(told):
    told(0, "page_viewed", "user_id:u1")
    told(1, "page_viewed", "user_id:u2")
    told.says(0.5, "link", "user_id:u1", "user_id:u2")
    assert contacts(told.verdict()) == [["user_id:u1", "user_id:u2"]]


def test_a_telephone_and_a_device_are_whose_a_steward_says(told):
    told(0, "page_viewed", "email:a@acme.nl", "anonymous_id:c1")
    told(50, "call_held", "phone:+31611")
    told(51, "page_viewed", "anonymous_id:c1")
    assert told.verdict().visits["nobody"] == 1
    told.says(60, "link", "phone:+31611", "email:a@acme.nl")
    told.says(60, "unlink", "email:a@acme.nl", "anonymous_id:c1")
    verdict = told.verdict()
    assert verdict.contacts[0].devices == ["phone:+31611"]
    assert (verdict.visits["known"], verdict.visits["nobody"]) == (2, 1)


def test_a_domain_is_where_the_crm_said_last_for_all_time(told):
    told(0, "page_viewed", "email:a@label.nl")
    told.crm(1, 7, "b@acme.nl", "account_id:A", "domain:label.nl", person=2)
    told(2, "profile_updated", source="crm", keys=("account_id:B", "domain:label.nl"))
    assert account(told.verdict(), "domain:label.nl").keys == ["account_id:B", "domain:label.nl"]
    told.crm(9, 7, "b@acme.nl", "account_id:A", "domain:label.nl", person=2)
    firm = account(told.verdict(), "domain:label.nl")
    assert firm.keys == ["account_id:A", "domain:label.nl"]
    assert firm.members == ["p1", "p2"]


def test_an_alias_makes_one_firm_of_two_crm_accounts(told):
    told.crm(1, 1, "a@acme.nl", "account_id:A", "domain:acme.nl")
    told.crm(2, 2, "b@acme.nl", "account_id:B", "domain:acme.nl", person=2)
    told.says(3, "alias", "account_id:B", "account_id:A")
    (firm,) = told.verdict().accounts
    assert firm.keys == ["account_id:A", "account_id:B", "domain:acme.nl"]
    assert firm.members == ["p1", "p2"]


def test_a_consultants_touch_counts_for_the_firm_of_its_address_or_the_one_it_names(told):
    told(0, "page_viewed", "user_id:u1", "email:c@own.nl", "anonymous_id:c1")
    told(1, "page_viewed", "user_id:u1", "email:c@client.nl")
    told(2, "page_viewed", "user_id:u1")
    told(3, "page_viewed", "anonymous_id:c1")
    told(4, "page_viewed", "email:c@own.nl", keys=("domain:third.nl",))
    verdict = told.verdict()
    begun = {firm.keys[0]: firm.journeys[0]["awareness"] // DAY for firm in verdict.accounts}
    assert begun == {"domain:own.nl": 0, "domain:client.nl": 1, "domain:third.nl": 4}
    assert verdict.contacts[0].touches == 5


def test_a_colleagues_address_places_nobody(told):
    told(0, "page_viewed", "user_id:u1", "email:a@acme.nl")
    told(1, "page_viewed", "email:b@other.nl", person=2)
    told(2, "page_viewed", "user_id:u1", "email:b@other.nl")
    told.says(3, "unlink", "email:b@other.nl", "user_id:u1")
    verdict = told.verdict()
    assert account(verdict, "domain:acme.nl").members == ["p1"]
    assert account(verdict, "domain:other.nl").members == ["p2"]


def test_who_refuses_profiling_has_no_history_of_devices(told):
    told(0, "page_viewed", "anonymous_id:c1")
    told(1, "form_submitted", "email:a@acme.nl", "anonymous_id:c1", profiling=True)
    told(5, "consent_withdrawn", "email:a@acme.nl", profiling=False)
    told(6, "page_viewed", "anonymous_id:c1")
    verdict = told.verdict()
    assert (verdict.visits["known"], verdict.visits["nobody"]) == (1, 2)
    assert verdict.contacts[0].devices == []
    told(7, "form_submitted", "email:a@acme.nl", profiling=True)
    assert told.verdict().visits["nobody"] == 0
    told(7, "form_submitted", "email:a@acme.nl", profiling=False)  # of equal times the refusal
    assert told.verdict().visits["nobody"] == 2


def test_a_device_that_refuses_profiling_is_nobodys(told):
    told(0, "consent_withdrawn", "anonymous_id:c1", profiling=False)
    told(1, "form_submitted", "email:a@acme.nl", "anonymous_id:c1")
    told(2, "page_viewed", "anonymous_id:c1")
    verdict = told.verdict()
    assert (verdict.visits["known"], verdict.visits["nobody"]) == (1, 1)
    assert verdict.contacts[0].devices == []


def test_the_device_of_four_people_is_nobodys_where_one_refuses_profiling(told):
    for n in range(4):
        told(n, "page_viewed", f"email:p{n}@acme.nl", "anonymous_id:pc", person=n)
    told(5, "page_viewed", "anonymous_id:pc")
    assert told.verdict().visits["firm_only"] == 1
    told(6, "consent_withdrawn", "email:p2@acme.nl", person=2, profiling=False)
    assert told.verdict().visits["nobody"] == 1


def test_who_is_erased_is_gone_with_devices_and_comes_back_as_somebody_new(told):
    told(0, "page_viewed", "anonymous_id:c1")
    told(1, "form_submitted", "email:a@acme.nl", "anonymous_id:c1")
    told(2, "account_registered", "user_id:u1", "email:a@acme.nl")
    told(3, "page_viewed", "email:b@acme.nl", person=2)
    told(4, "page_viewed", "anonymous_id:c1")
    told.says(4, "erase", "user_id:u1")
    told(9, "page_viewed", "anonymous_id:c1")
    verdict = told.verdict()
    assert contacts(verdict) == [["email:b@acme.nl"]]
    assert verdict.gone == ["email:a@acme.nl", "user_id:u1"]
    assert len(verdict.erased) == 4
    assert verdict.visits == {"known": 1, "other_person": 0, "firm_only": 0, "nobody": 1}
    assert verdict.accounts[0].journeys == [{"awareness": 3 * DAY}]
    told(10, "form_submitted", "email:a@acme.nl", "anonymous_id:c2")
    verdict = told.verdict()
    assert contacts(verdict) == [["email:a@acme.nl"], ["email:b@acme.nl"]]
    assert verdict.gone == ["user_id:u1"]
    assert verdict.visits["nobody"] == 1  # the old device knows nobody any more


def test_what_happened_at_the_very_time_of_the_erasure_is_erased(told):
    told(0, "page_viewed", "email:a@acme.nl")
    told(5, "page_viewed", "email:a@acme.nl")
    told.says(5, "erase", "email:a@acme.nl")
    assert told.verdict().gone == ["email:a@acme.nl"]


def test_an_erasure_reaches_whom_links_up_to_then_reach(told):
    told(0, "page_viewed", "email:a@acme.nl")
    told.says(5, "erase", "email:a@acme.nl")
    told(6, "page_viewed", "email:a@acme.nl", "user_id:u1")
    told(1, "page_viewed", "user_id:u1")
    verdict = told.verdict()
    assert contacts(verdict) == [["email:a@acme.nl", "user_id:u1"]]
    assert verdict.contacts[0].touches == 2


def touches(*told):
    return [Touch(int(day * DAY), type_, topic, contact) for day, type_, topic, contact in told]


def days(entered):
    return {stage: at / DAY for stage, at in entered.items()}


@pytest.mark.parametrize(
    ("second", "third", "expected"), [(10, 30, {"consideration": 30}), (10, 31, {}), (31, 32, {})]
)
def test_three_topics_within_thirty_days(second, third, expected):
    read = touches(
        (0, "page_viewed", "prijzen", "p"),
        (second, "page_viewed", "storingen", "p"),
        (third, "page_viewed", "subsidies", "p"),
    )
    assert days(stages(read)) == {"awareness": 0} | expected


@pytest.mark.parametrize(("day", "expected"), [(30, {"consideration": 30}), (31, {})])
def test_two_downloads_within_thirty_days(day, expected):
    read = touches((0, "content_downloaded", "", "p"), (day, "content_downloaded", "", "p"))
    assert days(stages(read)) == {"awareness": 0} | expected


@pytest.mark.parametrize(
    ("day", "contact", "entered"), [(29, "b", 29), (31, "b", None), (29, "a", None), (29, "", None)]
)
def test_two_people_in_consideration_within_thirty_days(day, contact, entered):
    group = touches((0, "catalogue_requested", "", "a"), (day, "sample_requested", "", contact))
    assert days(stages(group)).get("evaluation") == entered


def test_two_people_far_apart_meet_when_one_comes_back():
    group = touches(
        (0, "catalogue_requested", "", "a"), (40, "sample_requested", "", "b"), (45, "page_viewed", "", "a")
    )
    assert days(stages(group)) == {"awareness": 0, "consideration": 0, "evaluation": 45}


def test_no_step_back():
    order_first = touches(
        (0, "order_placed", "", "a"),
        (1, "demo_requested", "", "a"),
        (2, "app_used", "", "a"),
        (3, "faq_viewed", "", "a"),
    )
    assert days(stages(order_first)) == {"awareness": 0, "purchase": 0, "experience": 2}


def test_reading_up_before_the_order_is_no_experience():
    before = touches(
        (0, "howto_viewed", "", "a"), (1, "order_placed", "", "a"), (5, "review_posted", "", "a")
    )
    assert days(stages(before[:2])) == {"awareness": 0, "purchase": 1}
    assert days(stages(before)) == {"awareness": 0, "purchase": 1, "experience": 5}


@pytest.mark.parametrize(("last", "expected"), [(364, 364), (366, None)])
def test_loyalty_is_two_further_orders_within_a_year(last, expected):
    orders = touches(
        (0, "order_placed", "", ""), (170, "order_placed", "", ""), (last, "order_placed", "", "")
    )
    assert days(stages(orders)).get("loyalty") == expected


def test_a_gap_of_more_than_180_days_begins_another_journey():
    read = touches(
        (0, "page_viewed", "", "p"), (180, "page_viewed", "", "p"), (360.5, "page_viewed", "", "p")
    )
    assert journeys(read) == [{"awareness": 0}, {"awareness": int(360.5 * DAY)}]
    assert journeys([]) == []


def test_example_09_of_the_lost_lead():
    at = from_rfc3339("2024-02-27T09:00:00Z")
    both = [Touch(at, "meeting_held", "demo", "ruud"), Touch(at, "meeting_held", "demo", "petra")]
    assert stages(both) == {"awareness": at, "evaluation": at}
