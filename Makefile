# The commands of the README. Only python3 (3.11 or newer), make and a package registry are needed.
.DEFAULT_GOAL := help
.PHONY: help demo test fmt bench openapi lock clean

BIN := .venv/bin
CODE := app migrations seed tests bench
export PYTHON PORT UPGRADE

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## serve the Xianning 2023 plan on http://127.0.0.1:8000 and print requests to try (PORT=8001 for another port)
	@scripts/environment.sh runtime
	@scripts/demo.sh

test: ## check format, lint, types and imports, and run every test on SQLite and PostgreSQL (ARGS="-k word" for some)
	@scripts/environment.sh dev
	@scripts/install-test-programs.sh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses logical $(ARGS)

fmt: ## format the code and mend what ruff can mend
	@scripts/environment.sh dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: ## measure the service beside a bare application, its engine alone and two peers (ARGS="--engine postgresql --size large")
	@scripts/environment.sh dev
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.readme

openapi: ## write openapi.json from the code
	@scripts/environment.sh dev
	@mkdir -p build
	$(BIN)/zeren openapi > build/openapi.json
	mv build/openapi.json openapi.json

lock: ## write the lock files from pyproject.toml, keeping pins that still fit (UPGRADE=1 takes the newest)
	@scripts/environment.sh dev
	scripts/lock.sh

clean: ## remove everything that was made here, but for the demo's data in .demo/
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(wildcard $(CODE)) -name __pycache__ -type d -prune -exec rm -rf {} +
