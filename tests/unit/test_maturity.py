"""What the data is enough for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams import maturity
from streams.maturity import asked, in_words, of, phases
from streams.settings import Settings
from streams.status import Embedded, show


@pytest.mark.parametrize(
    ("counts", "on"),
    [
        ((0, 0, 0), ["rules"]),
        ((1, 49, 49), ["rules", "rhythm"]),
        ((9, 50, 50), ["rules", "rhythm"]),  # what the others need is there, but no model runs yet
    ],
)
def test_a_phase_is_on_from_so_much_on(counts: tuple[int, int, int], on: list[str]) -> None:
    assert [phase.name for phase in phases(*counts) if phase.on] == on


def test_the_counts_are_those_of_clickhouse() -> None:
    def client(*rows: Any) -> Any:
        return SimpleNamespace(query=lambda _: SimpleNamespace(result_rows=list(rows)))

    assert of(client((3, 60, 7))) == phases(3, 60, 7)
    assert of(client()) == phases(0, 0, 0)


def test_without_data_nothing_is_known(tmp_path: Path) -> None:
    assert asked(Settings(data_dir=tmp_path), tmp_path) is None


def test_status_tells_it_where_it_is_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show(Embedded(tmp_path, None), maturity.phases(0, 3, 0))
    assert f"maturity: {in_words(phases(0, 3, 0))}\n" in capsys.readouterr().out
    show(Embedded(tmp_path, None), None)
    assert "maturity" not in capsys.readouterr().out
