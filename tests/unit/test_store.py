"""What the embedded stack keeps on disk: rows that outlive `kill -9`, epochs, facts; works on topics."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from aiokafka import TopicPartition

from streams.core import Output
from streams.producer import Sender
from streams.session import pack_version
from streams.store import Disk, DiskLog, KafkaLog, Reader

A, B = bytes(16), bytes(15) + b"\1"  # keys


async def test_of_each_key_the_last_row_is_read_back(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    await disk.append("fragments", 0, [(A, b"1"), (B, b"2")])
    await disk.append("fragments", 0, [(A, b"3")])
    disk.close()
    disk = Disk(tmp_path / "state")
    assert dict(await disk.read("fragments", 0)) == {A: b"3", B: b"2"}
    disk.close()


async def test_steps_and_partitions_do_not_mix(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    for step, partition, value in (("fragments", 0, b"1"), ("fragments", 1, b"2"), ("journeys", 0, b"3")):
        await disk.append(step, partition, [(A, value)])
        assert await disk.claim(step, partition) == 1
    assert await disk.claim("fragments", 0) == 2
    assert await disk.read("fragments", 0) == [(A, b"1")]
    assert await disk.read("fragments", 1) == [(A, b"2")]
    assert await disk.read("journeys", 0) == [(A, b"3")]
    assert await disk.read("journeys", 1) == []
    disk.close()


async def test_the_rows_of_one_append_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    await disk.append("fragments", 0, [(A, b"1")])
    with pytest.raises(Exception, match="not supported"):
        await disk.append("fragments", 0, [(A, b"2"), (B, object())])  # type: ignore[list-item]
    assert await disk.read("fragments", 0) == [(A, b"1")]
    await disk.append("fragments", 0, [(B, b"3")])  # and the file is as good as before
    assert dict(await disk.read("fragments", 0)) == {A: b"1", B: b"3"}
    disk.close()


async def test_sessions_that_begin_while_others_write(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")

    async def session(partition: int) -> tuple[list[int], list[tuple[bytes, bytes]]]:
        epochs = []
        for n in range(20):
            epochs.append(await disk.claim("journeys", partition))
            await disk.append("journeys", partition, [(bytes([m]) * 16, bytes([n])) for m in range(50)])
            assert len(await disk.read("journeys", partition)) == 50
        return epochs, await disk.read("journeys", partition)

    for epochs, rows in await asyncio.gather(*(session(partition) for partition in range(8))):
        assert epochs == list(range(1, 21))
        assert {value for _, value in rows} == {bytes([19])}
    disk.close()


def contents(folder: Path) -> list[bytes]:
    found = [file.read_bytes() for file in folder.iterdir()]
    assert found
    return found


async def test_what_was_overwritten_is_on_the_disk_no_longer(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    long = b"jane@acme.nl" * 1_000
    await disk.append("fragments", 0, [(A, long), (B, b"x" + long)])
    await disk.append("fragments", 0, [(A, b"jane@acme.nl and others")])
    await disk.append("fragments", 0, [(A, b"erased"), (B, b"")])
    disk.close()
    assert not any(b"jane@acme" in content for content in contents(tmp_path))


async def test_facts(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    assert disk.fact("clock") is None
    disk.set_fact("clock", 1_741_717_200_000)
    disk.set_fact("drained", 3)
    disk.set_fact("clock", 1_741_717_200_001)
    disk.close()
    disk = Disk(tmp_path / "state")
    assert (disk.fact("clock"), disk.fact("drained")) == (1_741_717_200_001, 3)
    disk.close()


async def test_a_log_claims_reads_and_appends_its_own(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    log, other = DiskLog(disk, "journeys", 4), DiskLog(disk, "journeys", 5)
    assert [await log.claim(1), await log.claim(2), await other.claim(7)] == [1, 2, 1]
    await log.append([(A, b"1")])
    assert list(await log.read()) == [(A, b"1")]
    assert list(await other.read()) == []
    assert await log.foreign() == []
    disk.close()


def test_what_was_said_since_the_last_good_end_is_said_again(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    assert DiskLog(disk, "journeys", 0).drained == pack_version(0, 0, 0)  # never: all of it
    disk.set_fact("drained", 3)
    drained = DiskLog(disk, "journeys", 0).drained
    assert drained is not None
    assert pack_version(3, 2**60, 2**60) < drained < pack_version(4, 0, 1)
    disk.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from streams.store import Disk

async def main():
    disk = Disk(Path(sys.argv[1]))
    n = 0
    while True:
        n += 1
        value = n.to_bytes(8, "big")
        await disk.append("fragments", 0, [(bytes([m]) * 16, value) for m in range(100)])
        print(n, flush=True)

asyncio.run(main())
"""


def started_writer(tmp_path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "state")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for least in (1, 40):
        writer = started_writer(tmp_path)
        with writer:
            assert writer.stdout is not None
            acknowledged = 0
            while acknowledged < least:
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout.read().split():
                acknowledged = int(line)
        disk = Disk(tmp_path / "state")
        kept = {int.from_bytes(value, "big") for _, value in await disk.read("fragments", 0)}
        assert len(kept) == 1  # of the last append all rows or none
        assert kept <= {acknowledged, acknowledged + 1}
        disk.close()


class Told:
    """A sender that tells what it was given, send by send."""

    def __init__(self) -> None:
        self.sent: list[list[bytes | None]] = []
        self.end = 0

    async def send(self, outputs: Sequence[Output]) -> dict[TopicPartition, int]:
        self.sent.append([output.key for output in outputs])
        self.end += len(outputs)
        return {TopicPartition("log", 0): self.end}


@pytest.mark.parametrize(
    ("size", "sends"), [(10, [[b"1", b"2", b"mark"]]), (200_000, [[b"1", b"2"], [b"mark"]])]
)
async def test_a_mark_waits_for_rows_that_do_not_fit_in_one_batch(
    size: int, sends: list[list[bytes]]
) -> None:
    told = Told()
    log = KafkaLog("log", 0, cast(Sender, told), Reader("127.0.0.1:1"))
    await log.append([(b"1", bytes(size)), (b"2", bytes(size)), (b"mark", b"")])
    assert told.sent == sends
