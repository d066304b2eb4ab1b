data "oci_identity_tenancy" "here" {
  tenancy_id = var.tenancy_ocid
}

data "oci_identity_regions" "all" {}

data "oci_identity_availability_domains" "here" {
  compartment_id = var.tenancy_ocid
}

data "oci_objectstorage_namespace" "here" {
  compartment_id = var.tenancy_ocid
}

locals {
  home_region = one([for region in data.oci_identity_regions.all.regions : region.name if region.key == data.oci_identity_tenancy.here.home_region_key])
  region_key  = lower(one([for region in data.oci_identity_regions.all.regions : region.key if region.name == var.region]))
  namespace   = data.oci_objectstorage_namespace.here.namespace

  availability_domain = data.oci_identity_availability_domains.here.availability_domains[var.availability_domain - 1].name

  registry = "${local.region_key}.ocir.io/${local.namespace}/${var.repository_prefix}"
  images   = { for program in ["fn-recep-avro", "api-avro-sample", "forward"] : program => "${local.registry}/${program}:${var.image_tag}" }

  dead_letter_topic = "${var.topic}-dead-letter"

  # The sample endpoints, unless api_urls sets your own endpoints.
  endpoints = var.api_urls == null ? {
    a = { host = "api-type-a", title = "API type A" }
    b = { host = "api-type-b", title = "API type B" }
  } : {}
  endpoint_port = 8080

  # Settings of all programs; they are documented in docs/CONFIGURATION.md.
  settings = {
    CONFIG_LOCATION = "oci://${oci_objectstorage_bucket.config.name}@${local.namespace}/${oci_objectstorage_object.config.object}"
    AVRO_SCHEMA     = "oci://${oci_objectstorage_bucket.schema.name}@${local.namespace}/${oci_objectstorage_object.schema.object}"
    KAFKA_PROFILE   = "oci"
    LOG_FORMAT      = "json"
  }
}
