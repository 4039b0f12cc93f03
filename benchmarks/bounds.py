"""`python -m benchmarks.bounds [pure|pipeline] [--quick] [--write]`: what extremes cost."""

import gc
import json
from collections.abc import Callable, Iterator, Sequence

import click
from rich.console import Console

from benchmarks import flow, report
from benchmarks.chain import BATCH, Chain, Cost
from benchmarks.report import Figures
from schemas.times import rfc3339
from streams.worker import GC_THRESHOLD

BEGIN_MS = 1_735_689_600_000  # 2025-01-01
MB = 1 << 20
LINK_US = 50.0  # a link costs at most, in ordinary components


def touch(number: int, *, type_: str = "page_viewed", source: str = "web", **identifiers: str) -> bytes:
    """A touchpoint at second `number`."""
    event = {
        "event_id": str(number),
        "type": type_,
        "occurred_at": rfc3339(BEGIN_MS + number * 1_000),
        "source": source,
        "identifiers": identifiers,
    }
    return json.dumps(event).encode()


def people(count: int, firms: int, first: int = 0) -> Iterator[bytes]:
    """Registrations of so many people at so many firms: one link each, between two new identifiers."""
    for n in range(count):
        yield touch(first + n, type_="account_registered", user_id=f"u-{n}", email=f"p{n}@firm{n % firms}.nl")


def visits(count: int, people: int, firms: int, first: int) -> Iterator[bytes]:
    """Further touches of these people, with both identifiers."""
    for n in range(count):
        one = n * 7_919 % people
        yield touch(first + n, user_id=f"u-{one}", email=f"p{one}@firm{one % firms}.nl")


def chained(count: int, first: int = 0) -> Iterator[bytes]:
    """Links that make one raw component: log-in 0, address 0, log-in 1, address 1, …"""
    for n in range(first, first + count):
        yield touch(n, user_id=f"chain-{n // 2}", email=f"chain{(n + 1) // 2}@gmail.com")


def junk(count: int, first: int) -> Iterator[bytes]:
    """A bot: one log-in with ever other addresses."""
    for n in range(first, first + count):
        yield touch(n, user_id="bot", email=f"junk{n}@gmail.com")


def micro(seconds: float, count: int) -> str:
    """Microseconds each."""
    return f"{seconds / count * 1e6:,.0f}" if count else "–"


def row(name: str, what: str, count: int, cost: Cost) -> list[str]:
    """A line of the table: CPU of a step for `count` things."""
    return [
        name,
        what,
        f"{count:,}",
        f"{cost.cpu:,.2f}",
        micro(cost.cpu, count),
        f"{cost.longest * 1e3:,.0f}",
        f"{cost.largest_row:,}",
        f"{cost.largest_output:,}",
    ]


Lines = list[list[str]]  # of the table


def ordinary(part: int) -> Lines:
    """Links of ordinary people, and touches that bring none."""
    chain, count, firms = Chain(), 20_000 // part, 4_000 // part
    chain.feed(people(count, firms))
    rows = [row("link of two new identifiers", "IDENTITY", count, chain.cost("identity"))]
    chain.reset()
    chain.feed(visits(count, count, firms, count))
    statements = chain.cost("identity").records
    name = f"touches without a new link: {statements} statements"
    rows.append(row(name, "IDENTITY", count, chain.cost("identity")))
    chain = Chain()
    chain.feed(touch(n, user_id=f"u-{n}") for n in range(count))
    chain.feed(touch(count + n, email=f"p{n}@firm{n % firms}.nl") for n in range(count))
    chain.reset()
    chain.feed(people(count, firms, 2 * count))
    rows.append(row("link of two known identifiers", "IDENTITY", count, chain.cost("identity")))
    return rows


def component(part: int) -> Lines:
    """One raw component; then one more link in it, others beside it, and reading it back."""
    chain, count, others = Chain(), 50_000 // part, 5_000 // part
    chain.feed(people(others, others))
    chain.reset()
    chain.feed(chained(count))
    rows = [
        row(f"component of {count:,} links", "IDENTITY", count, chain.cost("identity")),
        row("", "FRAGMENTS", count, chain.cost("fragments")),
    ]
    chain.reset()
    chain.feed(chained(10, count), at_once=1)
    rows.append(row("one more link there, a batch each", "IDENTITY", 10, chain.cost("identity")))
    chain.reset()
    chain.feed(people(others + 100, others + 100), at_once=others + 100)
    rows.append(row("links of others beside it", "IDENTITY", 100, chain.cost("identity")))
    took = Cost(cpu=chain.recovered("identity"))
    rows.append(row(f"its {chain.state_bytes('identity'):,} bytes back", "IDENTITY", count, took))
    return rows


def bot(part: int) -> Lines:
    """Junk links at one identifier."""
    chain, count = Chain(), 10_000 // part
    chain.feed(junk(count, 0))
    return [
        row(f"bot with {count:,} junk links", "IDENTITY", count, chain.cost("identity")),
        row("", "FRAGMENTS", count, chain.cost("fragments")),
    ]


def busy_device(part: int) -> Lines:
    """One anonymous id with very many touches."""
    chain, count = Chain(), 100_000 // part
    chain.feed([touch(0, type_="form_submitted", email="p0@firm0.nl", anonymous_id="c-1")])
    chain.settle()
    chain.reset()
    chain.feed(touch(n * 300, anonymous_id="c-1") for n in range(1, count))  # over a year
    chain.settle()
    rows = _of_steps(f"anonymous id with {count:,} touches", chain, count)
    chain.reset()
    chain.feed((touch((count + n) * 300, anonymous_id="c-1") for n in range(100)), at_once=1)
    chain.settle()
    return rows + _of_steps("one more touch there, a batch each", chain, 100)


def large_account(part: int) -> Lines:
    """An account with very many identifiers."""
    chain, count = Chain(), 2_500 // part
    chain.feed(people(count, 1))
    chain.settle()
    rows = _of_steps(f"account with {2 * count:,} identifiers", chain, 2 * count)
    chain.reset()
    for n in range(10):
        chain.feed(visits(1, count, 1, 2 * count + n))
        chain.settle()
    return rows + _of_steps("one more touch there, told each", chain, 10)


def _of_steps(name: str, chain: Chain, count: int) -> Lines:
    steps = ("fragments", "identity", "journeys")
    return [
        row("" if number else name, step.upper(), count, chain.cost(step))
        for number, step in enumerate(steps)
    ]


EXTREMES: dict[str, Callable[[int], Lines]] = {
    "ordinary": ordinary,
    "component": component,
    "bot": bot,
    "device": busy_device,
    "account": large_account,
}


def pure_figures(quick: bool) -> Figures:
    """The steps by themselves, in CPU time."""
    gc.set_threshold(GC_THRESHOLD, 10, 10)  # as workers have it
    rows = [line for extreme in EXTREMES.values() for line in extreme(10 if quick else 1)]
    columns = ["extreme", "step", "of", "CPU s", "µs each", "longest batch, ms", "largest row", "output"]
    remark = (
        f"Batches of up to {BATCH:,}; rows and outputs in bytes. "
        f"Aim: a link costs at most {LINK_US:g} µs in ordinary components."
    )
    return [("The pure steps", columns, rows, remark)]


def extremes(part: int) -> Iterator[bytes]:
    """All extremes at once, mixed: one tenant's component, bot, device and account."""
    count = 50_000 // part
    rest = zip(
        chained(count),
        (touch(2 * 10**7 + n * 300, anonymous_id="c-1") for n in range(count)),
        (touch(2 * 10**7 + n * 300 + 150, anonymous_id="c-1") for n in range(count)),
        strict=True,
    )
    bots, members = junk(count // 5, 10**7), people(count // 20, 1, 15 * 10**6)
    for number, lines in enumerate(rest):
        yield from (heavy(line) for line in lines)
        if number % 5 == 0:
            yield heavy(next(bots))
        if number % 20 == 0:
            yield heavy(next(members))


def heavy(line: bytes) -> bytes:
    """The line as one of the tenant that has the extremes."""
    return b'{"tenant":"heavy",' + line[1:]


def pipeline_figures(quick: bool) -> Figures:
    """All extremes at once through a live worker, with touches of others meanwhile."""
    found = flow.measure(list(extremes(10 if quick else 1)))
    rows = []
    phases = {
        "quiet": "before",
        "meanwhile": "while extremes come",
        "killed": "the worker is killed",
        "after": "while more come",
    }
    for phase, when in phases.items():
        for tenant in flow.TENANTS:
            middle, longest = found.latency(phase, tenant)
            probes = len(found.latencies.get((phase, tenant), []))
            name = "the same" if tenant == "heavy" else "another"
            rows.append([f"{when}, {name} tenant", f"{probes}", f"{middle:.2f}", f"{longest:.2f}"])
    largest = ", ".join(f"{topic} {size:,}" for topic, size in sorted(found.largest.items()))
    remark = (
        f"{found.lines:,} touchpoints, {flow.RATE:,} a second, on {found.broker}; one worker, killed half-"
        f"way, and one after it. The first answer came {found.recovered:.1f} s after the kill, all was done "
        f"{found.drained:.0f} s after the first line, with {found.restarts} restarts unasked and at most "
        f"{found.peak / MB:,.0f} MB. Largest records in bytes: {largest}."
    )
    columns = ["a touch of somebody else", "probes", "median, s", "longest, s"]
    return [("All extremes at once: from a touch to its map row", columns, rows, remark)]


PARTS: dict[str, Callable[[bool], Figures]] = {"pure": pure_figures, "pipeline": pipeline_figures}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="Smaller extremes: to see that it runs.")
@click.option("--write", "writes", is_flag=True, help="Write the figures into docs/quality.md.")
def main(parts: Sequence[str], quick: bool, writes: bool) -> None:
    """Measure PARTS (all of them): time, memory and the largest records."""
    console = Console(width=None if Console().is_terminal else 150)
    report.measure(parts, PARTS, console, "quality.md", quick=quick, writes=writes)


if __name__ == "__main__":
    main()
