# `make` lists what there is. Everything that a target needs beyond Rust, Python 3 and make it sets up
# itself, below .tools where possible.

SHELL := bash
.DEFAULT_GOAL := help

CARGO ?= cargo
# Where the binaries come out: cargo's own variable, when it is set, moves them.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

.PHONY: help run build test test-rust test-python faults sim mutants lint bench growth plots bench-ranking clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## build and start Onhand with a few demo products (data in ./data, stop with Ctrl-C)
	@set -eu; \
	nats_server=$$(tools/nats-server); \
	$(CARGO) build --release --locked -p onhand; \
	ONHAND_NATS_SERVER=$$nats_server exec tools/foreground "$(TARGET)/release/onhand" up --demo $(ARGS)

build: ## build every binary in release mode
	@$(CARGO) build --release --locked --workspace --bins

test: test-rust test-python ## set up what the tests need and run them all

# The tests start real servers and our own binaries; the three variables say where the servers are.
test-rust: ## only the tests in Rust
	@set -eu; \
	export ONHAND_NATS_SERVER ONHAND_POSTGRES_BIN ONHAND_TEST_PYTHON; \
	ONHAND_NATS_SERVER=$$(tools/nats-server); \
	ONHAND_POSTGRES_BIN=$$(tools/postgres); \
	ONHAND_TEST_PYTHON=$$(tools/python); \
	$(CARGO) build --workspace --bins --locked; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --locked --no-fail-fast; \
		$(CARGO) test --workspace --doc --locked; \
	else \
		$(CARGO) test --workspace --locked --no-fail-fast; \
	fi

test-python: ## only the tests with an independent client, the shipped configuration and compose.yml
	@set -eu; \
	export ONHAND_NATS_SERVER ONHAND_POSTGRES_BIN ONHAND_TEST_BINARIES="$(TARGET)/debug"; \
	ONHAND_NATS_SERVER=$$(tools/nats-server); \
	ONHAND_POSTGRES_BIN=$$(tools/postgres); \
	python=$$(tools/python); \
	$(CARGO) build --workspace --bins --locked; \
	"$$python" -m pytest tests/python

faults: ## only the real faults: kills, dead servers, full disks
	@set -eu; \
	export ONHAND_NATS_SERVER ONHAND_POSTGRES_BIN; \
	ONHAND_NATS_SERVER=$$(tools/nats-server); \
	ONHAND_POSTGRES_BIN=$$(tools/postgres); \
	$(CARGO) build --workspace --bins --locked; \
	$(CARGO) test --locked -p onhand-tests --test faults -- --test-threads 2

# As fast as it gets: each run on one thread, as many at once as there are processors.
SIM = $(CARGO) run --quiet --locked --profile sim -p onhand-sim-shop --

sim: ## the whole system under a seed (SEED=N with its trace, or SEEDS=A..B)
	@$(SIM) $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),0..300)) \
		$(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(ORDERS),--orders $(ORDERS)) \
		$(if $(filter-out undefined,$(origin FAULTS)),--faults "$(FAULTS)") $(ARGS)

mutants: ## whether the simulation finds every deliberate defect (ONLY=name for one)
	@tools/mutants $(ONLY)

lint: ## formatting, clippy, documentation; licences and advisories where cargo-deny is installed
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --workspace check; \
	else echo "cargo-deny is not installed: licences and advisories were not checked"; fi

# The table in its short form; SCENARIO=hot for one line of it, FULL=1 for all of it with medians of
# five; with ARGS the flags are yours.
SHORT := --seconds 4 --warm-up-seconds 1 --runs $(or $(RUNS),1)
LONG := --full --seconds 10 --warm-up-seconds 3 --runs $(or $(RUNS),5)
RESULTS := --list target/bench/latest.json --json target/bench/report.json

bench: ## compare with databases and services (SCENARIO=…, FULL=1), or measure (ARGS="…", see onhand bench --help)
	@set -eu; \
	export ONHAND_NATS_SERVER ONHAND_POSTGRES_BIN ONHAND_REDIS_SERVER ONHAND_BENCH_SLOW_DISK; \
	ONHAND_NATS_SERVER=$$(tools/nats-server); \
	ONHAND_POSTGRES_BIN=$$(tools/postgres); \
	ONHAND_REDIS_SERVER=$$(tools/redis); \
	ONHAND_BENCH_SLOW_DISK=$$(tools/slow-disk); \
	$(CARGO) build --release --locked -p onhand -p onhand-baselines; \
	mkdir -p target/bench; \
	exec tools/foreground "$(TARGET)/release/onhand" bench \
		$(if $(ARGS),$(ARGS),--table $(if $(FULL),$(LONG),$(SHORT)) $(if $(SCENARIO),--only $(SCENARIO)) $(RESULTS))

growth: ## measure with more and more products, clients, lines, partitions, processes, orders (FULL=1 further)
	@set -eu; \
	export ONHAND_NATS_SERVER ONHAND_POSTGRES_BIN; \
	ONHAND_NATS_SERVER=$$(tools/nats-server); \
	ONHAND_POSTGRES_BIN=$$(tools/postgres); \
	$(CARGO) build --release --locked -p onhand; \
	mkdir -p target/bench; \
	exec tools/foreground "$(TARGET)/release/onhand" bench \
		--growth $(if $(FULL),--full --seconds 10,--seconds 3 --warm-up-seconds 1) --json target/bench/growth.json

plots: ## draw what `make growth` measured into docs/plots
	@$(CARGO) run --quiet --locked -p onhand-baselines --bin plots

bench-ranking: ## measure how long best sellers take to find among 2,000,000 rows
	@$(CARGO) bench --locked -p ranking-node --bench top

clean: ## remove what was built and the demo's data
	@$(CARGO) clean
	@rm -rf data

distclean: clean ## the same, and the tools that were installed into the project
	@rm -rf .tools
