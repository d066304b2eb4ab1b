# Groups and policies. Programs authenticate as resource principals, without stored keys. Only the Kafka protocol needs a
# user, whose auth token is the password.

locals {
  compartment = "compartment id ${var.compartment_ocid}"

  # Container instances have two resource types in Oracle's documents: one in the tutorial, the other on later pages.
  container_instance_types = ["computecontainerinstance", "compute-container-instances"]

  # The secrets that each may read. The function does not deliver, so it does not read the URLs.
  function_secrets = ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC", "KAFKA_USERNAME", "AUTH_KEY"]
  job_secrets      = concat(local.function_secrets, ["API_TYPE_A_URL", "API_TYPE_B_URL"])

  buckets_condition = "any {target.bucket.name = '${oci_objectstorage_bucket.config.name}', target.bucket.name = '${oci_objectstorage_bucket.schema.name}'}"
  secrets_condition = {
    for reader, names in { function = local.function_secrets, job = local.job_secrets } :
    reader => "any {${join(", ", [for name in names : "target.secret.id = '${oci_vault_secret.setting[name].id}'"])}}"
  }
}

resource "oci_identity_dynamic_group" "functions" {
  provider = oci.home

  compartment_id = var.tenancy_ocid
  name           = "${var.name}-functions"
  description    = "Frontdoor's functions"
  matching_rule  = "ALL {resource.type = 'fnfunc', resource.compartment.id = '${var.compartment_ocid}'}"
  freeform_tags  = var.freeform_tags
}

resource "oci_identity_dynamic_group" "containers" {
  provider = oci.home

  compartment_id = var.tenancy_ocid
  name           = "${var.name}-containers"
  description    = "Frontdoor's container instances"
  matching_rule  = "ANY {${join(", ", [for type in local.container_instance_types : "ALL {resource.type = '${type}', resource.compartment.id = '${var.compartment_ocid}'}"])}}"
  freeform_tags  = var.freeform_tags
}

resource "oci_identity_policy" "functions" {
  provider = oci.home

  compartment_id = var.compartment_ocid
  name           = "${var.name}-functions"
  description    = "The function reads its settings, its schema and its secrets."
  freeform_tags  = var.freeform_tags

  statements = [
    "Allow dynamic-group id ${oci_identity_dynamic_group.functions.id} to read objects in ${local.compartment} where ${local.buckets_condition}",
    "Allow dynamic-group id ${oci_identity_dynamic_group.functions.id} to read secret-bundles in ${local.compartment} where ${local.secrets_condition.function}",
  ]
}

resource "oci_identity_policy" "containers" {
  provider = oci.home

  compartment_id = var.compartment_ocid
  name           = "${var.name}-containers"
  description    = "Container instances fetch their images; the job reads its settings, its schema and its secrets."
  freeform_tags  = var.freeform_tags

  statements = [
    "Allow dynamic-group id ${oci_identity_dynamic_group.containers.id} to read repos in ${local.compartment}",
    "Allow dynamic-group id ${oci_identity_dynamic_group.containers.id} to read objects in ${local.compartment} where ${local.buckets_condition}",
    "Allow dynamic-group id ${oci_identity_dynamic_group.containers.id} to read secret-bundles in ${local.compartment} where ${local.secrets_condition.job}",
  ]
}

resource "oci_identity_policy" "gateway" {
  provider = oci.home

  compartment_id = var.compartment_ocid
  name           = "${var.name}-gateway"
  description    = "The gateway calls the function."
  freeform_tags  = var.freeform_tags

  statements = [
    "Allow any-user to use functions-family in ${local.compartment} where ALL {request.principal.type = 'ApiGateway', request.resource.compartment.id = '${var.compartment_ocid}'}",
  ]
}

# The user of the auth token gets access to this stream pool over the Kafka protocol.
resource "oci_identity_policy" "stream" {
  count    = var.kafka_group_ocid == null ? 0 : 1
  provider = oci.home

  compartment_id = var.compartment_ocid
  name           = "${var.name}-stream"
  description    = "The stream's user publishes and reads, in this one pool."
  freeform_tags  = var.freeform_tags

  statements = [
    "Allow group id ${var.kafka_group_ocid} to use stream-push in ${local.compartment} where target.streampool.id = '${oci_streaming_stream_pool.main.id}'",
    "Allow group id ${var.kafka_group_ocid} to use stream-pull in ${local.compartment} where target.streampool.id = '${oci_streaming_stream_pool.main.id}'",
  ]
}
