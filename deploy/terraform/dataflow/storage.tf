# One bucket with the application and its archive, one that receives the logs and reports of the runs.

locals {
  root = "${path.module}/../../.."

  uploads = {
    app     = { object = "app.py", file = coalesce(var.application_file, "${local.root}/jobs/spark/app.py"), type = "text/x-python" }
    archive = { object = "archive.zip", file = coalesce(var.archive_file, "${local.root}/target/dataflow/archive.zip"), type = "application/zip" }
  }
}

resource "oci_objectstorage_bucket" "app" {
  compartment_id = var.compartment_ocid
  namespace      = local.namespace
  name           = "${var.name}-dataflow"
  access_type    = "NoPublicAccess"
  versioning     = "Enabled"
  freeform_tags  = var.freeform_tags
}

resource "oci_objectstorage_bucket" "logs" {
  compartment_id = var.compartment_ocid
  namespace      = local.namespace
  name           = "${var.name}-dataflow-logs"
  access_type    = "NoPublicAccess"
  freeform_tags  = var.freeform_tags
}

resource "oci_objectstorage_object" "upload" {
  for_each = local.uploads

  namespace    = local.namespace
  bucket       = oci_objectstorage_bucket.app.name
  object       = each.value.object
  source       = each.value.file
  content_type = each.value.type

  # A versioned bucket can be deleted only without old versions.
  delete_all_object_versions = true
}
