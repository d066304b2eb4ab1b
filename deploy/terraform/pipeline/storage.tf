# The settings and the schema, which the programs read at their start. Both are versioned and not secret.

resource "oci_objectstorage_bucket" "config" {
  compartment_id = var.compartment_ocid
  namespace      = local.namespace
  name           = var.config_bucket
  access_type    = "NoPublicAccess"
  versioning     = "Enabled"
  freeform_tags  = var.freeform_tags
}

resource "oci_objectstorage_bucket" "schema" {
  compartment_id = var.compartment_ocid
  namespace      = local.namespace
  name           = var.schema_bucket
  access_type    = "NoPublicAccess"
  versioning     = "Enabled"
  freeform_tags  = var.freeform_tags
}

resource "oci_objectstorage_object" "config" {
  namespace    = local.namespace
  bucket       = oci_objectstorage_bucket.config.name
  object       = "config.properties"
  content      = local.config_properties
  content_type = "text/plain; charset=utf-8"

  # A versioned bucket can be deleted only without old versions.
  delete_all_object_versions = true
}

resource "oci_objectstorage_object" "schema" {
  namespace    = local.namespace
  bucket       = oci_objectstorage_bucket.schema.name
  object       = "user.avsc"
  content      = file(var.schema_file == null ? "${path.module}/../../../schemas/user.avsc" : var.schema_file)
  content_type = "application/json"

  delete_all_object_versions = true
}
