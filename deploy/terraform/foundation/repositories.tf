locals {
  # One repository per program that runs in the cloud. API types A and B use the same image.
  programs = toset(["fn-recep-avro", "api-avro-sample", "forward"])

  home_region = one([for region in data.oci_identity_regions.all.regions : region.name if region.key == data.oci_identity_tenancy.here.home_region_key])
  region_key  = lower(one([for region in data.oci_identity_regions.all.regions : region.key if region.name == var.region]))
  namespace   = "${local.region_key}.ocir.io/${data.oci_objectstorage_namespace.here.namespace}"
  registry    = "${local.namespace}/${var.repository_prefix}"
}

data "oci_identity_tenancy" "here" {
  tenancy_id = var.tenancy_ocid
}

data "oci_identity_regions" "all" {}

data "oci_objectstorage_namespace" "here" {
  compartment_id = var.tenancy_ocid
}

resource "oci_artifacts_container_repository" "program" {
  for_each = local.programs

  compartment_id = var.compartment_ocid
  display_name   = "${var.repository_prefix}/${each.key}"
  is_public      = false
  is_immutable   = var.immutable_tags
  freeform_tags  = var.freeform_tags
}
