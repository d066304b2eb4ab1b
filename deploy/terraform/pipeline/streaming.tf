# A private pool: its brokers are reachable from this network only.

resource "oci_streaming_stream_pool" "main" {
  compartment_id = var.compartment_ocid
  name           = "${var.name}-pool"
  freeform_tags  = var.freeform_tags

  # Writing to a mistyped topic is an error and does not create a stream.
  kafka_settings {
    auto_create_topics_enable = false
    log_retention_hours       = var.retention_hours
    num_partitions            = var.partitions
  }

  private_endpoint_settings {
    subnet_id = oci_core_subnet.part["stream"].id
    nsg_ids   = [oci_core_network_security_group.part["stream"].id]
  }
}

resource "oci_streaming_stream" "topic" {
  name               = var.topic
  stream_pool_id     = oci_streaming_stream_pool.main.id
  partitions         = var.partitions
  retention_in_hours = var.retention_hours
  freeform_tags      = var.freeform_tags
}

# Invalid records, and records that an endpoint rejects permanently.
resource "oci_streaming_stream" "dead_letter" {
  name               = local.dead_letter_topic
  stream_pool_id     = oci_streaming_stream_pool.main.id
  partitions         = 1
  retention_in_hours = 168
  freeform_tags      = var.freeform_tags
}
