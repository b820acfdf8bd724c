# Run `make` for the list of targets. Every target makes what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_FLAGS ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-servers setup-torch setup-mlflow setup-ge setup-tfdv setup-peers setup-dvc setup-export lock demo test test-all check lint types arch docs bench fmt clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The environment is made anew when the lock file changes, and not otherwise.
$(VENV)/installed: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

setup: $(VENV)/installed ## make the environment in .venv from the lock file

setup-servers: ## install the servers that tests start (PostgreSQL, Chromium), if they are missing
	sh .ci/servers

# The newest release asks for parts of itself that were never published: see requirements/mlflow.in.
.venv-mlflow/installed: requirements/mlflow.txt
	test -x .venv-mlflow/bin/python || $(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/mlflow.txt
	.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check --no-deps mlflow==3.18.0
	touch $@

.venv-mlflow2/installed: requirements/mlflow2.txt
	test -x .venv-mlflow2/bin/python || $(PYTHON) -m venv .venv-mlflow2
	.venv-mlflow2/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/mlflow2.txt
	touch $@

# By pip and by this name, which only CPU builds have: plain `torch` is gigabytes of CUDA. Where pip finds no such build,
# tell it where they are: make setup-torch TORCH_FROM="--index-url https://download.pytorch.org/whl/cpu"
TORCH_FROM ?=
.venv-torch/installed:
	test -x .venv-torch/bin/python || $(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH_FROM) torch==2.13.0+cpu numpy
	touch $@

setup-torch: .venv-torch/installed ## make the environment with PyTorch, on the CPU

setup-mlflow: .venv-mlflow/installed .venv-mlflow2/installed setup-torch ## make the environments with the real MLflow, 3 and 2

.venv-ge/installed: requirements/ge.txt
	test -x .venv-ge/bin/python || $(PYTHON) -m venv .venv-ge
	.venv-ge/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/ge.txt
	touch $@

setup-ge: .venv-ge/installed ## make the environment with the real Great Expectations

# 2.5 GB of TensorFlow, so `make test-all` goes without: its recorded verdicts are compared with in every run.
.venv-tfdv/installed: requirements/tfdv.txt
	test -x .venv-tfdv/bin/python || $(PYTHON) -m venv .venv-tfdv
	.venv-tfdv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/tfdv.txt
	touch $@

setup-tfdv: .venv-tfdv/installed ## make the environment with the real TFDV

.venv-peers/installed: requirements/peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	touch $@

setup-peers: .venv-peers/installed ## make the environment of the peers that benchmarks of data checks run beside ours

.venv-dvc/installed: requirements/dvc.txt
	test -x .venv-dvc/bin/python || $(PYTHON) -m venv .venv-dvc
	.venv-dvc/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dvc.txt
	touch $@

# A few hundred distributions: uv puts them there in seconds.
.venv-airflow/installed: requirements/airflow.txt $(VENV)/installed
	test -x .venv-airflow/bin/python || $(PYTHON) -m venv .venv-airflow
	$(BIN)/uv pip install --quiet --python .venv-airflow/bin/python -r requirements/airflow.txt
	touch $@

.venv-export/installed: requirements/export.txt $(VENV)/installed
	test -x .venv-export/bin/python || $(PYTHON) -m venv .venv-export
	$(BIN)/uv pip install --quiet --python .venv-export/bin/python -r requirements/export.txt
	touch $@

setup-export: .venv-airflow/installed .venv-export/installed ## make the environments with the real Airflow, Kubeflow and linters

setup-dvc: .venv-dvc/installed ## make the environment with the real DVC

lock: setup ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/base.txt
	$(BIN)/uv pip compile pyproject.toml --upgrade --extra postgres --group dev --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/dev.txt
	$(BIN)/uv pip compile requirements/mlflow.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/mlflow.txt
	$(BIN)/uv pip compile requirements/mlflow2.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/mlflow2.txt
	$(BIN)/uv pip compile requirements/ge.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/ge.txt
	$(BIN)/uv pip compile requirements/tfdv.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/tfdv.txt
	$(BIN)/uv pip compile requirements/peers.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/peers.txt
	$(BIN)/uv pip compile requirements/airflow.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/airflow.txt
	$(BIN)/uv pip compile requirements/export.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/export.txt
	$(BIN)/uv pip compile requirements/dvc.in --upgrade --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -o requirements/dvc.txt

demo: setup ## run the whole loop on real data (DEMO_FLAGS="--exit --no-browser" ends by itself)
	$(BIN)/mainspring demo $(DEMO_FLAGS)

test: setup setup-servers ## the quick tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not browser and not mlflow"

# The journeys run apart because each needs the whole machine, the browser tests because their driver keeps
# an event loop in the thread that other tests need.
test-all: setup setup-servers setup-mlflow setup-ge setup-dvc setup-export ## every test: also the slow ones, the browser, the real MLflow client
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser" --ignore=tests/journeys
	$(BIN)/python -m pytest tests/journeys
	$(BIN)/python -m pytest tests/browser

lint: setup ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup ## static types, strictly
	$(BIN)/mypy

arch: setup ## import contracts
	$(BIN)/lint-imports

docs: setup ## check that everything public is documented and every snippet runs
	$(BIN)/python -m pytest -q tests/docs

bench: setup ## measure against peers in the same run; prints ratios
	$(BIN)/python -m benches

check: lint types arch docs test-all ## all that CI runs

clean: ## delete the environments and caches
	rm -rf $(VENV) .venv-mlflow .venv-mlflow2 .venv-torch .venv-ge .venv-tfdv .venv-peers .venv-dvc .venv-airflow .venv-export .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
