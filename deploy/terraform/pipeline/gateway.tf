# The API gateway: one POST route, with a bearer token unless anonymous_lab_mode is set.

resource "oci_apigateway_gateway" "main" {
  compartment_id             = var.compartment_ocid
  display_name               = "${var.name}-gateway"
  endpoint_type              = "PUBLIC"
  subnet_id                  = oci_core_subnet.part["gateway"].id
  network_security_group_ids = [oci_core_network_security_group.part["gateway"].id]
  certificate_id             = var.gateway_certificate_id
  freeform_tags              = var.freeform_tags
}

resource "oci_apigateway_deployment" "main" {
  compartment_id = var.compartment_ocid
  gateway_id     = oci_apigateway_gateway.main.id
  display_name   = "RecepFunction"
  path_prefix    = "/"
  freeform_tags  = var.freeform_tags

  specification {
    request_policies {
      dynamic "authentication" {
        for_each = var.jwt == null ? [] : [var.jwt]

        content {
          type                        = "TOKEN_AUTHENTICATION"
          token_header                = "Authorization"
          token_auth_scheme           = "Bearer"
          is_anonymous_access_allowed = false

          validation_policy {
            type                        = "REMOTE_JWKS"
            uri                         = authentication.value.jwks_uri
            is_ssl_verify_disabled      = false
            max_cache_duration_in_hours = 1

            additional_validation_policy {
              issuers   = authentication.value.issuers
              audiences = authentication.value.audiences
            }
          }
        }
      }

      rate_limiting {
        rate_in_requests_per_second = var.rate_limit.requests_per_second
        rate_key                    = var.rate_limit.per
      }
    }

    logging_policies {
      access_log {
        is_enabled = true
      }

      execution_log {
        is_enabled = true
        log_level  = "ERROR"
      }
    }

    routes {
      path    = "/"
      methods = ["POST"]

      backend {
        type        = "ORACLE_FUNCTIONS_BACKEND"
        function_id = oci_functions_function.fn_recep_avro.id
      }

      request_policies {
        dynamic "authorization" {
          for_each = var.jwt == null ? [] : [var.jwt.scopes]

          content {
            type          = length(authorization.value) == 0 ? "AUTHENTICATION_ONLY" : "ANY_OF"
            allowed_scope = authorization.value
          }
        }

        # The function's setting max_body limits the body; the gateway's limit for functions is 6 MB.
        body_validation {
          required        = true
          validation_mode = "ENFORCING"

          dynamic "content" {
            for_each = toset(var.content_types)

            content {
              media_type      = content.value
              validation_type = "NONE"
            }
          }
        }
      }
    }
  }

  # Without the policy the gateway's calls are rejected.
  depends_on = [oci_identity_policy.gateway]
}
