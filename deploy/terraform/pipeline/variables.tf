# Where

variable "tenancy_ocid" {
  description = "The tenancy's OCID."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.tenancy\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.tenancy_ocid))
    error_message = "tenancy_ocid must be a tenancy's OCID, as ocid1.tenancy.oc1..aaaa."
  }
}

variable "compartment_ocid" {
  description = "The compartment that everything is made in. One of its own is best: the dynamic groups match every function and container instance in it."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.compartment\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.compartment_ocid))
    error_message = "compartment_ocid must be a compartment's OCID, as ocid1.compartment.oc1..aaaa; the root compartment is not for this."
  }
}

variable "region" {
  description = "The region, as sa-saopaulo-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.region))
    error_message = "region must be a region identifier, as sa-saopaulo-1."
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
  description = "What the names of the resources begin with, and the network's DNS label."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.name))
    error_message = "name must be 1 to 15 lower-case letters and digits, a letter first: it is a DNS label too."
  }
}

variable "freeform_tags" {
  description = "Tags for everything that is made here."
  type        = map(string)
  default     = {}
}

# Images

variable "repository_prefix" {
  description = "What the repositories' names begin with; equal to the foundation's variable."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_prefix))
    error_message = "repository_prefix must be lower-case letters and digits, separated by single dots, dashes, underscores or slashes."
  }
}

variable "image_tag" {
  description = "The tag of the images that were pushed. A new tag is a new release: nothing is ever pulled by surprise."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag that stays what it is, as 0.1.0; latest does not."
  }
}

# Network

variable "vcn_cidr" {
  description = "The network's addresses. Four subnets, each 8 bits narrower, are cut out of it."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vcn_cidr, 0)) && tonumber(split("/", var.vcn_cidr)[1]) >= 16 && tonumber(split("/", var.vcn_cidr)[1]) <= 20
    error_message = "vcn_cidr must be an IPv4 range of /16 to /20."
  }
}

variable "client_cidrs" {
  description = "Who may reach the gateway."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.client_cidrs) > 0 && alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs must hold at least one range, as 203.0.113.0/24."
  }
}

variable "endpoint_cidrs" {
  description = "Where the job may POST over HTTPS besides the endpoints made here, for api_urls and routes of your own, on port 443 and the ports in api_urls; it leaves through the NAT gateway."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.endpoint_cidrs : can(cidrhost(cidr, 0))])
    error_message = "endpoint_cidrs must hold ranges, as 203.0.113.0/24."
  }
}

# Stream

variable "topic" {
  description = "The stream that the function writes and the job reads. Dead letters go to a second one, NAME-dead-letter."
  type        = string
  default     = "FrontDoorTopic"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,200}$", var.topic))
    error_message = "topic must be 1 to 200 letters, digits, dots, dashes and underscores."
  }
}

variable "partitions" {
  description = "The stream's partitions: 1 MB/s of writes each. A stream keeps its number: another one here makes a new, empty stream, so let a run end with lag 0 first."
  type        = number
  default     = 1

  validation {
    condition     = var.partitions >= 1 && var.partitions == floor(var.partitions)
    error_message = "partitions must be a whole number from 1."
  }
}

variable "retention_hours" {
  description = "How long a record stays in the stream, 24 to 168 hours: how long the job may be away before records are lost. Another value makes a new, empty stream."
  type        = number
  default     = 168

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 168
    error_message = "retention_hours must be 24 to 168."
  }
}

variable "kafka_user" {
  description = "The user behind the Kafka protocol, as domain/name (or name, in a tenancy without identity domains): the foundation's output pipeline_variables, or one of yours."
  type        = string

  validation {
    condition     = can(regex("^[^/]+(/[^/]+)?$", var.kafka_user))
    error_message = "kafka_user must be domain/name, or name: the tenancy and the stream pool are put round it here."
  }
}

variable "kafka_auth_token" {
  description = "That user's auth token. Best given as the environment variable TF_VAR_kafka_auth_token; it is kept in the vault, and in Terraform's state, which is to be kept as secret."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.kafka_auth_token) > 0
    error_message = "kafka_auth_token must not be empty."
  }
}

variable "kafka_group_ocid" {
  description = "The group of that user, which is let use this stream pool: the foundation's output pipeline_variables. Unset: a policy of yours lets it."
  type        = string
  default     = null

  validation {
    condition     = var.kafka_group_ocid == null || can(regex("^ocid1\\.group\\.", var.kafka_group_ocid))
    error_message = "kafka_group_ocid must be a group's OCID, as ocid1.group.oc1..aaaa."
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
  description = "The Avro schema that is uploaded. Unset: the project's own, schemas/user.avsc."
  type        = string
  default     = null

  validation {
    condition     = var.schema_file == null || can(jsondecode(file(var.schema_file)))
    error_message = "schema_file must be the path of a JSON file."
  }
}

variable "key_protection" {
  description = "Where the vault's key lives: HSM, or SOFTWARE, which costs nothing."
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
  description = "The processors that the images were built for."
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
  description = "How long a call may take, in seconds. It must leave room for publish_timeout (10 s) and a first start."
  type        = number
  default     = 30

  validation {
    condition     = var.function_timeout >= 15 && var.function_timeout <= 300
    error_message = "function_timeout must be 15 to 300."
  }
}

variable "function_provisioned" {
  description = "How many calls at a time find a warm container (provisioned concurrency); 0: none is kept warm."
  type        = number
  default     = 0

  validation {
    condition     = var.function_provisioned >= 0 && var.function_provisioned % 20 == 0
    error_message = "function_provisioned must be 0 or a multiple of 20."
  }
}

variable "max_body" {
  description = "The largest request body, as 6MB, the most that Functions takes; a larger one is answered 413."
  type        = string
  default     = "6MB"

  validation {
    condition     = can(regex("^[1-6]MB$|^[0-9]{1,4}kB$|^[1-5]MiB$|^[0-9]{1,4}KiB$", var.max_body))
    error_message = "max_body must be a size of at most 6MB, as 1MB or 512KiB."
  }
}

# Gateway

variable "jwt" {
  description = "Who may call: the key set (JWKS) that signed the caller's bearer token, and the issuers and audiences that it must name."
  type = object({
    jwks_uri  = string
    issuers   = list(string)
    audiences = list(string)
    scopes    = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.jwt == null || can(regex("^https://", var.jwt.jwks_uri))
    error_message = "jwt.jwks_uri must be an https address."
  }

  validation {
    condition     = var.jwt == null || try(length(var.jwt.issuers) > 0 && length(var.jwt.audiences) > 0, false)
    error_message = "jwt needs at least one issuer and one audience: without them any token of the same identity provider would do."
  }

  validation {
    condition     = var.anonymous_lab_mode != (var.jwt != null)
    error_message = "Callers must be authenticated: set jwt. Or, for a laboratory only, set anonymous_lab_mode = true and leave jwt unset."
  }
}

variable "anonymous_lab_mode" {
  description = "The tutorial's way: anybody who reaches the gateway may publish. For a laboratory only."
  type        = bool
  default     = false
}

variable "rate_limit" {
  description = "How many requests a second the gateway lets through, for each caller's address or in total."
  type = object({
    requests_per_second = optional(number, 100)
    per                 = optional(string, "CLIENT_IP")
  })
  default = {}

  validation {
    condition     = var.rate_limit.requests_per_second >= 1 && contains(["CLIENT_IP", "TOTAL"], var.rate_limit.per)
    error_message = "rate_limit needs requests_per_second from 1, and per CLIENT_IP or TOTAL."
  }
}

variable "content_types" {
  description = "The content types that the gateway lets through; others are answered 415 there."
  type        = list(string)
  default     = ["application/octet-stream", "avro/binary", "application/avro", "application/vnd.apache.avro"]

  validation {
    condition     = length(var.content_types) > 0
    error_message = "content_types must name at least one."
  }
}

variable "gateway_certificate_id" {
  description = "A certificate for a domain of your own; unset: the gateway's own name and certificate."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the access, execution and invocation logs are kept: 30 to 180 days, in steps of 30."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 120, 150 or 180."
  }
}

# Containers

variable "container_shape" {
  description = "The container instances' shape, of the kind that the images were built for."
  type        = string
  default     = "CI.Standard.E4.Flex"

  validation {
    condition     = startswith(var.container_shape, "CI.Standard.")
    error_message = "container_shape must be a container instance's shape, as CI.Standard.E4.Flex."
  }
}

variable "api_urls" {
  description = "Your own endpoints for API types A and B; endpoint_cidrs lets the job reach them. Unset: the sample endpoint runs for each in a container instance."
  type = object({
    a = string
    b = string
  })
  default = null

  validation {
    condition     = var.api_urls == null || try(alltrue([for url in values(var.api_urls) : can(regex("^https://", url))]), false)
    error_message = "api_urls must be two https addresses."
  }

  validation {
    condition     = var.api_urls == null || var.job != "container" || length(var.endpoint_cidrs) > 0
    error_message = "api_urls needs endpoint_cidrs: without the endpoints' addresses there, the job's container may not reach them."
  }
}

variable "job" {
  description = "Where the job runs: container (a container instance with the job's own timer), or elsewhere (Kubernetes, cron or systemd: see deploy/)."
  type        = string
  default     = "container"

  validation {
    condition     = contains(["container", "elsewhere"], var.job)
    error_message = "job must be container or elsewhere."
  }
}

variable "job_every" {
  description = "How long after the start of one run the next one starts, where the job is a container."
  type        = string
  default     = "30s"

  validation {
    condition     = can(regex("^[1-9][0-9]*(s|m|h)$", var.job_every))
    error_message = "job_every must be a time, as 30s or 5m."
  }
}
