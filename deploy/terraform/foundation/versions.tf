# Stage 1: the resources that the pipeline needs: the repositories for the images of function and containers, and the
# stream's user, whose auth token is created by hand.

terraform {
  required_version = ">= 1.9"

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "~> 8.28"
    }
  }
}

provider "oci" {
  region = var.region
}

# Users and groups can be changed in the tenancy's home region only.
provider "oci" {
  alias  = "home"
  region = local.home_region
}
