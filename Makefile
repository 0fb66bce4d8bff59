# Everything sets itself up: `make serve` and `make test` need Python 3.11 or later, pip, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 3000
ROOMS  := data_schemas serving training

export UV_PYTHON_DOWNLOADS := never
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true

OSV    := api.osv.dev
SPREAD  = --numprocesses logical --dist loadfile --no-loadscope-reorder
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: serve test check coverage test-deep audit sbom bench-learning bench-cost bench-bound bench-answer bench-service soak lock clean

serve: $(VENV)/.installed
	@$(BIN)/cart-risk prepare --port $(PORT)
	@$(BIN)/cart-risk log-key --if-missing
	@$(BIN)/bentoml serve serving.service:RiskService --host 127.0.0.1 --port $(PORT) --timeout-graceful-shutdown 10

test: check coverage

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive $(ROOMS) --configfile pyproject.toml

# A worker for each core, a whole file to each: what a file's tests share is built once. Files go out
# in their order, so that the longest, of tests/acceptance, begin first and apart.
coverage: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest $(SPREAD) --cov --cov-report=term-missing:skip-covered

# Minutes of killing and attacking, beyond what `make test` does of it; says how many cases it tried.
test-deep: $(VENV)/.installed-dev
	$(BIN)/pytest -m deep

# Known vulnerabilities of what is installed to serve; fails, too, where that could not be found out.
audit: $(VENV)/.installed-dev
	@$(BIN)/python -c 'import httpx; httpx.get("https://$(OSV)", timeout=10)' 2>/dev/null || \
	    { echo "NOT AUDITED: the database of vulnerabilities, $(OSV), cannot be reached from here"; exit 1; }
	$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict --vulnerability-service osv

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

# Ten minutes on a quiet machine, with wrk (apt-get install wrk): the running service beside its peers.
bench-service: $(VENV)/.installed-bench
	OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python tests/benchmarks/service.py --out docs/service-benchmark

# Half an hour at 80 % of what the service can do, with wrk; some GB of disk.
soak: $(VENV)/.installed-bench
	OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python tests/benchmarks/soak.py --out docs/soak

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
