# The application. It creates no run and costs nothing until one is started: see the output run.

# Runs reach the private stream and the endpoints through the pipeline's subnet, with the job's security group.
resource "oci_dataflow_private_endpoint" "main" {
  compartment_id = var.compartment_ocid
  display_name   = "${var.name}-dataflow"
  description    = "From Data Flow to the stream and the endpoints"
  subnet_id      = var.pipeline.subnet_id
  nsg_ids        = [var.pipeline.security_group]
  dns_zones      = var.pipeline.dns_zones
  freeform_tags  = var.freeform_tags
}

resource "oci_dataflow_application" "forward" {
  compartment_id = var.compartment_ocid
  display_name   = "${var.name}-forward"
  description    = "One window of the stream: validate, route, deliver, commit, report"
  freeform_tags  = var.freeform_tags

  type          = "BATCH"
  language      = "PYTHON"
  spark_version = var.spark_version
  file_uri      = "oci://${oci_objectstorage_bucket.app.name}@${local.namespace}/${oci_objectstorage_object.upload["app"].object}"
  archive_uri   = "oci://${oci_objectstorage_bucket.app.name}@${local.namespace}/${oci_objectstorage_object.upload["archive"].object}"

  arguments = concat(
    ["run"],
    local.setting_flags,
    ["--deadline", "${var.deadline_minutes}m"],
    ["--report", "oci://${oci_objectstorage_bucket.logs.name}@${local.namespace}/report.json"],
    var.arguments,
  )

  # Without dataflow.auth a run acts as the user who started it, with a delegation token, which the job cannot use.
  configuration = merge(
    { "spark.frontdoor.tasks" = tostring(var.executor.count * floor(var.executor.ocpus * var.executor.threads_per_ocpu)) },
    var.spark_configuration,
    { "dataflow.auth" = "resource_principal" },
  )

  driver_shape = var.driver.shape
  driver_shape_config {
    ocpus         = var.driver.ocpus
    memory_in_gbs = var.driver.memory_in_gbs
  }

  num_executors  = var.executor.count
  executor_shape = var.executor.shape
  executor_shape_config {
    ocpus         = var.executor.ocpus
    memory_in_gbs = var.executor.memory_in_gbs
  }

  private_endpoint_id        = oci_dataflow_private_endpoint.main.id
  pool_id                    = var.pool_id
  logs_bucket_uri            = "oci://${oci_objectstorage_bucket.logs.name}@${local.namespace}/"
  max_duration_in_minutes    = tostring(var.deadline_minutes + 10)
  terminate_runs_on_deletion = true
}
