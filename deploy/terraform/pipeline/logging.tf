# The gateway's access and execution logs, and the function's invocation log.

locals {
  logs = {
    gateway-access    = { service = "apigateway", category = "access", resource = oci_apigateway_deployment.main.id }
    gateway-execution = { service = "apigateway", category = "execution", resource = oci_apigateway_deployment.main.id }
    function          = { service = "functions", category = "invoke", resource = oci_functions_application.main.id }
  }
}

resource "oci_logging_log_group" "main" {
  compartment_id = var.compartment_ocid
  display_name   = var.name
  description    = "Frontdoor's gateway and function"
  freeform_tags  = var.freeform_tags
}

resource "oci_logging_log" "part" {
  for_each = local.logs

  log_group_id       = oci_logging_log_group.main.id
  display_name       = "${var.name}-${each.key}"
  log_type           = "SERVICE"
  is_enabled         = true
  retention_duration = var.log_retention_days
  freeform_tags      = var.freeform_tags

  configuration {
    compartment_id = var.compartment_ocid

    source {
      source_type = "OCISERVICE"
      service     = each.value.service
      category    = each.value.category
      resource    = each.value.resource
    }
  }
}
