"""The README's example is what really comes out."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def example() -> list[tuple[str, str]]:
    """(command, what stands below it) of the first console block."""
    (block,) = re.findall(r"```console\n(.*?)```", README.read_text(), re.S)[:1]
    pairs = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.M)
    return [(command, output) for command, output in pairs]


@pytest.mark.embedded
def test_the_example_of_the_readme(tmp_path):
    checked = 0
    for command, output in example():
        words = shlex.split(command)
        if words[0] == "cat":
            (tmp_path / words[1]).write_text(output)
        elif words[0] == "journeys":
            done = subprocess.run(
                [sys.executable, "-m", "streams.cli", *words[1:]],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
            if output:
                assert done.stdout == output
                checked += 1
    assert checked == 2


@pytest.mark.parametrize(
    "page", [README, *sorted((README.parent / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(page):
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]*)", text)
    assert [link for link in links if link and not (page.parent / link).exists()] == []
    assert "TODO" not in text
