# `make` or `make help` lists what there is. Every target sets up .venv by itself if it has to.

PYTHON ?= python3
SEED ?= 0
MINUTES ?= 10
PART ?= books
BIN := .venv/bin
# One test more than processors at a time, for part of the time they wait for processes to start and to end;
# where nothing is waited for, one each. What measures time or shares runs afterwards, with nothing beside it.
# `make test PARALLEL=` runs them one after the other.
PROCESSORS := $(shell nproc)
PARALLEL ?= -n $(shell echo $$(($(PROCESSORS) < 8 ? $(PROCESSORS) + 1 : 8))) --dist worksteal
ALONE ?= -n logical --maxprocesses 8 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast deb host-ns host-test systemd-check attacks fuzz chaos mutate check lint format bench lock wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv:  ## set up .venv from the lock (every other target does it as needed)
	@$(PYTHON) tools/bootstrap.py

demo: venv  ## the whole thing in half a minute, nothing to configure
	@$(BIN)/stratd demo

# Compiled once and before: hundreds of processes of the tests load stratd, and where the environment forbids
# to keep what is compiled (containers often do), each of them and each of pytest's would compile it again.
test test-fast attacks: export PYTHONDONTWRITEBYTECODE :=
COMPILE = $(BIN)/python -m compileall -q -j 0 bus strategies sandbox supervisor cli tests
# pytest compiles its modules in a way of its own, two thirds of what collecting costs. Kept once, by as many
# processes as processors, it is read by all workers; in a clean checkout each of them would do it for itself.
REWRITE = find tests -name 'test_*.py' | xargs -P $(PROCESSORS) -n 100 $(BIN)/python -m pytest --collect-only -qq > /dev/null || :

# Every process of pytest collects what it is given, which takes seconds for all: the second pass is given the
# files that name the mark.
MEASURING = $(shell grep -rlE --include='test_*.py' 'mark\.alone' tests)

test: venv  ## all tests but those that boot a host
	@$(COMPILE)
	@$(REWRITE)
	@$(BIN)/python -m pytest -m "not alone and not host" $(PARALLEL)
	@$(BIN)/python -m pytest -m alone $(MEASURING)

host-ns: venv  ## the service on a Debian whose systemd is booted in namespaces: a minute (as root)
	@$(BIN)/python -m pytest tests/test_host.py

test-fast: venv  ## the tests without real processes, sockets and kernel features
	@$(BIN)/python -m pytest -q -m "not system and not alone" $(ALONE)

attacks: export EVERY_ATTACK = 1
attacks: venv  ## every hostile strategy: as root, as an ordinary user, and where namespaces are refused
	@$(BIN)/python -m pytest -q tests/attacks $(ALONE)

fuzz: venv  ## a million wrong messages to whoever hears a strategy or its warden
	@$(BIN)/python -m tests.fuzz.warden --inputs 1000000 --seed $(SEED)

chaos: venv  ## ten minutes of kills and outages, then the journals compared (SEED=, MINUTES=)
	@$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

mutate: venv  ## change one part in every small way: does a test notice? (PART=, tests/mutation)
	@sh tools/mutate.sh $(PART)

lint: venv  ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

systemd-check: venv  ## what systemd says of the units: no word, and exposed at most 2.5 of 10
	@$(BIN)/python -m pytest -q tests/test_units.py

deb: venv  ## a Debian package in dist/, by Debian's own tools, lintian clean (packaging/)
	@sh tools/deb.sh

host-test: venv  ## the service on a Debian 12 with control groups, in qemu: some minutes (as root)
	@$(BIN)/python tools/host_test.py qemu

check: lint test  ## what CI runs first: lint and all tests but host-ns

format: venv  ## rewrite the code as ruff formats it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv  ## the benchmarks: ratios measured in one run on this machine
	@$(BIN)/python -m benchmarks

lock:  ## resolve pyproject.toml anew into requirements/ (needs uv)
	@sh tools/lock.sh

wheel: venv  ## build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

clean:  ## remove .venv, dist and all caches
	rm -rf .venv dist .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
