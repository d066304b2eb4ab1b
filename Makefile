# Frontdoor's verbs. `make` or `make help` lists them; each is a line or two.

CARGO ?= cargo

.DEFAULT_GOAL := help

help: ## List these verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

needs: ## Say what this machine lacks to build, by Debian package
	@.ci/needs

build: needs ## Build every program, for development
	$(CARGO) build --workspace --bins

demo: build ## Send the tutorial's messages through everything, and show where each one went
	@target/debug/demo

up: build ## Start everything and leave it running, until Ctrl-C
	@target/debug/demo up

test: needs ## Run every test that needs neither Docker nor Java nor a network
	$(CARGO) test --workspace

check: needs ## Format and lint, as CI does
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

e2e: build ## Test the function and the job on real Apache Kafka (Java 17, Maven)
	$(CARGO) test --workspace --test e2e -- --ignored --test-threads 2

chaos: build ## Kill jobs, brokers and endpoints, and let an independent checker judge; CHAOS="--long" for 200 kills
	@target/debug/chaos $(CHAOS)

bench: bench-parts bench-window bench-door ## Measure parts, windows and the function, each against its limit (Java 17, Maven)

bench-parts: needs ## Measure what is done in one process: walking a datum, deciding a route, delivering
	$(CARGO) bench -p avro --bench avro
	$(CARGO) bench -p routes --bench route
	$(CARGO) bench -p delivery --bench delivery

licences: ## Check the licence of every crate, offline
	@.ci/licences

readme: needs ## Write the tables of settings and exit codes into docs/CONFIGURATION.md
	@CARGO=$(CARGO) .ci/readme

ci: ## All that CI runs
	@.ci/run

bench-window: needs ## Measure windows on real Apache Kafka against a bare drain and a bare client
	$(CARGO) build --release -p forward -p tools --bins
	@target/release/bench-window $(BENCH)

bench-door: needs ## Measure the function against raw librdkafka and an empty program (BENCH=--kafka: on Apache Kafka)
	$(CARGO) build --release -p fn-recep-avro -p forward -p tools --bins
	@target/release/bench-door $(BENCH)

bench-fn: needs ## Measure the function against the tutorial's Python, both bare, on Apache Kafka (Java 17, Maven, PyPI)
	$(CARGO) build --release -p fn-recep-avro -p tools --bins
	@target/release/bench-door --kafka --python

bench-fn-images: needs ## The same in containers, beside an empty Rust function too (Docker, Java 17, Maven, PyPI)
	$(CARGO) build --release -p tools --bins
	@deploy/images/engine sh -c 'deploy/fn/images && target/release/bench-door --kafka --images'

bench-spark: needs ## The same window by Spark Structured Streaming (Java 17, Maven, PyPI)
	$(CARGO) build --release -p forward -p tools --bins
	@target/release/bench-window --only 1 --spark deploy/kafka/spark/run

bench-cold-start: needs ## Measure what settings in bucket and vault cost a cold start, beside a local file
	$(CARGO) build --release -p fn-recep-avro -p tools --bins
	@target/release/bench-cold-start

e2e-oci: needs ## Run everything from Oracle Cloud's buckets and vault: the official CLI, real Kafka with SASL_SSL, a stand-in
	@deploy/oci/e2e

oci-compare: needs ## Compare our signatures with the official Python SDK's (Python, PyPI)
	@deploy/oci/compare

.PHONY: help needs build demo up test check e2e chaos bench bench-parts bench-window bench-door bench-fn bench-fn-images bench-spark bench-cold-start e2e-oci oci-compare licences readme ci

include deploy/deploy.mk
