# Six secrets with the tutorial's names. In config.properties the line NAME_vaultOCID refers to the secret with the value of
# the setting NAME.

locals {
  secret_of_setting = {
    kafka_bootstrap_servers = "KAFKA_BOOTSTRAP_SERVERS"
    kafka_topic             = "KAFKA_TOPIC"
    kafka_username          = "KAFKA_USERNAME"
    kafka_password          = "AUTH_KEY"
    api_type_a_url          = "API_TYPE_A_URL"
    api_type_b_url          = "API_TYPE_B_URL"
  }

  # An endpoint's address is its host name in the subnet, which is known before it runs.
  api_urls = {
    for type in ["a", "b"] : type => var.api_urls == null
    ? "http://${local.endpoints[type].host}.${oci_core_subnet.part["apps"].subnet_domain_name}:${local.endpoint_port}/"
    : var.api_urls[type]
  }

  # The provider does not mark the content of secrets as sensitive. With this mark no plan prints it.
  secret_values = {
    KAFKA_BOOTSTRAP_SERVERS = sensitive("${oci_streaming_stream_pool.main.endpoint_fqdn}:${local.kafka_port}")
    KAFKA_TOPIC             = sensitive(oci_streaming_stream.topic.name)
    KAFKA_USERNAME          = sensitive("${data.oci_identity_tenancy.here.name}/${var.kafka_user}/${oci_streaming_stream_pool.main.id}")
    AUTH_KEY                = var.kafka_auth_token
    API_TYPE_A_URL          = sensitive(local.api_urls.a)
    API_TYPE_B_URL          = sensitive(local.api_urls.b)
  }

  config_properties = join("", [
    for setting, secret in local.secret_of_setting : "${setting}_vaultOCID=${oci_vault_secret.setting[secret].id}\n"
  ])
}

resource "oci_kms_vault" "main" {
  compartment_id = var.compartment_ocid
  display_name   = "${var.name}-vault"
  vault_type     = "DEFAULT"
  freeform_tags  = var.freeform_tags
}

resource "oci_kms_key" "main" {
  compartment_id      = var.compartment_ocid
  display_name        = "${var.name}-key"
  management_endpoint = oci_kms_vault.main.management_endpoint
  protection_mode     = var.key_protection
  freeform_tags       = var.freeform_tags

  key_shape {
    algorithm = "AES"
    length    = 32
  }
}

resource "oci_vault_secret" "setting" {
  for_each = toset(values(local.secret_of_setting))

  compartment_id = var.compartment_ocid
  vault_id       = oci_kms_vault.main.id
  key_id         = oci_kms_key.main.id
  secret_name    = each.key
  freeform_tags  = var.freeform_tags

  secret_content {
    content_type = "BASE64"
    content      = base64encode(local.secret_values[each.key])
  }
}
