# Everything a developer or CI does. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup demo down test test-unit test-explore test-faults lint format typecheck golden docs compile images check lock clean

# Many processes run the same code: byte code is kept, also where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA := $(VENV)/.example-data
IMAGE ?= ghcr.io/evergreen-kfp/evergreen-python:0.1.0
BUILDER ?= docker
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements-dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(DATA): examples/coupons/requirements.txt | $(READY)
	$(PIP) install --no-deps --require-hashes -r examples/coupons/requirements.txt
	touch $@

setup: $(READY) ## Make .venv with the lock and the `evergreen` command

demo: $(READY) $(DATA) ## Train, gate, register, serve and ask a model on real data
	$(BIN)/python examples/coupons/demo.py

down: $(READY) ## Stop what the demo left running
	$(BIN)/evergreen down

test: $(READY) $(DATA) ## Every test: unit first, then planted faults, real servers and local pipeline runs
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" tests/unit
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m slow tests/unit
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/faults
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/services tests/pipelines

test-unit: $(READY) ## Only the fast unit tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" tests/unit

test-explore: $(READY) ## The unit tests, with examples that Hypothesis has not tried before
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --hypothesis-profile explore tests/unit

test-faults: $(READY) ## Kill and break every part of a rollout under constant load; no request may fail
	$(BIN)/python -m pytest -q -p no:xdist tests/chaos

lint: $(READY) ## ruff, with the import rules between the floors, and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

golden: $(READY) ## Rewrite the golden YAML files (review the diff)
	$(BIN)/python -m tools.golden

docs: $(READY) ## Rewrite the generated pages: component READMEs, the project file's reference
	$(BIN)/python -m tools.readmes

compile: $(READY) ## Write every component's and pipeline's YAML to build/
	$(BIN)/evergreen compile --out build

images: ## Build the container image with $(BUILDER)
	$(BUILDER) build -t $(IMAGE) .

check: $(READY) lint docs golden ## Lint, regenerate everything, and fail when that changed a file
	git diff --exit-code
	$(BIN)/python -m tools.readmes --check

lock: ## Resolve pyproject.toml anew into the hashed locks (needs uv on PATH)
	uv pip compile pyproject.toml --extra serving --extra pipeline --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -o requirements.txt
	uv pip compile pyproject.toml --extra serving --extra pipeline --extra local --extra spark --extra dev -c requirements.txt \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-dev.txt

clean: ## Remove what can be made again (not .evergreen, which holds your models)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
