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
  description = "The compartment of all resources. Use a separate compartment: the dynamic groups match every function and container instance in it."
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

variable "availability_domain" {
  description = "The availability domain of the container instances, counted from 1."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2, 3], var.availability_domain)
    error_message = "availability_domain must be 1, 2 or 3."
  }
}

variable "name" {
  description = "The prefix of the resources' names, and the network's DNS label."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.name))
    error_message = "name must be 1 to 15 lower-case letters and digits, starting with a letter: it is also a DNS label."
  }
}

variable "freeform_tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}

# Images

variable "repository_prefix" {
  description = "The prefix of the repositories' names, equal to the foundation's variable."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_prefix))
    error_message = "repository_prefix must be lower-case letters and digits, separated by single dots, dashes, underscores or slashes."
  }
}

variable "image_tag" {
  description = "The tag of the pushed images. A new tag deploys a new release."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be an immutable tag, such as 0.1.0, not latest."
  }
}

# Network

variable "vcn_cidr" {
  description = "The network's address range. It contains four subnets whose prefixes are 8 bits longer."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vcn_cidr, 0)) && tonumber(split("/", var.vcn_cidr)[1]) >= 16 && tonumber(split("/", var.vcn_cidr)[1]) <= 20
    error_message = "vcn_cidr must be an IPv4 range of /16 to /20."
  }
}

variable "client_cidrs" {
  description = "The address ranges that may connect to the gateway."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.client_cidrs) > 0 && alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs must contain at least one range, such as 203.0.113.0/24."
  }
}

variable "endpoint_cidrs" {
  description = "The address ranges of your own endpoints, to which the job may POST over HTTPS on port 443 and the ports in api_urls, through the NAT gateway."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.endpoint_cidrs : can(cidrhost(cidr, 0))])
    error_message = "endpoint_cidrs must contain ranges, such as 203.0.113.0/24."
  }
}

# Stream

variable "topic" {
  description = "The stream between function and job. The stream of dead letters is NAME-dead-letter."
  type        = string
  default     = "FrontDoorTopic"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,200}$", var.topic))
    error_message = "topic must be 1 to 200 letters, digits, dots, dashes and underscores."
  }
}

variable "partitions" {
  description = "The stream's partitions, with 1 MB/s of writes each. A change creates a new, empty stream: before it, let a run end with lag 0."
  type        = number
  default     = 1

  validation {
    condition     = var.partitions >= 1 && var.partitions == floor(var.partitions)
    error_message = "partitions must be a whole number greater than zero."
  }
}

variable "retention_hours" {
  description = "The retention of the stream, 24 to 168 hours. Records are lost if the job does not run for this time. A change creates a new, empty stream."
  type        = number
  default     = 168

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 168
    error_message = "retention_hours must be 24 to 168."
  }
}

variable "kafka_user" {
  description = "The user of the Kafka protocol, as domain/name, or name in a tenancy without identity domains: the foundation's output pipeline_variables, or your own user."
  type        = string

  validation {
    condition     = can(regex("^[^/]+(/[^/]+)?$", var.kafka_user))
    error_message = "kafka_user must be domain/name or name, without the tenancy and the stream pool."
  }
}

variable "kafka_auth_token" {
  description = "The user's auth token. Set it with the environment variable TF_VAR_kafka_auth_token. It is stored in the vault and in Terraform's state: keep the state secret."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.kafka_auth_token) > 0
    error_message = "kafka_auth_token must not be empty."
  }
}

variable "kafka_group_ocid" {
  description = "The user's group, which gets a policy to use this stream pool: the foundation's output pipeline_variables. If unset, you need your own policy."
  type        = string
  default     = null

  validation {
    condition     = var.kafka_group_ocid == null || can(regex("^ocid1\\.group\\.", var.kafka_group_ocid))
    error_message = "kafka_group_ocid must be a group's OCID, such as ocid1.group.oc1..aaaa."
  }
}

# Documents

variable "config_bucket" {
  description = "The bucket of config.properties."
  type        = string
  default     = "config"
}

variable "schema_bucket" {
  description = "The bucket of the Avro schema."
  type        = string
  default     = "avro-schema-bucket"
}

variable "schema_file" {
  description = "The path of the Avro schema to upload. Default: schemas/user.avsc."
  type        = string
  default     = null

  validation {
    condition     = var.schema_file == null || can(jsondecode(file(var.schema_file)))
    error_message = "schema_file must be the path of a JSON file."
  }
}

variable "key_protection" {
  description = "The protection of the vault's key: HSM, or SOFTWARE, which is free."
  type        = string
  default     = "SOFTWARE"

  validation {
    condition     = contains(["HSM", "SOFTWARE"], var.key_protection)
    error_message = "key_protection must be HSM or SOFTWARE."
  }
}

# Function

variable "application" {
  description = "The application's name."
  type        = string
  default     = "MyReceptionApp"
}

variable "function_shape" {
  description = "The processor architecture of the images."
  type        = string
  default     = "GENERIC_X86"

  validation {
    condition     = contains(["GENERIC_X86", "GENERIC_ARM", "GENERIC_X86_ARM"], var.function_shape)
    error_message = "function_shape must be GENERIC_X86, GENERIC_ARM or GENERIC_X86_ARM."
  }
}

variable "function_memory" {
  description = "The function's memory in MB."
  type        = number
  default     = 256

  validation {
    condition     = contains([128, 256, 512, 1024, 2048, 3072], var.function_memory)
    error_message = "function_memory must be 128, 256, 512, 1024, 2048 or 3072."
  }
}

variable "function_timeout" {
  description = "The timeout of a call in seconds. It must be longer than publish_timeout (10 s) plus a cold start."
  type        = number
  default     = 30

  validation {
    condition     = var.function_timeout >= 15 && var.function_timeout <= 300
    error_message = "function_timeout must be 15 to 300."
  }
}

variable "function_provisioned" {
  description = "The provisioned concurrency: the number of concurrent calls with a warm container; 0 disables it."
  type        = number
  default     = 0

  validation {
    condition     = var.function_provisioned >= 0 && var.function_provisioned % 20 == 0
    error_message = "function_provisioned must be 0 or a multiple of 20."
  }
}

variable "max_body" {
  description = "The largest request body, at most 6MB, the limit of Functions. The response to a larger body is 413."
  type        = string
  default     = "6MB"

  validation {
    condition     = can(regex("^[1-6]MB$|^[0-9]{1,4}kB$|^[1-5]MiB$|^[0-9]{1,4}KiB$", var.max_body))
    error_message = "max_body must be a size of at most 6MB, such as 1MB or 512KiB."
  }
}

# Gateway

variable "jwt" {
  description = "The authentication of callers: the key set (JWKS), the issuers and the audiences of bearer tokens."
  type = object({
    jwks_uri  = string
    issuers   = list(string)
    audiences = list(string)
    scopes    = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.jwt == null || can(regex("^https://", var.jwt.jwks_uri))
    error_message = "jwt.jwks_uri must be an https URL."
  }

  validation {
    condition     = var.jwt == null || try(length(var.jwt.issuers) > 0 && length(var.jwt.audiences) > 0, false)
    error_message = "jwt needs at least one issuer and one audience: without them any token of the same identity provider is accepted."
  }

  validation {
    condition     = var.anonymous_lab_mode != (var.jwt != null)
    error_message = "Callers must be authenticated: set jwt. For a laboratory only, set anonymous_lab_mode = true and do not set jwt."
  }
}

variable "anonymous_lab_mode" {
  description = "Accepts calls without authentication, as in the tutorial. For a laboratory only."
  type        = bool
  default     = false
}

variable "rate_limit" {
  description = "The gateway's limit of requests per second, per client address or in total."
  type = object({
    requests_per_second = optional(number, 100)
    per                 = optional(string, "CLIENT_IP")
  })
  default = {}

  validation {
    condition     = var.rate_limit.requests_per_second >= 1 && contains(["CLIENT_IP", "TOTAL"], var.rate_limit.per)
    error_message = "rate_limit needs requests_per_second greater than zero, and per CLIENT_IP or TOTAL."
  }
}

variable "content_types" {
  description = "The content types that the gateway accepts. Its response to others is 415. The default is what the function accepts; curl sends the last one."
  type        = list(string)
  default     = ["application/octet-stream", "avro/binary", "application/avro", "application/vnd.apache.avro", "text/plain", "application/x-www-form-urlencoded"]

  validation {
    condition     = length(var.content_types) > 0
    error_message = "content_types must contain at least one content type."
  }
}

variable "gateway_certificate_id" {
  description = "The certificate of your own domain. Default: the gateway's name and certificate."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "The retention of the logs: 30 to 180 days, in steps of 30."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 120, 150 or 180."
  }
}

# Containers

variable "container_shape" {
  description = "The container instances' shape, for the processor architecture of the images."
  type        = string
  default     = "CI.Standard.E4.Flex"

  validation {
    condition     = startswith(var.container_shape, "CI.Standard.")
    error_message = "container_shape must be a container instance's shape, such as CI.Standard.E4.Flex."
  }
}

variable "api_urls" {
  description = "Your own endpoints for API types A and B, in endpoint_cidrs. Default: a sample endpoint for each, in a container instance."
  type = object({
    a = string
    b = string
  })
  default = null

  validation {
    condition     = var.api_urls == null || try(alltrue([for url in values(var.api_urls) : can(regex("^https://", url))]), false)
    error_message = "api_urls must be two https URLs."
  }

  validation {
    condition     = var.api_urls == null || var.job != "container" || length(var.endpoint_cidrs) > 0
    error_message = "api_urls needs endpoint_cidrs with the endpoints' addresses, so that the job can connect to them."
  }
}

variable "job" {
  description = "The platform of the job: container (a container instance with the job's own timer) or elsewhere (Kubernetes, cron or systemd: see deploy/)."
  type        = string
  default     = "container"

  validation {
    condition     = contains(["container", "elsewhere"], var.job)
    error_message = "job must be container or elsewhere."
  }
}

variable "job_every" {
  description = "The interval between the starts of two runs of the job in a container."
  type        = string
  default     = "30s"

  validation {
    condition     = can(regex("^[1-9][0-9]*(s|m|h)$", var.job_every))
    error_message = "job_every must be a duration, such as 30s or 5m."
  }
}
