resource "oci_functions_application" "main" {
  compartment_id             = var.compartment_ocid
  display_name               = var.application
  subnet_ids                 = [oci_core_subnet.part["functions"].id]
  network_security_group_ids = [oci_core_network_security_group.part["functions"].id]
  shape                      = var.function_shape
  config                     = local.settings
  freeform_tags              = var.freeform_tags
}

resource "oci_functions_function" "fn_recep_avro" {
  application_id     = oci_functions_application.main.id
  display_name       = "fn-recep-avro"
  image              = local.images["fn-recep-avro"]
  memory_in_mbs      = tostring(var.function_memory)
  timeout_in_seconds = var.function_timeout
  config             = { MAX_BODY = var.max_body }
  freeform_tags      = var.freeform_tags

  dynamic "provisioned_concurrency_config" {
    for_each = var.function_provisioned > 0 ? [var.function_provisioned] : []

    content {
      strategy = "CONSTANT"
      count    = provisioned_concurrency_config.value
    }
  }
}
