"""`journeys preview`: what another definition would change, from rows as JOURNEYS keeps them."""

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kafka.errors import KafkaError
from test_journeys_given import DAY, KEY_OF, START, TENANT, Driven, touch, willing

from schemas.topics import changelog
from streams import preview_command
from streams.cli import main
from streams.core import Rows
from streams.definition import default, load
from streams.preview import Preview, accounts, in_words, preview
from streams.session import CLAIM, MARK, pack_version
from streams.settings import PREFIX, Settings
from streams.store import Disk
from streams.summary import STATE_FORMAT

ONE_STAGE = """
[handoff]
stage = "interest"
[[stages]]
name = "interest"
meaning = "all that there is"
[[stages.clauses]]
kind = "first"
text = "first touch"
"""
LATER = START + 40 * DAY


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.setenv("JOURNEYS_HASH_KEY", "secret")


def kept() -> Rows:
    """Two who consider at one firm: evaluation, a hand-off by their engagement; the clock 40 days later."""
    account = Driven()
    account.feed(
        willing("jane", touch(START, "catalogue_requested"), touch(START + DAY, "event_attended")),
        willing("john", touch(START + DAY, "account_registered"), touch(START + 2 * DAY, "meeting_held")),
    )
    account.drain(at=LATER)
    return account.rows


def previewed(text: str, rows: Rows | None = None) -> Preview:
    return preview(accounts(rows or kept(), KEY_OF), default(), load(text, "my.toml"), KEY_OF)


def words(text: str, *, all_: bool = False, rows: Rows | None = None) -> list[str]:
    return list(in_words(previewed(text, rows), default(), load(text, "my.toml"), all_=all_))


def test_the_accounts_are_those_of_the_rows_at_their_clock() -> None:
    [one] = accounts(kept(), KEY_OF)
    assert (one.tenant, one.clock) == (TENANT, LATER)
    assert sorted(s.identifier for s in one.snapshots) == ["email:jane@acme.nl", "email:john@acme.nl"]
    assert list(accounts(Rows(), KEY_OF)) == []


def test_what_is_in_force_changes_nothing() -> None:
    [line] = words("")
    assert line == f"this is the definition that is in force ({default().version}); nothing changes"


def test_an_account_that_would_move() -> None:
    found = previewed(ONE_STAGE)
    [move] = found.moves
    assert (move.was.stage, move.was.handoffs) == ("evaluation", 1)
    assert (move.now.stage, move.now.handoffs) == ("interest", 1)  # which now is its stage of hand-offs
    assert (found.was.stages, found.now.stages) == ({"evaluation": 1}, {"interest": 1})
    lines = words(ONE_STAGE)
    assert "  interest                 0         1  +1" in lines
    assert lines[-1].endswith(": evaluation → interest")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[handoff]\nengagement = 1000", "hand-offs 1 → 0"),
        ("[journey]\ngap_days = 1\n[handoff]\nengagement = 1000", "hand-offs 1 → 0"),
        ("[handoff]\nstage = 'loyalty'", "hand-offs 1 → 0"),
    ],
)
def test_it_is_told_what_would_differ(text: str, told: str) -> None:
    lines = words(text)
    [line] = [line for line in lines if "acme" in line or "a00000000000001" in line]
    assert line.endswith(told)
    assert "1 account would stand otherwise" in lines


def test_counts_now_and_then() -> None:
    lines = words("[handoff]\nengagement = 1000")
    assert lines[0].endswith("other rules: handoff")
    assert "  evaluation               1         1" in lines
    assert "  hand-offs                1         0  -1" in lines


def test_topic_rules_do_not_change_what_is_taken_in() -> None:
    lines = words('[[topics]]\ntopic = "x"\nurl = "x"')
    assert "keep their topic" in lines[1]
    assert (
        lines[-1]
        == "no account changes its stage, journeys, hand-offs or silence; scores and times may differ"
    )


def test_only_the_first_are_listed_unless_all_are_asked_for() -> None:
    text = "[handoff]\nengagement = 1000"
    found = previewed(text)
    found.moves = found.moves * 25
    short, all_ = (list(in_words(found, default(), load(text, "x"), all_=every)) for every in (False, True))
    assert short[-1] == "  and 5 more: --all"
    assert sum("hand-offs 1" in line for line in short) == 20
    assert sum("hand-offs 1" in line for line in all_) == 25


def entries() -> list[tuple[bytes, bytes]]:
    """The rows as a changelog has them: a claim, rows of one work, its mark; one that a stranger wrote."""
    rows, version = kept(), pack_version(1, 1, 9)
    told = [(g + m, version + v) for g in rows.groups() for m, v in rows.group(g).items()]
    return [(CLAIM, pack_version(1, 1, 0)), *told, (MARK, version + version)]


def on_disk(tmp_path: Path, form: int = STATE_FORMAT) -> Path:
    (tmp_path / "state").mkdir()
    disk = Disk(tmp_path / "state" / "state.sqlite")
    disk.set_fact("format", form)
    disk.close()
    with sqlite3.connect(tmp_path / "state" / "state.sqlite") as connection:
        connection.executemany(
            "INSERT INTO rows VALUES ('journeys', 3, ?, ?)", [row for row in entries() if row[0] != CLAIM]
        )
    connection.close()
    return tmp_path


def command(tmp_path: Path, text: str, *arguments: str) -> Result:
    (tmp_path / "my.toml").write_text(text)
    return CliRunner().invoke(main, ["preview", "--config", str(tmp_path / "my.toml"), *arguments])


def test_the_state_in_a_data_directory_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    data = on_disk(tmp_path)
    before = (data / "state" / "state.sqlite").read_bytes()
    done = command(tmp_path, "[handoff]\nengagement = 1000", "--json", "--data-dir", str(data))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["was"]["handoffs"], told["now"]["handoffs"], told["rules"]) == (1, 0, ["handoff"])
    assert [move["was"]["stage"] for move in told["moves"]] == ["evaluation"]
    assert (data / "state" / "state.sqlite").read_bytes() == before


def test_state_that_is_not_there_or_of_another_version(tmp_path: Path) -> None:
    done = command(tmp_path, "", "--data-dir", str(tmp_path))
    assert (done.exit_code, "there is no data in" in done.stderr) == (1, True)
    done = command(tmp_path, "", "--data-dir", str(on_disk(tmp_path, form=1)))
    assert (done.exit_code, "another version" in done.stderr) == (1, True)


def test_a_definition_that_cannot_be_used_is_bad_usage(tmp_path: Path) -> None:
    done = command(tmp_path, "[handoff]\nengagment = 5\nstage = 'x'", "--data-dir", str(tmp_path))
    assert done.exit_code == 2
    problems = [line for line in done.stderr.splitlines() if "my.toml:" in line]
    assert len(problems) == 2
    assert "engagment is not known" in problems[0]
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    done = CliRunner().invoke(main, ["preview", "--config", str(tmp_path / "latin.toml")])
    assert (done.exit_code, "latin.toml" in done.stderr) == (2, True)


class Consumer:
    """A changelog of one partition; one record a poll."""

    def __init__(self, **_: Any) -> None:
        self._records = [
            SimpleNamespace(key=key, value=value, offset=n) for n, (key, value) in enumerate(entries())
        ]
        self._at = 0

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == changelog("journeys", "journeys").name
        return {0}

    def assign(self, tps: list[Any]) -> None: ...

    def seek_to_beginning(self, _: Any) -> None:
        self._at = 0

    def end_offsets(self, tps: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(tps, len(self._records))

    def position(self, _: Any) -> int:
        return self._at

    def poll(self, _: int) -> dict[Any, list[Any]]:
        self._at += 1
        return {0: self._records[self._at - 1 : self._at]}

    def close(self) -> None: ...


def test_the_state_on_the_configured_kafka_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_command, "KafkaConsumer", Consumer)
    monkeypatch.setenv("JOURNEYS_BROKER", "kafka://somewhere:9092")
    done = command(tmp_path, "[handoff]\nengagement = 1000", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["was"]["handoffs"] == 1
    monkeypatch.setattr(Consumer, "partitions_for_topic", lambda *_: None)
    done = command(tmp_path, "")
    assert (done.exit_code, "has no topic journeys-journeys-changelog" in done.stderr) == (1, True)

    def gone(*_: Any, **__: Any) -> None:
        raise KafkaError("nobody there")

    monkeypatch.setattr(preview_command, "KafkaConsumer", gone)
    done = command(tmp_path, "")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: Kafka at somewhere:9092"), done.exception
