# The commands of the job on Spark, included by the Makefile.

e2e-spark: build ## Test the job on a standalone Spark cluster with Apache Kafka; SPARK_E2E="--records 1000000" for the full form (Java 17, Maven, PyPI)
	@jobs/spark/e2e/run pytest -q -s $(SPARK_E2E)

bench-spark: needs ## Compare the job on Spark with the tutorial's way and with forward, on a standalone cluster (Java 17, Maven, PyPI)
	$(CARGO) build --release --workspace --bin forward --bin bench-window
	@jobs/spark/bench/run $(BENCH)

.PHONY: e2e-spark bench-spark
