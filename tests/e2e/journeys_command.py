"""The real command `journeys`, as people use it, and what can be seen of it from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from streams.clickhouse import query
from streams.embedded import attach, running

JOURNEYS = str(Path(sys.executable).with_name("journeys"))
SECONDS = 120  # for one command, on a busy machine

Rows = list[dict[str, Any]]

# Every view, in an order that does not depend on how the data came in. When an event was told depends on
# arrival and is left out; an event that a later one corrects has been superseded, and one that was taken back
# says nothing: what remains is the fold of the events.
VIEWS = {
    "touchpoints": "SELECT * FROM v_touchpoints ORDER BY tenant, source, event_id",
    "contacts": "SELECT * FROM v_contacts ORDER BY tenant, contact_id",
    "members": "SELECT * FROM v_members ORDER BY tenant, account_id, contact_id, valid_from",
    "accounts": "SELECT * FROM v_accounts ORDER BY tenant, account_id",
    "journeys": "SELECT * FROM v_journeys ORDER BY tenant, journey_id",
    "transitions": "SELECT * FROM v_stage_transitions ORDER BY tenant, journey_id, occurred_at, to_stage",
    "events": (
        "SELECT tenant, account_id, kind, natural_key, contact_id, occurred_at, caused_by"
        " FROM v_journey_events"
        " WHERE NOT retracted AND (tenant, id) NOT IN"
        " (SELECT tenant, corrects FROM v_journey_events WHERE corrects != '')"
        " ORDER BY ALL"
    ),
    "dead letters": (
        "SELECT DISTINCT reason, field, error, hex(original) AS original, size"
        " FROM v_dead_letters ORDER BY ALL"
    ),
}


def environment(**changes: str) -> dict[str, str]:
    """The environment without settings of ours, but for `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JOURNEYS_")}
    return kept | changes


def journeys(
    *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    done = subprocess.run(
        [JOURNEYS, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(**(env or {})),
        cwd=cwd,
        timeout=SECONDS,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run(
    *files: Path | str, data_dir: Path, stdin: bytes = b"", options: Iterable[str] = ()
) -> dict[str, Any]:
    """`journeys run --json`: the summary."""
    done = journeys("run", *files, "--data-dir", data_dir, "--json", *options, stdin=stdin)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def ask(data_dir: Path, *questions: str) -> list[Rows]:
    """The answers of the data directory's ClickHouse."""
    with attach(data_dir) as dsn:
        return [json.loads(query(dsn, sql, "json")) for sql in questions]


def views(data_dir: Path) -> dict[str, Rows]:
    """All views."""
    return dict(zip(VIEWS, ask(data_dir, *VIEWS.values()), strict=True))


def event(number: int, at: str = "2025-02-03T08:12:04Z", **fields: Any) -> dict[str, Any]:
    """A touchpoint that is accepted."""
    return {
        "event_id": f"e-{number}",
        "type": "page_viewed",
        "occurred_at": at,
        "source": "web",
        "identifiers": {"email": f"p{number % 5}@firm{number % 2}.nl"},
    } | fields


def line(of: Mapping[str, Any]) -> bytes:
    """An event as a line, with its end."""
    return json.dumps(of, ensure_ascii=False).encode() + b"\n"


def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something; returns what `holds` said."""
    deadline = time.monotonic() + seconds
    while not (said := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return said


def opened(process: Path) -> set[str]:
    """The files that a process (a folder of `/proc`) has open; one may be closed while we look."""
    files = set()
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            files.add(os.readlink(descriptor))
    return files


def processes(data_dir: Path) -> dict[int, str]:
    """Every process that has a file in the data directory open (its log, the lock), and its command."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = opened(process)
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(file.startswith(f"{data_dir}/") for file in files):
            found[int(process.name)] = command
    return found


@dataclass
class Started:
    """A run that reads its lines from a pipe, in a process group of its own, as from a shell."""

    data_dir: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> "Started":
        self.process = subprocess.Popen(
            [JOURNEYS, "run", "-", "--json", "--data-dir", str(self.data_dir), *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def stdin(self) -> IO[bytes]:
        """Where lines go in."""
        assert self.process.stdin is not None
        return self.process.stdin

    def feed(self, lines: bytes) -> None:
        """Give it lines."""
        self.stdin.write(lines)
        self.stdin.flush()

    def touchpoints(self) -> int:
        """How many touchpoints ClickHouse has now; 0 before it is up."""
        found = running(self.data_dir)
        if found is None or found.clickhouse is None:
            return 0
        try:
            return int(
                json.loads(query(found.clickhouse, "SELECT count() AS n FROM v_touchpoints", "json"))[0]["n"]
            )
        except Exception:
            return 0  # not migrated yet

    def end(self, seconds: float) -> tuple[int, str, str]:
        """Its exit code, stdout and stderr once it has ended, which must be soon."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out.decode(), err.decode()
