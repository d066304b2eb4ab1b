output "registry" {
  description = "Where images are pushed: REGISTRY for make, the registry for fn."
  value       = local.registry
}

output "repositories" {
  description = "Each program's repository."
  value       = { for program, repository in oci_artifacts_container_repository.program : program => "${local.namespace}/${repository.display_name}" }
}

output "next" {
  description = "The commands that come next."
  value       = <<-EOT
    # 1. log in with an auth token as the password (user: <namespace>/<user>, or <namespace>/<domain>/<user>)
    docker login ${local.region_key}.ocir.io

    # 2. build, and push
    make images
    make push REGISTRY=${local.registry} IMAGE_TAG=<tag>

    # 3. everything else
    make deploy IMAGE_TAG=<tag>
  EOT
}
