# Tests the plans with mocked responses of the provider; no resource is created.

# The responses of Oracle's services, with invented names and keys in the provider's format.

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

  mock_resource "oci_apigateway_deployment" {
    defaults = {
      id       = "ocid1.apideployment.oc1.sa-saopaulo-1.aaaadeployment"
      endpoint = "https://gateway.apigateway.sa-saopaulo-1.oci.customer-oci.com/"
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
  image_tag        = "0.1.0"
  kafka_user       = "Default/frontdoor-stream"
  kafka_auth_token = "token-never-to-be-printed"
  kafka_group_ocid = "ocid1.group.oc1..aaaastream"
  jwt = {
    jwks_uri  = "https://identity.example/jwks"
    issuers   = ["https://identity.example/"]
    audiences = ["frontdoor"]
  }
}

run "callers_are_authenticated_by_default" {
  assert {
    condition     = one(oci_apigateway_deployment.main.specification[0].request_policies[0].authentication).type == "TOKEN_AUTHENTICATION"
    error_message = "The deployment accepts callers without a token."
  }

  assert {
    condition     = one(oci_apigateway_deployment.main.specification[0].request_policies[0].authentication).is_anonymous_access_allowed == false
    error_message = "The deployment accepts anonymous callers too."
  }

  assert {
    condition     = contains(oci_apigateway_deployment.main.specification[0].routes[0].request_policies[0].body_validation[0].content[*].media_type, "application/x-www-form-urlencoded")
    error_message = "The gateway rejects the default content type of curl --data-binary, which the function accepts."
  }

  assert {
    condition     = one(oci_apigateway_deployment.main.specification[0].routes[0].request_policies[0].authorization).type == "AUTHENTICATION_ONLY"
    error_message = "The route does not require authentication."
  }

  assert {
    condition     = strcontains(output.invoke, "Authorization: Bearer")
    error_message = "The curl command does not contain the token."
  }
}

run "scopes_are_required_if_set" {
  variables {
    jwt = {
      jwks_uri  = "https://identity.example/jwks"
      issuers   = ["https://identity.example/"]
      audiences = ["frontdoor"]
      scopes    = ["frontdoor.publish"]
    }
  }

  assert {
    condition     = one(oci_apigateway_deployment.main.specification[0].routes[0].request_policies[0].authorization).type == "ANY_OF"
    error_message = "A token without the scope is accepted."
  }
}

run "the_lab_mode_accepts_anonymous_callers" {
  variables {
    anonymous_lab_mode = true
    jwt                = null
  }

  assert {
    condition     = length(oci_apigateway_deployment.main.specification[0].request_policies[0].authentication) == 0
    error_message = "The lab mode requires a token."
  }

  assert {
    condition     = !strcontains(output.invoke, "Bearer") && strcontains(output.invoke, "--data-binary @record.bin https://gateway.")
    error_message = "The curl command of the lab mode contains a token."
  }

  assert {
    condition     = one(oci_apigateway_deployment.main.specification[0].request_policies[0].rate_limiting).rate_in_requests_per_second == 100
    error_message = "The lab mode has no rate limit."
  }
}

run "rejects_both_or_neither_of_jwt_and_lab_mode" {
  command = plan

  variables {
    jwt = null
  }

  expect_failures = [var.jwt]
}

run "rejects_jwt_without_issuer_or_audience" {
  command = plan

  variables {
    jwt = {
      jwks_uri  = "http://identity.example/jwks"
      issuers   = []
      audiences = ["frontdoor"]
    }
  }

  expect_failures = [var.jwt]
}

run "private_resources_are_private" {
  assert {
    condition     = alltrue([for name, subnet in oci_core_subnet.part : subnet.prohibit_public_ip_on_vnic == (name != "gateway")])
    error_message = "A subnet other than the gateway's assigns public addresses."
  }

  assert {
    condition     = length(distinct([for subnet in oci_core_subnet.part : subnet.cidr_block])) == 4
    error_message = "Two subnets overlap."
  }

  assert {
    condition     = oci_streaming_stream_pool.main.private_endpoint_settings[0].subnet_id == oci_core_subnet.part["stream"].id
    error_message = "The stream pool has no private endpoint."
  }

  assert {
    condition     = alltrue([for bucket in [oci_objectstorage_bucket.config, oci_objectstorage_bucket.schema] : bucket.access_type == "NoPublicAccess"])
    error_message = "A bucket is public."
  }

  assert {
    condition     = one(oci_core_default_security_list.emptied.ingress_security_rules).protocol == "1" && length(oci_core_default_security_list.emptied.egress_security_rules) == 0
    error_message = "The default security list opens a port."
  }

  assert {
    condition     = toset([for rule in oci_core_network_security_group_security_rule.in : rule.tcp_options[0].destination_port_range[0].min]) == toset([8080, 9092])
    error_message = "A port other than the stream's and the endpoints' is open."
  }

  assert {
    condition     = toset([for rule in oci_core_network_security_group_security_rule.clients : rule.tcp_options[0].destination_port_range[0].max]) == toset([443])
    error_message = "The gateway has an open port other than 443."
  }
}

run "settings_refer_to_the_secrets" {
  assert {
    condition = toset([for line in split("\n", trimspace(oci_objectstorage_object.config.content)) : split("=", line)[0]]) == toset([
      "kafka_bootstrap_servers_vaultOCID", "kafka_topic_vaultOCID", "kafka_username_vaultOCID", "kafka_password_vaultOCID",
      "api_type_a_url_vaultOCID", "api_type_b_url_vaultOCID",
    ])
    error_message = "config.properties does not contain the six lines."
  }

  assert {
    condition     = strcontains(oci_objectstorage_object.config.content, "kafka_password_vaultOCID=${oci_vault_secret.setting["AUTH_KEY"].id}\n")
    error_message = "kafka_password does not refer to AUTH_KEY."
  }

  assert {
    condition     = oci_functions_application.main.config.CONFIG_LOCATION == "oci://config@mynamespace/config.properties"
    error_message = "The function reads its settings from another location."
  }

  assert {
    condition     = nonsensitive(base64decode(oci_vault_secret.setting["KAFKA_USERNAME"].secret_content[0].content)) == "mytenancy/Default/frontdoor-stream/ocid1.streampool.oc1.sa-saopaulo-1.aaaapool"
    error_message = "The Kafka user is not tenancy/domain/user/pool."
  }

  assert {
    condition     = nonsensitive(base64decode(oci_vault_secret.setting["KAFKA_BOOTSTRAP_SERVERS"].secret_content[0].content)) == "cell-1.streaming.private.example:9092"
    error_message = "The bootstrap server is not the pool's private name."
  }

  assert {
    condition     = output.kafka_bootstrap_servers == nonsensitive(base64decode(oci_vault_secret.setting["KAFKA_BOOTSTRAP_SERVERS"].secret_content[0].content))
    error_message = "The output for a job elsewhere has a different bootstrap server than the vault."
  }

  assert {
    condition     = nonsensitive(base64decode(oci_vault_secret.setting["API_TYPE_B_URL"].secret_content[0].content)) == "http://api-type-b.apps.frontdoor.oraclevcn.com:8080/"
    error_message = "API type B's address is not its container's name."
  }

  assert {
    condition     = nonsensitive(base64decode(oci_vault_secret.setting["AUTH_KEY"].secret_content[0].content)) == "token-never-to-be-printed"
    error_message = "The token in the vault is not the given one."
  }

  assert {
    condition     = issensitive(oci_vault_secret.setting["AUTH_KEY"].secret_content[0].content)
    error_message = "A plan would print the auth token."
  }
}

run "data_flow_gets_the_resources_of_the_job" {
  assert {
    condition     = jsondecode(trimprefix(output.dataflow_variables, "pipeline = ")).settings == output.settings
    error_message = "A run on Data Flow has other settings than a job elsewhere."
  }

  assert {
    condition     = toset(jsondecode(trimprefix(output.dataflow_variables, "pipeline = ")).secret_ids) == toset(values(output.secret_ids))
    error_message = "A run on Data Flow cannot read the job's secrets."
  }

  assert {
    condition = toset(jsondecode(trimprefix(output.dataflow_variables, "pipeline = ")).dns_zones) == toset([
      "cell-1.streaming.private.example", "api-type-a.apps.frontdoor.oraclevcn.com", "api-type-b.apps.frontdoor.oraclevcn.com",
    ])
    error_message = "A run on Data Flow cannot resolve the stream or an endpoint."
  }
}

run "creates_a_stream_for_dead_letters" {
  assert {
    condition     = oci_streaming_stream.dead_letter.name == "FrontDoorTopic-dead-letter" && oci_streaming_stream.topic.partitions == 1
    error_message = "There is no stream for dead letters."
  }

  assert {
    condition     = oci_streaming_stream_pool.main.kafka_settings[0].auto_create_topics_enable == false
    error_message = "Writing to a mistyped topic creates it."
  }
}

run "containers_run_without_privileges" {
  assert {
    condition = alltrue([
      for instance in concat(values(oci_container_instances_container_instance.endpoint), oci_container_instances_container_instance.job) :
      alltrue([for container in instance.containers : container.security_context[0].run_as_user == 1000 && container.security_context[0].is_root_file_system_readonly])
    ])
    error_message = "A container runs as root, or with a writable root file system."
  }

  assert {
    condition     = alltrue([for instance in oci_container_instances_container_instance.endpoint : instance.containers[0].is_resource_principal_disabled])
    error_message = "An endpoint has an identity that it does not need."
  }

  assert {
    condition     = oci_container_instances_container_instance.job[0].containers[0].arguments == tolist(["run", "--every", "30s"])
    error_message = "The job does not run every 30 seconds."
  }

  assert {
    condition     = oci_container_instances_container_instance.job[0].containers[0].image_url == "gru.ocir.io/mynamespace/frontdoor/forward:0.1.0"
    error_message = "The job's image is not the pushed one."
  }
}

run "the_job_and_the_endpoints_can_run_elsewhere" {
  variables {
    job            = "elsewhere"
    api_urls       = { a = "https://a.example/", b = "https://b.example/" }
    endpoint_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = length(oci_container_instances_container_instance.job) == 0 && length(oci_container_instances_container_instance.endpoint) == 0
    error_message = "Container instances are created."
  }

  assert {
    condition     = nonsensitive(base64decode(oci_vault_secret.setting["API_TYPE_A_URL"].secret_content[0].content)) == "https://a.example/"
    error_message = "The route does not refer to the given endpoint."
  }

  assert {
    condition     = length(oci_core_network_security_group_security_rule.own_endpoints) == 1
    error_message = "The job cannot connect to the given endpoint."
  }
}

run "the_job_can_connect_to_your_own_endpoints_on_their_ports" {
  variables {
    api_urls       = { a = "https://a.example:8443/in?to=1", b = "https://b.example" }
    endpoint_cidrs = ["203.0.113.0/24", "198.51.100.7/32"]
  }

  assert {
    condition = toset([
      for rule in oci_core_network_security_group_security_rule.own_endpoints :
      "${rule.destination} ${rule.tcp_options[0].destination_port_range[0].min}"
    ]) == toset(["203.0.113.0/24 443", "203.0.113.0/24 8443", "198.51.100.7/32 443", "198.51.100.7/32 8443"])
    error_message = "The job cannot connect to both endpoints on their ports, or can connect to more."
  }
}

run "rejects_endpoints_to_which_the_job_cannot_connect" {
  command = plan

  variables {
    api_urls = { a = "https://a.example/", b = "https://b.example/" }
  }

  expect_failures = [var.api_urls]
}

# A separate run: conditions that depend on a rejected variable are not evaluated.
run "rejects_endpoints_without_https" {
  command = plan

  variables {
    api_urls       = { a = "a.example", b = "https://b.example/" }
    endpoint_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [var.api_urls]
}

run "creates_no_policy_without_a_group" {
  variables {
    kafka_user       = "oracleidentitycloudservice/ann@example.com"
    kafka_group_ocid = null
  }

  assert {
    condition     = length(oci_identity_policy.stream) == 0
    error_message = "A policy is created without a group."
  }

  assert {
    condition     = startswith(nonsensitive(base64decode(oci_vault_secret.setting["KAFKA_USERNAME"].secret_content[0].content)), "mytenancy/oracleidentitycloudservice/ann@example.com/")
    error_message = "The Kafka user is not the given one."
  }
}

run "both_names_of_container_instances_match" {
  assert {
    condition     = alltrue([for type in ["computecontainerinstance", "compute-container-instances"] : strcontains(oci_identity_dynamic_group.containers.matching_rule, "resource.type = '${type}'")])
    error_message = "Container instances match under one resource type only."
  }
}

run "the_function_reads_four_secrets_and_the_job_six" {
  assert {
    condition     = length(regexall("target\\.secret\\.id", oci_identity_policy.functions.statements[1])) == 4
    error_message = "The function can read secrets that only the job needs."
  }

  assert {
    condition     = length(regexall("target\\.secret\\.id", oci_identity_policy.containers.statements[2])) == 6
    error_message = "The job cannot read its six secrets."
  }
}

run "each_log_is_kept" {
  variables {
    log_retention_days = 90
  }

  assert {
    condition     = toset([for log in oci_logging_log.part : log.configuration[0].source[0].category]) == toset(["access", "execution", "invoke"])
    error_message = "A log is missing."
  }

  assert {
    condition     = alltrue([for log in oci_logging_log.part : log.is_enabled && log.retention_duration == 90])
    error_message = "A log is disabled or has a different retention."
  }
}

run "provisioned_concurrency_is_set" {
  variables {
    function_provisioned = 20
  }

  assert {
    condition     = one(oci_functions_function.fn_recep_avro.provisioned_concurrency_config).count == 20
    error_message = "Provisioned concurrency is not set."
  }
}

run "rejects_values_that_would_fail_during_apply" {
  command = plan

  variables {
    tenancy_ocid         = "mytenancy"
    compartment_ocid     = "ocid1.tenancy.oc1..aaaatenancy"
    region               = "GRU"
    availability_domain  = 4
    name                 = "Front-Door"
    repository_prefix    = "Frontdoor"
    image_tag            = "latest"
    vcn_cidr             = "10.0.0.0/24"
    client_cidrs         = []
    endpoint_cidrs       = ["api.example"]
    topic                = "Front Door"
    partitions           = 0
    kafka_user           = "mytenancy/Default/frontdoor-stream/ocid1.streampool"
    kafka_auth_token     = ""
    kafka_group_ocid     = "frontdoor-stream"
    retention_hours      = 200
    key_protection       = "NONE"
    function_shape       = "x86"
    function_memory      = 300
    function_timeout     = 301
    function_provisioned = 7
    max_body             = "7MB"
    rate_limit           = { per = "CALLER" }
    content_types        = []
    log_retention_days   = 31
    container_shape      = "VM.Standard.E4.Flex"
    job                  = "cron"
    job_every            = "often"
    schema_file          = "no-such-file.avsc"
  }

  expect_failures = [
    var.tenancy_ocid, var.compartment_ocid, var.region, var.availability_domain, var.name, var.repository_prefix,
    var.image_tag, var.vcn_cidr, var.client_cidrs, var.endpoint_cidrs, var.topic, var.partitions, var.retention_hours,
    var.kafka_user, var.kafka_auth_token, var.kafka_group_ocid,
    var.key_protection, var.function_shape, var.function_memory, var.function_timeout, var.function_provisioned,
    var.max_body, var.rate_limit, var.content_types, var.log_retention_days, var.container_shape, var.job,
    var.job_every, var.schema_file,
  ]
}
