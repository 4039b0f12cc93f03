"""What an account hands over names nobody: keyed hashes stand for ids of events and for identifiers.

A ledger also tells of people who went elsewhere: whoever is handed it never hears of their erasure. So they
are sealed in it, and opened again where the account knows them itself: what holds there, what it had told,
who is there. What stays sealed does not hold there.
"""

from collections.abc import Callable, Iterable

import msgspec

from schemas.keys import erased_name, event_key, identifier_key
from streams.journeys.account import Account
from streams.journeys.ledger import HANDOFF, Holding, Ledger, Said, nameless

KeyOf = Callable[..., bytes]


def sealed(ledger: Ledger, key_of: KeyOf) -> Ledger:
    """The ledger as another account may keep it."""

    def one(said: Said) -> Said:
        return msgspec.structs.replace(
            said,
            cause=_event(key_of, ledger.tenant, said),
            identifiers=[_name(key_of, ledger.tenant, identifier) for identifier in said.identifiers],
            ref=0,
            details=nameless(said.details or {}) if said.kind == HANDOFF else said.details,
            erased=False,  # no more than the others
        )

    return msgspec.structs.replace(ledger, refs=[], said=[one(said) for said in ledger.said])


def opened(
    ledgers: list[Ledger], before: Ledger, held: Iterable[Holding], account: Account, key_of: KeyOf
) -> list[Ledger]:
    """These ledgers, sealed, as the account reads them that had told `before` and in which `held` holds."""
    if not ledgers:
        return ledgers
    tenant = before.tenant
    told: list[Said | Holding] = [*before.said, *held]
    events = {_event(key_of, tenant, one): one.cause for one in told}
    names = {
        _name(key_of, tenant, name): name for known in account.contacts.values() for name in known.identifiers
    }

    def one(said: Said) -> Said:
        cause = events.get(said.cause, said.cause)
        identifiers = [names.get(name, name) for name in said.identifiers]
        return msgspec.structs.replace(said, cause=cause, identifiers=identifiers)

    return [msgspec.structs.replace(ledger, said=[one(said) for said in ledger.said]) for ledger in ledgers]


def _event(key_of: KeyOf, tenant: str, one: Said | Holding) -> str:
    return event_key(key_of, tenant, one.source, one.cause).hex() if one.cause else ""


def _name(key_of: KeyOf, tenant: str, identifier: str) -> str:
    return erased_name(identifier_key(key_of, tenant, identifier))
