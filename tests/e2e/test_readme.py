"""What the README shows is what really comes out."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import main

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[tuple[str, str]]:
    """(command, what stands below it) of the console blocks, in order."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(), re.S)
    return [pair for block in blocks for pair in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.M)]


def timeless(text: str) -> str:
    """The text without the times at which commands were given: all others are of 2024 and 2025.

    And without the version of the definition: every change of a rule gives another one.
    """
    text = re.sub(r"\b(?!2024|2025)\d{4}-\d\d-\d\dT[\d:.]+Z", "now", text)
    return re.sub(r"definition \w{12} → \w{12};", "definition was → now;", text)


@pytest.mark.embedded
def test_the_examples_of_the_readme(tmp_path):
    checked = 0
    for command, output in examples():
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
                assert timeless(done.stdout) == timeless(output), command
                checked += 1
    assert checked == 11


def test_there_are_the_commands_that_the_readme_lists():
    [table] = re.findall(r"^## Commands\n(.*?)^Settings", README.read_text(), re.S | re.M)
    listed = re.findall(r"`(?:journeys )?([a-z-]+)[^`]*`", table)
    assert "cannot-link" in listed
    assert set(listed) == set(main.commands)


@pytest.mark.parametrize(
    "page", [README, *sorted((README.parent / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(page):
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]*)", text)
    assert [link for link in links if link and not (page.parent / link).exists()] == []
    assert "TODO" not in text
