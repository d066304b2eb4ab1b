# The commands that deploy Frontdoor, included by the Makefile. deploy/README.md describes the parts.

TERRAFORM ?= terraform
DOCKER ?= docker
# The tag identifies the commit.
IMAGE_TAG ?= $(shell git describe --tags --always --dirty)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
IMAGES := fn-recep-avro api-avro-sample forward
# The stage of deploy/terraform: first foundation, then pipeline; dataflow is optional.
STAGE ?= pipeline

images: ## Build the container images, tagged IMAGE_TAG (default: the commit)
	@for image in $(IMAGES); do \
	  $(DOCKER) build --target $$image --tag $$image:$(IMAGE_TAG) \
	    --build-arg VERSION=$(IMAGE_TAG) --build-arg REVISION=$(REVISION) . || exit; \
	done

push: ## Push the images: REGISTRY=gru.ocir.io/<namespace>/frontdoor
	@test -n "$(REGISTRY)" || { echo "REGISTRY is not set: terraform -chdir=deploy/terraform/foundation output -raw registry" >&2; exit 64; }
	@for image in $(IMAGES); do \
	  $(DOCKER) tag $$image:$(IMAGE_TAG) $(REGISTRY)/$$image:$(IMAGE_TAG) && $(DOCKER) push $(REGISTRY)/$$image:$(IMAGE_TAG) || exit; \
	done

plan deploy: export TF_VAR_image_tag = $(IMAGE_TAG)

plan: ## Show the changes on Oracle Cloud; first with STAGE=foundation
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) init -input=false
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) plan

deploy: ## Apply the changes after confirmation; first with STAGE=foundation
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) init -input=false
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) apply

# curl reads the token from standard input: other users can read command lines.
invoke: ## Send FILE=record.bin through the gateway, with the bearer token in TOKEN
	@test -f "$(FILE)" || { echo "FILE is not set or not a file: make invoke FILE=record.bin" >&2; exit 64; }
	@endpoint=$${ENDPOINT:-$$($(TERRAFORM) -chdir=deploy/terraform/pipeline output -raw endpoint)} && \
	  { [ -z "$$TOKEN" ] || printf 'Authorization: Bearer %s\n' "$$TOKEN"; } | \
	  curl --fail-with-body --silent --show-error --header 'Content-Type: application/octet-stream' --header @- \
	    --data-binary @"$(FILE)" "$$endpoint"

dataflow-archive: needs ## Build the wheel of jobs/spark for OCI Data Flow, and target/dataflow/archive.zip (PyPI)
	@deploy/dataflow/wheel
	@deploy/dataflow/archive target/dataflow/frontdoor_spark-*.whl --output target/dataflow/archive.zip

deploy-check: build ## Check deploy/ without a cloud; runs cron and the pods' commands with Apache Kafka (Go 1.24)
	@deploy/check/run

e2e-cron: build ## Run the job twice with the cron daemon and Apache Kafka
	@deploy/cron/e2e

e2e-images: build ## Build the images and run the pipeline from them, with Apache Kafka, Docker and cron (root)
	@deploy/images/e2e

e2e-fn: build ## The same with Fn's server and CLI, built from their Go modules if they are not installed (then Go 1.24)
	@deploy/fn/e2e

e2e-lambda: needs ## Package the function for Lambda and test the package in AWS's Runtime Interface Emulator (Python, Go 1.26.6); PROFILE=dev builds faster
	@deploy/lambda/e2e

e2e-kubernetes: build ## Apply the manifests to a Kubernetes that it builds and starts on this machine, and run the pipeline (root, Go 1.24)
	@deploy/kubernetes/e2e

.PHONY: images push plan deploy invoke dataflow-archive deploy-check e2e-cron e2e-images e2e-fn e2e-lambda e2e-kubernetes
