"""One Apache Kafka node (KRaft) for tests: from Maven artifacts, on loopback, in a temp folder."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from string import Template

from kafka import KafkaAdminClient

from streams.children import Child
from streams.embedded import knows_topics

HERE = Path(__file__).parent
FETCH_SECONDS = 600.0  # 46 MB, usually 10
START_SECONDS = 90.0  # usually 3
STOP_SECONDS = 30.0  # usually 1
HEAP = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class UnavailableError(Exception):
    """Apache Kafka cannot be had on this machine; the message says why."""


def libraries() -> Path:
    """The folder with Kafka's jars; fetched with Maven once for each version of the pom."""
    pom = HERE / "pom.xml"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dmu-journeys"
    folder = cache / f"apache-kafka-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("there is no Maven (`mvn`) to fetch it with")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        shutil.copy(pom, temporary)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        try:
            done = subprocess.run(
                command, cwd=temporary, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"Maven did not fetch it within {FETCH_SECONDS:g} s") from None
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
            raise UnavailableError(f"Maven could not fetch it: {lines[0] if lines else done.stderr[-500:]}")
        try:
            Path(temporary, "libs").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test run was faster
                raise
    return folder


class ApacheKafka:
    """A node in `folder`. It keeps its data and its port over stop, kill and start."""

    def __init__(self, folder: Path) -> None:
        java = shutil.which("java")
        if java is None:
            raise UnavailableError("there is no Java (`java`) to run it with")
        self._java = [java, "-cp", f"{libraries()}/*"]
        self._port, controller_port = _free_ports(2)
        self.broker = f"127.0.0.1:{self._port}"
        self._properties = folder / "server.properties"
        template = Template((HERE / "server.properties").read_text())
        self._properties.write_text(
            template.substitute(PORT=self._port, CONTROLLER_PORT=controller_port, DATA=folder / "data")
        )
        self._format()
        log4j = f"-Dlog4j.configuration=file:{HERE / 'log4j.properties'}"
        command = [self._java[0], *HEAP, *self._java[1:], log4j, "kafka.Kafka", str(self._properties)]
        self._node = Child("Apache Kafka", command, folder / "kafka.log")

    def start(self) -> None:
        """Start it, unless it runs; returns when it answers."""
        if not self._node.alive:
            self._node.start()
            self._node.wait_until(partial(knows_topics, self._port), START_SECONDS)

    def stop(self) -> None:
        """Stop it in good order."""
        self._node.stop(STOP_SECONDS)

    def kill(self) -> None:
        """`kill -9`."""
        self._node.kill()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def empty(self) -> None:
        """Delete every topic."""
        admin = KafkaAdminClient(bootstrap_servers=self.broker)
        try:
            old = [name for name in admin.list_topics() if not name.startswith("__")]
            if old:
                admin.delete_topics(old)
            deadline = time.monotonic() + START_SECONDS
            while set(old) & set(admin.list_topics()):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"topics were not deleted: {old}")
                time.sleep(0.05)
        finally:
            admin.close()

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._properties)]
        subprocess.run([*self._java, *tool], check=True, capture_output=True, timeout=START_SECONDS)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
