import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from schemas.deadletter import PREFIX_BYTES
from schemas.internal import MACHINE, OTHER, PERSON, US, Line, Owner, Tick, Told, Touch
from schemas.keys import hasher, partition_of
from schemas.times import DAY_MS, from_rfc3339
from schemas.topics import CLOCK, DEAD, TOUCHPOINTS, VALID
from streams.core import Output, Record, Rows, StepConfig
from streams.definition import Definition, default, load
from streams.ingest.step import Ingest
from streams.session import pack_version

NOW = from_rfc3339("2025-06-01T00:00:00Z")
KEY_OF = hasher("secret")
PARTITIONS = 8
VERSION = pack_version(0, 0, 1)
EVENT: dict[str, Any] = {
    "event_id": "seg-1",
    "type": "page_viewed",
    "occurred_at": "2025-02-03T08:12:04Z",
    "source": "web",
    "identifiers": {"anonymous_id": "c1"},
}
Message = Touch | Owner | Told | Tick
_decode = msgspec.msgpack.Decoder(Message).decode


def ingest(live: bool = False, **settings: Any) -> Ingest:
    return Ingest(StepConfig(3, PARTITIONS, 5, KEY_OF, live=live, settings=settings))


def record(value: bytes | None, timestamp: int = NOW, **headers: bytes) -> Record:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Record(TOUCHPOINTS.name, 3, 17, timestamp, b"key", value, pairs)


def text(**fields: Any) -> bytes:
    return json.dumps({**EVENT, **fields}).encode()


def apply(step: Ingest, *records: Record, now: int = NOW) -> list[Output]:
    return step.apply(Rows(), records, VERSION, now)


def messages(**fields: Any) -> list[Message]:
    """What one accepted event sends; each to the partition and under the key of whom it is about."""
    sent = []
    for output in apply(ingest(), record(text(**fields))):
        assert output.topic == VALID.name, output.headers
        assert output.value is not None
        assert output.key is not None
        message = _decode(output.value)
        about = {
            Touch: lambda m: m.identifier,
            Owner: lambda m: m.weak,
            Told: lambda m: m.account,
        }[type(message)](message)
        if about:
            assert output.key == KEY_OF(message.tenant, about)
        assert output.partition == partition_of(output.key, PARTITIONS)
        sent.append(message)
    return sent


def touch(**fields: Any) -> Touch:
    first = messages(**fields)[0]
    assert isinstance(first, Touch)
    return first


def refusal(value: bytes | None, step: Ingest | None = None, **headers: bytes) -> dict[str, str]:
    [letter] = apply(step or ingest(), record(value, **headers))
    assert letter.topic == DEAD.name
    assert letter.value == (value or b"")[:PREFIX_BYTES]
    told = {name: text.decode() for name, text in letter.headers}
    assert len(told) == len(letter.headers)  # each once
    return told


def test_a_touch_has_all_that_the_event_said() -> None:
    made = touch(
        type="order_placed",
        source="erp",
        tenant="w01",
        occurred_at="2025-03-04T11:32:00.5+01:00",
        identifiers={"email": "M.Bos@Acme.nl"},
        account={"customer_number": 100234, "vat_number": "NL 8123.45.678.B01", "name": " Acme B.V. "},
        organisation={"employees": 40, "industry": None},
        contact={"name": "Max Bos", "job_title": "inkoper"},
        content={"url": "/x", "title": "", "topic": " pompen ", "search_terms": "pomp", "content_id": 7},
        commerce={
            "order_id": "SO-1",
            "value": 4612.0,
            "currency": "eur",
            "promotion": None,
            "lines": [{"sku": 12, "product_family": "pompen", "quantity": 2, "value": "4612.00"}],
        },
        campaign={"campaign_id": 8812, "name": "Voorjaar"},
        consent={"marketing": True, "phone": False},
        new={"field": [1]},
    )
    assert made == Touch(
        tenant="w01",
        source="erp",
        event_id="seg-1",
        type="order_placed",
        type_name="",
        occurred_at=from_rfc3339("2025-03-04T10:32:00Z") + 500,
        digest=made.digest,
        identifier="email:m.bos@acme.nl",
        account="customer_number:100234",
        strong=["email:m.bos@acme.nl"],
        weak=[],
        actor=PERSON,
        channel="erp",
        rank=2,
        content={"url": "/x", "topic": "pompen", "search_terms": ["pomp"], "content_id": "7"},
        commerce={"order_id": "SO-1", "order_namespace": "default", "value": "4612", "currency": "EUR"},
        lines=[Line("12", "pompen", "", "2", "4612")],
        campaign={"campaign_id": "8812", "name": "Voorjaar"},
        contact={"name": "Max Bos", "job_title": "inkoper"},
        organisation={"employees": 40, "name": "Acme B.V."},
        consent={"email": True, "phone": False},
        extra={"new": {"field": [1]}},
    )


def test_the_strongest_identifier_leads_and_the_weak_are_told_whose_they_are() -> None:
    sent = messages(
        identifiers={"device_id": "d1", "phone": "0612345678", "email": "j@acme.nl", "contact_id": "003"}
    )
    assert isinstance(sent[0], Touch)
    assert sent[0].identifier == "contact_id:003"
    assert sent[0].strong == ["contact_id:003", "email:j@acme.nl"]
    assert sent[0].weak == ["phone:+31612345678", "device_id:d1"]
    at = sent[0].occurred_at
    assert sent[1:] == [
        Owner("default", "phone:+31612345678", "contact_id:003", at),
        Owner("default", "device_id:d1", "contact_id:003", at),
    ]


@pytest.mark.parametrize("actor", ["us", "machine"])
def test_what_no_person_did_asserts_nothing(actor: str) -> None:
    both = {"anonymous_id": "c1", "email": "j@acme.nl"}
    firm = {"account_id": "001", "domain": "acme.nl"}
    sent = messages(actor=actor, identifiers=both, account=firm, source="crm")
    assert [type(message) for message in sent] == [Touch, Told]
    assert isinstance(sent[1], Told)
    assert sent[1].keys == ["account_id:001"]


def test_an_account_is_told_its_keys_and_facts() -> None:
    firm = {"domain": "www.acme.nl", "account_id": "001", "name": "Acme"}
    sent = messages(source="crm", account=firm, organisation={"country": "NL"})
    assert sent[1:] == [
        Told(
            tenant="default",
            account="account_id:001",
            keys=["account_id:001", "domain:acme.nl"],
            source="crm",
            rank=1,
            at=from_rfc3339("2025-02-03T08:12:04Z"),
            facts={"country": "NL", "name": "Acme"},
        )
    ]


def test_only_account_keys_make_a_touch_of_the_account() -> None:
    made = touch(identifiers=None, account={"domain": "acme.nl"})
    assert (made.identifier, made.account, made.strong, made.weak) == (
        "domain:acme.nl",
        "domain:acme.nl",
        [],
        [],
    )


@pytest.mark.parametrize(
    "value", [None, "", " ", "null", 0, -1, True, False, "[object Object]", "00000", "x@y"]
)
def test_a_worthless_value_keeps_the_touch_unattributed(value: Any) -> None:
    [output] = apply(ingest(), record(text(identifiers={"email": value})))
    assert output.value is not None
    made = _decode(output.value)
    assert isinstance(made, Touch)
    assert (made.identifier, made.account) == ("", "")
    assert output.key == KEY_OF("default", "event", "web", "seg-1")
    assert made.extra == ({} if value is None else {"identifiers": {"email": value}})


def test_the_next_one_counts_where_the_strongest_is_worthless() -> None:
    made = touch(identifiers={"contact_id": "undefined", "user_id": 20881, "anonymous_id": "c1"})
    assert (made.identifier, made.strong) == ("user_id:20881", ["user_id:20881"])
    assert touch(identifiers={"user_id": 100234.0}).identifier == "user_id:100234"


def test_a_role_mailbox_places_the_touch_at_its_firm() -> None:
    sent = messages(identifiers={"email": "Info <INFO@mail.acme.nl>"}, organisation={"employees": 9})
    assert isinstance(sent[0], Touch)
    assert (sent[0].identifier, sent[0].account, sent[0].strong) == ("domain:acme.nl", "domain:acme.nl", [])
    assert sent[0].extra == {"identifiers": {"email": "Info <INFO@mail.acme.nl>"}}
    assert isinstance(sent[1], Told)
    assert (sent[1].keys, sent[1].facts) == (["domain:acme.nl"], {"employees": 9})
    assert sent[1].mailbox == "info@mail.acme.nl"


def test_beside_a_role_mailbox_the_next_identifier_and_the_named_account_count() -> None:
    made = touch(identifiers={"email": "info@acme.nl", "anonymous_id": "c1"})
    assert (made.identifier, made.account) == ("anonymous_id:c1", "domain:acme.nl")
    sent = messages(identifiers={"email": "info@acme.nl"}, account={"customer_number": "7"}, source="erp")
    assert isinstance(sent[1], Told)
    assert sent[1].keys == ["customer_number:7"]  # a mail domain never links accounts


def test_a_role_mailbox_at_free_mail_is_nowhere() -> None:
    made = touch(identifiers={"email": "info@gmail.com"}, account={"domain": "gmail.com"})
    assert (made.identifier, made.account) == ("", "")


@pytest.mark.parametrize(
    ("fields", "actor"),
    [({}, PERSON), ({"type": "email_sent"}, US), ({"type": "email_bounced"}, MACHINE), ({"actor": "us"}, US)],
)
def test_who_acted(fields: dict[str, Any], actor: int) -> None:
    assert touch(**fields).actor == actor


def test_an_unknown_type_is_custom_and_keeps_its_name() -> None:
    assert (touch(type="wheel_spun").type, touch(type="wheel_spun").type_name) == ("custom", "wheel_spun")
    assert (touch().type, touch().type_name) == ("page_viewed", "")


def test_ranks_channels_tenants() -> None:
    assert [touch(source=s).rank for s in ("steward", "crm", "erp", "web")] == [0, 1, 2, OTHER]
    assert (touch().channel, touch(channel="app").channel) == ("web", "app")
    assert (touch().tenant, touch(tenant=None).tenant, touch(tenant="a").tenant) == (
        "default",
        "default",
        "a",
    )


def test_consent_that_is_named_counts_before_marketing() -> None:
    assert touch(consent={"marketing": False, "profiling": True}).consent == {
        "email": False,
        "phone": False,
        "profiling": True,
    }
    assert touch(consent={"email": None, "sms": True}).consent == {}
    assert touch(consent={"sms": True}).extra == {"consent": {"sms": True}}


@pytest.mark.parametrize("said", [{}, {"consent": {}}, {"consent": None}, {"consent": {"email": None}}])
def test_a_refusal_that_names_no_purpose_is_of_all_that_its_type_means(said: dict[str, Any]) -> None:
    everything = {"email": False, "phone": False, "profiling": False}
    withdrawn = touch(type="consent_withdrawn", **said)
    assert withdrawn.consent == everything
    assert withdrawn.digest == touch(type="consent_withdrawn", consent=everything).digest
    assert touch(type="unsubscribed", **said).consent == {"email": False}
    assert touch(type="consent_given", **said).consent == touch(**said).consent == {}


def test_a_refusal_is_of_the_purposes_that_it_names() -> None:
    for type_ in ("consent_withdrawn", "unsubscribed"):
        assert touch(type=type_, consent={"phone": False}).consent == {"phone": False}
        assert touch(type=type_, consent={"sms": False}).consent == {}


def test_unknown_fields_are_kept_where_they_stood() -> None:
    lines = [{"sku": "a"}, {"sku": "b", "colour": "red"}]
    made = touch(
        identifiers={"anonymous_id": "c1", "linkedin": "x"},
        commerce={"lines": lines, "coupon": "Z"},
        content={"depth": 1},
        account={"parent": "p"},
        campaign={"term": "t"},
        utm=None,
    )
    assert made.extra == {
        "identifiers": {"linkedin": "x"},
        "account": {"parent": "p"},
        "commerce": {"lines": [{}, {"colour": "red"}], "coupon": "Z"},
        "content": {"depth": 1},
        "campaign": {"term": "t"},
        "utm": None,
    }


def test_the_digest_is_of_the_content_not_of_the_text() -> None:
    fields = {"contact": {"a": 1, "b": 2}, "content": {"url": "/é", "topic": "x"}}
    one = touch(**fields)
    event = {**EVENT, **fields, "contact": {"b": 2, "a": 1}}
    other = json.dumps(dict(reversed(event.items())), indent=3, ensure_ascii=False).encode()
    [output] = apply(ingest(), record(other, timestamp=NOW + 5))
    assert output.value is not None
    again = _decode(output.value)
    assert isinstance(again, Touch)
    assert again.digest == one.digest
    assert 0 <= one.digest < 2**63
    assert touch(**{**fields, "content": {"url": "/e"}}).digest != one.digest


@pytest.mark.parametrize(
    ("occurred_at", "error"),
    [
        ("2025-13-01", "'2025-13-01' is no time; send RFC 3339 with an offset, e.g. 2025-02-03T08:12:04Z"),
        ("yesterday", "'yesterday' is no time; send RFC 3339"),
        ("", "'' is no time"),
        ("2025-02-30T08:12:04Z", "is no time"),
        ("2025-02-03T08:12:04", "has no offset; send e.g. 2025-02-03T08:12:04Z"),
        ("2025-02-03", "has no offset"),
        ("1999-12-31T23:59:59.999Z", "is before 2000-01-01"),
        ("0001-01-01T00:00:00+14:00", "is before 2000-01-01"),
        ("9999-12-31T23:59:59-14:00", "over 48 h after the record's Kafka time"),
        ("2025-06-03T00:00:00.001Z", "over 48 h after the record's Kafka time"),
    ],
)
def test_times_that_are_refused(occurred_at: str, error: str) -> None:
    found = refusal(text(occurred_at=occurred_at))
    assert (found["reason"], found["field"]) == ("bad_time", "occurred_at")
    assert error in found["error"]


@pytest.mark.parametrize(
    ("occurred_at", "at"),
    [
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        ("2025-06-03T00:00:00Z", NOW + 2 * DAY_MS),
        ("2025-02-03t08:12:04.123456789z", 1_738_570_324_123),
        ("2025-02-03 09:12:04+01:00", 1_738_570_324_000),
    ],
)
def test_times_that_are_accepted(occurred_at: str, at: int) -> None:
    assert touch(occurred_at=occurred_at).occurred_at == at


ZONES = {"zones": {"crm": "Europe/Amsterdam"}}


def at_of(occurred_at: str, source: str = "crm", **settings: Any) -> int:
    [output] = apply(ingest(**settings), record(text(occurred_at=occurred_at, source=source)))
    made = _decode(output.value or b"")
    assert isinstance(made, Touch), output.headers
    return made.occurred_at


@pytest.mark.parametrize(
    ("occurred_at", "utc"),
    [
        ("2025-02-03T09:12:04", "2025-02-03T08:12:04Z"),
        ("2025-04-03 09:12:04.250", "2025-04-03T07:12:04.250Z"),  # summer
        ("2025-02-03t09:12", "2025-02-03T08:12:00Z"),
        ("2025-02-03T09:12:04+05:00", "2025-02-03T04:12:04Z"),  # an offset wins
        ("2024-10-27T02:30:00", "2024-10-27T00:30:00Z"),  # twice: the first
        ("2025-03-30T02:30:00", "2025-03-30T01:30:00Z"),  # left out: an hour later
    ],
)
def test_times_without_offset_are_of_the_zone_of_their_source(occurred_at: str, utc: str) -> None:
    assert at_of(occurred_at, **ZONES) == from_rfc3339(utc)
    assert at_of(occurred_at, source="CRM", **ZONES) == from_rfc3339(utc)


@pytest.mark.parametrize(
    ("occurred_at", "source"),
    [
        ("2025-02-03T09:12:04", "web"),
        ("2025-02-03", "crm"),
        ("2025-02-03T09", "crm"),
        ("", "crm"),
        ("9", "crm"),
    ],
)
def test_a_zone_makes_no_time_of_what_is_none(occurred_at: str, source: str) -> None:
    found = refusal(text(occurred_at=occurred_at, source=source), ingest(**ZONES))
    assert (found["reason"], found["field"]) == ("bad_time", "occurred_at")


def test_a_zone_keeps_the_limits() -> None:
    step = ingest(zones={"web": "Pacific/Auckland"})
    limits = {
        "2000-01-01T00:00:00": "before 2000",
        "0001-01-01T00:00:00": "before 2000",
        "2025-06-04T00:00:00": "over 48 h",
        "9999-12-31T23:59:59": "over 48 h",
    }
    for occurred_at, error in limits.items():
        assert error in refusal(text(occurred_at=occurred_at), step)["error"]


def test_ids_of_two_crms_are_kept_apart() -> None:
    settings = {"namespaces": {"crm-nl": "nl", "crm-be": "be"}}

    def keys(source: str) -> tuple[list[str], list[str], str]:
        given = {
            "source": source,
            "identifiers": {"contact_id": 7, "user_id": "nl/7", "email": "j@acme.nl"},
            "account": {"account_id": "nl/7", "customer_number": "1 2", "vat_number": "NL1"},
        }
        first, told = apply(ingest(**settings), record(text(**given)))
        made, named = _decode(first.value or b""), _decode(told.value or b"")
        assert isinstance(made, Touch)
        assert isinstance(named, Told)
        return made.strong, named.keys, made.account

    assert keys("crm-nl") == (
        ["contact_id:nl/7", "user_id:nl/7", "email:j@acme.nl"],
        ["account_id:nl/nl/7", "customer_number:nl/12", "vat_number:NL1"],
        "account_id:nl/nl/7",
    )
    assert keys("CRM-BE")[0][0] == "contact_id:be/7"
    assert keys("erp") == (
        ["contact_id:7", "user_id:nl/7", "email:j@acme.nl"],
        ["account_id:/nl/7", "customer_number:12", "vat_number:NL1"],
        "account_id:/nl/7",
    )


def test_worthless_ids_and_caps_are_the_same_in_a_namespace() -> None:
    step = ingest(namespaces={"web": "nl"})
    [output] = apply(step, record(text(identifiers={"contact_id": "null", "user_id": "u"})))
    made = _decode(output.value or b"")
    assert isinstance(made, Touch)
    assert made.strong == ["user_id:u"]
    for length, refused in ((253, False), (254, True)):  # with `nl/` at most 256 bytes
        [output] = apply(step, record(text(identifiers={"contact_id": "x" * length})))
        assert (output.topic == DEAD.name) is refused


def test_phones_are_of_the_tenants_country() -> None:
    settings = {"country": "BE", "countries": {"de": "DE"}}

    def phone(**fields: Any) -> str:
        [output] = apply(ingest(**settings), record(text(**fields)))
        made = _decode(output.value or b"")
        assert isinstance(made, Touch)
        return made.identifier

    assert phone(identifiers={"phone": "0475 12 34 56"}) == "phone:+32475123456"
    assert phone(identifiers={"phone": "0151 23456789"}, tenant="de") == "phone:+4915123456789"
    assert touch(identifiers={"phone": "06-12345678"}).identifier == "phone:+31612345678"


def test_without_a_kafka_timestamp_the_wall_clock_is_the_limit() -> None:
    late = text(occurred_at="2025-06-02T00:00:00Z")
    assert [o.topic for o in apply(ingest(), record(late, timestamp=-1))] == [VALID.name]
    assert [o.topic for o in apply(ingest(), record(late, timestamp=-1), now=NOW - 2 * DAY_MS)] == [DEAD.name]


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"identifiers": None}, "no_identifier", "identifiers"),
        ({"identifiers": {}}, "no_identifier", "identifiers"),
        ({"identifiers": {"linkedin": "x"}}, "no_identifier", "identifiers"),
        ({"identifiers": None, "account": {"name": "Acme"}}, "no_identifier", "identifiers"),
        ({"event_id": "  "}, "missing_field", "event_id"),
        ({"type": ""}, "missing_field", "type"),
        ({"source": "\t"}, "missing_field", "source"),
        ({"event_id": "x" * 129}, "too_large", "event_id"),
        ({"event_id": "é" * 65}, "too_large", "event_id"),
        ({"tenant": "x" * 129}, "too_large", "tenant"),
        ({"identifiers": {"email": "x" * 257}}, "too_large", "identifiers.email"),
        ({"identifiers": {"user_id": 10**300}}, "too_large", "identifiers.user_id"),
        ({"account": {"domain": "x" * 257}}, "too_large", "account.domain"),
        ({"content": {"topic": "x" * 257}}, "too_large", "content.topic"),
        ({"commerce": {"order_id": "x" * 129}}, "too_large", "commerce.order_id"),
        ({"contact": {str(n): n for n in range(65)}}, "too_large", "contact"),
        ({"contact": {"a": {"b": [1, 2**64]}}}, "wrong_type", "contact.a.b[1]"),
        ({"organisation": {"revenue": -(2**63) - 1}}, "wrong_type", "organisation.revenue"),
        ({"new": 10**30}, "wrong_type", "new"),
    ],
)
def test_events_that_are_refused(fields: dict[str, Any], reason: str, field: str) -> None:
    found = refusal(text(**fields))
    assert (found["reason"], found["field"]) == (reason, field)
    assert found["error"].startswith(f"{field}: ")


def test_a_number_that_is_infinite_when_read_is_refused() -> None:
    for fields, field in (
        ({"contact": {"n": "#"}}, "contact.n"),
        ({"identifiers": {"email": "#"}}, "identifiers.email"),
    ):
        found = refusal(text(**fields).replace(b'"#"', b"1e999"))
        assert (found["reason"], found["field"]) == ("wrong_type", field)


def test_numbers_at_the_edge_are_kept() -> None:
    numbers = [2**64 - 1, -(2**63), 1.7976931348623157e308, 0.1, 2.0**1023]
    assert touch(contact={"n": numbers}).contact == {"n": numbers}
    assert touch(identifiers={"user_id": 10**40}).identifier == f"user_id:{10**40}"


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff"])
def test_a_dead_letter_keeps_the_bytes_and_says_where_they_were(value: bytes | None) -> None:
    found = refusal(value)
    where = ("touchpoints", "3", "17", "5")
    assert tuple(found[name] for name in ("topic", "partition", "offset", "generation")) == where


def test_an_oversized_event_keeps_its_beginning_and_its_hash() -> None:
    value = b'{"x":"' + b"#" * 100_000 + b'"}'
    found = refusal(value)
    assert (found["reason"], found["size"], found["sha256"]) == (
        "too_large",
        "100008",
        sha256(value).hexdigest(),
    )


def test_an_event_that_the_feeder_cut_keeps_the_size_and_hash_of_the_whole() -> None:
    cut = {"journeys_size": b"10485760", "journeys_sha256": b"abc"}
    for value in (text(), b'{"x":"' + b"#" * 70_000):
        found = refusal(value, **cut)
        assert (found["reason"], found["size"], found["sha256"]) == ("too_large", "10485760", "abc")
        assert "10485760 bytes" in found["error"]
    [output] = apply(ingest(), record(text(), journeys_size=b"1"))
    assert output.topic == VALID.name  # one header alone says nothing


def test_headers_are_not_believed_unless_settings_say_so() -> None:
    [output] = apply(ingest(), record(text(tenant="a"), journeys_tenant=b"b", journeys_source=b"crm"))
    assert output.value is not None
    made = _decode(output.value)
    assert isinstance(made, Touch)
    assert (made.tenant, made.source, made.rank) == ("a", "web", OTHER)


@pytest.mark.parametrize("topic", ["nonsense", "touchpoints.valid", "a, b"])
def test_a_line_for_a_topic_that_is_no_input_says_so(topic: str) -> None:
    found = refusal(b"\xef\xbb\xbf" + json.dumps({"topic": topic, "message": {"event_id": "1"}}).encode())
    assert (found["reason"], found["field"]) == ("wrong_type", "topic")
    assert found["error"] == (
        f"topic: {topic!r} is no input topic; send one of touchpoints, identity-assertions,"
        " privacy-requests, lead-outcomes, account-commands"
    )


@pytest.mark.parametrize("more", [{"topic": "touchpoints"}, {"topic": "x", "type": "y"}, {}])
def test_what_is_no_line_for_a_topic_is_refused_as_a_touchpoint(more: dict[str, str]) -> None:
    assert refusal(json.dumps({"message": {}, **more}).encode())["field"] == "event_id"


def test_a_dead_letter_names_the_tenant_that_a_trusted_header_names() -> None:
    named = {"journeys_tenant": b"w01"}
    assert refusal(text(source=""), ingest(trust_headers=True), **named)["tenant"] == "w01"
    assert "tenant" not in refusal(text(source=""), ingest(trust_headers=True))
    assert "tenant" not in refusal(text(source=""), **named)


def test_trusted_headers_win() -> None:
    step = ingest(trust_headers=True)
    [output] = apply(step, record(text(), journeys_tenant=b"b", journeys_source=b"web"))
    assert output.value is not None
    made = _decode(output.value)
    assert isinstance(made, Touch)
    assert (made.tenant, made.source) == ("b", "web")
    assert output.key == KEY_OF("b", "anonymous_id:c1")
    [output] = apply(step, record(text(tenant="a")))
    assert output.topic == VALID.name


@pytest.mark.parametrize(("header", "field"), [("journeys_tenant", "tenant"), ("journeys_source", "source")])
def test_a_body_that_contradicts_a_trusted_header_is_refused(header: str, field: str) -> None:
    found = refusal(text(tenant="a"), ingest(trust_headers=True), **{header: b"other"})
    assert (found["reason"], found["field"]) == ("tenant_mismatch", field)
    assert "'other'" in found["error"]


def test_a_clock_message_ticks_every_partition_after_what_came_before_it() -> None:
    clock = Record(CLOCK.name, 3, 0, NOW, None, b'{"at": 123, "drain": 2}')
    outputs = apply(ingest(), record(text()), clock)
    assert outputs[0].key is not None
    assert [output.partition for output in outputs[1:]] == list(range(PARTITIONS))
    assert {output.value for output in outputs[1:]} == {msgspec.msgpack.encode(Tick(3, 123, 2))}


def ticks(outputs: list[Output]) -> list[int]:
    found = [_decode(output.value) for output in outputs if output.key is None and output.value]
    assert len(found) in {0, PARTITIONS}
    return sorted({message.at for message in found if isinstance(message, Tick)})


def test_live_an_idle_partition_ticks_the_wall_time() -> None:
    step = ingest(live=True)
    assert ticks(apply(step)) == [NOW]
    assert ticks(apply(step, now=NOW + 59_999)) == []
    assert ticks(apply(step, now=NOW + 60_000)) == [NOW + 60_000]


def test_live_a_busy_partition_ticks_at_most_the_last_records_time_and_never_back() -> None:
    step = ingest(live=True)
    assert ticks(apply(step, record(text(), timestamp=NOW - 500))) == [NOW - 500]
    assert ticks(apply(step, record(text(), timestamp=NOW - 900), now=NOW + 60_000)) == []
    assert ticks(apply(step, record(text(), timestamp=NOW + 9 * DAY_MS), now=NOW + 61_000)) == [NOW + 61_000]


def test_run_does_not_tick_by_itself() -> None:
    assert apply(ingest(live=False)) == []


# ---- topics by the rules of the definition

TOPICS = load(
    """
[[topics]]
topic = "price"
url = '/(prices?|tarieven)(/|$)'
[[topics]]
topic = "machine safety"
url = "/blog/"
title = 'machine ?safety|CE marking'
[[topics]]
topic = "lead times"
search = "lead ?time"
[[topics]]
topic = "trends"
inspiration = true
""",
    "my.toml",
)


def with_rules(definition: Definition, **content: Any) -> Touch:
    [sent] = apply(ingest(definition=definition), record(text(content=content)))
    made = _decode(sent.value or b"")
    assert isinstance(made, Touch)
    return made


@pytest.mark.parametrize(
    ("content", "topic"),
    [
        ({"url": "https://acme.nl/Prices/pumps"}, "price"),
        ({"url": "https://acme.nl/tarieven"}, "price"),
        ({"url": "https://acme.nl/pricelist"}, None),
        ({"url": "https://acme.nl/prices", "topic": "pumps"}, "pumps"),
        ({"url": "https://acme.nl/blog/1", "title": "Five facts on ce MARKING"}, "machine safety"),
        ({"url": "https://acme.nl/blog/prices/", "title": "Machinesafety"}, "price"),
        ({"url": "https://acme.nl/", "title": "Machine safety"}, None),
        ({"url": "https://acme.nl/blog/1"}, None),
        ({"search_terms": ["pump", "Leadtime"]}, "lead times"),
        ({"search_terms": "lead time"}, "lead times"),
        ({"search_terms": ["pump"]}, None),
        ({"title": "Trends"}, None),
        ({"url": f"https://acme.nl/{'x' * 1_970}/prices/"}, "price"),
        ({"url": f"https://acme.nl/{'x' * 2_000}/prices/"}, None),
        ({}, None),
    ],
)
def test_a_touch_without_topic_gets_that_of_the_first_rule_that_fits(content, topic):
    assert with_rules(TOPICS, **content).content.get("topic") == topic
    assert with_rules(default(), **content).content.get("topic") == content.get("topic")


def test_a_touch_is_the_same_event_whatever_rule_gave_its_topic():
    content = {"url": "https://acme.nl/prices"}
    before, after = with_rules(default(), **content), with_rules(TOPICS, **content)
    assert ("topic" in before.content, "topic" in after.content) == (False, True)
    assert before.digest == after.digest
    assert before.digest != with_rules(default(), **content, topic="price").digest
