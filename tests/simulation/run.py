"""Many seeds, or one of them with its trace: `python -m tests.simulation.run --seeds 20000`.

`--seed N --trace` replays a seed that failed: the same input, the same effects in the same order.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from time import monotonic

from tests.simulation.simulate import SIMULATIONS, Outcome, attempted
from tests.simulation.world import BROKEN, RIGHT

AT_A_TIME = 50  # seeds that a process is given
SHOWN = 10  # problems of a seed


def main() -> int:
    """0 when every seed ended as the oracle says."""
    options = _options()
    if options.seed is not None:
        return _one(options)
    began = monotonic()
    failed = 0
    totals = [0, 0, 0]
    for done, outcome in enumerate(_outcomes(options), 1):
        for n, count in enumerate((outcome.crashes, outcome.moves, outcome.restarts)):
            totals[n] += count
        if outcome.problems:
            failed += 1
            print(f"seed {outcome.seed}: {outcome.problems[0]}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{done} of {options.seeds}, {failed} failed", end="", file=sys.stderr)
    seconds = monotonic() - began
    print(
        f"{options.topology}: {options.seeds} seeds from {options.first} on, {failed} failed; "
        f"{totals[0]} crashes, {totals[1]} moves, {totals[2]} broker restarts; "
        f"{options.seeds / seconds:.0f} seeds/s"
    )
    return 1 if failed else 0


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, help="only this one, with all its problems")
    parser.add_argument("--trace", action="store_true", help="with --seed: every effect")
    parser.add_argument("--topology", choices=SIMULATIONS, default="product", help="what is simulated")
    parser.add_argument(
        "--harsh",
        action="store_const",
        const="harsh",
        dest="topology",
        help="the product, with harsher input",
    )
    parser.add_argument("--broken", choices=BROKEN, help="a build that is broken on purpose")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser.parse_args()


def _one(options: Namespace) -> int:
    build = BROKEN[options.broken] if options.broken else RIGHT
    outcome = attempted(options.topology, options.seed, build, trace=options.trace)
    print("\n".join([*outcome.trace, *outcome.problems]) or "as the oracle says")
    return 1 if outcome.problems else 0


def _outcomes(options: Namespace) -> Iterator[Outcome]:
    seeds = iter(range(options.first, options.first + options.seeds))
    blocks = iter(lambda: list(islice(seeds, AT_A_TIME)), [])
    with ProcessPoolExecutor(options.jobs) as processes:
        running = [processes.submit(_block, options.topology, block, options.broken) for block in blocks]
        for future in running:
            yield from future.result()


def _block(topology: str, seeds: list[int], broken: str | None) -> list[Outcome]:
    build = BROKEN[broken] if broken else RIGHT
    return [attempted(topology, seed, build) for seed in seeds]


if __name__ == "__main__":
    sys.exit(main())
