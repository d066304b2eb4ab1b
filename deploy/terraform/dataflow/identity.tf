# Runs of this application authenticate as resource principals, without stored keys. The stream is used over the Kafka
# protocol, with the pipeline's user, whose auth token is in the vault: that needs no policy here.

locals {
  conditions = {
    config  = "any {${join(", ", [for bucket in concat(local.config_buckets, [oci_objectstorage_bucket.app.name]) : "target.bucket.name = '${bucket}'"])}}"
    logs    = "target.bucket.name = '${oci_objectstorage_bucket.logs.name}'"
    secrets = "any {${join(", ", [for id in var.pipeline.secret_ids : "target.secret.id = '${id}'"])}}"
  }
}

resource "oci_identity_dynamic_group" "runs" {
  provider = oci.home

  compartment_id = var.tenancy_ocid
  name           = "${var.name}-dataflow"
  description    = "The runs of Frontdoor's application on Data Flow"
  matching_rule  = "ALL {resource.type = 'dataflowrun', resource.compartment.id = '${var.compartment_ocid}', tag.oci-dataflow.application-id.value = '${oci_dataflow_application.forward.id}'}"
  freeform_tags  = var.freeform_tags
}

resource "oci_identity_policy" "runs" {
  provider = oci.home

  compartment_id = var.compartment_ocid
  name           = "${var.name}-dataflow"
  description    = "Runs read the application, settings, schema and secrets, and write their logs and reports."
  freeform_tags  = var.freeform_tags

  statements = [
    "Allow dynamic-group id ${oci_identity_dynamic_group.runs.id} to read objects in ${local.compartment} where ${local.conditions.config}",
    "Allow dynamic-group id ${oci_identity_dynamic_group.runs.id} to read secret-bundles in ${local.compartment} where ${local.conditions.secrets}",
    "Allow dynamic-group id ${oci_identity_dynamic_group.runs.id} to manage objects in ${local.compartment} where ${local.conditions.logs}",
    "Allow service dataflow to read objects in ${local.compartment} where ${local.conditions.logs}",
  ]
}
