# Stage 1: what must stand before the pipeline can be planned: the repositories, for its function and containers need
# images to start, and the stream's user, for its auth token is made by hand.

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

# Users and groups are written in the tenancy's home region only.
provider "oci" {
  alias  = "home"
  region = local.home_region
}
