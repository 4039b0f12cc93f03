"""A simulated market with known truth, and what was found against it."""

from streams.market.compare import QUERIES, Figure, Found, compare
from streams.market.market import Market, write
from streams.market.truth import Truth, read_truth

__all__ = ["QUERIES", "Figure", "Found", "Market", "Truth", "compare", "read_truth", "write"]
