# Everyday commands. `make` alone lists them.
SHELL := /bin/sh
PY := .venv/bin/python
ARGS ?=
PROVIDERS ?= 100000

.DEFAULT_GOAL := help
.PHONY: help demo test check rules style types imports lua compose project bench bench-peers load mutants faults check-long campaign lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.demo ## Show a simulated city at work (ARGS="--help" lists the options)
	@$(PY) -m dispatch demo $(ARGS)

test: .venv/.dev ## Run the tests, on a real server (ARGS="-k name")
	@$(PY) -m pytest -n auto $(ARGS)

check: style types imports lua compose project ## Style, types, imports, Lua, sizes, documents (-k: all, whatever fails)

style: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: .venv/.dev
	$(PY) -m mypy

imports: .venv/.dev
	.venv/bin/lint-imports --no-cache --no-logo

lua:
	.ci/lua

compose:
	.ci/compose

project: .venv/.dev
	$(PY) -m pytest -q tests/project

rules: .venv/.dev ## Write what is generated in docs/reference anew: rules.md, lifecycle.md, the lists of protocol.md
	@$(PY) -m tests.project.clauses
	@$(PY) -m tests.project.diagram
	@$(PY) -m tests.project.interfaces

bench: .venv/.dev ## Measure one thing (ARGS="NAME"; without it: what can be measured)
	@$(PY) -m bench $(ARGS)

bench-peers: .venv/.dev ## Measure it beside what one would use instead; installs that first, as root or with sudo, and fails without it (PROVIDERS=100000,1000000)
	@.ci/peers
	@failed=0; for bench in "match --providers $(PROVIDERS)" claim push; do \
		BENCH_PEERS=required PYTHONPATH=.tools/peers $(PY) -m bench peers-$$bench $(ARGS) || failed=1; done; exit $$failed

load: .venv/.dev ## Load a running engine with Locust (ARGS="--help" lists the options)
	@$(PY) -m loadtests $(ARGS)

mutants: .venv/.dev ## Plant faults one by one: some test must notice each (ARGS="NAME"; ARGS="--list": what they are)
	@$(PY) -m mutants $(ARGS)

faults: .venv/.dev ## Break everything around an engine and check every history (ARGS="--seeds 20")
	@$(PY) -m tests.faults $(ARGS)

check-long: .venv/.dev ## Race every pair of verbs 200 times on a whole engine (ARGS="--each 20 'accept x'")
	@$(PY) -m tests.races $(ARGS)

campaign: .venv/.dev ## Claim a million times while processes are killed; goes on where it stopped (ARGS="--seconds 120")
	@$(PY) -m campaign $(ARGS)

lock: .venv/.dev ## Write the lock files anew from pyproject.toml
	@.ci/lock

clean: ## Remove what tools made; the data of a running engine stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.demo: requirements-demo.lock pyproject.toml
	@.ci/venv requirements-demo.lock
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml
	@.ci/venv requirements-dev.lock
	@touch $@ .venv/.demo
