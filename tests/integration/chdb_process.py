"""The embedded ClickHouse as a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Self


class ChdbServer:
    """`python -m streams.chdb_server` on a directory; `dsn` once it is ready."""

    def __init__(self, path: Path, port: int = 0) -> None:
        command = [sys.executable, "-m", "streams.chdb_server", "--path", str(path), "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        self.port = int(self.ready.split()[1]) if self.ready else 0
        self.dsn = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def stop(self) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it said on stderr."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.communicate(timeout=30)
