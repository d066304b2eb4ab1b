# What Oracle's services would answer. Names and keys are invented; their shapes are the provider's.

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

mock_data "oci_identity_availability_domains" {
  defaults = {
    availability_domains = [
      { id = "ocid1.availabilitydomain.oc1..aaaa", compartment_id = "ocid1.tenancy.oc1..aaaatenancy", name = "qIZq:SA-SAOPAULO-1-AD-1" },
    ]
  }
}

mock_data "oci_objectstorage_namespace" {
  defaults = {
    namespace = "mynamespace"
  }
}

mock_data "oci_core_services" {
  defaults = {
    services = [{
      id          = "ocid1.service.oc1.sa-saopaulo-1.aaaa"
      name        = "All GRU Services In Oracle Services Network"
      cidr_block  = "all-gru-services-in-oracle-services-network"
      description = "All GRU Services In Oracle Services Network"
    }]
  }
}

mock_resource "oci_core_subnet" {
  defaults = {
    subnet_domain_name = "apps.frontdoor.oraclevcn.com"
  }
}

mock_resource "oci_streaming_stream_pool" {
  defaults = {
    id            = "ocid1.streampool.oc1.sa-saopaulo-1.aaaapool"
    endpoint_fqdn = "cell-1.streaming.private.example"
  }
}

mock_resource "oci_kms_vault" {
  defaults = {
    management_endpoint = "https://vault-management.kms.example"
  }
}

mock_resource "oci_identity_auth_token" {
  defaults = {
    token = "mock-token-never-to-be-printed"
  }
}

mock_resource "oci_apigateway_deployment" {
  defaults = {
    id       = "ocid1.apideployment.oc1.sa-saopaulo-1.aaaadeployment"
    endpoint = "https://gateway.apigateway.sa-saopaulo-1.oci.customer-oci.com/"
  }
}
