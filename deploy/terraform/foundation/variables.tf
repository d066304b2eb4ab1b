variable "tenancy_ocid" {
  description = "The tenancy's OCID."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.tenancy\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.tenancy_ocid))
    error_message = "tenancy_ocid must be a tenancy's OCID, as ocid1.tenancy.oc1..aaaa."
  }
}

variable "compartment_ocid" {
  description = "The compartment that the repositories are made in."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.[a-z0-9-]+\\.\\.[a-z0-9]+$", var.compartment_ocid))
    error_message = "compartment_ocid must be a compartment's OCID, as ocid1.compartment.oc1..aaaa."
  }
}

variable "region" {
  description = "The region, as sa-saopaulo-1. Functions pull images only from the registry of their own region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.region))
    error_message = "region must be a region identifier, as sa-saopaulo-1."
  }
}

variable "repository_prefix" {
  description = "What the repositories' names begin with. The pipeline's variable of the same name must be equal."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_prefix))
    error_message = "repository_prefix must be lower-case letters and digits, separated by single dots, dashes, underscores or slashes."
  }
}

variable "name" {
  description = "What the names of the user and its group begin with."
  type        = string
  default     = "frontdoor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.name))
    error_message = "name must be 1 to 15 lower-case letters and digits, a letter first."
  }
}

variable "make_stream_user" {
  description = "Whether a user is made that may use the stream and nothing else. False: you name one of yours in the pipeline."
  type        = bool
  default     = true
}

variable "stream_user_domain" {
  description = "The identity domain of that user; empty in a tenancy without identity domains."
  type        = string
  default     = "Default"
}

variable "stream_user_email" {
  description = "That user's e-mail address; many identity domains ask for one."
  type        = string
  default     = null
}

variable "immutable_tags" {
  description = "Whether a tag, once pushed, can never mean another image."
  type        = bool
  default     = true
}

variable "freeform_tags" {
  description = "Tags for everything that is made here."
  type        = map(string)
  default     = {}
}
