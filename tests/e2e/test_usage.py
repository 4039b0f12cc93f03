"""Bad usage and bad surroundings: one clear line, the exit code says whose fault, nothing half-written."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from journeys_command import Started, ask, event, journeys, line, processes, run, until

ROOT = os.geteuid() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "one.jsonl"
    file.write_bytes(line(event(1)))
    return file


def check(done: subprocess.CompletedProcess[str], code: int, says: str) -> None:
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [told for told in done.stderr.splitlines() if told.startswith("Error: ") and says in told]
    usage = [told for told in done.stderr.splitlines() if not told.startswith("Error: ")]
    assert usage == [] or usage[0].startswith("Usage: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["absent.jsonl"], "absent.jsonl: No such file or directory"),
        (["one.jsonl", "absent.jsonl"], "absent.jsonl: No such file"),
        (["folder"], "folder: Is a directory"),
        ([], "Missing argument 'FILES...'"),
        (["one.jsonl", "--data-dir", "one.jsonl"], "'one.jsonl' is a file"),
        (["one.jsonl", "--as-of", "tomorrow"], "'tomorrow' is no time with an offset; write 2025"),
        (["one.jsonl", "--as-of", "2025-03-11T18:20:00"], "is no time with an offset"),
        (["one.jsonl", "--as-of", ""], "'' is no time"),
        (["one.jsonl", "--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage(file: Path, arguments: list[str], says: str) -> None:
    (file.parent / "folder").mkdir()
    before = sorted(file.parent.iterdir())
    check(journeys("run", *arguments, cwd=file.parent), 2, says)
    assert sorted(file.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTITIONS", "0"),
        ("PARTITIONS", "many"),
        ("BROKER", "nowhere"),
        ("LOG_LEVEL", "LOUD"),
        ("HASH_KEY", ""),
    ],
)
def test_a_bad_setting_names_itself(file: Path, name: str, value: str) -> None:
    done = journeys("run", file, "--data-dir", file.parent / "data", env={f"JOURNEYS_{name}": value})
    check(done, 2, f"JOURNEYS_{name}='{value}': ")
    assert not (file.parent / "data").exists()


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_file_that_cannot_be_read(file: Path) -> None:
    file.chmod(0)
    check(journeys("run", file, "--data-dir", file.parent / "data"), 2, "Permission denied")


def test_no_data_to_ask(tmp_path: Path) -> None:
    check(journeys("query", "SELECT 1", "--data-dir", tmp_path / "none"), 1, "there is no data in")
    check(journeys("dead-letters", "list", "--data-dir", tmp_path / "none"), 1, "there is no data in")
    assert list(tmp_path.iterdir()) == []


def test_validate_of_a_missing_file(tmp_path: Path) -> None:
    check(journeys("validate", tmp_path / "absent"), 2, "No such file")


@pytest.mark.embedded
def test_another_number_of_partitions(file: Path) -> None:
    data_dir = file.parent / "data"
    count = "SELECT count() AS n FROM v_touchpoints"
    assert journeys("run", file, "--data-dir", data_dir, env={"JOURNEYS_PARTITIONS": "2"}).returncode == 0
    more = file.with_name("two.jsonl")
    more.write_bytes(line(event(2)))
    check(
        journeys("run", more, "--data-dir", data_dir, env={"JOURNEYS_PARTITIONS": "3"}),
        1,
        "was made with 2 partitions, not 3: set JOURNEYS_PARTITIONS=2, or use another --data-dir",
    )
    check(journeys("run", more, "--data-dir", data_dir), 1, "was made with 2 partitions, not 8")
    assert ask(data_dir, count) == [[{"n": 1}]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MiB."""
    if not ROOT or shutil.which("mount") is None:
        pytest.skip("only root mounts")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", disk], check=False).returncode:
        pytest.skip("no right to mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves nothing free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


@pytest.mark.embedded
def test_a_full_disk_is_told_at_once(file: Path, small_disk: Path) -> None:
    fill(small_disk)
    data_dir = small_disk / "data"
    check(journeys("run", file, "--data-dir", data_dir), 1, f"the disk of {data_dir} is full")


@pytest.mark.embedded
def test_a_disk_that_becomes_full(small_disk: Path) -> None:
    data_dir = small_disk / "data"
    lines = [line(event(n, content={"url": f"https://acme.nl/{n}"})) for n in range(4_000)]
    with Started(data_dir) as started:
        started.feed(lines[0])
        until(started.touchpoints)
        filler = fill(small_disk)
        started.feed(b"".join(lines))
        started.stdin.close()
        started.process.stdin = None
        code, out, err = started.end(60)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "disk is full" in err
    assert err.count("\n") == 1
    until(lambda: not processes(data_dir), 5)
    filler.unlink()
    (small_disk / "lines.jsonl").write_bytes(b"".join(lines))
    summary = run(small_disk / "lines.jsonl", data_dir=data_dir)
    assert summary["applied"] + summary["duplicates"] == summary["lines"] == 4_000
    counts = (
        "SELECT (SELECT count() FROM v_touchpoints) AS n, (SELECT sum(touches) FROM v_contacts) AS touches"
    )
    assert ask(data_dir, counts) == [[{"n": 4_000, "touches": 4_000}]]
