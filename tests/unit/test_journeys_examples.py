"""The worked examples, as the snapshots that FRAGMENTS makes of them."""

import pytest

from schemas.internal import CRM, ERP, Fact
from schemas.times import from_rfc3339
from tests.unit.test_journeys_given import Driven, events, fragment, gone, of, profiles, touch

SANNE, MARLEEN, YOUSSEF = "email:sanne@k.nl", "user_id:u-20881", "email:y.benali@k.nl"
MARLEENS_MAIL = "email:m.bos@k.nl"


def entered(outputs) -> dict[str, str]:
    """Stages as they stand after all outputs: natural key -> time."""
    last = {e["natural_key"]: e for e in events(outputs) if e["kind"] == "stage"}
    return {key: e["occurred_at"] for key, e in last.items() if not e.get("retracted")}


def moments(outputs) -> dict[str, str]:
    return {
        e["details"]["moment"]: e["occurred_at"] for e in events(outputs) if e["type"] == "crucial_moment"
    }


def cookie(*early, seq=1):
    return fragment(
        "anonymous_id:ajs-7f3c01",
        of(
            "sanne",
            *early,
            touch("2025-02-03T08:12:04Z", topic="warmtepompen"),
            touch("2025-02-03T08:15:40Z", "site_searched", topic="warmtepompen"),
            touch("2025-02-10T19:41:30Z", "howto_viewed", topic="inregelen"),
            touch("2025-03-11T18:20:00Z", "howto_viewed", topic="inregelen"),
        ),
        seq=seq,
    )


def wholesaler():
    crm = {
        "name": Fact(CRM, from_rfc3339("2025-02-21T08:00:00Z"), "crm", "De Klerk Installatietechniek B.V."),
        "employees": Fact(CRM, from_rfc3339("2025-02-21T08:00:00Z"), "crm", 34),
        "industry": Fact(CRM, from_rfc3339("2025-02-21T08:00:00Z"), "crm", "installatietechniek"),
        "country": Fact(CRM, from_rfc3339("2025-02-21T08:00:00Z"), "crm", "NL"),
    }
    erp = {"name": Fact(ERP, from_rfc3339("2025-03-04T10:32:00Z"), "erp", "DE KLERK")}
    return [
        fragment(
            SANNE,
            of(
                "sanne",
                touch("2025-02-12T07:55:10Z", "catalogue_requested", topic="warmtepompen"),
                touch("2025-02-14T06:10:00Z", "email_opened"),
                touch("2025-02-14T06:11:25Z", "email_clicked", topic="warmtepompen"),
            ),
            facts={"name": Fact(3, from_rfc3339("2025-02-12T07:55:10Z"), "web", "Sanne de Klerk")},
        ),
        fragment(
            MARLEEN,
            of(
                "marleen",
                touch("2025-02-20T13:02:45Z", "account_registered"),
                touch("2025-02-24T10:15:00Z", "quote_requested", topic="warmtepompen"),
            ),
        ),
        fragment(
            MARLEENS_MAIL,
            of(
                "marleen",
                touch("2025-03-04T10:32:00Z", "order_placed", source="erp", account="customer_number:1"),
            ),
        ),
        fragment("contact_id:C-5512", of("marleen")),
        fragment(
            YOUSSEF, of("youssef", touch("2025-03-10T08:05:00Z", "support_contacted", topic="storingen"))
        ),
        fragment("domain:k.nl"),
        fragment("account_id:A-3391", facts=crm),
        fragment("customer_number:1", facts=erp),
    ]


def test_01_anonymous_to_first_order():
    given = Driven()
    given.feed(*wholesaler(), cookie())
    given.drain(from_rfc3339("2025-03-11T18:20:00Z"))
    assert entered(given.sent)["1/awareness"] == "2025-02-03T08:12:04Z"

    given.feed(cookie(touch("2025-01-29T20:03:00Z", topic="warmtepompen"), seq=2))
    late = given.drain(from_rfc3339("2025-03-11T18:20:00Z"))
    corrected = [e for e in events(late) if e["type"] == "stage_corrected"]
    assert [e["details"] for e in corrected] == [
        {
            "journey_id": "a00000000000001.1",
            "stage": "awareness",
            "was": "2025-02-03T08:12:04Z",
            "now": "2025-01-29T20:03:00Z",
        }
    ]
    assert entered(given.sent) == {
        "1/awareness": "2025-01-29T20:03:00Z",
        "1/consideration": "2025-02-12T07:55:10Z",
        "1/evaluation": "2025-02-20T13:02:45Z",
        "1/purchase": "2025-03-04T10:32:00Z",
        "1/experience": "2025-03-10T08:05:00Z",
    }
    assert moments(given.sent) == {
        "catalogue_request": "2025-02-12T07:55:10Z",
        "account_creation": "2025-02-20T13:02:45Z",
        "first_order": "2025-03-04T10:32:00Z",
        "first_after_sales": "2025-03-10T08:05:00Z",
    }
    (profile,) = profiles(late)
    assert (profile["touches"], profile["stage"], profile["kind"]) == (12, "experience", "organisation")
    assert profile["name"] == "De Klerk Installatietechniek B.V."
    assert (profile["crm_account_id"], profile["employees"], profile["country"]) == ("A-3391", 34, "NL")
    assert {m["contact_id"]: (m["touches"], m["stage"]) for m in profile["members"]} == {
        "sanne": (8, "consideration"),
        "marleen": (3, "purchase"),
        "youssef": (1, "awareness"),
    }
    assert [m["lag_days"] for m in profile["members"]] == [
        0,
        pytest.approx(21.7, abs=0.1),
        pytest.approx(39.5, 0.1),
    ]


MOVED = from_rfc3339("2025-09-15T07:30:00Z")


def test_06_job_change_at_the_old_employer():
    given = Driven()
    fatima = [
        touch("2025-03-04T10:11:00Z", "content_downloaded", topic="routeplanning"),
        touch("2025-03-11T10:40:00Z", "content_downloaded", topic="routeplanning"),
        touch("2025-04-22T09:15:00Z", "demo_requested", topic="demo"),
    ]
    bram = [
        touch("2025-05-21T07:40:00Z", topic="integraties"),
        touch("2025-06-24T08:05:00Z", "email_clicked", topic="integraties"),
        touch("2025-08-13T07:30:00Z", "email_clicked", topic="routeplanning"),
        touch("2025-09-30T07:55:00Z", topic="routeplanning"),
    ]
    meeting = touch("2025-04-29T12:00:00Z", "meeting_held", topic="integraties", account="account_id:001NH")
    given.feed(
        fragment("email:f@nordhaven.com", of("fatima", *fatima)),
        fragment("contact_id:FEA", of("fatima")),
        fragment("contact_id:BKU", of("bram", meeting)),
        fragment("email:b@nordhaven.com", of("bram", *bram)),
        fragment("account_id:001NH"),
    )
    given.drain(from_rfc3339("2025-09-30T07:55:00Z"))
    assert not [e for e in events(given.sent) if e["type"] == "contact_left"]
    given.feed(
        fragment("email:f@nordhaven.com", of("fatima", *fatima, until=MOVED), seq=2),
        fragment("contact_id:FEA", of("fatima", until=MOVED), seq=2),
    )
    given.drain(from_rfc3339("2025-09-30T07:55:00Z"))
    assert entered(given.sent) == {
        "1/awareness": "2025-03-04T10:11:00Z",
        "1/consideration": "2025-03-11T10:40:00Z",
        "1/evaluation": "2025-04-22T09:15:00Z",
    }
    told = [(e["type"], e["contact"]["id"], e["occurred_at"]) for e in events(given.sent) if "contact" in e]
    assert told == [
        ("contact_identified", "fatima", "2025-03-04T10:11:00Z"),
        ("contact_identified", "bram", "2025-04-29T12:00:00Z"),
        ("contact_left", "fatima", "2025-09-15T07:30:00Z"),
    ]
    profile = profiles(given.sent)[-1]
    assert (profile["touches"], profile["stage"]) == (8, "evaluation")
    assert {m["contact_id"]: (m["touches"], m["valid_to"]) for m in profile["members"]} == {
        "fatima": (3, "2025-09-15T07:30:00Z"),
        "bram": (5, None),
    }


def test_06_job_change_at_the_new_employer():
    given = Driven()
    given.feed(
        fragment("contact_id:FEA", of("fatima", since=MOVED)),
        fragment("email:fatima@kustlijn.nl", of("fatima", touch("2025-09-18T13:00:00Z"), since=MOVED)),
        fragment("anonymous_id:c-fea-2", of("fatima", touch("2025-09-18T13:06:00Z", topic="prijzen"))),
        fragment(
            "user_id:pw-88121",
            of("fatima", touch("2025-09-25T08:20:00Z", "account_registered", topic="prijzen"), since=MOVED),
        ),
        fragment("domain:kustlijn.nl"),
    )
    given.drain(from_rfc3339("2025-09-30T07:55:00Z"))
    assert entered(given.sent) == {
        "1/awareness": "2025-09-18T13:00:00Z",
        "1/consideration": "2025-09-25T08:20:00Z",
    }
    (joined,) = [e for e in events(given.sent) if e["kind"] == "member"]
    assert (joined["type"], joined["occurred_at"]) == ("contact_joined", "2025-09-15T07:30:00Z")
    assert joined["contact"]["identifiers"] == [
        "contact_id:FEA",
        "user_id:pw-88121",
        "email:fatima@kustlijn.nl",
    ]


def test_09_lost_lead_comes_back():
    given = Driven()
    given.feed(
        fragment(
            "anonymous_id:c-ru",
            of(
                "ruud",
                touch("2024-02-05T09:00:00Z", topic="planning"),
                touch("2024-02-06T09:30:00Z", topic="prijzen"),
            ),
        ),
        fragment(
            "email:r.janssen@delta.nl",
            of(
                "ruud",
                touch("2024-02-12T13:00:00Z", "content_downloaded", topic="planning"),
                touch("2024-02-14T07:45:00Z", "email_clicked", topic="integraties"),
                touch("2024-02-20T10:00:00Z", "demo_requested", topic="demo"),
                touch("2024-02-27T09:00:00Z", "meeting_held", topic="demo", source="crm", event_id="sf-0906"),
            ),
        ),
        fragment(
            "email:p.vos@delta.nl",
            of(
                "petra",
                touch("2024-02-27T09:00:00Z", "meeting_held", topic="demo", source="crm", event_id="sf-0907"),
                touch("2024-03-05T15:00:00Z", topic="prijzen"),
                touch("2025-01-14T08:30:00Z", topic="prijzen"),
                touch("2025-01-15T08:50:00Z", "demo_requested", topic="demo"),
            ),
        ),
        fragment("domain:delta.nl"),
    )
    given.drain(from_rfc3339("2025-01-15T08:50:00Z"))
    assert entered(given.sent) == {
        "1/awareness": "2024-02-05T09:00:00Z",
        "1/consideration": "2024-02-14T07:45:00Z",
        "1/evaluation": "2024-02-20T10:00:00Z",
        "2/awareness": "2025-01-14T08:30:00Z",
        "2/evaluation": "2025-01-15T08:50:00Z",
    }
    (closed,) = [e for e in events(given.sent) if e["type"] == "journey_closed"]
    assert closed["occurred_at"] == "2024-09-01T15:00:00Z"  # 180 days after the last touch
    assert closed["details"] == {"journey_id": "a00000000000001.1", "closed_by": "gap"}
    (profile,) = profiles(given.sent)
    assert (profile["touches"], profile["stage"], profile["journey_id"]) == (
        10,
        "evaluation",
        "a00000000000001.2",
    )


def test_an_account_that_loses_everything_takes_everything_back():
    given = Driven()
    fragments = [*wholesaler(), cookie()]
    given.feed(*fragments)
    before = given.drain()
    given.feed(*(gone(f.identifier, 2) for f in fragments))
    after = given.drain()
    assert len(events(before)) > 10
    told = {(e["kind"], e["natural_key"]): e["id"] for e in events(before)}
    assert {(e["kind"], e["natural_key"]): e["corrects"] for e in events(after)} == told
    assert all(e["retracted"] for e in events(after))
    assert entered(given.sent) == {}
    (profile,) = profiles(after)
    assert (profile["gone"], profile["members"], profile["touches"], profile["stage"]) == (True, [], 0, "")
