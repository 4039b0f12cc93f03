"""Accounts: which firm's domain an address is at, and what ids accounts get."""

from collections.abc import Callable
from functools import lru_cache

from schemas.identifiers import is_free_mail, registrable_domain

KeyOf = Callable[..., bytes]


@lru_cache(maxsize=65_536)
def firm_domain(identifier: str) -> str | None:
    """The account key that an e-mail identifier's domain is; None for other kinds and where it says no firm.

    >>> firm_domain("email:jane@mail.acme.nl"), firm_domain("email:jane@gmail.com"), firm_domain("user_id:7")
    ('domain:acme.nl', None, None)
    """
    if not identifier.startswith("email:"):
        return None
    host = identifier.rpartition("@")[2]
    if is_free_mail(host):
        return None
    domain = registrable_domain(host)
    return f"domain:{domain}" if domain else None


def account_id(key_of: KeyOf, tenant: str, canonical: str) -> str:
    """The id of the account whose canonical member is the account key `canonical`."""
    return "a" + key_of(tenant, "account", canonical).hex()[:15]


def person_account(contact: str) -> str:
    """The id of the account of kind person, a contact without a firm: whoever has the one id finds the other.

    >>> person_account("c41f0c9d27aa3b51")
    'a41f0c9d27aa3b51'
    """
    return "a" + contact[1:]
