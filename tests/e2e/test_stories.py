"""Every story through `journeys run`: as told and in three more orders, once with everything twice."""

import random
from collections import defaultdict
from pathlib import Path

import pytest
from journeys_command import Rows, ask, run

from schemas.touchpoint import FACT_TYPES
from tests.stories.identity import STORIES
from tests.stories.told import PERSON, Answer, problems

pytestmark = pytest.mark.embedded

QUESTIONS = {
    "touches": "SELECT tenant, event_id, type, contact_id, account_id FROM v_touchpoints",
    "contacts": "SELECT tenant, contact_id, identifiers, devices FROM v_contacts",
    "accounts": "SELECT tenant, account_id, kind, keys FROM v_accounts",
}


def of(tenant: str, views: dict[str, Rows]) -> Answer:
    """What the views say of a story."""
    rows = {name: [row for row in found if row["tenant"] == tenant] for name, found in views.items()}
    contacts = {row["contact_id"]: set(row["identifiers"]) for row in rows["contacts"]}
    kinds = {row["account_id"]: row["kind"] for row in rows["accounts"]}
    accounts = {row["account_id"]: set(row["keys"]) for row in rows["accounts"] if row["kind"] != PERSON}
    devices: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows["contacts"]:
        for device in row["devices"]:
            devices[device] |= set(row["identifiers"])
    touches = {}
    for row in rows["touches"]:
        if row["type"] not in FACT_TYPES:
            who = frozenset(contacts[row["contact_id"]]) if row["contact_id"] else frozenset[str]()
            where = row["account_id"]
            place: frozenset[str] | str = frozenset(accounts.get(where, ()))
            touches[row["event_id"]] = (who, PERSON if kinds.get(where) == PERSON else place)
    return Answer([c for c in contacts.values() if c], list(accounts.values()), touches, dict(devices))


@pytest.mark.parametrize("order", ["as told", "shuffled 1", "shuffled 2", "shuffled 3, twice"])
def test_stories(order: str, tmp_path: Path) -> None:
    lines: list[bytes] = []
    last: list[bytes] = []
    for tenant, story in STORIES.items():
        lines += story.told(tenant, story.lines)
        last += story.told(tenant, list(story.last))
    if order.endswith("twice"):
        lines = [*lines, *lines]
    if order.startswith("shuffled"):
        random.Random(order).shuffle(lines)
    (tmp_path / "told.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "last.jsonl").write_bytes(b"\n".join(last) + b"\n")
    data = tmp_path / "data"
    summary = run(tmp_path / "told.jsonl", data_dir=data)
    assert summary["dead_letters"] == 0
    run(tmp_path / "last.jsonl", data_dir=data)
    views = dict(zip(QUESTIONS, ask(data, *QUESTIONS.values()), strict=True))
    wrong = [p for tenant, story in STORIES.items() for p in problems(story, of(tenant, views))]
    assert wrong == []
    left = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    for story in STORIES.values():
        assert not [text for text in story.erased if text.encode() in left], story.name
