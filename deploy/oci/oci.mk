oci-compare: ## Compare request signatures with those of Oracle's Python SDK (skipped where that cannot be had)
	@deploy/oci/compare

e2e-oci: ## Run everything from Oracle Cloud's buckets and vault, by a stand-in, the official CLI and real Kafka
	@deploy/oci/e2e

.PHONY: oci-compare e2e-oci
