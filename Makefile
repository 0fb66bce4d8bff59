# Everything sets itself up: `make serve` and `make test` need Python 3.11 or later, pip, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 3000
ROOMS  := data_schemas serving training

export UV_PYTHON_DOWNLOADS := never
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true

INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: serve test check coverage test-deep sbom bench-learning bench-cost bench-bound bench-answer lock clean

serve: $(VENV)/.installed
	@$(BIN)/cart-risk prepare --port $(PORT)
	@$(BIN)/cart-risk log-key --if-missing
	@$(BIN)/bentoml serve serving.service:RiskService --host 127.0.0.1 --port $(PORT)

test: check coverage

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive $(ROOMS) --configfile pyproject.toml

coverage: $(VENV)/.installed-dev
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered

# Minutes of killing and attacking, beyond what `make test` does of it.
test-deep: $(VENV)/.installed-dev
	$(BIN)/pytest -m deep
	CART_RISK_ATTACKS=300 $(BIN)/pytest tests/serving/test_attack.py

# What is installed to serve, as CycloneDX.
sbom: $(VENV)/.installed-dev
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json

# Half an hour on two cores: the learner beside others, on simulated centres.
bench-learning: $(VENV)/.installed-bench
	$(BIN)/python tests/benchmarks/learning.py --out docs/learning-benchmark

# Five minutes and 5 GB: what learning costs, up to a million simulated patients.
bench-cost: $(VENV)/.installed
	$(BIN)/python tests/benchmarks/learning_cost.py --out docs/learning-cost

# Five minutes: the floor of what any model could lose, before a patient and after some.
bench-bound: $(VENV)/.installed
	$(BIN)/python tests/benchmarks/learning_bound.py

# Half a minute: what an answer costs in process, beside the libraries that made its trees.
bench-answer: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/answer.py --out docs/answer-benchmark

# uv installs the locked, hashed packages five times faster than pip; it is itself pinned by hash.
$(BIN)/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.installed: $(BIN)/uv requirements.lock pyproject.toml
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev requirements-bench.lock
	@$(INSTALL) --require-hashes -r requirements-bench.lock
	@touch $@

# The locks name packages by name, version and hash only.
lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --group install --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --group bench --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -c requirements-dev.lock -o requirements-bench.lock

clean:
	rm -rf $(VENV) models
