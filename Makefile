# Every command that people and CI run. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
# The folder .sqlx contains the results of checking all statements against the schema, so a build needs no
# database.
export SQLX_OFFLINE ?= true

.PHONY: help
help: ## List all targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: prepare
prepare: ## Install PostgreSQL and nats-server if they are missing
	@sh stack/prepare.sh

.PHONY: prepare-s3
prepare-s3: ## Install SeaweedFS, a server that speaks S3, for the tests of the archive, if it is missing
	@sh stack/prepare_s3.sh

.PHONY: browser
browser: ## Install Chromium and its driver, for the tests of the dashboard, if they are missing
	@sh stack/chromium.sh

.PHONY: run
run: prepare ## Build and run everything on 127.0.0.1:8000 with sample data
	$(CARGO) build --locked --profile quick -p rollcall-cli
	target/quick/rollcall dev --demo

# In one build, Cargo turns on the features of all selected packages. The benchmark and the tests use the
# feature "bench", with which programs can lose events, so they are never built together with the shipped
# programs.
.PHONY: build
build: ## Build the programs for release
	$(CARGO) build --locked --release -p rollcall-cli -p rollcall-api -p rollcall-worker

# Prints what begins and how long it took: $(call timed,what,command).
timed = echo "make: $(1)"; begin=$$(date +%s); $(2) && echo "make: $(1): $$(($$(date +%s) - begin)) s"

# A backtrace of asynchronous code says little, and fills the end of the log, where CI shows which tests failed and why.
.PHONY: test
test: export RUST_BACKTRACE = 0
test: prepare prepare-s3 browser ## Run every test, against real servers
	@$(call timed,build the programs,$(CARGO) build --locked --workspace --bins)
	@$(call timed,build the tests,$(CARGO) test --locked --workspace --no-run)
	@$(call timed,run the tests,$(CARGO) test --locked --workspace)

.PHONY: test-browser
test-browser: prepare browser ## Open every page of the dashboard in Chromium
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked --workspace --test it web::

SECONDS ?= 60
SEED ?= 1
SEEDS ?= 1
FAULTS ?=
.PHONY: chaos
chaos: prepare ## Break things under load and check every promise: SECONDS=60 SEED=1 SEEDS=1 FAULTS=
	$(CARGO) build --locked --workspace --bins
	target/debug/chaos --seconds $(SECONDS) --seed $(SEED) --seeds $(SEEDS) $(if $(FAULTS),--faults $(FAULTS))

# The version whose programs are replaced: a commit or a tag.
FROM ?=
UPGRADE := $(CURDIR)/target/upgrade

.PHONY: upgrade
upgrade: prepare ## Replace the programs of an older version by these under load: FROM=COMMIT
	@test -n "$(FROM)" || { echo 'say which version: make upgrade FROM=COMMIT' >&2; exit 2; }
	rm -rf $(UPGRADE)/source && mkdir -p $(UPGRADE)/source
	git archive $(FROM) | tar -x -C $(UPGRADE)/source
	cd $(UPGRADE)/source && CARGO_TARGET_DIR=$(UPGRADE)/target $(CARGO) build --locked -p rollcall-cli -p rollcall-api -p rollcall-worker
	$(CARGO) build --locked --workspace --bins
	UPGRADE_FROM=$(UPGRADE)/target/debug $(CARGO) test --locked --workspace --test it rolling_upgrade

.PHONY: capture
capture: prepare ## Write down what this version asks and sends, for the tests of the next one
	$(CARGO) build --locked --workspace --bins
	target/debug/capture

# Seconds for which each target runs.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= ingest decompress chunk query
.PHONY: fuzz
fuzz: ## Feed random input to every parser: FUZZ_SECONDS=60 FUZZ_TARGETS=... (needs cargo-fuzz and a nightly toolchain)
	@# The project has no unsafe code, so the sanitizer would only take time. New inputs stay in fuzz/corpus.
	set -e; for target in $(FUZZ_TARGETS); do \
		$(CARGO) +nightly fuzz run --fuzz-dir fuzz --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=2048; \
	done

# Options of the program, such as --only slow-heads,trickle or --clients 20.
ABUSE ?=
.PHONY: abuse
abuse: prepare ## Treat an API as hostile clients do, and show memory and delays: ABUSE="--clients 20"
	$(CARGO) build --locked --release -p rollcall-api -p rollcall-tests --bins
	target/release/abuse $(ABUSE)

# Rows of the largest stage, and repetitions. The README shows the results with 20,000,000 rows.
ROWS ?= 2000000
REPS ?= 5
# Further options, such as --only reads,delay or --data target/bench/data.
BENCH ?=
BENCH_PYTHON := target/bench/python

.PHONY: bench
bench: prepare $(BENCH_PYTHON)/installed ## Measure every performance target: ROWS=2000000 REPS=5 BENCH="--only reads"
	@# One after the other: built together, the program under test would get the features of the benchmark.
	$(CARGO) build --locked --release -p rollcall-cli
	$(CARGO) build --locked --release -p rollcall-bench
	target/release/rollcall-bench --rows $(ROWS) --reps $(REPS) --python $(BENCH_PYTHON)/bin/python $(BENCH)

# The plain Python service that the benchmark compares with needs packages of its own.
$(BENCH_PYTHON)/installed: bench/reference/requirements.txt
	python3 -m venv $(BENCH_PYTHON)
	$(BENCH_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: screenshots
screenshots: prepare browser ## Save a picture of every page of the dashboard in target/screenshots
	$(CARGO) build --locked -p rollcall-cli -p rollcall-tests --bins
	target/debug/screenshots target/screenshots

# The scripts of the dashboard are checked as they are: nothing is built. Whoever has no node changes none of them.
.PHONY: web-check
web-check: ## Check the types of the dashboard's scripts (needs node)
	@if command -v npm >/dev/null 2>&1; then \
		cd web && npm ci --silent --no-audit --no-fund && npm run --silent check && echo "web-check: the types are right"; \
	else echo "web-check: skipped, because there is no npm on this machine"; fi

CONFORMANCE_PYTHON := target/conformance/python
# Number of random requests to each operation.
EXAMPLES ?= 50
.PHONY: conformance
conformance: prepare prepare-s3 $(CONFORMANCE_PYTHON)/installed ## Let schemathesis, a generated client, an MCP client, polars, pyarrow and DuckDB use a service: EXAMPLES=50 SEED=1
	$(CARGO) build --locked -p rollcall-cli -p rollcall-stack
	EXAMPLES=$(EXAMPLES) SEED=$(SEED) tests/conformance/run.sh $(CONFORMANCE_PYTHON) target/debug/rollcall target/debug/rollcall-s3

$(CONFORMANCE_PYTHON)/installed: tests/conformance/requirements.txt
	python3 -m venv $(CONFORMANCE_PYTHON)
	$(CONFORMANCE_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check: ## Check the format
	$(CARGO) fmt --all --check

.PHONY: lint
lint: ## Run clippy with every warning as an error
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

.PHONY: deny
deny: ## Check licences and advisories of all dependencies (needs cargo-deny)
	$(CARGO) deny check

.PHONY: sqlx
sqlx: prepare ## Check all statements against the schema and refresh .sqlx
	sh stack/sqlx.sh

.PHONY: openapi
openapi: ## Write the description of the API to docs/openapi.json
	@mkdir -p target
	$(CARGO) run --locked --quiet -p rollcall-cli -- openapi > target/openapi.json
	mv target/openapi.json docs/openapi.json

.PHONY: compose-check
compose-check: ## Check docker-compose.yml (needs docker compose or docker-compose)
	@if docker compose version >/dev/null 2>&1; then docker compose --env-file .env.example config --quiet; \
	else docker-compose --env-file .env.example config --quiet; fi

.PHONY: clean
clean: ## Remove the build results and the data of `make run`
	$(CARGO) clean
	rm -rf .rollcall
