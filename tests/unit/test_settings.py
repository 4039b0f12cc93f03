"""Settings come from the environment; a bad one names itself."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.settings import PREFIX, Settings, explain


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_defaults() -> None:
    settings = Settings()
    assert (settings.broker, settings.partitions, settings.live) == ("127.0.0.1:9092", 64, True)
    assert settings.data_dir == Path("journeys-data")
    assert settings.model_fields_set == set()


def test_the_environment_wins_and_is_known_to_have_been_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_BROKER", "kafka://a.example:9092,b.example:9093")
    monkeypatch.setenv("JOURNEYS_PARTITIONS", "8")
    monkeypatch.setenv("JOURNEYS_LIVE", "false")
    monkeypatch.setenv("JOURNEYS_UNKNOWN", "x")
    settings = Settings()
    assert (settings.broker, settings.partitions, settings.live) == (
        "a.example:9092,b.example:9093",
        8,
        False,
    )
    assert settings.model_fields_set == {"broker", "partitions", "live"}


@pytest.mark.parametrize("broker", ["a:1", "kafka://a:1", "kafka://[::1]:9092", "a:1,b:2"])
def test_brokers(broker: str) -> None:
    assert Settings(broker=broker).broker == broker.removeprefix("kafka://")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BROKER", "localhost", "'localhost' is no host:port; write kafka://host:port,host:port"),
        ("BROKER", "kafka://a:1,b", "'b' is no host:port"),
        ("BROKER", "a:1,", "'' is no host:port"),
        ("BROKER", ":9092", "':9092' is no host:port"),
        ("CLICKHOUSE", "localhost", "is no address of ClickHouse"),
        ("CLICKHOUSE", "", "is no address of ClickHouse"),
        ("CLICKHOUSE", "http://:8123", "is no address of ClickHouse"),
        ("CLICKHOUSE", "http://a:99999", "Port out of range"),
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("PARTITIONS", "1025", "less than or equal to 1024"),
        ("PARTITIONS", "eight", "valid integer"),
        ("HASH_KEY", "", "1 to 64 bytes"),
        ("HASH_KEY", "x" * 65, "1 to 64 bytes"),
        ("HASH_KEY", "é" * 33, "1 to 64 bytes"),
        ("GROUP", "", "at least 1 character"),
        ("TICK_SECONDS", "0", "greater than 0"),
        ("WEB_PORT", "65536", "less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LIVE", "maybe", "valid boolean"),
    ],
)
def test_a_bad_value_names_itself(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(f"JOURNEYS_{name}", value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    told = explain(raised.value)
    assert told.startswith(f"JOURNEYS_{name}={value!r}: ")
    assert says in told
    assert "\n" not in told


def test_every_bad_value_gets_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_PARTITIONS", "0")
    monkeypatch.setenv("JOURNEYS_BROKER", "x")
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert sorted(line.partition("=")[0] for line in explain(raised.value).splitlines()) == [
        "JOURNEYS_BROKER",
        "JOURNEYS_PARTITIONS",
    ]


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
