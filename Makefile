# Every target sets up what it needs on a machine that has Python (3.11 or newer), pip, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers/.ready
ARGS ?=
# In the order of tests/conftest.py: files that wait run beside files that compute.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test coverage chaos check fix bench docs build pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## a company, a notice, its delivery; ARGS=--once exits when told
	@$(BIN)/dingbell demo $(ARGS)

test: $(READY) ## all tests; ARGS=… goes to pytest
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

coverage: $(READY) ## how much of the code the tests reach, without those that end processes
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SPREAD) --ignore tests/crash $(ARGS)
	$(BIN)/python scripts/check_coverage.py

chaos: $(READY) ## a monkey among nodes, a death at every commit, an hour of soak; ARGS=…
	$(BIN)/python -m pytest tests/crash/test_monkey.py tests/crash/test_failpoints.py \
	  tests/crash/test_soak.py --chaos-soak 60 \
	  --chaos-seeds 20 --chaos-seconds 120 --chaos-runs 1000 --chaos-people 100 \
	  --chaos-nodes 3 --chaos-failpoints 0 $(ARGS)

check: $(READY) ## style, types, imports, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate_docs.py --check

fix: $(READY) ## what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(PEERS): bench/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

bench: $(READY) $(PEERS) ## the path measured side by side with the floor and with peers
	$(BIN)/python bench/run.py $(ARGS)

docs: $(READY) ## write the generated pages
	$(BIN)/python scripts/generate_docs.py

build: $(READY) ## the wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

pins: $(READY) ## resolve requirements/ again from pyproject.toml (needs uv)
	for set in all dev; do \
	  group=$$( [ $$set = dev ] && echo "--group dev" ); \
	  uv pip compile pyproject.toml --extra all $$group --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate --quiet --upgrade -o requirements/$$set.txt; \
	done

clean: ## remove what was built
	rm -rf $(VENV) .venv-peers dist build .mypy_cache .ruff_cache .hypothesis
