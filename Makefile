# Every target sets up what it needs: uv in .tools/, the locked environment in .venv. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help demo test check e2e bench chaos generate verify golden requirements docs lock
MAKEFLAGS += --no-print-directory

ARGS ?=
JOBS ?= 3
PYTHON_IN := .venv/bin/python
GENERATORS := taskfleet_operator.api.generate taskfleet.migrations.dump
# Built before the tests and not inside one, where it would run into a test's time limit. Without Go the tests say what to install.
CONTROL_PLANE := [ -n "$$KUBEBUILDER_ASSETS" ] || ! command -v go >/dev/null || tests/cluster/control-plane >/dev/null || true

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  \033[1mmake %-13s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the main job on this machine: 88,000 tasks, PostgreSQL and workers included (ARGS="--tasks N --json FILE --keep")
	@scripts/bootstrap demo
	@.venv/bin/taskfleet demo --end-with-parent $(ARGS)

test: .dev ## all tests, with coverage; CI=true fails on a skip, below 95 %, for the law below 100 % (ARGS="tests/unit -k claim", JOBS=4)
	@$(if $(strip $(ARGS)),,$(CONTROL_PLANE))
	@$(PYTHON_IN) -m pytest -n $(JOBS) --dist loadgroup --cov --cov-report=term:skip-covered $(if $(filter true,$(CI)),--cov-fail-under=95) $(ARGS)
	@$(if $(filter true,$(CI)),$(if $(strip $(ARGS)),,$(PYTHON_IN) -m coverage report --include="*/taskfleet_operator/scaling/*" --fail-under=100))

check: .dev ## formatter, linter, types, import rules, walls, generated files
	@scripts/check

e2e: .dev ## a kind cluster, images, chart, real worker pods (needs Docker, kind, Helm; docs/development.md)
	@scripts/e2e $(ARGS)

bench: .dev ## all benchmarks (ARGS="--short")
	@$(PYTHON_IN) -m benchmarks $(ARGS)

chaos: .dev ## a minute of killed workers, cut connections and PostgreSQL crashes (SECONDS=60, ARGS)
	@TASKFLEET_CHAOS_SECONDS=$(or $(SECONDS),60) $(PYTHON_IN) -m pytest -q -s tests/chaos $(ARGS)

generate: .dev ## write the generated files
	@set -e; for module in $(GENERATORS); do $(PYTHON_IN) -m $$module; done

verify: .dev ## fail when a generated file is not what `make generate` would write
	@set -e; for module in $(GENERATORS); do $(PYTHON_IN) -m $$module --check; done

golden: .dev ## write the golden files of the tests anew, to be read in the diff
	@UPDATE_GOLDEN=1 $(PYTHON_IN) -m pytest -m golden -q

requirements: .dev ## each requirement with the tests that prove it, and those without any
	@$(PYTHON_IN) scripts/requirements.py $(ARGS)

docs: .dev ## check the documentation: links, settings, tables, commands
	@$(PYTHON_IN) -m pytest -q tests/architecture/test_documentation.py

lock: ## compile requirements/*.txt from the pyproject files (ARGS="--upgrade")
	@scripts/bootstrap uv
	@scripts/lock $(ARGS)

.PHONY: .dev
.dev:
	@scripts/bootstrap dev
