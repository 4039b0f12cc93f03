"""What a run is told, what it keeps, and how a child that ends is noticed."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from streams.embedded import StackError
from streams.maturity import phases
from streams.run import Worked
from streams.settings import Settings
from streams.store import Disk
from streams.summary import (
    EMBEDDED_PARTITIONS,
    ChildEndedError,
    Summary,
    _Ended,
    _Facts,
    _Found,
    embedded_settings,
    parse_as_of,
)

SUMMARY = Summary(
    lines=10,
    applied=7,
    duplicates=2,
    dead_letters=1,
    unattributed=3,
    contacts=2,
    accounts=1,
    stages={"awareness": 1},
    handoffs=4,
    open_handoffs=2,
    silent=1,
    maturity=phases(0, 1, 0),
    events_per_second=12.5,
    as_of="2025-03-11T18:20:00Z",
)


def test_the_names_of_the_summary_are_those_that_others_rely_on() -> None:
    told = SUMMARY.as_json()
    assert told.pop("maturity")[2] == {
        "name": "segments",
        "on": False,
        "has": 1,
        "needs": 50,
        "of": "accounts",
    }
    assert told == {
        "lines": 10,
        "applied": 7,
        "duplicates": 2,
        "dead_letters": 1,
        "unattributed": 3,
        "contacts": 2,
        "accounts": 1,
        "stages": {"awareness": 1},
        "handoffs": 4,
        "open_handoffs": 2,
        "silent": 1,
        "events_per_second": 12.5,
        "as_of": "2025-03-11T18:20:00Z",
    }


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-03-11T18:20:00Z", 1_741_717_200_000),
        ("2025-03-11T19:20:00+01:00", 1_741_717_200_000),
        ("2025-03-11T18:20:00.250Z", 1_741_717_200_250),
    ],
)
def test_as_of(text: str, ms: int) -> None:
    assert parse_as_of(text) == ms


@pytest.mark.parametrize(
    "text", ["", "now", "2025-03-11", "2025-03-11T18:20:00", "2025-13-01T00:00:00Z", "1741717200"]
)
def test_an_as_of_without_offset_or_sense(text: str) -> None:
    with pytest.raises(ValueError, match="is no time with an offset; write 2025-03-11T18:20:00Z") as raised:
        parse_as_of(text)
    assert repr(text) in str(raised.value)


def test_the_embedded_stack_has_eight_partitions_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOURNEYS_PARTITIONS", raising=False)
    assert embedded_settings(Settings()).partitions == EMBEDDED_PARTITIONS == 8
    assert embedded_settings(Settings(partitions=64)).partitions == 64
    monkeypatch.setenv("JOURNEYS_PARTITIONS", "3")
    assert embedded_settings(Settings()).partitions == 3


def state(data_dir: Path) -> Path:
    (data_dir / "state").mkdir(exist_ok=True)
    return data_dir / "state" / "state.sqlite"


def test_the_clock_of_a_data_directory_never_goes_back(tmp_path: Path) -> None:
    assert _Facts(state(tmp_path), 8, "key").clock == 0
    _Facts(state(tmp_path), 8, "key").drained(1, 500)
    facts = _Facts(state(tmp_path), 8, "key")
    assert facts.clock == 500
    facts.drained(2, 400)
    assert _Facts(state(tmp_path), 8, "key").clock == 500
    disk = Disk(state(tmp_path))
    assert disk.fact("drained") == 2
    disk.close()


def test_the_number_of_partitions_stays(tmp_path: Path) -> None:
    _Facts(state(tmp_path), 8, "key")
    with pytest.raises(
        StackError, match="was made with 8 partitions, not 9: set JOURNEYS_PARTITIONS=8"
    ) as raised:
        _Facts(state(tmp_path), 9, "key")
    assert str(raised.value).startswith(str(tmp_path))
    _Facts(state(tmp_path), 8, "key")


def test_rows_of_another_version_are_not_read(tmp_path: Path) -> None:
    _Facts(state(tmp_path), 8, "key")
    disk = Disk(state(tmp_path))
    disk.set_fact("format", 1)
    disk.close()
    with pytest.raises(StackError, match="was made by another version of dmu-journeys: use another"):
        _Facts(state(tmp_path), 8, "key")


def test_the_hash_key_stays_and_is_not_kept(tmp_path: Path) -> None:
    _Facts(state(tmp_path), 8, "sesame")
    with pytest.raises(StackError, match="was made with another JOURNEYS_HASH_KEY: set that one"):
        _Facts(state(tmp_path), 8, "parsley")
    _Facts(state(tmp_path), 8, "sesame")
    assert b"sesame" not in state(tmp_path).read_bytes()


class Asked:
    """ClickHouse, whose answers are given in their order."""

    def __init__(self, *answers: int) -> None:
        self._answers = list(answers)

    def query(self, *_: Any, **__: Any) -> SimpleNamespace:
        return SimpleNamespace(result_rows=[[self._answers.pop(0)]])


def found(*answers: int) -> _Found:
    return _Found(cast(Client, Asked(*answers)), 1)


def test_the_clock_is_that_of_the_latest_touch_and_stays_unset_without_one() -> None:
    assert found().clock(500) == 500
    assert found(700).clock(None) == 700
    assert found(0, 0).clock(None) == 0  # nothing was accepted
    assert found(0, 1).clock(None) > 1_700_000_000_000  # only what lies ahead


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("1999-12-31T23:59:59Z", False),
        ("2000-01-01T00:00:00Z", True),
        ("2000-01-01T00:00:00+01:00", False),
        ("9998-12-31T23:59:59.999Z", True),
        ("9999-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59-12:00", False),
        ("0001-01-01T00:00:00+12:00", False),
    ],
)
def test_an_as_of_that_no_event_can_have(text: str, fits: bool) -> None:
    if fits:
        assert parse_as_of(text)
    else:
        with pytest.raises(ValueError, match="is not between 2000-01-01 and 9998-12-31"):
            parse_as_of(text)


async def _forever() -> Worked:
    await asyncio.sleep(60)
    return Worked()


async def _soon() -> Worked:
    return Worked(lines=3)


def test_what_is_watched_is_returned() -> None:
    assert _Ended().watched(_soon()) == Worked(lines=3)


def test_a_child_that_ends_ends_what_is_watched() -> None:
    ended = _Ended()
    threading.Timer(0.05, ended.tell, ["Kafka ended unexpectedly"]).start()
    with pytest.raises(ChildEndedError, match=r"^Kafka ended unexpectedly$"):
        ended.watched(_forever())


def test_a_child_that_has_ended_already_ends_it_at_once_and_the_first_one_is_named() -> None:
    ended = _Ended()
    ended.tell("ClickHouse ended")
    ended.tell("Kafka ended")
    with pytest.raises(ChildEndedError, match=r"^ClickHouse ended$"):
        ended.watched(_forever())


def test_an_end_after_the_work_is_nothing() -> None:
    ended = _Ended()
    ended.watched(_soon())
    ended.tell("sink ended")
