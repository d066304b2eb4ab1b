mock_provider "oci" {
  mock_data "oci_identity_regions" {
    defaults = {
      regions = [{ key = "GRU", name = "sa-saopaulo-1" }]
    }
  }

  mock_data "oci_objectstorage_namespace" {
    defaults = {
      namespace = "mynamespace"
    }
  }
}

variables {
  tenancy_ocid     = "ocid1.tenancy.oc1..aaaatenancy"
  compartment_ocid = "ocid1.compartment.oc1..aaaacompartment"
  region           = "sa-saopaulo-1"
}

run "makes_a_private_repository_for_each_program" {
  assert {
    condition     = toset(keys(oci_artifacts_container_repository.program)) == toset(["fn-recep-avro", "api-avro-sample", "forward"])
    error_message = "A program has no repository."
  }

  assert {
    condition     = alltrue([for repository in oci_artifacts_container_repository.program : !repository.is_public && repository.is_immutable])
    error_message = "A repository is public, or lets a tag be overwritten."
  }

  assert {
    condition     = output.repositories["forward"] == "gru.ocir.io/mynamespace/frontdoor/forward"
    error_message = "The repository's address is not region key, namespace, prefix and program."
  }

  assert {
    condition     = strcontains(output.next, "make push REGISTRY=gru.ocir.io/mynamespace/frontdoor")
    error_message = "The next commands do not name the registry."
  }
}

run "refuses_what_is_no_ocid" {
  command = plan

  variables {
    tenancy_ocid     = "my tenancy"
    compartment_ocid = "ocid1.user.oc1..aaaauser"
    region           = "São Paulo"
  }

  expect_failures = [var.tenancy_ocid, var.compartment_ocid, var.region]
}

run "refuses_a_prefix_the_registry_would_refuse" {
  command = plan

  variables {
    repository_prefix = "Front//Door"
  }

  expect_failures = [var.repository_prefix]
}
