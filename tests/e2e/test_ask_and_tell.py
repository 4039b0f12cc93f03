"""A buying group is shown, explained and answered by the command; what is meant may be said in many ways."""

import json
from pathlib import Path
from typing import Any

import pytest
from journeys_command import event, journeys, line, run

pytestmark = pytest.mark.embedded

JANE, JOHN = "jane@acme.nl", "john@acme.nl"


def touched(number: int, day: int, kind: str, who: str, **fields: Any) -> bytes:
    identifiers = {"email": who}
    return line(event(number, f"2025-02-{day:02}T09:00:00Z", type=kind, identifiers=identifiers) | fields)


def crm(number: int, name: str, domain: str, key: str) -> bytes:
    account = {"account_id": key, "domain": domain, "name": name}
    contact = {"email": f"info-{number}@{domain}", "contact_id": f"C-{number}"}
    return line(
        event(
            number, type="profile_updated", source="crm", identifiers=contact, account=account, tenant="w01"
        )
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("group")
    lines = [
        touched(1, 3, "catalogue_requested", JANE, contact={"name": "Jane"}, account={"name": "Acme"}),
        touched(2, 4, "account_registered", JOHN, contact={"name": "John"}),
        touched(3, 5, "demo_requested", JOHN),
        touched(4, 6, "consent_withdrawn", JOHN, consent={"email": False, "phone": False}),
        crm(11, "Bolt Noord", "bolt-noord.nl", "7"),
        crm(12, "Bolt Zuid", "bolt-zuid.nl", "8"),
    ]
    file = folder / "in.jsonl"
    file.write_bytes(b"".join(lines))
    told = run(file, data_dir=folder / "data")
    assert told["lines"] == told["applied"] == 6
    assert (told["handoffs"], told["open_handoffs"], told["silent"]) == (1, 1, 0)
    assert [phase["name"] for phase in told["maturity"] if phase["on"]] == ["rules"]
    return folder / "data"


def asked(data: Path, *arguments: str) -> Any:
    done = journeys(*arguments, "--json", "--data-dir", data)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_an_account_is_shown_by_whatever_names_it(data: Path) -> None:
    shown = asked(data, "show", "acm")
    account = shown["account_id"]
    for name in ("ACME", "domain:acme.nl", "John@Acme.nl", account, f"journeys_account_id:{account}"):
        assert asked(data, "show", name) == shown
    assert [touch["type"] for touch in shown["timeline"]] == [
        "catalogue_requested",
        "account_registered",
        "demo_requested",
    ]
    # John refuses mail: his address is not told, neither as a member's nor for the call.
    assert JOHN not in json.dumps(shown)
    assert JANE in json.dumps(shown)
    assert asked(data, "show", "account_id:7", "--tenant", "w01")["name"] == "Bolt Noord"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "no account is known by 'nobody'"),
        ("domain:nobody.nl", "no account is known by 'domain:nobody.nl'"),
        ("bolt", "'bolt' may be 2 accounts; name one by its id:"),
    ],
)
def test_what_names_no_single_account_fails_and_says_so(data: Path, name: str, told: str) -> None:
    done = journeys("show", name, "--data-dir", data)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {told}")
    if name == "bolt":
        assert [row.split(maxsplit=1)[1] for row in done.stderr.splitlines()[1:]] == [
            "Bolt Noord",
            "Bolt Zuid",
        ]


def test_a_hand_off_is_answered_explained_and_refused(data: Path, tmp_path: Path) -> None:
    [handoff] = asked(data, "show", "acme")["handoffs"]
    id_ = handoff["handoff_id"]

    def say(*arguments: str) -> tuple[int, str]:
        done = journeys("outcome", *arguments, "--data-dir", data)
        return done.returncode, done.stdout + done.stderr

    code, told = say(id_, "working", "--by", "jan", "--at", "2025-02-06T09:00:00Z")
    assert (code, told.splitlines()[0]) == (0, f"hand-off {id_} of Acme is working")
    code, told = say(JANE, "rejected", "--at", "2025-02-07T09:00:00Z")
    assert code == 1
    assert told.startswith("Error: refused (impossible_outcome): ")
    assert f"possible for {id_}" in told

    explained = asked(data, "explain", id_)
    assert [touch["event_id"] for touch in explained["evidence"]] == ["e-3"]
    did = [(e["said"]["outcome"], e["became"], e["said"]["refused"]) for e in explained["outcomes"]]
    assert did == [("working", "working", ""), ("rejected", "", "impossible_outcome")]
    score = asked(data, "explain", "acme")
    assert score["sum"] == pytest.approx(score["engagement"], abs=0.006)

    rules = tmp_path / "my.toml"
    rules.write_text("[handoff]\nrequests = []\nengagement = 1000\n")
    found = asked(data, "preview", "--config", str(rules))
    assert (found["was"]["handoffs"], found["now"]["handoffs"], len(found["moves"])) == (1, 0, 1)
    assert asked(data, "show", "acme")["handoffs"][0]["status"] == "working"
