data "oci_identity_tenancy" "here" {
  tenancy_id = var.tenancy_ocid
}

data "oci_identity_regions" "all" {}

data "oci_objectstorage_namespace" "here" {
  compartment_id = var.tenancy_ocid
}

locals {
  home_region = one([for region in data.oci_identity_regions.all.regions : region.name if region.key == data.oci_identity_tenancy.here.home_region_key])
  namespace   = data.oci_objectstorage_namespace.here.namespace
  compartment = "compartment id ${var.compartment_ocid}"

  # The buckets with the settings and the schema: oci://BUCKET@NAMESPACE/OBJECT.
  config_buckets = distinct([for location in values(var.pipeline.settings) : regex("^oci://([^@/]+)", location)[0] if startswith(location, "oci://")])

  # Data Flow passes arguments, not environment variables: each setting as its flag, NAME as --name.
  setting_flags = flatten([for name, value in var.pipeline.settings : ["--${replace(lower(name), "_", "-")}", value]])
}
