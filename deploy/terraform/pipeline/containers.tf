# The sample endpoints for API types A and B, and the job with its own timer. Each is a container instance in the private
# subnet, with user 1000, no capabilities and a read-only root file system.

resource "oci_container_instances_container_instance" "endpoint" {
  for_each = local.endpoints

  compartment_id           = var.compartment_ocid
  availability_domain      = local.availability_domain
  display_name             = each.value.host
  shape                    = var.container_shape
  container_restart_policy = "ALWAYS"
  freeform_tags            = var.freeform_tags

  shape_config {
    ocpus         = 1
    memory_in_gbs = 1
  }

  vnics {
    subnet_id             = oci_core_subnet.part["apps"].id
    nsg_ids               = [oci_core_network_security_group.part["endpoints"].id]
    hostname_label        = each.value.host
    is_public_ip_assigned = false
  }

  containers {
    display_name = each.value.host
    image_url    = local.images["api-avro-sample"]

    # An endpoint reads no secret and no bucket, so it has no identity.
    is_resource_principal_disabled = true

    environment_variables = {
      LISTEN     = "0.0.0.0:${local.endpoint_port}"
      API_TITLE  = each.value.title
      LOG_FORMAT = "json"
    }

    health_checks {
      name                     = "health"
      health_check_type        = "HTTP"
      path                     = "/health"
      port                     = local.endpoint_port
      initial_delay_in_seconds = 5
      interval_in_seconds      = 10
      timeout_in_seconds       = 3
      failure_threshold        = 3
      failure_action           = "KILL"
    }

    security_context {
      security_context_type          = "LINUX"
      is_non_root_user_check_enabled = true
      is_root_file_system_readonly   = true
      run_as_user                    = 1000
      run_as_group                   = 1000

      capabilities {
        drop_capabilities = ["ALL"]
      }
    }
  }

  # This policy allows pulling the image.
  depends_on = [oci_identity_policy.containers]
}

resource "oci_container_instances_container_instance" "job" {
  count = var.job == "container" ? 1 : 0

  compartment_id                       = var.compartment_ocid
  availability_domain                  = local.availability_domain
  display_name                         = "${var.name}-job"
  shape                                = var.container_shape
  container_restart_policy             = "ALWAYS"
  graceful_shutdown_timeout_in_seconds = "60"
  freeform_tags                        = var.freeform_tags

  shape_config {
    ocpus         = 1
    memory_in_gbs = 1
  }

  vnics {
    subnet_id             = oci_core_subnet.part["apps"].id
    nsg_ids               = [oci_core_network_security_group.part["job"].id]
    is_public_ip_assigned = false
  }

  containers {
    display_name          = "forward"
    image_url             = local.images["forward"]
    arguments             = ["run", "--every", var.job_every]
    environment_variables = local.settings

    security_context {
      security_context_type          = "LINUX"
      is_non_root_user_check_enabled = true
      is_root_file_system_readonly   = true
      run_as_user                    = 1000
      run_as_group                   = 1000

      capabilities {
        drop_capabilities = ["ALL"]
      }
    }
  }

  depends_on = [oci_identity_policy.containers]
}
