"""Benchmarks: `python -m benchmarks`; docs/benchmarks.md says how to read them."""
