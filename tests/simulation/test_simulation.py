"""The whole topology under crashes, moves, zombies, cuts, repetition and brokers that forget.

A seed that fails is replayed with `python -m tests.simulation.run --seed N --trace` (docs/simulation.md).
"""

import pytest

from tests.simulation.simulate import attempted
from tests.simulation.world import BROKEN, Build

BLOCK = 50  # seeds per test: 500 in all, and 100 of the harsh input
ENOUGH = 600  # seeds within which every broken build is caught


@pytest.mark.parametrize("first", range(0, 500, BLOCK))
def test_the_end_is_what_the_naive_oracle_says(first: int) -> None:
    failed = {
        seed: o.problems for seed in range(first, first + BLOCK) if (o := attempted("product", seed)).problems
    }
    assert not failed, f"replay with: python -m tests.simulation.run --trace --seed {min(failed)}\n{failed}"


@pytest.mark.parametrize("first", [0, 250])
def test_the_same_of_few_people_who_share_devices_and_are_forgotten(first: int) -> None:
    failed = {
        seed: o.problems for seed in range(first, first + BLOCK) if (o := attempted("harsh", seed)).problems
    }
    assert not failed, (
        f"replay with: python -m tests.simulation.run --harsh --trace --seed {min(failed)}\n{failed}"
    )


def test_the_harness_itself_on_a_small_chain() -> None:
    failed = {seed: o.problems for seed in range(300) if (o := attempted("chain", seed)).problems}
    assert not failed, (
        f"replay with: python -m tests.simulation.run --topology chain --trace --seed {min(failed)}"
    )


@pytest.mark.parametrize("build", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_build_is_caught(build: Build) -> None:
    assert any(attempted("product", seed, build).problems for seed in range(ENOUGH))


def test_a_broken_build_of_the_small_chain_is_caught() -> None:
    for name in (
        "outputs before the state is safe",
        "commit ahead of the outputs",
        "a session's work counts after it closed",
    ):
        assert any(attempted("chain", seed, BROKEN[name]).problems for seed in range(ENOUGH)), name


def test_a_seed_replays() -> None:
    for seed in range(3):
        one, other = (attempted("product", seed, trace=True) for _ in range(2))
        assert one.trace == other.trace
        assert len(one.trace) > 100


def test_much_happens() -> None:
    outcomes = [attempted("product", seed) for seed in range(30)]
    assert sum(o.crashes for o in outcomes) > 100
    assert sum(o.moves for o in outcomes) > 100
    assert sum(o.restarts for o in outcomes) > 5
