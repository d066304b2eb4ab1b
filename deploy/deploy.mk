# The verbs that bring Frontdoor to a cloud; the Makefile takes them in. deploy/README.md says what each part is.

TERRAFORM ?= terraform
DOCKER ?= docker
# A tag names one state of the project, and stays with it.
IMAGE_TAG ?= $(shell git describe --tags --always --dirty)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
IMAGES := fn-recep-avro api-avro-sample forward
# The stage of deploy/terraform: foundation first, then pipeline.
STAGE ?= pipeline

images: ## Build the container images, tagged IMAGE_TAG (default: the commit)
	@for image in $(IMAGES); do \
	  $(DOCKER) build --target $$image --tag $$image:$(IMAGE_TAG) \
	    --build-arg VERSION=$(IMAGE_TAG) --build-arg REVISION=$(REVISION) . || exit; \
	done

push: ## Push them: REGISTRY=gru.ocir.io/<namespace>/frontdoor
	@test -n "$(REGISTRY)" || { echo "REGISTRY is not set: terraform -chdir=deploy/terraform/foundation output -raw registry" >&2; exit 64; }
	@for image in $(IMAGES); do \
	  $(DOCKER) tag $$image:$(IMAGE_TAG) $(REGISTRY)/$$image:$(IMAGE_TAG) && $(DOCKER) push $(REGISTRY)/$$image:$(IMAGE_TAG) || exit; \
	done

plan deploy: export TF_VAR_image_tag = $(IMAGE_TAG)

plan: ## Show what would change on Oracle Cloud; first with STAGE=foundation
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) init -input=false
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) plan

deploy: ## Change it, after asking; first with STAGE=foundation
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) init -input=false
	@$(TERRAFORM) -chdir=deploy/terraform/$(STAGE) apply

# The token goes by standard input: a command line is everybody's to read.
invoke: ## Send FILE=record.bin through the gateway, with the bearer token in TOKEN
	@test -f "$(FILE)" || { echo "FILE is not set, or is no file: make invoke FILE=record.bin" >&2; exit 64; }
	@endpoint=$${ENDPOINT:-$$($(TERRAFORM) -chdir=deploy/terraform/pipeline output -raw endpoint)} && \
	  { [ -z "$$TOKEN" ] || printf 'Authorization: Bearer %s\n' "$$TOKEN"; } | \
	  curl --fail-with-body --silent --show-error --header 'Content-Type: application/octet-stream' --header @- \
	    --data-binary @"$(FILE)" "$$endpoint"

deploy-check: build ## Check all of deploy/ without a cloud; cron and the pods' commands run on real Kafka
	@deploy/check/run

e2e-cron: build ## Let the real cron daemon start the job twice, on real Kafka
	@deploy/cron/e2e

e2e-images: build ## Build the images and run everything from them on real Kafka: Docker, cron (root)
	@deploy/images/e2e

e2e-fn: build ## The same through a real Fn server and CLI, built from their Go modules where they are not installed
	@deploy/fn/e2e

e2e-lambda: needs ## Package the function for Lambda, and hold that package to API Gateway's and load balancers' events
	@deploy/lambda/e2e

.PHONY: images push plan deploy invoke deploy-check e2e-cron e2e-images e2e-fn e2e-lambda
