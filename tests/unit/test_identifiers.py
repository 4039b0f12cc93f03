import unicodedata
from pathlib import Path

import pytest

from schemas import identifiers
from schemas.identifiers import (
    NAMESPACED_KINDS,
    email,
    firm_domain,
    identify,
    in_namespace,
    is_free_mail,
    is_role_mailbox,
    is_worthless,
    mail_domain,
    phone,
    registrable_domain,
    vat_number,
)

# fmt: off
WORTHLESS = [
    "", " ", "\t\n", "\xa0", "\u200b", "\ufeff", "\x00", "null", "NULL", "None", "undefined", "NaN",
    "true", "False", "anonymous", "Guest", "unknown", "test", "0", "00000", "-1", "-", "---",
    "\u2013", "0000-0000-0000", "[object Object]", "00000000-0000-0000-0000-000000000000",
    "  null  ",
]
WORTHY = ["1", "10", "-2", "00100", "tester", "nullable", "Truelove", "guest-17", "ajs-7f3c01", "0e0", "no"]
FREE_MAIL = [
    "gmail.com", "googlemail.com", "hotmail.com", "hotmail.nl", "outlook.com", "live.nl",
    "yahoo.com", "icloud.com", "proton.me", "gmx.de", "ziggo.nl", "kpnmail.nl", "planet.nl",
    "xs4all.nl", "telenet.be", "skynet.be", "ziggomail.com", "zeelandnet.nl", "caiway.nl",
    "hccnet.nl", "kpnplanet.nl", "proximus.be", "scarlet.be", "voo.be", "hey.com", "GMAIL.COM",
    "mailinator.com", "mail.gmail.com", "privaterelay.appleid.com",
]
ROLES = [
    "info", "sales", "noreply", "no-reply", "no_reply", "do-not-reply", "inkoop", "administratie",
    "support", "verkoop", "facturen", "debiteuren", "klantenservice", "hr", "webmaster",
    "postmaster", "office", "Info", "info+web", "customer-service",
]
# fmt: on


@pytest.mark.parametrize("text", WORTHLESS)
def test_worthless_values_identify_nobody_as_any_kind(text: str) -> None:
    assert is_worthless(text)
    for kind in (
        "contact_id",
        "user_id",
        "email",
        "phone",
        "anonymous_id",
        "device_id",
        "account_id",
        "domain",
    ):
        assert identify(kind, text) == ("", "")


@pytest.mark.parametrize("text", WORTHY)
def test_values_that_only_look_worthless_are_kept(text: str) -> None:
    assert not is_worthless(text)
    assert identify("user_id", text).identifier == f"user_id:{text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sanne@DeKlerk-Installatietechniek.nl", "sanne@deklerk-installatietechniek.nl"),
        ("  jane@acme.nl\n", "jane@acme.nl"),
        ("mailto:Jane@acme.nl", "jane@acme.nl"),
        ("MAILTO:jane@acme.nl?subject=Hello%20you", "jane@acme.nl"),
        ("mailto:jane%40acme.nl", "jane@acme.nl"),
        ("mailto:jane@acme.nl?cc=Jane@ACME.nl", "jane@acme.nl"),  # the same one twice
        ("mailto: Jane Doe <jane@acme.nl>", "jane@acme.nl"),
        ("<mailto:jane@acme.nl>", "jane@acme.nl"),
        ("jane@acme.nl <Jane@acme.nl>", "jane@acme.nl"),
        ("Jane @ Acme <jane@acme.nl>", "jane@acme.nl"),
        ("jane@work <jane@acme.nl>", "jane@acme.nl"),
        ("\ufeffjane@acme.nl\u200b", "jane@acme.nl"),
        ("Jane Doe <jane@acme.nl>", "jane@acme.nl"),
        ('"Doe, Jane" <jane@acme.nl>', "jane@acme.nl"),
        ("<jane@acme.nl>", "jane@acme.nl"),
        ("jane@acme.nl.", "jane@acme.nl"),
        ("J.a.n.e+news@acme.nl", "j.a.n.e+news@acme.nl"),  # the local part is kept
        ("jané@acme.nl", "jané@acme.nl"),
        (unicodedata.normalize("NFD", "jané@acme.nl"), unicodedata.normalize("NFC", "jané@acme.nl")),
        ("jan@bücher.example", "jan@xn--bcher-kva.example"),
        ("jan@BÜCHER.example", "jan@xn--bcher-kva.example"),
        ("jan@XN--BCHER-KVA.example", "jan@xn--bcher-kva.example"),
        (unicodedata.normalize("NFD", "jan@bücher.example"), "jan@xn--bcher-kva.example"),
        ("jan@bücher。example", "jan@xn--bcher-kva.example"),
        ("JOSÉ@ACME.nl", "josé@acme.nl"),
        ("STRASSE@acme.de", "strasse@acme.de"),
        ("straße@acme.de", "straße@acme.de"),
        ("o'brien@acme.ie", "o'brien@acme.ie"),
    ],
)
def test_one_address_has_one_spelling(text: str, expected: str) -> None:
    assert email(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jane@acme.nl, john@acme.nl",
        "jane@acme.nl;john@acme.nl",
        "jane@acme.nl john@acme.nl",
        "Jane <jane@acme.nl>, John <john@acme.nl>",
        "jane@acme.nl, John <john@acme.nl>",
        "jane@acme.nl <john@acme.nl>",
        '"jane@acme.nl" <john@acme.nl>',
        "mailto:jane@acme.nl,john@acme.nl",
        "mailto:jane@acme.nl?cc=john@acme.nl",
        "mailto:jane@acme.nl?subject=x&bcc=John%40acme.nl",
        "mailto:",
        "mailto:?to=",
        "jan@☃.",
        "jane",
        "@acme.nl",
        "jane@",
        "jane@localhost",
        "jane@acme",
        "jane@acme..nl",
        "jane@.nl",
        "jane@-acme.nl",
        "jane@192.168.1.1",
        "jane@[192.168.1.1]",
        "jane@@acme.nl",
        "ja ne@acme.nl",
        "jane@acme_firm.nl",
        "jane@" + "a" * 64 + ".nl",
        "x" * 65 + "@acme.nl",
        "jane@xn\u2028.nl",
    ],
)
def test_what_is_not_exactly_one_address_is_none(text: str) -> None:
    assert email(text) is None
    assert identify("email", text) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "06-12345678",
        "+31 6 12 34 56 78",
        "+31 (0)6 12345678",
        "0031612345678",
        "612345678",
        "tel:+31-6-12345678",
        "(06) 12.34.56.78",
        "+31\u00a06\u00a012345678",
        "\uff0b\uff13\uff11 612345678",
    ],
)
def test_one_phone_has_one_spelling(text: str) -> None:
    assert phone(text) == "+31612345678"


def test_phones_of_other_countries_keep_their_code() -> None:
    assert phone("+32 475 12 34 56") == "+32475123456"
    assert phone("00442079460000") == "+442079460000"


def test_phones_without_code_are_of_the_country_that_is_said() -> None:
    assert phone("0475 12 34 56", "BE") == "+32475123456"
    assert phone("+31 6 12345678", "BE") == "+31612345678"
    assert (
        identify("phone", "0475 12 34 56").identifier != identify("phone", "0475 12 34 56", "BE").identifier
    )
    assert identify("email", "jane@acme.nl", "BE") == identify("email", "jane@acme.nl")


@pytest.mark.parametrize(
    "text", ["abc", "112", "12345", "+999123456789", "0612345678/0687654321", "+", "1" * 40]
)
def test_what_can_be_no_phone_is_none(text: str) -> None:
    assert phone(text) is None


def test_numbers_of_firms() -> None:
    for text in ("nl 8123.45.678.b01", "NL812345678B01", " nl8123.45678b01\t", "NL\u00a08123.45.678.B01"):
        assert vat_number(text) == "NL812345678B01"
    assert vat_number("be 0.403.170.701") == "BE0403170701"
    assert [vat_number(text) for text in ("0", "...", "Test")] == [None] * 3
    assert identify("customer_number", "sO 12.a").identifier == "customer_number:sO12a"  # keeps its case
    assert identify("customer_number", " 100 234.5 ").identifier == "customer_number:1002345"
    assert identify("customer_number", "0 0.0") == ("", "")
    assert identify("account_id", " 001Nh ").identifier == "account_id:001Nh"  # keeps its case


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme.nl", "acme.nl"),
        ("WWW.ACME.NL", "acme.nl"),
        ("mail.acme.co.uk", "acme.co.uk"),
        ("acme.com.au", "acme.com.au"),
        ("a.acme.co.jp", "acme.co.jp"),
        ("com.au", None),
        ("acme.gv.at", "acme.gv.at"),
        ("shop.straße.de", "xn--strae-oqa.de"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("GMX.de", None),
        ("acme.nl.", "acme.nl"),
        ("https://shop.acme.nl:8443/path?q=a@b.nl", "acme.nl"),
        ("@acme.nl", "acme.nl"),
        ("jane@acme.nl", "acme.nl"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("jan.github.io", "jan.github.io"),
        ("github.io", None),
        ("co.uk", None),
        ("nl", None),
        ("gmail.com", None),
        ("mailinator.com", None),
        ("not a domain", None),
        ("10.0.0.1", None),
    ],
)
def test_the_domain_of_a_firm(text: str, expected: str | None) -> None:
    assert firm_domain(text) == expected


def test_registrable_domains_follow_the_private_part_of_the_list_too() -> None:
    assert registrable_domain("a.b.jan.blogspot.com") == "jan.blogspot.com"
    assert registrable_domain("a.b.acme.nl") == "acme.nl"
    assert registrable_domain("acme.unknowntld") == "acme.unknowntld"
    assert registrable_domain("blogspot.com") is None
    assert mail_domain("a" * 250 + ".nl") is None


@pytest.mark.parametrize("domain", FREE_MAIL)
def test_free_mail_says_nothing_about_a_firm(domain: str) -> None:
    assert is_free_mail(domain)
    assert identify("email", f"info@{domain}") == ("", "")


@pytest.mark.parametrize("domain", ["acme.nl", "philips.com", "nordhaven-logistics.com", "asml.com"])
def test_firms_are_not_free_mail(domain: str) -> None:
    assert not is_free_mail(domain)


@pytest.mark.parametrize("local", ROLES)
def test_role_mailboxes_are_a_firms_not_a_persons(local: str) -> None:
    assert identify("email", f"{local}@mail.acme.nl") == ("", "domain:acme.nl")


@pytest.mark.parametrize("local", ["jane", "j.info", "salesman", "m.bos", "inkoop.janssen", "hra", "i.t"])
def test_people_are_no_role_mailboxes(local: str) -> None:
    assert not is_role_mailbox(f"{local}@acme.nl")
    assert identify("email", f"{local}@acme.nl") == (f"email:{local}@acme.nl", "")


def overlay(name: str) -> list[str]:
    lines = Path(identifiers.__file__).with_name(name).read_text(encoding="ascii").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def test_the_overlay_is_free_mail_and_its_addresses_are_of_people() -> None:
    domains = overlay("free_mail_overlay.txt")
    assert {"ziggomail.com", "zeelandnet.nl", "caiway.nl", "hccnet.nl", "kpnplanet.nl"} <= set(domains)
    assert {"proximus.be", "scarlet.be", "voo.be", "hey.com"} <= set(domains)
    for domain in domains:
        assert is_free_mail(domain)
        assert firm_domain(f"jan@{domain}") is None
        assert registrable_domain(domain) != domain or is_free_mail(f"mail.{domain}")
        assert identify("email", f"jan@{domain}").identifier == f"email:jan@{domain}"  # a person all the same


def test_every_role_is_one_however_it_is_written() -> None:
    for role in overlay("role_mailboxes.txt"):
        for local in (role, role.upper(), f"{role}+x", "-".join((role[:2], role[2:])), f"{role}_"):
            assert identify("email", f"{local}@acme.nl") == ("", "domain:acme.nl")


def test_ids_that_we_gave_out() -> None:
    assert identify("journeys_contact_id", " C0123456789ABCDE").identifier == (
        "journeys_contact_id:c0123456789abcde"
    )
    assert identify("journeys_account_id", "a0123456789abcde").identifier == (
        "journeys_account_id:a0123456789abcde"
    )
    for kind, text in (
        ("journeys_contact_id", "a0123456789abcde"),
        ("journeys_account_id", "c0123456789abcde"),
        ("journeys_contact_id", "c0123456789abcd"),
        ("journeys_contact_id", "c0123456789abcdg"),
        ("journeys_contact_id", "c0123456789abcde0"),
    ):
        assert identify(kind, text) == ("", "")


def test_ids_of_namespaces_never_are_the_same_as_others() -> None:
    spaces = ["nl", "be"]
    plain = ["7", "nl", "nl/7", "/nl/7", "//nl/7", "/7", "nl/", "be/nl/7", "fr/7", "nl/be/7", "/", ""]
    for kind in NAMESPACED_KINDS:
        all_ = [in_namespace(f"{kind}:{value}", space, spaces) for space in ("", *spaces) for value in plain]
        assert len(set(all_)) == len(all_)
    assert in_namespace("contact_id:fr/7", "", spaces) == "contact_id:fr/7"
    assert in_namespace("contact_id:7", "nl", spaces) == "contact_id:nl/7"
