# Location

variable "tenancy_ocid" {
  description = "The tenancy's OCID."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.tenancy\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.tenancy_ocid))
    error_message = "tenancy_ocid must be a tenancy's OCID, such as ocid1.tenancy.oc1..aaaa."
  }
}

variable "compartment_ocid" {
  description = "The compartment of the pipeline."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.compartment\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.compartment_ocid))
    error_message = "compartment_ocid must be a compartment's OCID, such as ocid1.compartment.oc1..aaaa of a compartment other than the root."
  }
}

variable "region" {
  description = "The region, such as sa-saopaulo-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.region))
    error_message = "region must be a region identifier, such as sa-saopaulo-1."
  }
}

variable "name" {
  description = "The prefix of the resources' names, equal to the pipeline's."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.name))
    error_message = "name must be 1 to 15 lower-case letters and digits, starting with a letter."
  }
}

variable "freeform_tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}

variable "pipeline" {
  description = "The pipeline's resources: its output dataflow_variables."
  type = object({
    settings       = map(string)
    secret_ids     = list(string)
    subnet_id      = string
    security_group = string
    dns_zones      = list(string)
  })

  validation {
    condition     = alltrue([for name in ["CONFIG_LOCATION", "AVRO_SCHEMA"] : startswith(lookup(var.pipeline.settings, name, ""), "oci://")])
    error_message = "pipeline.settings needs CONFIG_LOCATION and AVRO_SCHEMA as oci://BUCKET@NAMESPACE/OBJECT."
  }

  validation {
    condition     = length(var.pipeline.secret_ids) > 0 && alltrue([for id in var.pipeline.secret_ids : startswith(id, "ocid1.vaultsecret.")])
    error_message = "pipeline.secret_ids must contain the OCIDs of the secrets."
  }

  validation {
    condition     = length(var.pipeline.dns_zones) > 0
    error_message = "pipeline.dns_zones must contain the host names of the stream pool and the endpoints."
  }
}

# Application

variable "application_file" {
  description = "The application file. Default: jobs/spark/app.py."
  type        = string
  default     = null

  validation {
    condition     = var.application_file == null || can(filesha256(var.application_file))
    error_message = "application_file must be the path of a file."
  }
}

variable "archive_file" {
  description = "The dependency archive that deploy/dataflow/archive has made."
  type        = string
  default     = null

  validation {
    condition     = var.archive_file == null || can(filesha256(var.archive_file))
    error_message = "archive_file must be the path of a file: run make dataflow-archive first."
  }
}

variable "spark_version" {
  description = "The version of Spark. The archive's Python must be that of this version: 3.11 with 3.5.0, 3.8 with 3.2.1."
  type        = string
  default     = "3.5.0"

  validation {
    condition     = contains(["3.5.0", "3.2.1"], var.spark_version)
    error_message = "spark_version must be 3.5.0 or 3.2.1."
  }
}

variable "arguments" {
  description = "Further arguments of `run`, such as [\"--window-max-records\", \"1000000\"]. Secrets are read from the vault."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for argument in var.arguments : !strcontains(argument, "$${")])
    error_message = "arguments must not contain $${…}, which Data Flow replaces. Set such values in config.properties."
  }
}

variable "deadline_minutes" {
  description = "The maximum duration of a run: it then stops by itself, commits and reports. Data Flow kills a run ten minutes later."
  type        = number
  default     = 50

  validation {
    condition     = var.deadline_minutes >= 1 && var.deadline_minutes <= 1430 && var.deadline_minutes == floor(var.deadline_minutes)
    error_message = "deadline_minutes must be a whole number from 1 to 1430."
  }
}

variable "spark_configuration" {
  description = "Further Spark properties, such as { \"spark.frontdoor.sliceOffsets\" = \"50000\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = !contains(keys(var.spark_configuration), "spark.master")
    error_message = "spark_configuration must not set spark.master: the run would use one node only."
  }
}

# Size

variable "driver" {
  description = "The driver's shape and size."
  type = object({
    shape         = optional(string, "VM.Standard.E4.Flex")
    ocpus         = optional(number, 1)
    memory_in_gbs = optional(number, 16)
  })
  default = {}

  validation {
    condition     = var.driver.ocpus >= 1 && var.driver.memory_in_gbs >= var.driver.ocpus
    error_message = "driver needs at least 1 OCPU, and 1 GB of memory for each."
  }
}

variable "executor" {
  description = "The number, shape and size of the executors. threads_per_ocpu is 2 for x86 and 1 for Arm (VM.Standard.A1.Flex): one task runs on each."
  type = object({
    count            = optional(number, 2)
    shape            = optional(string, "VM.Standard.E4.Flex")
    ocpus            = optional(number, 1)
    memory_in_gbs    = optional(number, 16)
    threads_per_ocpu = optional(number, 2)
  })
  default = {}

  validation {
    condition     = var.executor.count >= 1 && var.executor.count == floor(var.executor.count) && var.executor.ocpus >= 1 && var.executor.memory_in_gbs >= var.executor.ocpus
    error_message = "executor needs a count of at least 1, at least 1 OCPU, and 1 GB of memory for each."
  }
}

variable "pool_id" {
  description = "A Data Flow pool whose nodes are already running. Default: each run starts its own nodes."
  type        = string
  default     = null

  validation {
    condition     = var.pool_id == null || can(regex("^ocid1\\.dataflowpool\\.", var.pool_id))
    error_message = "pool_id must be a pool's OCID, such as ocid1.dataflowpool.oc1.sa-saopaulo-1.aaaa."
  }
}
