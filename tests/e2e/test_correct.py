"""People correct who is who, and erase a person, by the command."""

from pathlib import Path
from typing import Any

import pytest
from journeys_command import ask, event, journeys, line, run

pytestmark = pytest.mark.embedded

CONTACTS = "SELECT contact_id, name, identifiers, devices FROM v_contacts ORDER BY identifiers"
JANE, JOHN = "jane@acme.nl", "john@acme.nl"


def say(data_dir: Path, *arguments: str) -> list[str]:
    """A command that is done, and what it printed."""
    done = journeys(*arguments, "--data-dir", data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def who(data_dir: Path) -> list[list[str]]:
    """The identifiers of each contact."""
    return [row["identifiers"] for row in ask(data_dir, CONTACTS)[0]]


def person(number: int, name: str, **identifiers: Any) -> bytes:
    return line(event(number, identifiers=identifiers, contact={"name": name}))


def test_a_person_says_who_is_who_and_is_heard_until_somebody_is_erased(tmp_path: Path) -> None:
    file, data_dir = tmp_path / "in.jsonl", tmp_path / "data"
    lines = [
        line(event(1, "2025-02-01T08:00:00Z", identifiers={"anonymous_id": "c-1"})),
        person(2, "Jane", anonymous_id="c-1", email=JANE),
        person(3, "John", email=JOHN),
        person(4, "Jane", contact_id="8"),
    ]
    file.write_bytes(b"".join(lines))
    before = run(file, data_dir=data_dir)
    assert (before["applied"], before["contacts"]) == (4, 3)

    [rows] = ask(data_dir, CONTACTS)
    jane = next(row["contact_id"] for row in rows if row["devices"])
    told = say(data_dir, "link", jane, "contact_id:8")
    assert told[0] == f"journeys_contact_id:{jane} and contact_id:8 are one contact"
    assert told[1] == f"  {jane} (Jane): anonymous_id:c-1, contact_id:8, email:{JANE}"

    assert "are two contacts" in say(data_dir, "cannot-link", JOHN, "contact_id:8")[0]
    told = say(data_dir, "link", JOHN, JANE)
    assert told[0] == f"email:{JOHN} and email:{JANE} are two contacts still"
    assert told[-1].startswith("  does not hold: ")
    assert "cannot_link by steward" in told[-1]
    assert who(data_dir) == [["contact_id:8", f"email:{JANE}"], [f"email:{JOHN}"]]

    told = say(data_dir, "forget", "contact_id:8")
    assert told[0].startswith("erased, up to ")
    assert told[0].endswith("identifiers 2, devices 1")
    assert "  3 touchpoints removed, 0 left" in told
    again = run(file, data_dir=data_dir)  # a replay brings nobody back
    assert (again["applied"], again["dead_letters"]) == (0, 3)
    assert who(data_dir) == [[f"email:{JOHN}"]]


def test_settings_about_what_comes_in_hold_in_the_embedded_stack(tmp_path: Path) -> None:
    file, data_dir = tmp_path / "in.jsonl", tmp_path / "data"
    crm = {"type": "identified", "occurred_at": "2025-07-01T12:00:00"}
    lines = [
        line(event(1, source="crm-nl", identifiers={"contact_id": 7}) | crm),
        line(event(2, source="crm-be", identifiers={"contact_id": 7}) | crm),
        line(event(3, identifiers={"phone": "0475 12 34 56"}, tenant="be")),
    ]
    file.write_bytes(b"".join(lines))
    settings = {
        "JOURNEYS_NAMESPACES": '{"crm-nl": "nl", "crm-be": "be"}',
        "JOURNEYS_ZONES": '{"crm-nl": "Europe/Amsterdam", "crm-be": "Europe/London"}',
        "JOURNEYS_COUNTRIES": '{"be": "BE"}',
    }
    done = journeys("run", file, "--data-dir", data_dir, env=settings)
    assert done.returncode == 0, done.stderr
    [rows] = ask(data_dir, "SELECT event_id, identifier, occurred_at FROM v_touchpoints ORDER BY event_id")
    assert [tuple(row.values()) for row in rows] == [
        ("e-1", "contact_id:nl/7", "2025-07-01T10:00:00.000Z"),
        ("e-2", "contact_id:be/7", "2025-07-01T11:00:00.000Z"),
        ("e-3", "phone:+32475123456", "2025-02-03T08:12:04.000Z"),
    ]
