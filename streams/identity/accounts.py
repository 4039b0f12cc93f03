"""Accounts: what ids they get."""

from collections.abc import Callable

KeyOf = Callable[..., bytes]


def account_id(key_of: KeyOf, tenant: str, canonical: str) -> str:
    """The id of the account whose canonical member is the account key `canonical`."""
    return "a" + key_of(tenant, "account", canonical).hex()[:15]


def person_account(contact: str) -> str:
    """The id of the account of kind person, a contact without a firm: whoever has the one id finds the other.

    >>> person_account("c41f0c9d27aa3b51")
    'a41f0c9d27aa3b51'
    """
    return "a" + contact[1:]
