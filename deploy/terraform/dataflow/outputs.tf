output "application_id" {
  description = "The application's OCID."
  value       = oci_dataflow_application.forward.id
}

output "run" {
  description = "The command that starts a run."
  value       = "oci data-flow run create --compartment-id ${var.compartment_ocid} --application-id ${oci_dataflow_application.forward.id} --display-name forward"
}

output "report" {
  description = "The command that renders the report of the last run."
  value       = "forward report oci://${oci_objectstorage_bucket.logs.name}@${local.namespace}/report.json"
}

output "logs" {
  description = "The bucket with the logs of driver and executors."
  value       = oci_dataflow_application.forward.logs_bucket_uri
}
