"""A simulated market, and what an undisturbed run of it finds: once for all tests that compare with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from journeys_command import Rows, journeys, run, views


@dataclass(frozen=True)
class Undisturbed:
    """A file and what a run of it found."""

    file: Path
    summary: dict[str, Any]
    views: dict[str, Rows]


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("market")
    file = folder / "market.jsonl"
    made = journeys(
        "simulate", "--touchpoints", "2000", "--seed", "5", "--out", file, "--truth", folder / "truth"
    )
    assert made.returncode == 0, made.stderr
    return Undisturbed(file, run(file, data_dir=folder / "data"), views(folder / "data"))
