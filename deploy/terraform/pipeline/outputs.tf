output "endpoint" {
  description = "The URL to which callers POST."
  value       = oci_apigateway_deployment.main.endpoint
}

output "invoke" {
  description = "The command that sends a record through the gateway without changing its bytes."
  value = join(" ", compact([
    "curl --fail-with-body -X POST -H 'Content-Type: application/octet-stream'",
    var.jwt == null ? "" : "-H \"Authorization: Bearer $TOKEN\"",
    "--data-binary @record.bin ${oci_apigateway_deployment.main.endpoint}",
  ]))
}

output "fn_context" {
  description = "The commands that configure fn deploy and fn invoke for this application."
  value       = <<-EOT
    fn create context oci-cloud --provider oracle
    fn use context oci-cloud
    fn update context oracle.compartment-id ${var.compartment_ocid}
    fn update context api-url https://functions.${var.region}.oci.oraclecloud.com
    fn update context registry ${local.registry}
    fn invoke ${oci_functions_application.main.display_name} ${oci_functions_function.fn_recep_avro.display_name} < record.bin
  EOT
}

output "settings" {
  description = "The environment variables of a job that runs elsewhere. It also needs policies or an API key to read bucket and vault, which contain the other settings."
  value       = local.settings
}

output "secret_ids" {
  description = "The OCIDs of the secrets. Programs read the contents from the vault."
  value       = { for name, secret in oci_vault_secret.setting : name => secret.id }
}

output "kafka_bootstrap_servers" {
  description = "The private stream pool's bootstrap servers, for a job on Kubernetes."
  value       = "${oci_streaming_stream_pool.main.endpoint_fqdn}:${local.kafka_port}"
}

output "stream_pool_id" {
  description = "The stream pool's OCID, the last part of the Kafka user name."
  value       = oci_streaming_stream_pool.main.id
}

output "subnets" {
  description = "The subnets, for other machines such as a Kubernetes cluster."
  value       = { for name, subnet in oci_core_subnet.part : name => subnet.id }
}

output "job_security_group" {
  description = "The security group that may connect to the stream and the endpoints, for a job that runs elsewhere."
  value       = oci_core_network_security_group.part["job"].id
}

output "dataflow_variables" {
  description = "The line for dataflow/terraform.tfvars, if the job runs on Data Flow."
  value = "pipeline = ${jsonencode({
    settings       = local.settings
    secret_ids     = [for name in local.job_secrets : oci_vault_secret.setting[name].id]
    subnet_id      = oci_core_subnet.part["apps"].id
    security_group = oci_core_network_security_group.part["job"].id
    dns_zones      = distinct(concat([oci_streaming_stream_pool.main.endpoint_fqdn], [for url in values(local.api_urls) : regex("^https?://([^/:?#]+)", url)[0]]))
  })}\n"
}
