"""What people say of identities and ask for themselves, through INGEST."""

import json
from typing import Any

import msgspec
import pytest

from schemas.command import NEEDS
from schemas.internal import Asserted, Command, Outcome, Request
from schemas.keys import hasher, partition_of
from schemas.message import EVENT_BYTES
from schemas.times import DAY_MS, from_rfc3339
from schemas.topics import ASSERTIONS, COMMANDS, DEAD, LINKS, OUTCOMES, PRIVACY, VALID
from streams.core import Output, Record, Rows, StepConfig
from streams.ingest.step import Ingest

NOW = from_rfc3339("2025-06-01T00:00:00Z")
AT = "2025-05-06T09:00:00Z"
KEY_OF = hasher("secret")
PARTITIONS = 8
PERSON, DEVICE, FIRM = {"email": "jane@acme.nl"}, {"anonymous_id": "c1"}, {"domain": "acme.nl"}
OURS, OUR_FIRM = {"journeys_contact_id": "c" + "0" * 15}, {"journeys_account_id": "a" + "0" * 15}

_decode = msgspec.msgpack.Decoder(Asserted | Request | Outcome | Command).decode


def apply(topic: str, value: bytes, headers: Any = (), **settings: Any) -> list[Output]:
    step = Ingest(StepConfig(3, PARTITIONS, 5, KEY_OF, live=False, settings=settings))
    return step.apply(Rows(), [Record(topic, 3, 17, NOW, None, value, headers)], b"", NOW)


def said(**fields: Any) -> bytes:
    whole = {"event_id": "st-1", "occurred_at": AT, "assertion": "link", "a": {"contact_id": 7}, "b": PERSON}
    return json.dumps(whole | fields).encode()


def asked(**fields: Any) -> bytes:
    whole = {"event_id": "pr-1", "occurred_at": AT, "request": "erase", "identifiers": PERSON}
    return json.dumps(whole | fields).encode()


def asserted(value: bytes, **settings: Any) -> Asserted:
    links, view = apply(ASSERTIONS.name, value, **settings)
    assert (links.topic, view.topic) == (LINKS.name, VALID.name)
    assert links.value == view.value
    made = _decode(links.value or b"")
    assert isinstance(made, Asserted)
    assert links.key == KEY_OF(made.tenant)
    assert view.key == KEY_OF(made.tenant, "assertion", made.event_id)
    for output in (links, view):
        assert output.partition == partition_of(output.key or b"", PARTITIONS)
    return made


def request(value: bytes, **settings: Any) -> Request:
    [output] = apply(
        PRIVACY.name, value, **settings
    )  # to IDENTITY alone: nothing in plain text for the views
    assert output.topic == LINKS.name
    made = _decode(output.value or b"")
    assert isinstance(made, Request)
    assert output.key == KEY_OF(made.tenant)
    assert output.partition == partition_of(output.key, PARTITIONS)
    return made


def happened(**fields: Any) -> bytes:
    whole = {"event_id": "out-1", "occurred_at": AT, "outcome": "lost", "account": FIRM}
    return json.dumps(whole | fields).encode()


def ordered(command: str = "assign_role", /, **fields: Any) -> bytes:
    whole = {"event_id": "cmd-1", "occurred_at": AT, "command": command, "account": FIRM}
    needed = {"identifiers": PERSON, "role": "buyer", "owner": "marleen", "scheme": "size", "segment": 3}
    return json.dumps(whole | {name: needed[name] for name in NEEDS[command]} | fields).encode()


def decided(topic: str, value: bytes, **settings: Any) -> Outcome | Command:
    """To the row of the account's strongest key."""
    [output] = apply(topic, value, **settings)
    assert output.topic == VALID.name
    made = _decode(output.value or b"")
    assert isinstance(made, Outcome | Command)
    assert output.key == KEY_OF(made.tenant, made.account[0])
    assert output.partition == partition_of(output.key, PARTITIONS)
    return made


def refusal(topic: str, value: bytes, headers: Any = (), **settings: Any) -> tuple[str, str, str]:
    [letter] = apply(topic, value, headers, **settings)
    assert letter.topic == DEAD.name
    assert letter.value == value[:EVENT_BYTES]
    told = {name: text.decode() for name, text in letter.headers}
    assert told["topic"] == topic
    return told["reason"], told["field"], told["error"]


def test_a_statement_has_all_that_was_said() -> None:
    at = from_rfc3339(AT)
    assert asserted(said()) == Asserted(
        "default", "st-1", "link", "contact_id:7", "email:jane@acme.nl", at, "steward"
    )
    assert asserted(said(tenant=" w01 ", by="crm", assertion="cannot_link", note={"x": 1})) == Asserted(
        "w01", "st-1", "cannot_link", "contact_id:7", "email:jane@acme.nl", at, "crm"
    )
    assert asserted(said(by=17)).by == "17"
    assert asserted(said(by=None)).by == asserted(said(by=" ")).by == "steward"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"user_id": "u1"}, PERSON),
        (PERSON, {"email": "jane@gmail.com"}),
        (DEVICE, PERSON),
        (PERSON, {"phone": "06-12345678"}),
        (OURS, PERSON),
        (OURS, DEVICE),
        (OURS, {"journeys_contact_id": "c" + "1" * 15}),
        ({"account_id": "001NH"}, FIRM),
        ({"customer_number": 1}, {"vat_number": "NL 1"}),
        (OUR_FIRM, FIRM),
        (OUR_FIRM, {"journeys_account_id": "a" + "1" * 15}),
    ],
)
@pytest.mark.parametrize("assertion", ["link", "unlink", "cannot_link"])
def test_pairs(a: Any, b: Any, assertion: str) -> None:
    made = asserted(said(a=a, b=b, assertion=assertion))
    assert (made.a.partition(":")[0], made.b.partition(":")[0]) == (*a, *b)  # in the order of the message
    back = asserted(said(a=b, b=a, assertion=assertion))
    assert (back.a, back.b) == (made.b, made.a)


def test_alias_and_parent_are_of_accounts() -> None:
    for assertion in ("alias", "parent"):
        made = asserted(said(a={"account_id": "B"}, b=OUR_FIRM, assertion=assertion))
        assert (made.assertion, made.a, made.b) == (
            assertion,
            "account_id:B",
            f"journeys_account_id:a{'0' * 15}",
        )
        reason, field, error = refusal(ASSERTIONS.name, said(assertion=assertion))
        assert (reason, field) == ("wrong_type", "assertion")
        assert error == f"assertion: '{assertion}' is of accounts; send link for people"


def test_identifiers_are_spelled_as_on_touchpoints() -> None:
    made = asserted(said(a={"email": "Jane <JANE@Bücher.example>"}, b={"phone": "06 12345678"}))
    assert (made.a, made.b) == ("email:jane@xn--bcher-kva.example", "phone:+31612345678")
    made = asserted(said(a={"domain": "https://www.Acme.co.uk/"}, b={"vat_number": "nl 8123.45"}))
    assert (made.a, made.b) == ("domain:acme.co.uk", "vat_number:NL812345")
    made = asserted(said(a={"journeys_contact_id": " C0123456789ABCDE "}))
    assert made.a == "journeys_contact_id:c0123456789abcde"


def test_a_tenants_country_and_ids_of_a_namespace_as_they_are_shown() -> None:
    settings = {"country": "DE", "countries": {"w01": "BE"}, "namespaces": {"crm-nl": "nl"}}
    b = {"phone": "0475 12 34 56"}
    made = asserted(said(tenant="w01", a={"contact_id": "nl/7"}, b=b), **settings)
    assert (made.a, made.b) == ("contact_id:nl/7", "phone:+32475123456")
    made = asserted(said(a={"contact_id": "/nl/7"}, b={"phone": "0151 23456789"}), **settings)
    assert (made.a, made.b) == ("contact_id:/nl/7", "phone:+4915123456789")


KINDS = "contact_id, user_id, email, phone, anonymous_id, device_id"


@pytest.mark.parametrize(
    ("fields", "reason", "field", "error"),
    [
        ({"event_id": None}, "missing_field", "event_id", "is required and null"),
        ({"event_id": " "}, "missing_field", "event_id", "is required and empty"),
        ({"event_id": 7}, "wrong_type", "event_id", "7 must be text"),
        ({"event_id": "x" * 129}, "too_large", "event_id", "more than 128 bytes"),
        ({"occurred_at": "2025-05-06T09:00:00"}, "bad_time", "occurred_at", "has no offset"),
        ({"occurred_at": "2025-06-03T00:00:01Z"}, "bad_time", "occurred_at", "over 48 h"),
        ({"assertion": "same"}, "wrong_type", "assertion", "must be link, unlink, cannot_link, alias or"),
        ({"by": ["x"]}, "wrong_type", "by", "must be text or a number"),
        ({"by": "x" * 129}, "too_large", "by", "more than 128 bytes"),
        ({"tenant": 1}, "wrong_type", "tenant", "must be text"),
        ({"a": None}, "missing_field", "a", "is required and null"),
        ({"a": "email:x@acme.nl"}, "wrong_type", "a", "must be an object with one identifier"),
        ({"a": {"email": ["x@acme.nl"]}}, "wrong_type", "a", "must be an object with one identifier"),
        ({"a": {}}, "no_identifier", "a", f"send one of {KINDS}"),
        ({"b": {"linkedin": "x"}}, "no_identifier", "b", f"send one of {KINDS}"),
        ({"b": PERSON | DEVICE}, "wrong_type", "b", "names 2 things, send exactly one"),
        ({"a": {"email": "info@acme.nl"}}, "no_identifier", "a.email", "is a role mailbox, which"),
        ({"a": {"email": "jane@localhost"}}, "no_identifier", "a.email", "names neither person nor firm"),
        ({"a": {"contact_id": "null"}}, "no_identifier", "a.contact_id", "names neither person nor firm"),
        ({"a": {"contact_id": None}}, "no_identifier", "a.contact_id", "names neither person nor firm"),
        ({"a": {"contact_id": True}}, "no_identifier", "a.contact_id", "true names neither person nor firm"),
        ({"a": {"domain": "@Gmail.com"}, "b": FIRM}, "no_identifier", "a.domain", "a free-mail domain"),
        ({"a": {"domain": "co.uk"}, "b": FIRM}, "no_identifier", "a.domain", "names neither person nor firm"),
        ({"a": {"journeys_contact_id": "a0"}}, "no_identifier", "a.journeys_contact_id", "is no id"),
        ({"a": {"user_id": "x" * 257}}, "too_large", "a.user_id", "more than 256 bytes"),
        ({"a": {"email": "JANE@acme.nl"}}, "wrong_type", "b", "is the same as a; name two different ones"),
        ({"a": DEVICE, "b": {"phone": "0612345678"}}, "wrong_type", "b", "device and device are no pair"),
        ({"a": PERSON, "b": FIRM}, "wrong_type", "b", "account and person are no pair"),
        ({"a": OUR_FIRM, "b": DEVICE}, "wrong_type", "b", "name two people, a device and a person"),
    ],
)  # fmt: skip
def test_statements_that_are_refused(fields: Any, reason: str, field: str, error: str) -> None:
    found = refusal(ASSERTIONS.name, said(**fields))
    assert found[:2] == (reason, field)
    assert found[2].startswith(f"{field}: ")
    assert error in found[2]


def test_a_request_names_one_person() -> None:
    assert request(asked()) == Request("default", "pr-1", "erase", ["email:jane@acme.nl"], from_rfc3339(AT))
    many = {"phone": "06-12345678", "email": ["JANE@acme.nl", "jane@acme.nl", None, "j@gmail.com"], "x": 1}
    made = request(asked(identifiers=many | OURS, tenant="w01", request="export", x=1), country="NL")
    assert (made.tenant, made.request) == ("w01", "export")
    assert made.identifiers == [
        "email:jane@acme.nl",
        "email:j@gmail.com",
        "phone:+31612345678",
        f"journeys_contact_id:c{'0' * 15}",
    ]


@pytest.mark.parametrize(
    ("fields", "reason", "field", "error"),
    [
        ({"event_id": ""}, "missing_field", "event_id", "is required and empty"),
        ({"occurred_at": "1999-01-01T00:00:00Z"}, "bad_time", "occurred_at", "before 2000-01-01"),
        ({"request": "forget"}, "wrong_type", "request", "must be erase or export"),
        ({"identifiers": [PERSON]}, "wrong_type", "identifiers", "must be an object"),
        ({"identifiers": {"email": {}}}, "wrong_type", "identifiers", "must be an object"),
        ({"identifiers": {}}, "no_identifier", "identifiers", "send at least one of contact_id"),
        ({"identifiers": FIRM}, "no_identifier", "identifiers", "send at least one of contact_id"),
        ({"identifiers": {"email": None}}, "no_identifier", "identifiers", "send at least one of contact_id"),
        ({"identifiers": PERSON | {"phone": "12"}}, "no_identifier", "identifiers.phone", '"12" names'),
        ({"identifiers": {"email": ["sales@acme.nl"]}}, "no_identifier", "identifiers.email", "a role"),
    ],
)  # fmt: skip
def test_requests_that_are_refused(fields: Any, reason: str, field: str, error: str) -> None:
    found = refusal(PRIVACY.name, asked(**fields))
    assert found[:2] == (reason, field)
    assert error.replace('"', "'") in found[2]


HANDOFF = f"a{'0' * 15}.2.1"


def test_an_outcome_has_all_that_was_said() -> None:
    at = from_rfc3339(AT)
    assert decided(OUTCOMES.name, happened()) == Outcome(
        "default", "out-1", "lost", "", ["domain:acme.nl"], "", "", "", "", at, ""
    )
    why = {
        "reason": " geen budget ",
        "reason_code": "no_budget",
        "value": 1250.50,
        "currency": " eur",
        "by": 17,
    }
    made = decided(OUTCOMES.name, happened(handoff_id=f" {HANDOFF.upper()} ", tenant=" w01 ", x=1, **why))
    assert made == Outcome(
        *("w01", "out-1", "lost", HANDOFF, ["domain:acme.nl"]),
        *("geen budget", "no_budget", "1250.5", "EUR", at, "17"),
    )
    null = dict.fromkeys(("handoff_id", "reason", "reason_code", "value", "currency", "by", "tenant"))
    assert decided(OUTCOMES.name, happened(**null)) == decided(OUTCOMES.name, happened())


def test_an_outcome_of_a_handoff_alone_is_that_of_its_account() -> None:
    for account in (None, {}, {"domain": None}, {"name": "Acme"}):
        made = decided(OUTCOMES.name, happened(handoff_id=HANDOFF, account=account))
        assert made.account == [f"journeys_account_id:a{'0' * 15}"]


@pytest.mark.parametrize(("topic", "value"), [(OUTCOMES.name, happened), (COMMANDS.name, ordered)])
def test_an_account_is_named_by_any_key(topic: str, value: Any) -> None:
    every = {
        "domain": "https://shop.Acme.nl/x",
        "vat_number": "nl 81.2",
        "customer_number": 7,
        "name": "Acme",
    }
    made = decided(topic, value(account=every | OUR_FIRM | {"account_id": "nl/1"}), namespaces={"crm": "nl"})
    assert made.account == [
        "account_id:nl/1",
        "customer_number:7",
        "vat_number:NL812",
        "domain:acme.nl",
        f"journeys_account_id:a{'0' * 15}",
    ]
    one = {"domain": "gmail.com", "account_id": "null", "vat_number": None}  # worthless beside what is not
    assert decided(topic, value(account=one | {"customer_number": 8})).account == ["customer_number:8"]


def test_a_command_has_what_it_needs_and_nothing_else() -> None:
    at = from_rfc3339(AT)
    rest = {"role": "user", "owner": "o", "scheme": "s", "segment": "t", "by": " crm ", "tenant": "w01"}
    of_all = {"identifiers": {"phone": "06-12345678", "email": "JANE@acme.nl", "user_id": "0"}, **rest}
    firm, names = ["domain:acme.nl"], ["email:jane@acme.nl", "phone:+31612345678"]
    for command, identifiers, words in (
        ("assign_role", names, ("user", "", "", "")),
        ("remove_role", names, ("user", "", "", "")),
        ("set_owner", [], ("", "o", "", "")),
        ("assign_segment", [], ("", "", "s", "t")),
        ("close_journey", [], ("", "", "", "")),
    ):
        made = decided(COMMANDS.name, ordered(command, **of_all))
        assert made == Command("w01", "cmd-1", command, firm, identifiers, *words, at, "crm")
    made = decided(COMMANDS.name, ordered("assign_segment"))
    assert made == Command("default", "cmd-1", "assign_segment", firm, [], "", "", "size", "3", at, "")
    made = decided(COMMANDS.name, ordered(identifiers=OURS))
    assert made.identifiers == [f"journeys_contact_id:c{'0' * 15}"]


@pytest.mark.parametrize(
    ("fields", "reason", "field", "error"),
    [
        ({"event_id": " "}, "missing_field", "event_id", "is required and empty"),
        ({"event_id": "x" * 129}, "too_large", "event_id", "more than 128 bytes"),
        ({"occurred_at": "2025-05-06"}, "bad_time", "occurred_at", "has no offset"),
        ({"occurred_at": "2025-06-03T00:00:01Z"}, "bad_time", "occurred_at", "over 48 h"),
        ({"outcome": None}, "missing_field", "outcome", "is required and null"),
        ({"outcome": "Won"}, "wrong_type", "outcome", "must be accepted, rejected, working, won"),
        ({"account": None}, "no_identifier", "account", "send handoff_id, or at least one of account_id, "),
        ({"account": {"name": "Acme"}}, "no_identifier", "account", "send handoff_id, or at least one of"),
        ({"account": "acme.nl"}, "wrong_type", "account", "must be an object"),
        ({"account": {"domain": ["acme.nl"]}}, "wrong_type", "account.domain", "must be text or a number"),
        ({"account": {"domain": "gmail.com"}}, "no_identifier", "account.domain", "a free-mail domain"),
        ({"account": {"account_id": "0", "domain": "x"}}, "no_identifier", "account.account_id", "'0' names"),
        ({"account": OURS}, "no_identifier", "account", "journeys_account_id"),
        ({"account": {"journeys_account_id": "c0"}}, "no_identifier", "account.journeys_account_id", "is no"),
        ({"account": FIRM | {"account_id": "x" * 257}}, "too_large", "account.account_id", "more than 256"),
        ({"handoff_id": "a1.1.1"}, "no_identifier", "handoff_id", "is no id that we gave out"),
        ({"handoff_id": HANDOFF[:-2]}, "no_identifier", "handoff_id", "is no id that we gave out"),
        ({"handoff_id": f"{HANDOFF}0.1"}, "no_identifier", "handoff_id", "is no id that we gave out"),
        ({"handoff_id": "x" * 129}, "too_large", "handoff_id", "more than 128 bytes"),
        ({"handoff_id": 7}, "wrong_type", "handoff_id", "must be text"),
        ({"reason": 7}, "wrong_type", "reason", "must be text"),
        ({"reason_code": "money"}, "wrong_type", "reason_code", "must be no_budget, no_need, bad_timing"),
        ({"value": "1,5"}, "wrong_type", "value", "must be a number below 10^15"),
        ({"currency": 1}, "wrong_type", "currency", "must be text"),
        ({"by": "x" * 129}, "too_large", "by", "more than 128 bytes"),
    ],
)  # fmt: skip
def test_outcomes_that_are_refused(fields: Any, reason: str, field: str, error: str) -> None:
    found = refusal(OUTCOMES.name, happened(**fields))
    assert found[:2] == (reason, field)
    assert found[2].startswith(f"{field}: ")
    assert error in found[2]


@pytest.mark.parametrize(
    ("command", "fields", "reason", "field", "error"),
    [
        ("set_owner", {"event_id": ""}, "missing_field", "event_id", "is required and empty"),
        ("set_owner", {"occurred_at": "1999-01-01T00:00:00Z"}, "bad_time", "occurred_at", "before 2000"),
        ("set_owner", {"command": "sell"}, "wrong_type", "command", "must be assign_role, remove_role, set"),
        ("set_owner", {"account": None}, "missing_field", "account", "is required and null"),
        ("set_owner", {"account": {}}, "no_identifier", "account", "send at least one of account_id, "),
        ("set_owner", {"account": {"domain": "co.uk"}}, "no_identifier", "account.domain", "names neither"),
        ("set_owner", {"owner": None}, "missing_field", "owner", "is required by set_owner and missing"),
        ("set_owner", {"owner": " "}, "missing_field", "owner", "is required and empty"),
        ("set_owner", {"owner": "x" * 129}, "too_large", "owner", "more than 128 bytes"),
        ("set_owner", {"owner": ["x"]}, "wrong_type", "owner", "must be text or a number"),
        ("assign_segment", {"scheme": None}, "missing_field", "scheme", "is required by assign_segment"),
        ("assign_segment", {"segment": None}, "missing_field", "segment", "is required by assign_segment"),
        ("assign_role", {"role": None}, "missing_field", "role", "is required by assign_role"),
        ("assign_role", {"role": "boss"}, "wrong_type", "role", "must be initiator, user, influencer, "),
        ("assign_role", {"identifiers": None}, "missing_field", "identifiers", "is required by assign_role"),
        ("remove_role", {"identifiers": {}}, "no_identifier", "identifiers", "send at least one of cont"),
        ("remove_role", {"identifiers": FIRM}, "no_identifier", "identifiers", "send at least one of"),
        ("remove_role", {"identifiers": {"email": "info@a.nl"}}, "no_identifier", "identifiers.email", "a"),
        ("close_journey", {"identifiers": 7}, "wrong_type", "identifiers", "must be an object"),
        ("close_journey", {"by": {}}, "wrong_type", "by", "must be text or a number"),
    ],
)  # fmt: skip
def test_commands_that_are_refused(command: str, fields: Any, reason: str, field: str, error: str) -> None:
    found = refusal(COMMANDS.name, ordered(command, **fields))
    assert found[:2] == (reason, field)
    assert found[2].startswith(f"{field}: ")
    assert error in found[2]


OTHERS = [
    (ASSERTIONS.name, said),
    (PRIVACY.name, asked),
    (OUTCOMES.name, happened),
    (COMMANDS.name, ordered),
]


@pytest.mark.parametrize("topic", [topic for topic, _ in OTHERS])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"{}", "missing_field"),
        (b'"' + b"x" * EVENT_BYTES + b'"', "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_as_touchpoints_are(topic: str, value: bytes, reason: str) -> None:
    assert refusal(topic, value)[0] == reason


@pytest.mark.parametrize(("topic", "value"), OTHERS)
def test_trusted_headers_name_the_tenant(topic: str, value: Any) -> None:
    header = (("journeys-tenant", b"w01"),)
    first, *_ = apply(topic, value(), header, trust_headers=True)
    assert _decode(first.value or b"").tenant == "w01"
    found = refusal(topic, value(tenant="w02"), header, trust_headers=True)
    assert found[:2] == ("tenant_mismatch", "tenant")
    first, *_ = apply(topic, value(tenant="w02"), header)
    assert _decode(first.value or b"").tenant == "w02"


def test_what_the_feeder_cut_is_too_large() -> None:
    cut = (("journeys-size", b"900000"), ("journeys-sha256", b"abc"))
    assert refusal(ASSERTIONS.name, said(), cut)[0] == "too_large"


def test_statements_may_lie_ahead_as_touchpoints_may() -> None:
    assert asserted(said(occurred_at="2025-06-03T00:00:00Z")).at == NOW + 2 * DAY_MS
