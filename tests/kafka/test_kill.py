"""Nothing is lost, nothing counts twice, nothing stands still: workers killed, scaled and cut off under load.

Each run is compared, row for row, with an undisturbed run of the same input.
"""

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_kafka import ApacheKafka
from found import Found
from harness import WORKER, Chaos, Database, Feeder, World, ended, undisturbed

from schemas.times import from_rfc3339, rfc3339
from streams.market.market import Market

pytestmark = pytest.mark.kafka

REQUEST = re.compile(rb'^\{.*"type":"(?:demo|quote|call)_requested".*\}$')
DOMAIN = re.compile(rb'"email":"[^"@]+@([^"]+)"')
DAY = re.compile(rb'"occurred_at":"([^"]+)"')


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path)
    database.start()
    yield database
    database.kill()


@pytest.fixture
def world(apache: ApacheKafka, database: Database, tmp_path: Path) -> Callable[..., World]:
    """`world(name)`: a deployment with its own topics and database; the topics of the one before are gone."""

    def make(name: str, **options: Any) -> World:
        return World(apache, database, tmp_path, name, **options)

    return make


def market(touchpoints: int, seed: int) -> tuple[list[bytes], list[str]]:
    """Its lines, and the identifiers of which nothing is to be left."""
    one = Market(touchpoints, seed)
    return list(answered(one.lines(), random.Random(seed))), one.truth().gone


def answered(lines: Iterable[bytes], rng: random.Random) -> Iterator[bytes]:
    """The lines, and what sales says of the leads of firms: soon after a request, or before it has come."""
    for number, line in enumerate(lines):
        asked = REQUEST.search(line)
        if asked is None or rng.random() < 0.3:
            yield line
            continue
        domain, day = DOMAIN.search(line), DAY.search(line)
        said = []
        for n in range(rng.randint(1, 3)) if domain and day else ():
            told = {
                "event_id": f"lead-{number}-{n}",
                "tenant": json.loads(line).get("tenant", "default"),
                "occurred_at": rfc3339(from_rfc3339(day[1].decode()) + rng.randint(1, 40) * 43_200_000),
                "outcome": rng.choice(("accepted", "working", "won", "lost", "rejected", "recycled")),
                "account": {"domain": domain[1].decode()},
            }
            said.append(json.dumps({"topic": "lead-outcomes", "message": told}).encode())
        early = rng.randint(0, len(said))
        yield from (*said[:early], line, *said[early:])


def disturbed(
    world: World, lines: list[bytes], rate: float, disturb: Callable[[Chaos], None], seed: int
) -> Found:
    """Feed the lines while `disturb` does its work; what is found once the world is drained."""
    with ended(world):
        world.start(0)
        world.start(1)
        world.until_ready()
        feeder = Feeder(world.apache.broker, lines, rate)
        feeder.start()
        disturb(Chaos(world, random.Random(seed)))
        world.note(f"disturbed; {feeder.fed} of {len(lines)} fed")
        feeder.wait()
        world.note("fed")
        took = world.until_drained()
        world.note(f"drained after another {took:.1f} s")
        found = world.found()
        for number in list(world.workers):
            world.stop(number)
        return found


def report(world: World, found: Found) -> None:
    print(*world.notes, sep="\n")
    print({view: len(rows) for view, rows in found.views.items()})
    print("erased", len(found.suppressed), "events,", len(found.refused), "refused when they came later")
    print("records", dict(found.sent.records), "repeats", dict(found.sent.repeats))


def check(world: World, found: Found, reference: Found) -> None:
    report(world, found)
    assert found.differences(reference) == []
    assert found.broken_promises() == []


def test_kills_and_scaling(world: Callable[..., World]) -> None:
    """20,000 touchpoints, 5 kills of 2 workers, a third that comes and goes, one that wakes up again."""
    lines, gone = market(20_000, seed=11)
    reference = undisturbed(world("reference", gone=gone), lines)
    assert reference.broken_promises() == []

    def disturb(chaos: Chaos) -> None:
        chaos.kills(3, (0, 1), between=(2, 5))
        chaos.scale((3, 2), pause=5)
        chaos.freezes(1, (0, 1), seconds=(3, 4))
        chaos.kills(2, (0, 1), between=(2, 5))

    killed = world("killed", gone=gone)
    check(killed, disturbed(killed, lines, 450, disturb, seed=1), reference)


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_everything_at_once(world: Callable[..., World]) -> None:
    """100,000 touchpoints, 30 kills, 1 to 3 workers and back, a broker restart, ClickHouse gone for 30 s."""
    lines, gone = market(100_000, seed=12)
    reference = undisturbed(world("reference", gone=gone), lines)
    assert reference.broken_promises() == []

    def disturb(chaos: Chaos) -> None:
        chaos.kills(10, (0, 1), between=(1, 6))
        chaos.scale((1, 2, 3, 2, 1, 2), pause=8)
        chaos.freezes(3, (0, 1), seconds=(3, 8))
        chaos.kills(10, (0, 1), between=(1, 6))
        chaos.restart_broker()
        chaos.kills(2, (0, 1), between=(1, 6))
        chaos.clickhouse_gone(30)
        chaos.kills(8, (0, 1), between=(1, 6))

    killed = world("killed", gone=gone)
    check(killed, disturbed(killed, lines, 350, disturb, seed=2), reference)


def killed_in_between(chaos: Chaos) -> None:
    chaos.kills(5, (0, 1), between=(1, 4))


def blacked_out(chaos: Chaos) -> None:
    chaos.blackouts(8, between=(5, 7))


def handed_over(chaos: Chaos) -> None:
    chaos.handovers(4)


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "pause", "disturb"),
    [
        ("nothing", "0.4", killed_in_between),
        ("nothing", "1", blacked_out),
        ("nothing", "2", handed_over),
        ("outputs-first", "1", blacked_out),
        ("commit-first", "0.4", killed_in_between),
        ("work-after-close", "2", handed_over),
    ],
)
def test_a_broken_build_is_noticed(
    world: Callable[..., World], what: str, pause: str, disturb: Callable[[Chaos], None]
) -> None:
    """What tests/kafka/broken.py breaks makes a difference; the same pauses without a break make none."""
    lines, gone = market(4_000, seed=7)
    reference = undisturbed(world("reference", gone=gone), lines)
    broken = world(
        "broken",
        gone=gone,
        command=(sys.executable, str(Path(__file__).with_name("broken.py"))),
        extra={"JOURNEYS_TEST_BREAK": what, "JOURNEYS_TEST_PAUSE": pause},
    )
    with ended(broken):
        broken.start(0)
        broken.start(1)
        broken.until_ready()
        feeder = Feeder(broken.apache.broker, lines, rate=100)
        feeder.start()
        disturb(Chaos(broken, random.Random(3)))
        feeder.wait()
        broken.end()
        broken.command = WORKER  # sound workers end the work: what is wrong then stays wrong
        broken.start(0)
        broken.until_drained()
        found = broken.found()
    report(broken, found)
    differences = found.differences(reference) + found.broken_promises()
    print(len(differences), "differences")
    assert (differences == []) == (what == "nothing"), differences[:5]


def test_a_worker_ends_in_time_whatever_hangs(
    world: Callable[..., World], apache: ApacheKafka, database: Database
) -> None:
    """SIGTERM ends a worker within 10 s: under load, while ClickHouse hangs, while there is no Kafka."""
    stopped = world("stopped")
    with ended(stopped):
        for number in range(3):
            stopped.start(number)
        stopped.until_ready()
        feeder = Feeder(apache.broker, list(Market(6_000, seed=13).lines()), rate=1_000)
        feeder.start()
        while feeder.fed < 2_000:
            time.sleep(0.1)
        stopped.stop(0)
        with database.frozen():
            time.sleep(4)
            stopped.stop(1)
        feeder.wait()
        apache.kill()
        time.sleep(1)
        stopped.stop(2)
    print(*stopped.notes, sep="\n")
