"""The command line without a stack: exit codes, one clear line, what goes where."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from clickhouse_connect.driver.exceptions import DatabaseError

from streams import demo, requeue, status, summary, topics
from streams.children import ChildError
from streams.cli import main
from streams.definition import default
from streams.embedded import StackError
from streams.maturity import phases
from streams.run import Progress
from streams.settings import PREFIX, Settings
from streams.summary import Summary

COMMANDS = {
    *("run", "query", "worker", "topics", "migrate", "status", "config", "simulate", "demo", "dev"),
    *("validate", "dead-letters", "link", "unlink", "cannot-link", "forget", "identity"),
    *("show", "explain", "outcome", "preview"),
}

DONE = Summary(
    *(3, 2, 1, 0, 0, 1, 1, {"awareness": 1, "purchase": 2}, 1_200, 34, 5, phases(3, 60, 49)),
    *(12_345.6, "2025-03-11T18:20:00Z"),
)


def environment(**changes: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | changes


Runs = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def command(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "one.jsonl"
    file.write_bytes(b'{"a": 1}\n\n{"b": 2}\n')
    return file


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, file: Path) -> Runs:
    """`journeys run` whose pipeline does what it is told."""

    def run(does: Callable[..., Summary], *arguments: str) -> Result:
        monkeypatch.setattr(summary, "run_lines", does)
        return command("run", file, "--data-dir", file.parent / "data", *arguments)

    return run


def test_every_command_says_what_it_does() -> None:
    assert set(main.commands) == COMMANDS
    for name in COMMANDS:
        told = command(name, "--help")
        assert told.exit_code == 0
        assert len(told.output.splitlines()) > 4, name
    assert ", version " in command("--version").output


def test_run_hands_over_the_lines_and_prints_a_table(runs: Runs, file: Path) -> None:
    given: list[Any] = []

    def does(lines: Any, data_dir: Path, settings: Settings, as_of: int | None, tell: Any) -> Summary:
        tell(Progress("feeding", 1, 0))
        given.extend((list(lines), data_dir, settings.data_dir, as_of))
        return DONE

    done = runs(does, "--as-of", "2025-03-11T18:20:00Z")
    assert done.exit_code == 0
    assert given == [
        [b'{"a": 1}', b'{"b": 2}'],
        file.parent / "data",
        file.parent / "data",
        1_741_717_200_000,
    ]
    assert done.stderr == ""
    table = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {"lines 3", "stages awareness 1, purchase 2", "events per second 12,345.6"} <= table
    assert {"hand-offs 1,200, of which 34 open", "silent 5"} <= table
    assert "open handoffs 34" not in table
    words = " ".join(done.stdout.split())
    assert "rhythm on (accounts with 3 active days: 3), segments off (accounts: 60; comes with a" in words
    assert "conversion off (outcomes: 49" in words


def test_run_json_is_one_object_on_one_line(runs: Runs) -> None:
    done = runs(lambda *_: DONE, "--json")
    assert json.loads(done.stdout) == json.loads(json.dumps(DONE.as_json()))
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def raises(error: BaseException) -> Callable[..., Summary]:
    def does(*_: Any) -> Summary:
        raise error

    return does


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (StackError("the disk is full"), 1, "Error: the disk is full\n"),
        (ChildError("Kafka ended"), 1, "Error: Kafka ended\n"),
        (DatabaseError("Code: 62.\n  Syntax error\n(x)"), 1, "Error: Code: 62. Syntax error (x)\n"),
        (OSError(5, "Input/output error", "a.jsonl"), 1, "Error: a.jsonl: Input/output error\n"),
        (OSError(28, "No space left on device"), 1, "Error: No space left on device\n"),
        (
            sqlite3.OperationalError("disk I/O error"),
            1,
            "Error: the state in the data directory: disk I/O error\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted; nothing is lost: the same command again goes on\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_people_can_act_on_is_one_line(runs: Runs, error: BaseException, code: int, told: str) -> None:
    done = runs(raises(error))
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", told)


def test_a_fault_of_ours_is_no_failure_of_theirs(runs: Runs) -> None:
    assert isinstance(runs(raises(KeyError("x"))).exception, KeyError)


def test_bad_usage(file: Path) -> None:
    for arguments, says in (
        (["run"], "Missing argument"),
        (["run", file.parent / "absent"], "absent: No such file or directory"),
        (["run", file.parent], "Is a directory"),
        (["run", file, "--data-dir", file], "is a file"),
        (["run", file, "--as-of", "x"], "--as-of: 'x' is no time with an offset"),
        (["query"], "Missing argument"),
        (["query", "SELECT 1", "--format", "xml"], "'xml' is not one of"),
        (["validate", file.parent / "absent"], "No such file"),
        (["dev", "--kafka-port", "0"], "not in the range"),
        (["simulate", "--touchpoints", "0", "--out", "a", "--truth", "b"], "not in the range"),
        (["nonsense"], "No such command"),
    ):
        done = command(*arguments)
        assert (done.exit_code, done.stdout) == (2, ""), arguments
        assert says in done.stderr
        assert "Traceback" not in done.stderr


def test_a_bad_setting_is_bad_usage_everywhere(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("JOURNEYS_PARTITIONS", "0")
    for arguments in (
        ["run", file],
        ["query", "SELECT 1"],
        ["config"],
        ["topics"],
        ["worker"],
        ["validate", file],
    ):
        done = command(*arguments)
        assert done.exit_code == 2, arguments
        assert "JOURNEYS_PARTITIONS='0': Input should be greater than or equal to 1" in done.stderr


def test_config_tells_values_and_origins_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_PARTITIONS", "3")
    monkeypatch.setenv("JOURNEYS_HASH_KEY", "sesame")
    monkeypatch.setenv("JOURNEYS_CLICKHOUSE", "https://me:parsley@host:8443")
    settings, _, _ = command("config").stdout.partition("\n\n")
    lines = settings.splitlines()
    assert len(lines) == len(Settings.model_fields)
    assert "JOURNEYS_PARTITIONS=3  [set]  partitions of every topic; growing them is a rebuild" in lines
    assert any(line.startswith("JOURNEYS_LIVE=true  [default]  ") for line in lines)
    assert any(line.startswith("JOURNEYS_STATE=  [default]  ") for line in lines)
    assert any(line.startswith("JOURNEYS_HASH_KEY=…  [set]  ") for line in lines)
    assert any(line.startswith("JOURNEYS_CLICKHOUSE=https://me:…@host:8443  [set]  ") for line in lines)
    assert not {"sesame", "parsley"} & set(re.findall(r"\w+", "".join(lines)))


def test_config_tells_the_journey_definition_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = command("config").stdout
    assert f"\n\njourney definition {default().version}  [default]\n" in told
    assert (
        "  stages          awareness → consideration → evaluation → purchase → experience → loyalty\n" in told
    )
    (tmp_path / "my.toml").write_text("[journey]\ngap_days = 90\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYS_DEFINITION", "my.toml")
    told = command("config").stdout
    assert f"[{tmp_path / 'my.toml'}, over the default]\n" in told
    assert default().version not in told
    assert "  journey ends    after 90 days without a touch\n" in told


def test_a_broken_definition_stops_every_start_and_says_all_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[journey]\ngap_days = -1\n\n[score.points]\npage_veiwed = 2\n")
    monkeypatch.setenv("JOURNEYS_DEFINITION", str(bad))
    for arguments in (["run", file], ["worker"], ["demo"], ["validate", file], ["config"]):
        done = command(*arguments)
        assert done.exit_code == 2, arguments
        assert (
            f"JOURNEYS_DEFINITION={str(bad)!r}: cannot be used\n{bad}:2: journey.gap_days is -1; "
            in done.stderr
        )
        assert (
            f"\n{bad}:5: score.points.page_veiwed is 'page_veiwed', which is no touchpoint type; "
            in done.stderr
        )


def test_validate_tells_what_to_look_at(tmp_path: Path) -> None:
    good = (
        '{"event_id":"1","type":"page_viewed","occurred_at":"2025-02-03T08:12:04Z","source":"web",'
        '"identifiers":{"email":"jane@acme.nl"}}'
    )
    (tmp_path / "lines").write_text(
        f"{good}\nhello\n\n{good.replace('jane@acme.nl', '')}\n{good.replace('page_viewed', 'page_view')}\n"
    )
    done = command("validate", tmp_path / "lines")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "line 2: not_json: no JSON in UTF-8: expected value at line 1 column 1",
        'line 4: unattributed (identifiers.email): identifiers.email: "" names neither person nor firm',
        "types not known: page_view (1)",
        "4 lines, 2 to look at",
    ]
    found = [
        json.loads(line) for line in command("validate", tmp_path / "lines", "--json").stdout.splitlines()
    ]
    assert [(one["line"], one["reason"]) for one in found] == [(2, "not_json"), (4, "unattributed")]


def test_simulate_writes_lines_and_their_truth(tmp_path: Path) -> None:
    lines, truth = tmp_path / "lines", tmp_path / "truth"
    done = command("simulate", "--touchpoints", "100", "--seed", "2", "--out", lines, "--truth", truth)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert len(lines.read_bytes().splitlines()) == 100
    assert json.loads(truth.read_bytes())
    again = command("simulate", "--touchpoints", "100", "--out", tmp_path / "no" / "lines", "--truth", truth)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "No such file or directory" in again.stderr


@pytest.mark.parametrize("arguments", [["topics"], ["status"], ["worker"]])
def test_a_kafka_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("JOURNEYS_BROKER", "127.0.0.1:1")
    for module in (topics, status):
        monkeypatch.setattr(module, "SECONDS", 0.3)
    done = command(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Kafka does not answer at 127.0.0.1:1: ")
    assert done.stderr.count("\n") == 1


def test_topics_are_named_as_they_are_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "ensure", lambda *_: ["touchpoints", "journey-events"])
    assert command("topics").stdout == "created touchpoints\ncreated journey-events\n"
    monkeypatch.setattr(topics, "ensure", lambda *_: [])
    assert command("topics").stdout == "all topics are there\n"


def test_a_worker_does_not_start_on_a_port_that_is_chosen_and_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "check", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("JOURNEYS_WEB_PORT", str(port))
        done = command("worker")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: cannot listen on JOURNEYS_WEB_PORT={port}: Address already in use\n"


@pytest.mark.parametrize("arguments", [["migrate"], ["query", "SELECT 1"], ["dead-letters", "requeue"]])
def test_a_clickhouse_that_does_not_answer_is_told_in_one_line(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        env=environment(JOURNEYS_CLICKHOUSE="http://me:sesame@127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: ClickHouse does not answer at 127.0.0.1:1: Connection refused\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["dev"],
            "interrupted; what Kafka held is gone, and with it what workers knew: feed everything again",
        ),
        (["dev", "--only", "clickhouse"], "interrupted\n"),
        (["demo"], "interrupted; the same command again begins anew"),
        (["demo", "--data-dir", "x"], "interrupted; nothing is lost: the same command again goes on\n"),
    ],
)
def test_what_ctrl_c_says_is_true(monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str) -> None:
    monkeypatch.setattr(demo, "serve", raises(KeyboardInterrupt()))
    monkeypatch.setattr(demo, "show", raises(KeyboardInterrupt()))
    done = command(*arguments)
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr.startswith(told)


def test_letters_of_other_topics_than_inputs_are_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bytes]] = []
    named: list[list[tuple[str, bytes]]] = []
    letters = [
        {"tenant": "w01", "topic": topic, "bytes": b64encode(value).decode(), "size": size}
        for topic, value, size in (
            ("touchpoints", b"one", 3),
            ("identity-assertions", b"said", 4),
            ("privacy-requests", b"asked", 5),
            ("lead-outcomes", b"lost", 4),
            ("account-commands", b"do", 2),
            ("touchpoints", b"cut", 9),
            ("touchpoints.valid", b"two", 3),
        )
    ]

    class Producer:
        def __init__(self, **_: Any) -> None: ...

        def send(self, topic: str, value: bytes, headers: list[tuple[str, bytes]]) -> SimpleNamespace:
            sent.append((topic, value))
            named.append(headers)
            return SimpleNamespace(get=lambda timeout: timeout)

        def close(self) -> None: ...

    monkeypatch.setattr(requeue, "KafkaProducer", Producer)
    wheres: list[str] = []

    def found(columns: str, where: str, *_: Any) -> str:
        del columns
        wheres.append(where)
        return json.dumps(letters)

    monkeypatch.setattr("streams.cli._letters", found)
    done = command("dead-letters", "requeue", "--where", "a OR b")
    assert wheres == ["(a OR b) AND reason != 'erased'"]  # of erased people there is nothing to send
    assert done.stdout == "5 sent again, 1 not: only their beginning was kept\n"
    assert sent == [
        ("touchpoints", b"one"),
        ("identity-assertions", b"said"),
        ("privacy-requests", b"asked"),
        ("lead-outcomes", b"lost"),
        ("account-commands", b"do"),
    ]
    assert done.stderr == "Error: 1 not sent: they were on topics that only the processor writes\n"
    assert done.exit_code == 1
    assert named == [[]] * 5
    monkeypatch.setenv("JOURNEYS_TRUST_HEADERS", "true")
    command("dead-letters", "requeue")
    assert named[5:] == [[("journeys-tenant", b"w01")]] * 5


def test_no_data_to_ask(tmp_path: Path) -> None:
    for arguments in (["query", "SELECT 1"], ["dead-letters", "list"], ["dead-letters", "show"]):
        done = command(*arguments, "--data-dir", tmp_path / "none")
        assert (done.exit_code, done.stdout) == (1, "")
        assert (
            done.stderr
            == f"Error: there is no data in {tmp_path}/none: nothing has been processed there yet\n"
        )
    assert list(tmp_path.iterdir()) == []
