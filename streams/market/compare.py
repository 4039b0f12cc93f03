"""What was found against what is true, in figures that a marketer understands."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.times import from_rfc3339
from streams.market.truth import TrueAccount, Truth

QUERIES: Final = {
    "contacts": "SELECT contact_id, identifiers, devices, touches FROM v_contacts",
    "accounts": "SELECT account_id, kind, keys FROM v_accounts",
    "members": "SELECT account_id, contact_id FROM v_members",
    "transitions": "SELECT account_id, journey_id, to_stage, occurred_at FROM v_stage_transitions",
}
"""The columns that `Found` needs of each view."""

_STRONG: Final = ("contact_id", "user_id", "email")
_ACCOUNT: Final = ("account_id", "customer_number", "vat_number", "domain")

Row = Mapping[str, Any]
StageOf = tuple[str, int, str]  # found account, number of the journey, stage


class Found(msgspec.Struct):
    """Rows of the views, as `journeys query --format json` gives them, and counts of the summary."""

    contacts: Sequence[Row]
    accounts: Sequence[Row]
    members: Sequence[Row]
    transitions: Sequence[Row]
    applied: int
    duplicates: int
    dead_letters: int


class Figure(msgspec.Struct, frozen=True):
    """One line of the table: `right` of `of`, and what that means."""

    what: str
    right: int
    of: int
    meaning: str

    @property
    def share(self) -> float:
        """Between 0 and 1; 1 where there was nothing to find.

        >>> Figure("People recognised", 3, 4, "").share
        0.75
        """
        return self.right / self.of if self.of else 1.0


def compare(truth: Truth, found: Found) -> list[Figure]:
    """The table, from events to stages. ValueError where a row has no RFC 3339 time or journey number."""
    contact_of = {
        i: str(row["contact_id"]) for row in found.contacts for i in _kinds(row["identifiers"], _STRONG)
    }
    places = _Places(truth, found, contact_of)
    return [
        *_events(truth, found),
        *_people(truth, found, contact_of),
        *_visits(truth, found, contact_of),
        *places.figures(),
        places.stages(),
    ]


def _kinds(values: Iterable[str], kinds: tuple[str, ...]) -> list[str]:
    return [value for value in values if value.partition(":")[0] in kinds]


def _count(what: str, found: int, true: int, meaning: str, either: int = 0) -> Figure:
    """A count is right as far as it is not too high or too low; `either`: by so much it may be either."""
    return Figure(what, max(0, true - max(0, abs(found - true) - either)), true, meaning)


def _events(truth: Truth, found: Found) -> list[Figure]:
    counts = truth.counts
    refused = sum(counts.dead_letters.values())
    told = found.applied + found.duplicates + found.dead_letters
    erased = counts.erased  # taken in, or refused where it comes after the erasure
    return [
        _count("Events accounted for", told, counts.lines, "taken in, recognised as a double, or refused"),
        _count(
            "Events taken in once",
            found.applied,
            counts.applied,
            "however often and in which order they came",
            erased,
        ),
        _count(
            "Doubles recognised",
            found.duplicates,
            counts.duplicates,
            "sent again, also with a log-in added",
            erased,
        ),
        _count("Bad events refused", found.dead_letters, refused, "kept with the reason", erased),
    ]


def _people(truth: Truth, found: Found, contact_of: dict[str, str]) -> list[Figure]:
    groups = {frozenset(_kinds(row["identifiers"], _STRONG)) for row in found.contacts}
    whole = sum(frozenset(contact.identifiers) in groups for contact in truth.contacts)
    true_of = {i: contact.id for contact in truth.contacts for i in contact.identifiers}
    person_of = {i: contact.person for contact in truth.contacts for i in contact.identifiers}
    both = _pairs((true_of[i], contact_of[i]) for i in true_of if i in contact_of)
    right = _pairs((person_of[i], contact_of[i]) for i in true_of if i in contact_of)
    joined = _pairs(contact_of.values())
    belong = _pairs(true_of.values())
    return [
        Figure(
            "People recognised",
            whole,
            len(truth.contacts),
            "who told who they are: with all their addresses, no other's",
        ),
        Figure("Pairs joined rightly", right, joined, "of the pairs of addresses and log-ins of one contact"),
        Figure("Pairs found", both, belong, "of the pairs that can be known to be one person's"),
        Figure(
            "Erased people gone",
            sum(identifier not in contact_of for identifier in truth.gone),
            len(truth.gone),
            "their addresses and log-ins are nowhere",
        ),
    ]


def _pairs(groups: Iterable[object]) -> int:
    """How many pairs lie in one group, from the group of each.

    >>> _pairs(["a", "a", "a", "b"])
    3
    """
    return sum(size * (size - 1) // 2 for size in Counter(groups).values())


def _visits(truth: Truth, found: Found, contact_of: dict[str, str]) -> list[Figure]:
    rows = {str(row["contact_id"]): row for row in found.contacts}
    devices = right = touches = given = 0
    taken: set[str] = set()  # of two true people in one found contact only the first is given its visits
    for contact in truth.contacts:
        devices += len(contact.devices)
        touches += contact.touches
        contact_id = next((contact_of[i] for i in contact.identifiers if i in contact_of), "")
        if contact_id and contact_id not in taken:
            taken.add(contact_id)
            row = rows[contact_id]
            right += len({*contact.devices} & {*row["devices"]})
            given += max(0, contact.touches - abs(contact.touches - int(row["touches"])))
    visits = truth.counts.visits
    strangers = visits.get("other_person", 0)  # nothing in the events tells that it was somebody else
    known = visits.get("known", 0) + strangers
    of_nobody = "the others never told who they are"
    return [
        Figure("Devices given to their owner", right, devices, "of those that only one known person used"),
        Figure("Visits whose visitor can be known", known, sum(visits.values()), of_nobody),
        Figure(
            "Visits given to the right person",
            max(0, given - strangers),
            touches,
            "of those, by their number",
        ),
    ]


class _Places:
    """Which found account each true account is."""

    def __init__(self, truth: Truth, found: Found, contact_of: dict[str, str]) -> None:
        self._truth = truth
        self._found = found
        self._contact: dict[str, str] = {}  # true contact: found contact
        for true in truth.contacts:
            self._contact[true.id] = next((contact_of[i] for i in true.identifiers if i in contact_of), "")
        self._kind = {str(row["account_id"]): row["kind"] for row in found.accounts}
        self._keys = {
            str(row["account_id"]): frozenset(_kinds(row["keys"], _ACCOUNT)) for row in found.accounts
        }
        self._by_key = {key: account for account, keys in self._keys.items() for key in keys}
        self._members: dict[str, set[str]] = {}
        self._private: dict[str, str] = {}  # found contact: its account of kind person
        for row in found.members:
            account, contact = str(row["account_id"]), str(row["contact_id"])
            self._members.setdefault(account, set()).add(contact)
            if self._kind.get(account) == "person":
                self._private[contact] = account

    def _account(self, true: TrueAccount) -> str:
        """The found account; empty: none."""
        if true.kind == "person":
            return self._private.get(self._contact[true.members[0]], "")
        return next((self._by_key[key] for key in true.keys if key in self._by_key), "")

    def figures(self) -> list[Figure]:
        """Firms, private customers and buying groups."""
        right = {"organisation": 0, "person": 0}
        total = {"organisation": 0, "person": 0}
        groups = 0
        for true in self._truth.accounts:
            account = self._account(true)
            total[true.kind] += 1
            if not account:
                continue
            whole = {self._contact[member] for member in true.members} == self._members.get(account, set())
            same_keys = self._kind[account] == true.kind and self._keys[account] == frozenset(true.keys)
            if true.kind == "person":
                right["person"] += whole
            else:
                right["organisation"] += same_keys
                groups += whole
        firms, private = total["organisation"], total["person"]
        return [
            Figure("Firms recognised", right["organisation"], firms, "with all their domains and numbers"),
            Figure("Buying groups complete", groups, firms, "everybody who counts for the firm, nobody else"),
            Figure(
                "Private customers recognised", right["person"], private, "people of whom no firm is known"
            ),
        ]

    def stages(self) -> Figure:
        """Every stage of every journey; one too many counts as wrong, and so does one at another second."""
        true: dict[StageOf, int] = {}
        lost = 0  # stages of accounts that were not found
        for expected in self._truth.accounts:
            account = self._account(expected)
            for n, journey in enumerate(expected.journeys, 1):
                if not account:
                    lost += len(journey.stages)
                    continue
                for stage, time in journey.stages.items():
                    # a second true account in the same found one is wrong
                    key = (account if (account, n, stage) not in true else f"{account}+", n, stage)
                    true[key] = from_rfc3339(time) // 1000
        found: dict[StageOf, int] = {}
        for row in self._found.transitions:
            n = int(str(row["journey_id"]).rpartition(".")[2])
            found[str(row["account_id"]), n, row["to_stage"]] = from_rfc3339(row["occurred_at"]) // 1000
        right = sum(found.get(key) == at for key, at in true.items())
        return Figure(
            "Stages right, to the second", right, lost + len({*true, *found}), "when each firm went further"
        )
