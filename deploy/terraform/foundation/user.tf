# The user of the Kafka protocol: its auth token is the password for OCI Streaming. It has no other credentials, and no
# permission until the pipeline grants its group the use of the stream pool.
#
# Create the token by hand: the provider does not treat it as sensitive, so a plan would print it.

resource "oci_identity_user" "stream" {
  count    = var.make_stream_user ? 1 : 0
  provider = oci.home

  compartment_id = var.tenancy_ocid
  name           = "${var.name}-stream"
  description    = "Publishes to and reads from Frontdoor's stream over the Kafka protocol"
  email          = var.stream_user_email
  freeform_tags  = var.freeform_tags
}

resource "oci_identity_user_capabilities_management" "stream" {
  count    = var.make_stream_user ? 1 : 0
  provider = oci.home

  user_id                      = oci_identity_user.stream[0].id
  can_use_auth_tokens          = true
  can_use_api_keys             = false
  can_use_console_password     = false
  can_use_customer_secret_keys = false
  can_use_smtp_credentials     = false
}

resource "oci_identity_group" "stream" {
  count    = var.make_stream_user ? 1 : 0
  provider = oci.home

  compartment_id = var.tenancy_ocid
  name           = "${var.name}-stream"
  description    = "Users of Frontdoor's stream"
  freeform_tags  = var.freeform_tags
}

resource "oci_identity_user_group_membership" "stream" {
  count    = var.make_stream_user ? 1 : 0
  provider = oci.home

  compartment_id = var.tenancy_ocid
  user_id        = oci_identity_user.stream[0].id
  group_id       = oci_identity_group.stream[0].id
}
