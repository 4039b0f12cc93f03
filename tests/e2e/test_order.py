"""Any order and any repetition of the lines: the same views, row for row."""

import random
from pathlib import Path

import pytest
from conftest import Undisturbed
from journeys_command import run, views

pytestmark = pytest.mark.embedded


def test_the_market_says_something_in_every_view(market: Undisturbed) -> None:
    assert {name: len(rows) > 3 for name, rows in market.views.items()} == dict.fromkeys(market.views, True)
    assert market.summary["dead_letters"] > 0
    assert market.summary["duplicates"] > 0


def test_shuffled_and_duplicated(market: Undisturbed, tmp_path: Path) -> None:
    lines = market.file.read_bytes().splitlines(keepends=True)
    repeated = [*lines, *lines[::2], *lines[::7]]
    random.Random(3).shuffle(repeated)
    (tmp_path / "shuffled.jsonl").write_bytes(b"".join(repeated))
    summary = run(tmp_path / "shuffled.jsonl", data_dir=tmp_path / "data")
    assert summary["lines"] == len(repeated)
    assert summary["applied"] == market.summary["applied"]
    told = ("unattributed", "contacts", "accounts", "stages", "as_of")
    assert {name: summary[name] for name in told} == {name: market.summary[name] for name in told}
    found = views(tmp_path / "data")
    for name, rows in market.views.items():
        assert found[name] == rows, name
