# Stage 3, optional: the job as a Spark application on Data Flow. It needs the network, stream, vault and buckets of ../pipeline.

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

# Groups and policies can be changed in the tenancy's home region only.
provider "oci" {
  alias  = "home"
  region = local.home_region
}
