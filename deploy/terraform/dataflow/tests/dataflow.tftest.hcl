# Tests the plans with mocked responses of the provider; no resource is created.

mock_provider "oci" {
  mock_data "oci_identity_tenancy" {
    defaults = {
      name            = "mytenancy"
      home_region_key = "IAD"
    }
  }

  mock_data "oci_identity_regions" {
    defaults = {
      regions = [
        { key = "GRU", name = "sa-saopaulo-1" },
        { key = "IAD", name = "us-ashburn-1" },
      ]
    }
  }

  mock_data "oci_objectstorage_namespace" {
    defaults = {
      namespace = "mynamespace"
    }
  }

  mock_resource "oci_dataflow_application" {
    defaults = {
      id = "ocid1.dataflowapplication.oc1.sa-saopaulo-1.aaaaapplication"
    }
  }

  mock_resource "oci_dataflow_private_endpoint" {
    defaults = {
      id = "ocid1.dataflowprivateendpoint.oc1.sa-saopaulo-1.aaaaendpoint"
    }
  }
}

mock_provider "oci" {
  alias = "home"
}

variables {
  tenancy_ocid     = "ocid1.tenancy.oc1..aaaatenancy"
  compartment_ocid = "ocid1.compartment.oc1..aaaacompartment"
  region           = "sa-saopaulo-1"
  application_file = "versions.tf"
  archive_file     = "variables.tf"
  pipeline = {
    settings = {
      AVRO_SCHEMA     = "oci://avro-schema-bucket@mynamespace/user.avsc"
      CONFIG_LOCATION = "oci://config@mynamespace/config.properties"
      KAFKA_PROFILE   = "oci"
      LOG_FORMAT      = "json"
    }
    secret_ids     = ["ocid1.vaultsecret.oc1.sa-saopaulo-1.aaaaone", "ocid1.vaultsecret.oc1.sa-saopaulo-1.aaaatwo"]
    subnet_id      = "ocid1.subnet.oc1.sa-saopaulo-1.aaaaapps"
    security_group = "ocid1.networksecuritygroup.oc1.sa-saopaulo-1.aaaajob"
    dns_zones      = ["cell-1.streaming.private.example", "api-type-a.apps.frontdoor.oraclevcn.com"]
  }
}

run "the_application_is_a_bounded_batch" {
  assert {
    condition     = oci_dataflow_application.forward.type == "BATCH" && oci_dataflow_application.forward.language == "PYTHON" && oci_dataflow_application.forward.spark_version == "3.5.0"
    error_message = "The application is not a batch in Python on Spark 3.5.0."
  }

  assert {
    condition     = oci_dataflow_application.forward.max_duration_in_minutes == "60"
    error_message = "Data Flow does not stop a run ten minutes after its deadline."
  }

  assert {
    condition     = oci_dataflow_application.forward.file_uri == "oci://frontdoor-dataflow@mynamespace/app.py" && oci_dataflow_application.forward.archive_uri == "oci://frontdoor-dataflow@mynamespace/archive.zip"
    error_message = "The application does not use the uploaded files."
  }

  assert {
    condition     = oci_dataflow_application.forward.terminate_runs_on_deletion
    error_message = "A run would continue after its application is deleted."
  }
}

run "settings_are_arguments" {
  assert {
    condition = oci_dataflow_application.forward.arguments == tolist([
      "run",
      "--avro-schema", "oci://avro-schema-bucket@mynamespace/user.avsc",
      "--config-location", "oci://config@mynamespace/config.properties",
      "--kafka-profile", "oci",
      "--log-format", "json",
      "--deadline", "50m",
      "--report", "oci://frontdoor-dataflow-logs@mynamespace/report.json",
    ])
    error_message = "The arguments are not those of `forward run`."
  }
}

run "further_arguments_follow" {
  variables {
    arguments = ["--window-max-records", "1000000"]
  }

  assert {
    condition     = slice(oci_dataflow_application.forward.arguments, 13, 15) == tolist(["--window-max-records", "1000000"])
    error_message = "The further arguments are missing."
  }
}

run "runs_use_the_resource_principal" {
  variables {
    spark_configuration = { "dataflow.auth" = "delegation", "spark.frontdoor.sliceOffsets" = "50000" }
  }

  assert {
    condition     = oci_dataflow_application.forward.configuration["dataflow.auth"] == "resource_principal"
    error_message = "A run acts as the user who starts it."
  }

  assert {
    condition     = oci_dataflow_application.forward.configuration["spark.frontdoor.sliceOffsets"] == "50000"
    error_message = "A Spark property is missing."
  }
}

run "one_task_runs_on_each_thread_of_the_executors" {
  variables {
    executor = { count = 3, ocpus = 4, memory_in_gbs = 32 }
  }

  assert {
    condition     = oci_dataflow_application.forward.configuration["spark.frontdoor.tasks"] == "24"
    error_message = "3 executors with 4 OCPUs of 2 threads do not run 24 tasks."
  }

  assert {
    condition     = oci_dataflow_application.forward.num_executors == 3 && oci_dataflow_application.forward.executor_shape_config[0].ocpus == 4
    error_message = "The executors have another size."
  }
}

run "runs_reach_the_private_network" {
  assert {
    condition     = oci_dataflow_application.forward.private_endpoint_id == oci_dataflow_private_endpoint.main.id
    error_message = "The application does not use the private endpoint."
  }

  assert {
    condition     = oci_dataflow_private_endpoint.main.subnet_id == var.pipeline.subnet_id && oci_dataflow_private_endpoint.main.nsg_ids == toset([var.pipeline.security_group])
    error_message = "The private endpoint is not in the job's security group."
  }
}

run "buckets_are_private" {
  assert {
    condition     = alltrue([for bucket in [oci_objectstorage_bucket.app, oci_objectstorage_bucket.logs] : bucket.access_type == "NoPublicAccess"])
    error_message = "A bucket is public."
  }
}

run "rejects_a_placeholder_of_data_flow" {
  command = plan

  variables {
    arguments = ["--routes", "$${file}"]
  }

  expect_failures = [var.arguments]
}

run "rejects_settings_without_a_location" {
  command = plan

  variables {
    pipeline = {
      settings       = { KAFKA_PROFILE = "oci" }
      secret_ids     = ["ocid1.vaultsecret.oc1.sa-saopaulo-1.aaaaone"]
      subnet_id      = "ocid1.subnet.oc1.sa-saopaulo-1.aaaaapps"
      security_group = "ocid1.networksecuritygroup.oc1.sa-saopaulo-1.aaaajob"
      dns_zones      = ["cell-1.streaming.private.example"]
    }
  }

  expect_failures = [var.pipeline]
}

run "rejects_a_missing_archive" {
  command = plan

  variables {
    archive_file = "none.zip"
  }

  expect_failures = [var.archive_file]
}

run "rejects_another_spark_master" {
  command = plan

  variables {
    spark_configuration = { "spark.master" = "local[2]" }
  }

  expect_failures = [var.spark_configuration]
}
