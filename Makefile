# Everything runs from a virtual environment in this folder; a fresh machine needs Python 3.11+, its venv, and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test check bench soak lock format clean

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	@$(BIN)/sesmailengine demo

test: check
	@$(BIN)/python -m pytest -n 3 --no-loadscope-reorder -m "not soak and not bench"

check: install
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache > .venv/contracts.log || { cat .venv/contracts.log; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/cfn-lint infra/stack.yaml

bench: install
	@$(BIN)/python -m pytest tests/bench -m bench -n 0 -s

soak: install
	@$(BIN)/python -m pytest -m soak -n 2 --hypothesis-profile=new

format: install
	@$(BIN)/ruff check --quiet --fix .; $(BIN)/ruff format --quiet .

# Hashes, no addresses. uv is asked for only here, in an environment of its own.
lock:
	@$(PYTHON) -m venv .venv/lock && .venv/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--group dev pyproject.toml -o requirements.lock
	@.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra kcl pyproject.toml -o infra/image.lock

clean:
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
