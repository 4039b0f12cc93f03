"""Every story of a journey through `journeys run`: as told, and in another order with everything twice."""

import json
import random
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from journeys_command import Rows, ask, run
from journeys_command import journeys as command

from schemas.times import rfc3339
from tests.stories.journeys import STORIES
from tests.stories.told import Line
from tests.stories.told_journeys import END_MS, Entry, JourneyStory, differences

pytestmark = pytest.mark.embedded

QUESTIONS = {
    "accounts": "SELECT * FROM v_accounts",
    "members": "SELECT * FROM v_members",
    "journeys": "SELECT * FROM v_journeys ORDER BY opened_at",
    "transitions": "SELECT * FROM v_stage_transitions",
    "handoffs": "SELECT * FROM v_handoffs WHERE status != 'withdrawn' ORDER BY at",
    "crossings": "SELECT * FROM v_crossings",
    "silences": "SELECT * FROM v_inactivity",
    "facts": "SELECT * FROM v_profile_facts WHERE used",
    "events": "SELECT * FROM v_journey_events",
}
LETTERS = "SELECT DISTINCT reason, original FROM v_dead_letters"


def of(tenant: str, views: dict[str, Rows], key: str) -> Entry | None:
    """What the views say of the account with this key, in the words of the stories."""
    mine = {view: [row for row in rows if row["tenant"] == tenant] for view, rows in views.items()}
    persons = {row["account_id"] for row in mine["members"] if key in row["identifiers"]}
    there = [
        row
        for row in mine["accounts"]
        if key in row["keys"] or (row["kind"] == "person" and row["account_id"] in persons)
    ]
    if len(there) != 1:
        return None
    account, id = there[0], there[0]["account_id"]
    mine = {view: [row for row in rows if row.get("account_id") == id] for view, rows in mine.items()} | {
        "facts": mine["facts"]
    }
    members = mine["members"]
    names = {row["contact_id"]: _name(row["identifiers"]) for row in members} | {"": ""}
    numbers = {row["journey_id"]: number for number, row in enumerate(mine["journeys"], 1)}
    crossings: dict[int, list[Any]] = {}
    for row in mine["crossings"]:
        who = tuple(sorted(names.get(contact, contact) for contact in row["contacts"]))
        step = (row["type"], row["topic"], row["occurred_at"], who)
        crossings.setdefault(numbers[row["journey_id"]], []).append(step)
    return {
        "journeys": [
            {
                "stages": {
                    row["to_stage"]: row["occurred_at"]
                    for row in mine["transitions"]
                    if row["journey_id"] == journey["journey_id"]
                },
                "closed": (journey["closed_by"], journey["closed_at"]) if journey["closed_by"] else None,
            }
            for journey in mine["journeys"]
        ],
        "moments": [journey["moments"] for journey in mine["journeys"]],
        "handoffs": [_handoff(row, numbers, names) for row in mine["handoffs"]],
        "crossings": crossings,
        "roles": {names[row["contact_id"]]: sorted(row["roles"]) for row in members},
        "missing": sorted(account["roles_missing"]),
        "silences": [
            (names.get(row["contact_id"], row["contact_id"]), row["level"], row["since"], row["ended_at"])
            for row in mine["silences"]
        ],
        "status": {"": account["status"]} | {names[row["contact_id"]]: row["status"] for row in members},
        "reachable": {names[row["contact_id"]]: row["reachable"] for row in members},
        "facts": {
            (names.get(row["entity"], "" if row["entity"] == id else row["entity"]), row["attribute"]): row[
                "value"
            ]
            for row in mine["facts"]
        },
        "orders": int(account["orders"]),
        "revenue": float(account["revenue"]),
        "aov": account["aov"],
        "return_rate": account["return_rate"],
        "unconverted": {currency: float(value) for currency, value in account["unconverted"].items()},
        "families": account["product_families"],
        "owner": account["owner"],
        "segments": account["segments"],
        "contact_points": account["contact_points"],
        "stage": account["stage"],
    }


def _handoff(row: dict[str, Any], numbers: dict[str, int], names: dict[str, str]) -> Entry:
    first = row["call_first"]
    return {
        "journey": numbers[row["journey_id"]],
        "at": row["at"],
        "call": names.get(first["contact"], first["contact"]),
        "status": row["status"],
        "outcome": row["outcome"],
        "lines": {what for what in ("email", "phone") if first[what]},
        "reason": row["outcome_reason"],
        "code": row["outcome_code"],
        "value": None if row["value"] is None else float(row["value"]),
    }


def _name(identifiers: list[str]) -> str:
    address = next((i for i in sorted(identifiers) if i.startswith("email:")), "")
    return address.removeprefix("email:").partition("@")[0]


def feed(number: str, parts: dict[str, list[Line]], data: Path) -> dict[str, Any]:
    """One run with these lines of every story, those of one story together where they stand together."""
    ids = {tenant: _ids(data, tenant) for tenant, lines in parts.items() if _named(lines)}
    lines = [
        json.dumps(STORIES[tenant].ready(line, tenant, ids.get(tenant, {}))).encode()
        for tenant, part in parts.items()
        for line in part
    ]
    if number.startswith("shuffled"):
        random.Random(number).shuffle(lines)
    file = data.parent / f"{number}.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return run(file, data_dir=data, options=("--as-of", rfc3339(END_MS)))


def _named(lines: list[Line]) -> bool:
    return any("handoff_id" in line.get("message", {}) for line in lines)


def _ids(data: Path, tenant: str) -> dict[str, str]:
    """What accounts are known by, keys or else their person's identifiers -> their ids."""
    firms, persons = ask(
        data,
        f"SELECT account_id, keys FROM v_accounts WHERE tenant = '{tenant}'",
        f"SELECT account_id, identifiers AS keys FROM v_members WHERE tenant = '{tenant}'",
    )
    return {key: row["account_id"] for row in (*persons, *firms) for key in row["keys"]}


def told(story: JourneyStory, tenant: str, events: Rows) -> list[str]:
    """What should have been told and was not; hand-offs' own messages are in no view."""
    mine = [event for event in events if event["tenant"] == tenant]
    there: set[tuple[Any, ...]] = {(event["type"], event["occurred_at"]) for event in mine}
    for event in mine:
        if event["type"] == "stage_corrected":
            details = event["details"]
            details = json.loads(details) if isinstance(details, str) else details
            there.add((event["type"], details["stage"], details["was"] or None, details["now"] or None))
    missing = []
    for type, *what in story.told:
        wanted = (type, *(one if isinstance(one, str) or one is None else story.at(one) for one in what))
        if not type.startswith("handoff_") and wanted not in there:
            missing.append(f"{story.name}: not told: {wanted}")
    return missing


@pytest.mark.parametrize("order", ["as told", "shuffled, twice"])
def test_journey_stories(order: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    if order == "as told":
        parts = zip_longest(*(story.parts for story in STORIES.values()), fillvalue=[])
        runs = [dict(zip(STORIES, part, strict=True)) for part in parts]
    else:
        times = 2 if order.endswith("twice") else 1
        runs = [{tenant: list(story.lines) * times for tenant, story in STORIES.items()}]
    runs.append({tenant: list(story.after) for tenant, story in STORIES.items()})
    summaries = [feed(f"{order} {number}", lines, data) for number, lines in enumerate(runs)]
    firms = [firm for story in STORIES.values() for firm in story.firms]
    made = [one for firm in firms for trip in firm.journeys for one in trip.handoffs]
    assert summaries[-1]["handoffs"] == len(made)
    assert summaries[-1]["silent"] == sum(firm.status.get("") == "silent" for firm in firms)
    refused = [reason for story in STORIES.values() for reason in story.letters]
    assert sum(summary["dead_letters"] for summary in summaries) == len(refused)
    answers = json.loads(json.dumps(ask(data, *QUESTIONS.values())).replace(".000Z", "Z"))
    views = dict(zip(QUESTIONS, answers, strict=True))
    wrong = [
        text
        for tenant, story in STORIES.items()
        for firm in story.firms
        for text in differences(story, firm, of(tenant, views, firm.key))
    ]
    if order == "as told":
        wrong += [text for tenant, story in STORIES.items() for text in told(story, tenant, views["events"])]
    wrong += _letters(data)
    assert wrong == []
    left = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    for story in STORIES.values():
        assert not [text for text in story.erased if text.encode() in left], story.name


def _letters(data: Path) -> list[str]:
    """In what the refused outcomes differ from the stories."""
    (rows,) = ask(data, LETTERS)
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(json.loads(row["original"])["tenant"], []).append(row["reason"])
    return [
        f"{story.name}: letters: expected {story.letters}, found {found.get(tenant, [])}"
        for tenant, story in STORIES.items()
        if sorted(found.get(tenant, [])) != sorted(story.letters)
    ]


def test_another_definition_is_told_once_for_each_tenant_and_nothing_else(tmp_path: Path) -> None:
    data, tenants = tmp_path / "data", ("one", "two")
    lines = [
        {"event_id": event_id, "type": type, "occurred_at": at, "source": "web", "tenant": tenant}
        | {"identifiers": {"email": "jane@acme.nl"}}
        for tenant in tenants
        for event_id, type, at in (
            ("t1", "demo_requested", "2025-03-03T09:00:00Z"),
            ("t2", "page_viewed", "2025-06-03T09:00:00Z"),
        )
    ]
    told = tmp_path / "told.jsonl"
    told.write_text("".join(json.dumps(line) + "\n" for line in lines))
    journeys, events = (
        "SELECT tenant, opened_at, closed_by FROM v_journeys ORDER BY tenant, opened_at",
        "SELECT tenant, type FROM v_journey_events ORDER BY emitted_at, tenant",
    )
    run(told, data_dir=data)
    before, first = ask(data, journeys, events)
    assert [row["closed_by"] for row in before] == ["", ""]

    (tmp_path / "journeys.toml").write_text("[journey]\ngap_days = 60\n")
    later = tmp_path / "later.jsonl"
    later.write_text(json.dumps(lines[0] | {"event_id": "t9", "tenant": "three"}) + "\n")
    done = command(
        *("run", later, "--data-dir", data, "--json"),
        env={"JOURNEYS_DEFINITION": str(tmp_path / "journeys.toml")},
    )
    assert done.returncode == 0, done.stderr
    after, second, handed = ask(data, journeys, events, "SELECT status FROM v_handoffs")
    assert [row["closed_by"] for row in after if row["tenant"] in tenants] == ["gap", ""] * 2
    assert [row["status"] for row in handed] == ["expired"] * 3
    news = second[len(first) :]
    assert sorted((row["tenant"], row["type"]) for row in news if row["tenant"] in tenants) == [
        (tenant, "definitions_changed") for tenant in tenants
    ]
