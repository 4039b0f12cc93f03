"""What a run is told, what it keeps, and how a child that ends is noticed."""

import asyncio
import threading
from pathlib import Path

import pytest

from streams.embedded import StackError
from streams.run import Worked
from streams.settings import Settings
from streams.store import Disk
from streams.summary import (
    EMBEDDED_PARTITIONS,
    ChildEndedError,
    Summary,
    _Ended,
    _Facts,
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
    events_per_second=12.5,
    as_of="2025-03-11T18:20:00Z",
)


def test_the_names_of_the_summary_are_those_that_others_rely_on() -> None:
    assert SUMMARY.as_json() == {
        "lines": 10,
        "applied": 7,
        "duplicates": 2,
        "dead_letters": 1,
        "unattributed": 3,
        "contacts": 2,
        "accounts": 1,
        "stages": {"awareness": 1},
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
    assert _Facts(state(tmp_path), 8).clock == 0
    _Facts(state(tmp_path), 8).drained(1, 500)
    facts = _Facts(state(tmp_path), 8)
    assert facts.clock == 500
    facts.drained(2, 400)
    assert _Facts(state(tmp_path), 8).clock == 500
    disk = Disk(state(tmp_path))
    assert disk.fact("drained") == 2
    disk.close()


def test_the_number_of_partitions_stays(tmp_path: Path) -> None:
    _Facts(state(tmp_path), 8)
    with pytest.raises(
        StackError, match="was made with 8 partitions, not 9: set JOURNEYS_PARTITIONS=8"
    ) as raised:
        _Facts(state(tmp_path), 9)
    assert str(raised.value).startswith(str(tmp_path))
    _Facts(state(tmp_path), 8)


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
