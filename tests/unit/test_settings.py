"""Settings come from the environment; a bad one names itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from streams import run
from streams.definition import default, of
from streams.settings import PREFIX, Settings, explain, shown_value


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
        ("ZONES", "{", "is no JSON"),
        ("ZONES", '["crm"]', "is no JSON object of texts"),
        ("ZONES", '{"crm": 1}', "is no JSON object of texts"),
        ("ZONES", '{"crm": "Mars/Olympus"}', "'Mars/Olympus', of 'crm', is no time zone"),
        ("ZONES", '{"crm": "../x"}', "is no time zone"),
        ("ZONES", '{"crm": ""}', "is no time zone"),
        ("NAMESPACES", '{"crm": "n/l"}', "'n/l', of 'crm', is no namespace"),
        ("NAMESPACES", '{"crm": ""}', "is no namespace"),
        ("NAMESPACES", '{"crm": "n.l"}', "is no namespace"),
        ("COUNTRY", "Netherlands", "'Netherlands' is no country"),
        ("COUNTRIES", '{"w01": "XX"}', "'XX' is no country"),
        ("COUNTRIES", "", "is no JSON"),
        ("DEVICE_POLICY", "last", "'last_known' or 'anonymous'"),
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


def test_tables_are_json_and_reach_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_ZONES", '{"CRM": "Europe/Amsterdam"}')
    monkeypatch.setenv("JOURNEYS_NAMESPACES", '{" CRM-nl ": "nl"}')
    monkeypatch.setenv("JOURNEYS_COUNTRY", "be")
    monkeypatch.setenv("JOURNEYS_COUNTRIES", '{"w01": "de"}')
    monkeypatch.setenv("JOURNEYS_DEVICE_POLICY", "anonymous")
    settings = Settings()
    assert settings.of_steps == {
        "trust_headers": False,
        "zones": {"crm": "Europe/Amsterdam"},
        "namespaces": {"crm-nl": "nl"},
        "country": "BE",
        "countries": {"w01": "DE"},
        "device_policy": "anonymous",
    }
    assert shown_value(settings, "zones") == '{"crm": "Europe/Amsterdam"}'
    assert shown_value(Settings(zones={}), "zones") == "{}"


def test_the_definition_reaches_the_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings().rules is default()
    (tmp_path / "my.toml").write_text("\ufeff[journey]\ngap_days = 90\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYS_DEFINITION", "my.toml")
    settings = Settings()
    assert settings.definition == tmp_path / "my.toml"
    assert settings.of_steps["definition"] is settings.rules
    assert of(settings.of_steps).journey.gap_days == 90
    (tmp_path / "my.toml").write_text("[journey]\ngap_days = 60\n")  # while the process runs
    assert Settings().rules is settings.rules


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff", "is no text in UTF-8"),
        (b"a = 1", "cannot be used\n"),
    ],
)
def test_a_definition_that_cannot_be_used(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "my.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValidationError) as raised:
        Settings(definition=path)
    assert explain(raised.value).startswith(f"JOURNEYS_DEFINITION={str(path)!r}: {says}")


def test_a_worker_of_the_embedded_stack_is_told_what_this_process_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my.toml").write_text("[journey]\ngap_days = 90\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYS_DEFINITION", "my.toml")
    monkeypatch.setenv("JOURNEYS_DEVICE_POLICY", "anonymous")
    started: list[dict[str, str]] = []

    class Child:
        def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str], holds: Any) -> None:
            del name, command, log, holds
            started.append(env)

        def start(self) -> None: ...

        def watch(self, on_end: Any) -> None: ...

    monkeypatch.setattr(run, "Child", Child)
    stack: Any = SimpleNamespace(
        kafka="127.0.0.1:1", state_dir=tmp_path, data_dir=tmp_path, generation=3, lock=0
    )
    run.Workers(stack, "http://127.0.0.1:2", Settings(partitions=8), print).start()
    monkeypatch.chdir("/")  # where children stand
    for environment in started:
        for name in list(Settings.model_fields):
            monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        told = Settings()
        assert (told.device_policy, told.generation, told.partitions, told.live) == ("anonymous", 3, 8, False)
        assert told.rules.journey.gap_days == 90
    assert len(started) == 2


def test_a_setting_of_a_file_that_is_empty_is_unset(monkeypatch):
    monkeypatch.setenv("JOURNEYS_DEFINITION", "")
    assert Settings().definition is None
