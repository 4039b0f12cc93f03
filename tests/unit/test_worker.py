"""What a worker verifies before it starts."""

import socket

import pytest

from schemas.topics import ALL
from streams import worker
from streams.settings import Settings
from streams.sink.rows import INPUTS
from streams.worker import needed, with_web_port


def test_a_part_needs_the_topics_it_reads_and_writes() -> None:
    names = {topic.name for topic in needed(Settings(group="g"), ("processor", "sink"))}
    assert names == {topic.name for topic in ALL} | {
        f"g-{step}-changelog" for step in ("fragments", "identity", "journeys")
    }
    assert {topic.name for topic in needed(Settings(), ("sink",))} == set(INPUTS)
    kept = Settings(state="state.sqlite")
    assert needed(kept, ("processor",)) == list(ALL)  # no changelogs: state is in the file


def test_a_default_port_that_is_taken_gives_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("JOURNEYS_WEB_PORT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        defaults = Settings().model_copy(update={"web_port": port})
        defaults.model_fields_set.discard("web_port")
        found = with_web_port(defaults).web_port
        assert found != port
    assert f"port {port} is taken; /status is on port {found}" in caplog.text
    assert with_web_port(defaults) is defaults


def test_a_chosen_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = Settings(web_port=taken.getsockname()[1])
        with pytest.raises(worker.StartError, match=f"JOURNEYS_WEB_PORT={chosen.web_port}: "):
            with_web_port(chosen)
