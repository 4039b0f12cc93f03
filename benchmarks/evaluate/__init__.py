"""How good the models are, on data that ships in packages: `python -m benchmarks.evaluate [--write]`."""
