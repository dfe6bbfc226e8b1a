.DEFAULT_GOAL := help
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo test test-shippers test-producers check bench evaluate peers recordings fuzz fuzz-atheris soak dashboards docs lock

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | column -t -s '|'

install: $(INSTALLED)  ## the project and all that demo and tests need, into .venv

$(INSTALLED): requirements.txt requirements-dev.txt pyproject.toml scripts/install
	scripts/install

demo: install  ## invented traffic with incidents through the whole pipeline, in this process
	$(BIN)/tocsin demo

test: install  ## all tests, on the real Kafka and the real ClickHouse engine
	scripts/fetch-kafka
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-shippers: install  ## tests on real log shippers: rsyslog, syslog-ng, the OpenTelemetry Collector
	scripts/fetch-kafka
	scripts/fetch-shippers
	TOCSIN_SHIPPERS=1 $(BIN)/python -m pytest tests/shippers

test-producers: install  ## tests on real SDKs, instrumentations, agent frameworks and gateways
	scripts/fetch-kafka
	scripts/fetch-producers
	TOCSIN_PRODUCERS=1 $(BIN)/python -m pytest tests/producers

check: install  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: install  ## events a second, cost of each step, detection delay
	scripts/fetch-kafka
	$(BIN)/python -m bench

evaluate: install  ## the learned scorer by sources left out; needs the extra train
	$(BIN)/tocsin evaluate --leave-out ../shared/data --curve docs/evaluation-curve.svg

peers: install  ## five other detectors and Tocsin on the same texts; needs the extra train
	scripts/fetch-peers
	$(BIN)/python -m bench.peers

recordings: install  ## what the events tell of real producers' recordings, fact by fact
	$(BIN)/python -m bench.recordings

fuzz: install  ## the property tests with many more examples
	TOCSIN_FUZZ=50 $(BIN)/python -m pytest --hypothesis-profile=fuzz --timeout=3600 tests/tocsin tests/ingest tests/reading

fuzz-atheris: install  ## inputs chosen by coverage, FUZZ_RUNS of them (Linux)
	$(BIN)/python -c 'import atheris' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --require-hashes --no-deps --only-binary :all: -r requirements-fuzz.txt
	PYTHONPATH=tests $(BIN)/python tests/parts/atheris_target.py .fuzz/corpus -runs=$(or $(FUZZ_RUNS),1000000) \
	  -max_len=16384 -timeout=10 -rss_limit_mb=2048 -artifact_prefix=.fuzz/

soak: install  ## the end-to-end test with ten times the kills
	scripts/fetch-kafka
	TOCSIN_SOAK=10 $(BIN)/python -m pytest --timeout=3600 tests/end_to_end

dashboards: install  ## the Grafana JSON from the panels
	$(BIN)/tocsin dashboards build

docs: install  ## the generated parts of docs/
	$(BIN)/python scripts/generate-docs
	$(BIN)/python -m detectors.reference
	$(BIN)/python -m ingest.aliases > docs/fields.md
	$(BIN)/python -m tocsin.metrics > docs/metrics.md
	$(BIN)/python -m ingest.formats --write

lock: install  ## requirements*.txt from pyproject.toml; needs uv
	scripts/lock
