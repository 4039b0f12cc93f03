"""What had been told, and is to be read otherwise from now on: merges and splits of contacts and of accounts.

- A contact that was told of, and of whom nothing is left here, became part of the one other contact that has
  all the identifiers it was told with. Where some of it stays, or several have them, it was split.
- An account whose ledger was handed over became part of this one.
- An account key that was told, and moved on to another account while this one goes on, was split off; so was
  what goes back to an account that had become part of this one.

They are told by what they change, which depends on when it was told: so they are no part of what holds.
"""

from collections.abc import Iterable, Mapping

from schemas.events import AccountProfile
from schemas.internal import Snapshot
from streams.journeys.account import Account
from streams.journeys.ledger import ACCOUNT_CHANGE, CONTACT_CHANGE, MEMBER, Holding, Ledger, numbers
from streams.session import unpack_version

Contacts = Mapping[str, Iterable[str]]  # contact -> its identifiers


def found(
    before: Ledger,
    account: Account,
    snapshots: Iterable[Snapshot],
    handed: Iterable[Ledger],
    shown: AccountProfile | None,
    at: int,
) -> Iterable[Holding]:
    """All of them, told as of `at` (ms).

    `before` is what the account had told, `handed` what those had told that became part of it, `shown` its
    last profile where fragments changed their contact or moved on, else None.
    """
    changes: list[Holding] = []
    known: dict[str, list[str]] = {}
    for ledger in handed:
        if ledger.account != before.account:
            changes.append(_merged(before.account, ledger, account, at))
        known |= _members(ledger)
    if shown is not None:
        told = _members(before)
        known |= {m.contact_id: m.identifiers for m in shown.members if m.contact_id in told}
        if not account.gone:
            changes += _split(before, shown, (s for s in snapshots if s.withdrawn), at)
    changes += _contacts(known, account, at)
    return {(change.kind, change.key): change for change in changes}.values()


def heard(before: Ledger, handed: Ledger) -> bool:
    """Whether the account has told of a later ledger of the same account: an answer may come again, late."""
    until = list(unpack_version(handed.until))
    return any(
        said.kind == ACCOUNT_CHANGE
        and said.key == handed.account
        and not said.retracted
        and (said.details or {})["until"] > until
        for said in before.said
    )


def _contacts(told: Contacts, account: Account, at: int) -> list[Holding]:
    """The merges and splits of the contacts that were told of with these identifiers."""
    holders: dict[str, set[str]] = {}
    for contact, known in account.contacts.items():
        for identifier in known.identifiers:
            holders.setdefault(identifier, set()).add(contact)
    here = {spell.contact for spell in account.spells}
    return [change for contact in sorted(told) for change in _contact(contact, told, holders, here, at)]


def _contact(
    contact: str, told: Contacts, holders: Mapping[str, set[str]], here: set[str], at: int
) -> Iterable[Holding]:
    had = list(told[contact])
    moved = [held for i in had if contact not in (held := holders.get(i, set()))]
    others = sorted({other for held in moved for other in held})
    if contact not in here and len(others) == 1 and all(moved):
        details = {"from": contact, "into": others[0]}
        yield Holding(CONTACT_CHANGE, contact, "contact_merged", at, "", others[0], details=details)
    elif contact in here or len(others) > 1:
        for other in others:
            details = {"from": contact, "into": other}
            yield Holding(
                CONTACT_CHANGE, f"{contact}/{other}", "contact_split", at, "", other, details=details
            )


def _members(ledger: Ledger) -> dict[str, list[str]]:
    """The contacts that the ledger tells of, with the identifiers that it told."""
    return {
        said.contact: said.identifiers
        for said in ledger.said
        if said.kind == MEMBER and not (said.retracted or said.given)
    }


def _merged(into: str, handed: Ledger, account: Account, at: int) -> Holding:
    """The account of this ledger became part of `into`."""
    ours = numbers(handed, account)
    journeys = {f"{handed.account}.{theirs}": f"{into}.{number}" for theirs, number in ours.items()}
    until = list(unpack_version(handed.until))
    details = {"from": handed.account, "into": into, "journeys": journeys, "until": until}
    return Holding(ACCOUNT_CHANGE, handed.account, "account_merged", at, "", "", details=details)


def _split(ledger: Ledger, shown: AccountProfile, gone: Iterable[Snapshot], at: int) -> list[Holding]:
    """What was split off from the account that `shown` shows; `gone`: its withdrawn snapshots."""
    parts = {said.key for said in ledger.said if said.type == "account_merged" and not said.given}
    keys: dict[str, list[str]] = {}
    for snapshot in gone:
        told = snapshot.identifier in shown.keys
        for successor in snapshot.successors:
            if successor != ledger.account and (told or successor in parts):
                keys.setdefault(successor, []).extend([snapshot.identifier] * told)
    changes = []
    for successor, moved in sorted(keys.items()):
        details = {"from": ledger.account, "into": successor, "keys": sorted(moved)}
        key = f"{ledger.account}/{successor}"
        changes.append(Holding(ACCOUNT_CHANGE, key, "account_split", at, "", "", details=details))
    return changes
