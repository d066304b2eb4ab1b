# The commands of this project. `make` or `make help` lists them.

CARGO ?= cargo

.DEFAULT_GOAL := help

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

needs: ## List the missing Debian packages that the build needs
	@.ci/needs

build: needs ## Build every program, for development
	$(CARGO) build --workspace --bins

demo: build ## Send the tutorial's messages through the pipeline and show the destination of each record
	@target/debug/demo

up: build ## Start the pipeline and keep it running until Ctrl-C
	@target/debug/demo up

test: needs ## Run every test that does not need Docker, Java or a network
	$(CARGO) test --workspace

check: needs ## Format and lint, as CI does
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

e2e: build ## Test the function and the job on Apache Kafka, with Apicurio Registry, Ory Hydra, an OpenTelemetry collector, nginx, tinyproxy and a Pushgateway, and the status page in Chromium (JDK 17, Maven, Python, Go 1.24, nginx, tinyproxy, prometheus-pushgateway, chromium)
	$(CARGO) test --workspace --test e2e -- --ignored --test-threads 2
	$(CARGO) test --workspace --test collector --test run -- --ignored --test-threads 2

openapi-check: needs ## Test the function and the sample endpoint against docs/openapi with schemathesis (Python, PyPI)
	$(CARGO) test --workspace --test openapi -- --ignored

callers-check: needs ## Compare with other libraries: signatures, tokens and CloudEvents of callers, signatures, CloudEvents and MSK tokens of the job (Python, PyPI)
	$(CARGO) test --workspace --test callers --test receivers -- --ignored

chaos: build ## Kill the job and brokers, inject faults, and verify that no record is lost; CHAOS="--long" for 200 kills
	@target/debug/chaos $(CHAOS)

# Benchmarks measure what is shipped, which contains OpenSSL: see .cargo/config.toml.
bench-%: export OPENSSL_NO_VENDOR = 0

bench: bench-parts bench-window bench-door ## Run bench-parts, bench-window and bench-door (Java 17, Maven)

bench-parts: needs ## Measure validation, routing and delivery, each in one process
	$(CARGO) bench --workspace --bench avro --bench route --bench delivery

licences: ## Check the licence of every dependency, offline
	@.ci/licences

readme: needs ## Write the tables of settings and exit codes into docs/CONFIGURATION.md
	@CARGO=$(CARGO) .ci/readme

ci: ## Run all steps of CI
	@.ci/run

bench-window: needs ## Compare runs of the job on Apache Kafka with a plain consumer and a plain HTTP client
	$(CARGO) build --release --workspace --bin forward --bin bench-window
	@target/release/bench-window $(BENCH)

bench-door: needs ## Compare the function with librdkafka and with an empty function (BENCH=--kafka: on Apache Kafka)
	$(CARGO) build --release --workspace --bin fn-recep-avro --bin bench-empty --bin bench-door
	@target/release/bench-door $(BENCH)

bench-fn: needs ## Compare the function with the tutorial's Python function, as processes, on Apache Kafka (Java 17, Maven, PyPI)
	$(CARGO) build --release --workspace --bin fn-recep-avro --bin bench-empty --bin bench-door
	@target/release/bench-door --kafka --python

bench-fn-images: needs ## The same in containers, and with an empty Rust function (Docker, Java 17, Maven, PyPI)
	$(CARGO) build --release --workspace --bin bench-door
	@deploy/images/engine sh -c 'deploy/fn/images && target/release/bench-door --kafka --images'

bench-peers: needs ## Compare the job with librdkafka, kcat, Kafka Connect and Spark on Apache Kafka (Java 17, Maven, PyPI, kcat)
	$(CARGO) build --release --workspace --bin forward --bin bench-window
	@jobs/spark/bench/peers $(BENCH)

bench-cold-start: needs ## Compare cold starts with settings in bucket and vault, and in a local file
	$(CARGO) build --release --workspace --bin fn-recep-avro --bin bench-cold-start
	@target/release/bench-cold-start

e2e-oci: needs ## Run the pipeline with settings from Oracle Cloud's buckets and vault: official CLI, Kafka with SASL_SSL, stand-in
	@deploy/oci/e2e

oci-compare: needs ## Compare signatures with those of Oracle's Python SDK (Python, PyPI)
	@deploy/oci/compare

.PHONY: help needs build demo up test check e2e openapi-check callers-check chaos bench bench-parts bench-window bench-door bench-fn bench-fn-images bench-peers bench-cold-start e2e-oci oci-compare licences readme ci

include deploy/deploy.mk
include jobs/spark/spark.mk
