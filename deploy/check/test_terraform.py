"""Validates the Terraform modules against the provider's schema, and tests their plans with mocked responses."""

import base64
import re

import pytest
from modules import MODULES, copy_to, environment, messages, resources
from policies import parse_rule, parse_statement
from settings import catalog, unknown_flags, unknown_variables
from tools import DEPLOY, ROOT, run, terraform


def test_the_gateway_accepts_the_content_types_of_the_function():
    """The lists of the Rust source and of the Terraform variable are the same."""
    source = (ROOT / "functions/fn-recep-avro/src/ingest/decode.rs").read_text()
    accepted = re.search(r"MEDIA_TYPES: \[&str; \d+\] = \[(.*?)\];", source, re.S).group(1)
    variables = (DEPLOY / "terraform/pipeline/variables.tf").read_text()
    default = re.search(r'variable "content_types" .*?default\s+= \[(.*?)\]', variables, re.S).group(1)
    quoted = re.compile(r'"([^"]+)"')
    assert set(quoted.findall(default)) == set(quoted.findall(accepted))


@pytest.fixture(scope="session", name="environment")
def _environment():
    return environment()


@pytest.fixture
def copy(tmp_path):
    """A copy of the modules that a test changes."""
    return copy_to(tmp_path)


def test_is_formatted(environment):
    run(terraform(), "fmt", "-check", "-diff", "-recursive", DEPLOY / "terraform", env=environment)


@pytest.mark.parametrize("module", MODULES)
def test_matches_the_schema_of_the_provider(module, environment):
    run(terraform(), f"-chdir={DEPLOY / 'terraform' / module}", "validate", "-no-color", env=environment)


def change(file, old, new):
    text = file.read_text()
    assert old in text, f"{file.name} does not contain {old!r}: this test changes nothing"
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("streaming.tf", "retention_in_hours", "retention_hours", "Unsupported argument"),
        ("streaming.tf", "  partitions         = 1\n", "", "Missing required argument"),
        ("streaming.tf", "private_endpoint_settings", "private_endpoint", "Unsupported block type"),
        ("streaming.tf", 'resource "oci_streaming_stream" "dead_letter"', 'resource "oci_streaming_topic" "dead_letter"', "Invalid resource type"),
        ("vault.tf", "  key_shape {\n    algorithm = \"AES\"\n    length    = 32\n  }\n", "", "Insufficient key_shape blocks"),
        ("containers.tf", "  shape_config {\n", "  shape_config {\n    ocpus = 2\n  }\n\n  shape_config {\n", "Too many shape_config blocks"),
        ("functions.tf", "local.settings", '["a", "list"]', "Incorrect attribute value type"),
        ("outputs.tf", "oci_apigateway_deployment.main.endpoint\n", "oci_apigateway_deployment.main.url\n", "Unsupported attribute"),
        ("gateway.tf", "    rate_limiting {", "    rate_limiting {\n        per_second = 1", "Unsupported argument"),
    ],
)
def test_rejects_an_invalid_module(copy, environment, file, old, new, complaint):
    change(copy / "pipeline" / file, old, new)
    done = run(terraform(), f"-chdir={copy / 'pipeline'}", "validate", "-no-color", env=environment, check=False)
    assert done.returncode != 0 and complaint in done.stderr + done.stdout, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("archive_uri", "archive_url", "Unsupported argument"),
        ("  num_executors  = var.executor.count\n", "", "Missing required argument"),
        ("driver_shape_config {", "driver_config {", "Unsupported block type"),
        ('resource "oci_dataflow_application"', 'resource "oci_dataflow_schedule"', "Invalid resource type"),
    ],
)
def test_rejects_an_invalid_application_on_data_flow(copy, environment, old, new, complaint):
    change(copy / "dataflow/application.tf", old, new)
    done = run(terraform(), f"-chdir={copy / 'dataflow'}", "validate", "-no-color", env=environment, check=False)
    assert done.returncode != 0 and complaint in done.stderr + done.stdout, done.stderr + done.stdout


@pytest.fixture(scope="session")
def tested(tmp_path_factory):
    """The output of the modules' tests."""
    place = copy_to(tmp_path_factory.mktemp("tested"))
    return {module: messages(place / module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_the_module_pass(module, tested):
    complaints = [m["@message"] for m in tested[module] if m["@level"] == "error"]
    summary = next(m["test_summary"] for m in tested[module] if m["type"] == "test_summary")
    assert summary["status"] == "pass" and summary["passed"] >= 6 and not complaints, (summary, complaints)
    assert (summary["failed"], summary["errored"], summary["skipped"]) == (0, 0, 0), summary


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("gateway.tf", "for_each = var.jwt == null ? [] : [var.jwt]\n", "for_each = []\n"),
        ("vault.tf", "AUTH_KEY                = var.kafka_auth_token", "AUTH_KEY                = nonsensitive(var.kafka_auth_token)"),
        ("containers.tf", "run_as_user                    = 1000", "run_as_user                    = 0"),
    ],
)
def test_the_tests_of_the_module_find_an_insecure_change(copy, environment, file, old, new):
    change(copy / "pipeline" / file, old, new)
    done = run(terraform(), f"-chdir={copy / 'pipeline'}", "test", "-no-color", env=environment, check=False)
    assert done.returncode != 0, f"no test of the module fails with {new!r} in {file}\n{done.stdout}"


def test_plans_print_no_secret(copy, environment):
    """-verbose prints every plan and state of the tests in the format of `terraform plan` and `terraform show`."""
    done = run(terraform(), f"-chdir={copy / 'pipeline'}", "test", "-verbose", "-no-color", env=environment)
    assert "oci_vault_secret" in done.stdout and "(sensitive value)" in done.stdout, "the plans were not printed"
    for secret in ("token-never-to-be-printed", base64.b64encode(b"token-never-to-be-printed").decode()):
        assert secret not in done.stdout, "the auth token was printed"


def test_policies_grant_only_the_needed_permissions(tested):
    given = set()
    for resource in resources(tested["pipeline"]):
        if resource["type"] == "oci_identity_policy":
            for text in resource["values"]["statements"]:
                statement = parse_statement(text)
                assert statement.verb in ("read", "use"), text
                assert statement.place == "compartment id ocid1.compartment.oc1..aaaacompartment", text
                assert statement.condition or statement.resource == "repos", f"without a condition: {text}"
                given.add((resource["name"], statement.verb, statement.resource))
    assert given == {
        ("functions", "read", "objects"),
        ("functions", "read", "secret-bundles"),
        ("containers", "read", "repos"),
        ("containers", "read", "objects"),
        ("containers", "read", "secret-bundles"),
        ("gateway", "use", "functions-family"),
        ("stream", "use", "stream-push"),
        ("stream", "use", "stream-pull"),
    }


def test_runs_on_data_flow_get_only_the_needed_permissions(tested):
    given = {}
    for resource in resources(tested["dataflow"], "runs_use_the_resource_principal"):
        if resource["type"] == "oci_identity_policy":
            for text in resource["values"]["statements"]:
                statement = parse_statement(text)
                assert statement.place == "compartment id ocid1.compartment.oc1..aaaacompartment", text
                (subject,) = statement.subject.split()[:1]
                allowed = {value for branch in statement.condition for value in branch.values()}
                given[subject, statement.verb, statement.resource] = allowed
    assert given == {
        ("dynamic-group", "read", "objects"): {"config", "avro-schema-bucket", "frontdoor-dataflow"},
        ("dynamic-group", "read", "secret-bundles"): {f"ocid1.vaultsecret.oc1.sa-saopaulo-1.aaaa{name}" for name in ("one", "two")},
        ("dynamic-group", "manage", "objects"): {"frontdoor-dataflow-logs"},
        ("service", "read", "objects"): {"frontdoor-dataflow-logs"},
    }


def test_the_dynamic_group_matches_the_runs_of_one_application(tested):
    groups = [r for r in resources(tested["dataflow"], "runs_use_the_resource_principal") if r["type"] == "oci_identity_dynamic_group"]
    (branch,) = parse_rule(groups[0]["values"]["matching_rule"])
    assert branch == {
        "resource.type": "dataflowrun",
        "resource.compartment.id": "ocid1.compartment.oc1..aaaacompartment",
        "tag.oci-dataflow.application-id.value": "ocid1.dataflowapplication.oc1.sa-saopaulo-1.aaaaapplication",
    }


def test_data_flow_passes_only_flags_that_exist(tested):
    passed = [r["values"]["arguments"] for r in resources(tested["dataflow"]) if r["type"] == "oci_dataflow_application"]
    assert len(passed) >= 4 and all(arguments[0] == "run" for arguments in passed)
    assert [unknown_flags(arguments[1:]) for arguments in passed] == [[]] * len(passed)


def test_dynamic_groups_match_one_compartment_only(tested):
    groups = [resource for resource in resources(tested["pipeline"]) if resource["type"] == "oci_identity_dynamic_group"]
    rules = {group["name"]: parse_rule(group["values"]["matching_rule"]) for group in groups}
    assert {branch["resource.type"] for branch in rules["functions"]} == {"fnfunc"}
    both_names = {"computecontainerinstance", "compute-container-instances"}
    assert {branch["resource.type"] for branch in rules["containers"]} == both_names
    for branch in rules["functions"] + rules["containers"]:
        assert branch["resource.compartment.id"] == "ocid1.compartment.oc1..aaaacompartment"


def test_names_only_settings_that_exist(tested):
    variables = set()
    for resource in resources(tested["pipeline"]):
        values = resource["values"]
        if resource["type"].startswith("oci_functions_"):
            variables |= set(values.get("config") or {})
        for container in values.get("containers") or []:
            variables |= set(container["environment_variables"] or {})
            assert unknown_flags(container["arguments"] or []) == []
        if resource["type"] == "oci_objectstorage_object" and resource["name"] == "config":
            lines = [line.split("=")[0] for line in values["content"].splitlines()]
            assert [line for line in lines if line.removesuffix("_vaultOCID") not in catalog()] == []
    assert {"CONFIG_LOCATION", "LISTEN", "MAX_BODY"} <= variables
    assert unknown_variables(variables) == []
