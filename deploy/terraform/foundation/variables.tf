variable "tenancy_ocid" {
  description = "The tenancy's OCID."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.tenancy\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.tenancy_ocid))
    error_message = "tenancy_ocid must be a tenancy's OCID, such as ocid1.tenancy.oc1..aaaa."
  }
}

variable "compartment_ocid" {
  description = "The compartment of the repositories."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.compartment_ocid))
    error_message = "compartment_ocid must be a compartment's OCID, such as ocid1.compartment.oc1..aaaa."
  }
}

variable "region" {
  description = "The region, such as sa-saopaulo-1. Functions pull images only from the registry of their own region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.region))
    error_message = "region must be a region identifier, such as sa-saopaulo-1."
  }
}

variable "repository_prefix" {
  description = "The prefix of the repositories' names. It must be equal to the pipeline's variable."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_prefix))
    error_message = "repository_prefix must be lower-case letters and digits, separated by single dots, dashes, underscores or slashes."
  }
}

variable "name" {
  description = "The prefix of the names of the user and its group."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.name))
    error_message = "name must be 1 to 15 lower-case letters and digits, a letter first."
  }
}

variable "make_stream_user" {
  description = "Whether to create a user that may use only the stream. If false, set your own user in the pipeline."
  type        = bool
  default     = true
}

variable "stream_user_domain" {
  description = "The identity domain of the user; empty in a tenancy without identity domains."
  type        = string
  default     = "Default"
}

variable "stream_user_email" {
  description = "The user's e-mail address, which many identity domains require."
  type        = string
  default     = null
}

variable "immutable_tags" {
  description = "Whether tags are immutable."
  type        = bool
  default     = true
}

variable "freeform_tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
