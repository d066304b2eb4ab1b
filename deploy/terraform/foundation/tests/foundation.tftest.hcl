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
}

mock_provider "oci" {
  alias = "home"

  mock_resource "oci_identity_user" {
    defaults = {
      id = "ocid1.user.oc1..aaaastream"
    }
  }

  mock_resource "oci_identity_group" {
    defaults = {
      id = "ocid1.group.oc1..aaaastream"
    }
  }
}

variables {
  tenancy_ocid     = "ocid1.tenancy.oc1..aaaatenancy"
  compartment_ocid = "ocid1.compartment.oc1..aaaacompartment"
  region           = "sa-saopaulo-1"
}

run "creates_a_private_repository_for_each_program" {
  assert {
    condition     = toset(keys(oci_artifacts_container_repository.program)) == toset(["fn-recep-avro", "api-avro-sample", "forward"])
    error_message = "A program has no repository."
  }

  assert {
    condition     = alltrue([for repository in oci_artifacts_container_repository.program : !repository.is_public && repository.is_immutable])
    error_message = "A repository is public or has mutable tags."
  }

  assert {
    condition     = output.repositories["forward"] == "gru.ocir.io/mynamespace/frontdoor/forward"
    error_message = "The repository's address does not consist of region key, namespace, prefix and program."
  }

  assert {
    condition     = strcontains(output.next, "make images push REGISTRY=gru.ocir.io/mynamespace/frontdoor")
    error_message = "The next commands do not contain the registry."
  }
}

run "the_created_user_has_only_an_auth_token" {
  assert {
    condition = alltrue([
      oci_identity_user_capabilities_management.stream[0].can_use_auth_tokens,
      !oci_identity_user_capabilities_management.stream[0].can_use_api_keys,
      !oci_identity_user_capabilities_management.stream[0].can_use_console_password,
      !oci_identity_user_capabilities_management.stream[0].can_use_customer_secret_keys,
      !oci_identity_user_capabilities_management.stream[0].can_use_smtp_credentials,
    ])
    error_message = "The stream's user has more capabilities than the Kafka protocol needs."
  }

  assert {
    condition     = output.pipeline_variables == "kafka_user       = \"Default/frontdoor-stream\"\nkafka_group_ocid = \"ocid1.group.oc1..aaaastream\"\n"
    error_message = "The variables for the pipeline do not contain the user and its group."
  }

  assert {
    condition     = strcontains(output.next, "oci iam auth-token create --user-id ocid1.user.oc1..aaaastream")
    error_message = "The next commands do not create the token."
  }
}

run "creates_no_user_if_you_have_your_own" {
  variables {
    make_stream_user = false
  }

  assert {
    condition     = length(oci_identity_user.stream) + length(oci_identity_group.stream) + length(oci_identity_user_group_membership.stream) == 0
    error_message = "A user is created although make_stream_user is false."
  }

  assert {
    condition     = output.pipeline_variables == ""
    error_message = "The variables for the pipeline contain a user that does not exist."
  }
}

run "user_names_have_no_domain_in_a_tenancy_without_identity_domains" {
  variables {
    stream_user_domain = ""
  }

  assert {
    condition     = strcontains(output.pipeline_variables, "\"frontdoor-stream\"")
    error_message = "The user name has an empty domain."
  }
}

run "rejects_invalid_ocids" {
  command = plan

  variables {
    tenancy_ocid     = "my tenancy"
    compartment_ocid = "ocid1.user.oc1..aaaauser"
    region           = "São Paulo"
  }

  expect_failures = [var.tenancy_ocid, var.compartment_ocid, var.region]
}

run "rejects_a_prefix_that_the_registry_rejects" {
  command = plan

  variables {
    repository_prefix = "Front//Door"
  }

  expect_failures = [var.repository_prefix]
}
