"""Contacts: what ids they get, and which account a contact belongs to, per span of time.

At any time it is the employment then told; before the first, the mail domain (the address's own, else
that of the contact's earliest firm address); without either the first employer, its past included; and
for whom no firm is known, an account of kind person.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from streams.identity.accounts import KeyOf

Timeline = list[tuple[int | None, str]]  # (from, in ms; None: since ever; account id), ascending


class Moment(NamedTuple):
    """At `at` the stream (one source speaking of one CRM contact) says: works for this account."""

    at: int
    stream: tuple[str, str]
    account: str  # account id


def contact_id(key_of: KeyOf, tenant: str, canonical: str, erased_until: int | None = None) -> str:
    """The id of the contact whose canonical member is the strong identifier `canonical`.

    What is said of that after an erasure makes another contact, which nothing links to the erased one.
    """
    generation = () if erased_until is None else (str(erased_until),)
    return "c" + key_of(tenant, "contact", canonical, *generation).hex()[:15]


def moments(told: Iterable[tuple[tuple[str, str], int, str, str]]) -> list[Moment]:
    """When employments begin, ascending, from what was told: (stream, at, account key, account id).

    Within a stream a later employment ends the former; repeating one begins nothing; of two at one time
    the smaller account key holds.

    >>> crm = ("crm", "C1")
    >>> told = [(crm, 5, "k1", "a1"), (crm, 9, "k2", "a2"), (crm, 7, "k1", "a1")]
    >>> [(m.at, m.account) for m in moments(told)]
    [(5, 'a1'), (9, 'a2')]
    """
    begun: list[Moment] = []
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    for stream, at, _key, account in sorted(told):
        before = latest.get(stream)
        if before is not None and at == before[0]:
            continue
        latest[stream] = (at, account)
        if before is None or before[1] != account:
            begun.append(Moment(at, stream, account))
    return sorted(begun)


def timeline(
    begun: Sequence[Moment], own: str | None, home: str | None, person: str, *, apart: bool = False
) -> Timeline:
    """The accounts of a contact over time; adjacent spans differ.

    `begun`: see `moments`; `own`: the account of the mail domain of the identifier itself, where it is a
    firm's; `home`: that of the contact's earliest firm address; `person`: its account of kind person, used
    where nothing else is known.
    Of employments that stand side by side the one at `own` is taken, else the one that began last.
    `apart`: the time before the first employment is a span of its own, whatever follows.

    >>> timeline([], None, "a1", "ap"), timeline([], None, None, "ap")
    ([(None, 'a1')], [(None, 'ap')])
    """
    if not begun:
        return [(None, own or home or person)]
    spans: Timeline = []
    open_: dict[tuple[str, str], tuple[bool, int, str]] = {}
    for at, group in groupby(begun, key=lambda m: m.at):
        for moment in group:
            open_[moment.stream] = (moment.account != own, -at, moment.account)
        account = min(open_.values())[2]
        if not spans:
            spans.append((None, own or home or account))
        if spans[-1][1] != account or (apart and len(spans) == 1):
            spans.append((at, account))
    return spans
