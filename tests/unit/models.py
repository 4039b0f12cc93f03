"""Profiles of accounts of a few kinds, as a market has them, and River's checks for our models."""

import math
import random
import sys
import types

FEATURES = {"orders": "log", "days_since": "log", "breadth": "linear"}
KINDS = ((1, 300, 0.1), (6, 40, 0.5), (40, 5, 0.9))  # orders, days since the last, share of the families


def profile(kind: int, rng: random.Random) -> dict[str, float]:
    orders, days, breadth = KINDS[kind]
    return {
        "orders": round(orders * math.exp(rng.gauss(0, 0.2)), 2),
        "days_since": round(days * math.exp(rng.gauss(0, 0.2)), 1),
        "breadth": min(1.0, max(0.0, rng.gauss(breadth, 0.05))),
    }


def market(accounts: int, seed: int) -> list[tuple[str, dict[str, float]]]:
    """One profile per account, a third of each kind."""
    rng = random.Random(seed)
    return [(f"a{n:04d}", profile(n % len(KINDS), rng)) for n in range(accounts)]


def river_checks(model) -> list:
    """River's checks of a model. They import scikit-learn for data sets that none of ours asks for."""
    if "sklearn" not in sys.modules:
        sys.modules["sklearn"] = types.ModuleType("sklearn")
        sys.modules["sklearn"].datasets = types.ModuleType("datasets")  # type: ignore[attr-defined]
    from river.checks import yield_checks

    skipped = model._unit_test_skips()
    return [check for check in yield_checks(model) if check.__name__ not in skipped]
