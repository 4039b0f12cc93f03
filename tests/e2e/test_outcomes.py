"""What sales says comes back to the journey it is about; what is about none is refused, once."""

import json
from pathlib import Path
from typing import Any

import pytest
from journeys_command import ask, event, run

pytestmark = pytest.mark.embedded

FIRM = {"domain": "deltaschepen.nl"}


def touched(number: int, at: str, kind: str, who: str, topic: str, **fields: Any) -> str:
    fields |= {"type": kind, "identifiers": {"email": f"{who}@deltaschepen.nl"}, "content": {"topic": topic}}
    return json.dumps(event(number, at, **fields))


def said(topic: str, event_id: str, at: str, **fields: Any) -> str:
    message = {"event_id": event_id, "occurred_at": at, **fields}
    return json.dumps({"topic": topic, "message": message})


def outcome(event_id: str, at: str, what: str, **fields: Any) -> str:
    return said("lead-outcomes", event_id, at, outcome=what, **fields)


TOLD = [
    touched(1, "2024-02-12T13:00:00Z", "content_downloaded", "ruud", "planning"),
    touched(2, "2024-02-20T10:00:00Z", "demo_requested", "ruud", "demo"),
    outcome("o1", "2024-02-21T08:00:00Z", "accepted", account=FIRM),
    touched(3, "2024-02-27T09:00:00Z", "meeting_held", "petra", "demo"),
    outcome("o2", "2024-03-20T15:00:00Z", "lost", account=FIRM, reason="no budget"),
    touched(4, "2025-01-15T08:50:00Z", "demo_requested", "petra", "demo"),
    said(
        "account-commands",
        "c1",
        "2024-03-01T08:00:00Z",
        command="assign_role",
        account=FIRM,
        identifiers={"email": "Petra@DeltaSchepen.nl"},
        role="gatekeeper",
    ),
]
REFUSED = [
    outcome("o3", "2024-01-01T08:00:00Z", "won", account=FIRM),
    outcome("o4", "2025-01-01T08:00:00Z", "lost", account={"domain": "nobody-knows.nl"}),
    outcome("o5", "2025-01-01T08:00:00Z", "lost", handoff_id="a0123456789abcde.1.1"),
    outcome("o6", "2025-01-15T08:00:00Z", "lost", account={"customer_number": "77"}),
]
JOURNEYS = "SELECT journey_id, closed_at, closed_by FROM v_journeys ORDER BY journey_id"
LETTERS = (
    "SELECT JSONExtractString(original, 'event_id') AS id, reason, topic FROM v_dead_letters ORDER BY id"
)
ACCOUNTS = "SELECT keys FROM v_accounts"
HANDOFFS = "SELECT handoff_id, status, outcome_reason FROM v_handoffs ORDER BY handoff_id"
ROLES = "SELECT natural_key FROM v_journey_events WHERE kind = 'role' AND natural_key LIKE '%/gatekeeper'"


@pytest.mark.parametrize("back", [False, True])
def test_an_outcome_closes_the_journey_and_one_about_none_is_refused(tmp_path: Path, back: bool) -> None:
    lines = [*TOLD, *REFUSED, TOLD[4]]
    file = tmp_path / "told.jsonl"
    file.write_text("\n".join(reversed(lines) if back else lines) + "\n", encoding="utf-8")
    data = tmp_path / "data"
    counts = [
        [summary[name] for name in ("lines", "applied", "duplicates", "dead_letters", "accounts")]
        for summary in (run(file, data_dir=data) for _ in range(2))
    ]
    assert counts == [[12, 7, 1, 4, 1], [12, 0, 12, 0, 1]]
    journeys, letters, accounts, roles = ask(data, JOURNEYS, LETTERS, ACCOUNTS, ROLES)
    assert [(each["closed_at"], each["closed_by"]) for each in journeys] == [
        ("2024-03-20T15:00:00.000Z", "lost"),
        (None, ""),
    ]
    assert [(each["id"], each["reason"], each["topic"]) for each in letters] == [
        (f"o{n}", "no_handoff", "lead-outcomes") for n in (3, 4, 5, 6)
    ]
    assert [each["keys"] for each in accounts] == [["domain:deltaschepen.nl"]]
    assert len(roles) == 1
    (handoffs,) = ask(data, HANDOFFS)
    assert [(each["status"], each["outcome_reason"]) for each in handoffs] == [
        ("lost", "no budget"),
        ("open", ""),
    ]
    by_id = [
        outcome("o7", "2025-01-16T08:00:00Z", "accepted", handoff_id=handoffs[1]["handoff_id"]),
        outcome("o8", "2025-01-17T08:00:00Z", "won", handoff_id=handoffs[1]["handoff_id"]),
    ]
    summary = run("-", data_dir=data, stdin="\n".join(by_id).encode())
    assert (summary["lines"], summary["applied"], summary["dead_letters"]) == (2, 2, 0)
    (handoffs,) = ask(data, HANDOFFS)
    assert [each["status"] for each in handoffs] == ["lost", "won"]
