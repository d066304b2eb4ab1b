output "registry" {
  description = "The registry for images: REGISTRY for make, the registry for fn."
  value       = local.registry
}

output "repositories" {
  description = "Each program's repository."
  value       = { for program, repository in oci_artifacts_container_repository.program : program => "${local.namespace}/${repository.display_name}" }
}

output "pipeline_variables" {
  description = "Lines for pipeline/terraform.tfvars."
  value       = !var.make_stream_user ? "" : <<-EOT
    kafka_user       = "${join("/", compact([var.stream_user_domain, oci_identity_user.stream[0].name]))}"
    kafka_group_ocid = "${oci_identity_group.stream[0].id}"
  EOT
}

output "next" {
  description = "The next commands."
  value = join("\n", [
    "# 1. log in with an auth token of yours as the password (user: <namespace>/<user>, or <namespace>/<domain>/<user>)",
    "docker login ${local.region_key}.ocir.io",
    "",
    "# 2. build, and push",
    "make images push REGISTRY=${local.registry} IMAGE_TAG=<tag>",
    "",
    "# 3. the stream user's auth token: it is shown once, and goes straight into the variable",
    !var.make_stream_user ? "export TF_VAR_kafka_auth_token=<the auth token of your user>" : "export TF_VAR_kafka_auth_token=\"$(oci iam auth-token create --user-id ${oci_identity_user.stream[0].id} --description frontdoor --query data.token --raw-output)\"",
    "",
    "# 4. the lines of the output pipeline_variables go into deploy/terraform/pipeline/terraform.tfvars, then",
    "make deploy IMAGE_TAG=<tag>",
  ])
}
