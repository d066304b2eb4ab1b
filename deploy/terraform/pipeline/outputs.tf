output "endpoint" {
  description = "Where callers POST."
  value       = oci_apigateway_deployment.main.endpoint
}

output "invoke" {
  description = "The command that sends a record through the gateway. The file's bytes arrive as they are."
  value = join(" ", compact([
    "curl --fail-with-body -X POST -H 'Content-Type: application/octet-stream'",
    var.jwt == null ? "" : "-H \"Authorization: Bearer $TOKEN\"",
    "--data-binary @record.bin ${oci_apigateway_deployment.main.endpoint}",
  ]))
}

output "fn_context" {
  description = "The commands that let fn deploy and fn invoke reach this application."
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
  description = "What a job that runs elsewhere needs, as environment variables, beside policies or an API key of its own that let it read bucket and vault; the rest it finds there."
  value       = local.settings
}

output "secret_ids" {
  description = "Each secret's OCID. What they hold is read from the vault only."
  value       = { for name, secret in oci_vault_secret.setting : name => secret.id }
}

output "kafka_bootstrap_servers" {
  description = "The private stream pool's address, for a job on Kubernetes."
  value       = "${oci_streaming_stream_pool.main.endpoint_fqdn}:${local.kafka_port}"
}

output "stream_pool_id" {
  description = "The stream pool, the last part of the Kafka user name."
  value       = oci_streaming_stream_pool.main.id
}

output "subnets" {
  description = "The subnets, for what is added beside: a Kubernetes cluster, a machine with cron."
  value       = { for name, subnet in oci_core_subnet.part : name => subnet.id }
}

output "job_security_group" {
  description = "The security group that may speak to the stream and the endpoints: give it to a job that runs elsewhere."
  value       = oci_core_network_security_group.part["job"].id
}
