"""Ten lines, then the same data directory again: the same lines, a late one, questions while it runs."""

import csv
import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from journeys_command import Rows, Started, ask, event, journeys, line, processes, run, until

pytestmark = pytest.mark.embedded

JANE = {"anonymous_id": "c-1", "email": "Jane@deklerk.nl"}
BOS = {"email": "m.bos@deklerk.nl", "user_id": "u-2"}

TEN = [
    event(1, "2025-02-03T08:12:04Z", identifiers={"anonymous_id": "c-1"}, content={"topic": "heat pumps"}),
    event(2, "2025-02-03T08:15:00Z", identifiers={"anonymous_id": "c-1"}, type="howto_viewed"),
    event(3, "2025-02-12T07:55:10Z", identifiers=JANE, type="catalogue_requested"),
    event(4, "2025-02-12T07:55:10Z", identifiers=JANE, type="identified", contact={"name": "Jane de Klerk"}),
    event(5, "2025-02-14T09:00:00Z", identifiers=BOS, type="price_viewed"),
    event(6, "2025-02-15T09:00:00Z", identifiers=BOS, type="product_viewed"),
    event(7, "2025-02-20T13:02:45Z", identifiers=BOS, type="account_registered"),
    event(8, "2025-02-21T10:00:00Z", identifiers=BOS, type="quote_requested"),
    event(9, "2025-02-25T10:00:00Z", identifiers=BOS, type="order_placed", commerce={"order_id": "o-1"}),
    event(10, "2025-02-26T10:00:00Z", identifiers={"anonymous_id": "c-2"}),
]  # fmt: skip
LATE = event(11, "2025-01-20T10:00:00Z", identifiers={"anonymous_id": "c-1"})

QUESTION = (
    "SELECT event_id, occurred_at, lines, consent FROM v_touchpoints"
    " WHERE event_id IN ('e-1', 'e-9') ORDER BY event_id"
)
EVENTS = "SELECT * FROM v_journey_events ORDER BY id"
STAGES = "SELECT to_stage, occurred_at, caused_by, corrected FROM v_stage_transitions ORDER BY occurred_at"


@dataclass(frozen=True)
class Runs:
    """Four runs on one data directory, in order, and what was seen of each."""

    data_dir: Path
    table: subprocess.CompletedProcess[str]  # the ten lines from a file
    first: list[Rows]  # events and stages afterwards
    answers: dict[str, subprocess.CompletedProcess[str]]  # while the second was running
    second: tuple[int, str, str]  # the same lines from a pipe: exit code, stdout, stderr
    again: list[Rows]
    late: dict[str, Any]  # a late line, and a clock that would go back
    corrected: list[Rows]
    clock: dict[str, Any]  # no line, and a clock far ahead


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    data_dir = folder / "data"
    (folder / "ten.jsonl").write_bytes(b"".join(map(line, TEN)))
    table = journeys("run", folder / "ten.jsonl", "--data-dir", data_dir)
    first = ask(data_dir, EVENTS, STAGES)
    with Started(data_dir) as started:
        for one in TEN[:5]:
            started.feed(line(one))
        until(started.touchpoints)
        answers = {
            format_: journeys("query", QUESTION, "--data-dir", data_dir, "--format", format_)
            for format_ in ("table", "json", "csv")
        }
        answers["wrong"] = journeys("query", "SELECT nothing FROM v_accounts", "--data-dir", data_dir)
        answers["broken"] = journeys("query", "SELEC 1", "--data-dir", data_dir)
        answers["another run"] = journeys("run", folder / "ten.jsonl", "--data-dir", data_dir)
        for one in TEN[5:]:
            started.feed(line(one))
        second = started.end(60)
    again = ask(data_dir, EVENTS, STAGES)
    late = run("-", data_dir=data_dir, stdin=line(LATE), options=["--as-of", "2025-02-01T00:00:00Z"])
    corrected = ask(data_dir, EVENTS, STAGES)
    clock = run("-", data_dir=data_dir, options=["--as-of", "2026-10-01T00:00:00+02:00"])
    return Runs(data_dir, table, first, answers, second, again, late, corrected, clock)


def test_ten_lines_give_a_table_and_nothing_else(runs: Runs) -> None:
    assert runs.table.returncode == 0
    assert runs.table.stderr == ""  # quiet on a pipe
    told = dict(line.strip().split("  ", 1) for line in runs.table.stdout.splitlines())
    assert {name.strip(): value.strip() for name, value in told.items()} == {
        "lines": "10",
        "applied": "10",
        "duplicates": "0",
        "dead letters": "0",
        "unattributed": "1",
        "contacts": "2",
        "accounts": "1",
        "stages": "purchase 1",
        "hand-offs": "1, of which 1 open",
        "silent": "0",
        "maturity": "rules on, rhythm on (accounts with 3 active days: 1), segments off (accounts: 1 of 50), "
        "conversion off (outcomes: 0 of 50)",
        "events per second": told["events per second"].strip(),
        "as of": "2025-02-26T10:00:00Z",
    }


def test_the_same_lines_again_are_duplicates_and_tell_nothing(runs: Runs) -> None:
    code, out, err = runs.second
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    summary = json.loads(out)
    assert summary.pop("events_per_second") > 0
    assert [phase["name"] for phase in summary.pop("maturity") if phase["on"]] == ["rules", "rhythm"]
    assert summary == {
        "lines": 10,
        "applied": 0,
        "duplicates": 10,
        "dead_letters": 0,
        "unattributed": 1,
        "contacts": 2,
        "accounts": 1,
        "stages": {"purchase": 1},
        "handoffs": 1,
        "open_handoffs": 1,
        "silent": 0,
        "as_of": "2025-02-26T10:00:00Z",
    }
    assert runs.again == runs.first
    assert runs.first[0]


def test_a_late_line_corrects_what_was_told(runs: Runs) -> None:
    assert (runs.late["lines"], runs.late["applied"]) == (1, 1)
    events, stages = runs.corrected
    before = {row["id"]: row for row in runs.first[0]}
    told = [row for row in events if row["id"] not in before]
    assert {row["id"]: row for row in events if row["id"] in before} == before
    (corrected,) = [row for row in told if row["type"] == "stage_corrected"]
    assert before[corrected["corrects"]]["type"] == "stage_entered"
    assert corrected["details"] | {"journey_id": ""} == {
        "journey_id": "",
        "stage": "awareness",
        "was": "2025-02-03T08:12:04Z",
        "now": "2025-01-20T10:00:00Z",
    }
    assert stages[0] == {
        "to_stage": "awareness",
        "occurred_at": "2025-01-20T10:00:00.000Z",
        "caused_by": ["e-11"],
        "corrected": True,
    }
    assert stages[1:] == runs.first[1][1:]


def test_the_clock_never_goes_back(runs: Runs) -> None:
    assert runs.late["as_of"] == "2025-02-26T10:00:00Z"
    assert runs.clock["as_of"] == "2026-09-30T22:00:00Z"
    assert (runs.clock["lines"], runs.clock["events_per_second"]) == (0, 0.0)


def test_time_alone_ends_a_journey(runs: Runs) -> None:
    open_ = "SELECT count() AS n FROM v_journeys WHERE closed_at IS NULL"
    closed = "SELECT closed_by, count() AS n FROM v_journeys WHERE closed_at IS NOT NULL GROUP BY 1"
    assert ask(runs.data_dir, open_, closed) == [[{"n": 0}], [{"closed_by": "gap", "n": 1}]]
    assert "journey_closed" not in {row["type"] for row in runs.corrected[0]}


def test_questions_are_answered_while_it_runs(runs: Runs) -> None:
    assert {name: done.returncode for name, done in runs.answers.items()} == {
        **dict.fromkeys(("table", "json", "csv"), 0),
        **dict.fromkeys(("wrong", "broken", "another run"), 1),
    }
    rows = json.loads(runs.answers["json"].stdout)
    assert rows == [
        {"event_id": "e-1", "occurred_at": "2025-02-03T08:12:04.000Z", "lines": [], "consent": {}},
        {"event_id": "e-9", "occurred_at": "2025-02-25T10:00:00.000Z", "lines": [], "consent": {}},
    ]
    names, *lines = csv.reader(io.StringIO(runs.answers["csv"].stdout))
    assert names == list(rows[0])
    assert [line[:2] for line in lines] == [[row["event_id"], row["occurred_at"]] for row in rows]
    assert all(row["event_id"] in runs.answers["table"].stdout for row in rows)
    assert "event_id" in runs.answers["table"].stdout


@pytest.mark.parametrize(("name", "says"), [("wrong", "nothing"), ("broken", "Syntax error")])
def test_a_wrong_question_gives_one_clear_line(runs: Runs, name: str, says: str) -> None:
    answer = runs.answers[name]
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: ")
    assert answer.stderr.count("\n") == 1
    assert says in answer.stderr


def test_another_run_on_the_same_data_is_told_who_has_it(runs: Runs) -> None:
    answer = runs.answers["another run"]
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: ")
    assert "is in use by process" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_question_after_a_run(runs: Runs) -> None:
    answer = journeys(
        "query", "SELECT stage FROM v_accounts;", "--data-dir", runs.data_dir, "--format", "csv"
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, '"stage"\n"purchase"\n', "")


def test_nothing_is_left_running(runs: Runs) -> None:
    assert processes(runs.data_dir) == {}
