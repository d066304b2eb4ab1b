"""Validates the CloudFormation template against AWS's resource schemas and the settings."""

import re

import pytest
import yaml
from settings import rows, unknown_variables
from tools import DEPLOY, run

TEMPLATE = DEPLOY / "lambda/template.yaml"


class Loader(yaml.SafeLoader):
    """Reads tags such as !Ref as {tag: value}."""


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="session")
def template():
    return yaml.load(TEMPLATE.read_text(), Loader)


def test_matches_the_resource_schemas():
    run("cfn-lint", "--non-zero-exit-code", "informational", TEMPLATE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PayloadFormatVersion:", "PayloadVersion:"),
        ("LogGroupName: !Sub /aws/apigateway", "LogGroupName: !Sub /aws/api gateway"),
        ("!GetAtt Function.Arn", "!GetAtt Functions.Arn"),
        ("      Role: !GetAtt Role.Arn\n", ""),
        ("Runtime: !If [IsImage, !Ref AWS::NoValue, provided.al2023]", "Runtime: provided.al2025x"),
    ],
)
def test_rejects_an_invalid_template(tmp_path, old, new):
    text = TEMPLATE.read_text()
    assert old in text
    changed = tmp_path / "template.yaml"
    changed.write_text(text.replace(old, new, 1))
    assert run("cfn-lint", changed, check=False).returncode != 0


def test_names_only_settings_that_exist(template):
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_PASSWORD", "MAX_BODY"} <= set(variables)
    assert unknown_variables(variables) == []


def test_every_security_protocol_is_available(template):
    """The allowed values are those in the description of the setting."""
    ((default, meaning),) = [(default, meaning) for name, default, meaning in rows() if name == "kafka_security_protocol"]
    values = set(re.findall(r"\w+", meaning.split(":")[0])) - {"or"}
    parameter = template["Parameters"]["KafkaSecurityProtocol"]
    assert set(parameter["AllowedValues"]) == values and parameter["Default"] == default
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["KAFKA_SECURITY_PROTOCOL"] == {"Ref": "KafkaSecurityProtocol"}


def test_callers_are_authenticated_unless_the_lab_mode_is_set(template):
    assert template["Parameters"]["AnonymousLabMode"]["Default"] == "false"
    route = template["Resources"]["Route"]["Properties"]
    assert route["AuthorizationType"] == {"If": ["IsAnonymous", "NONE", "JWT"]}
    assert template["Resources"]["Authorizer"]["Condition"] == "IsAuthenticated"
    assert "CallersAreAuthenticated" in template["Rules"]


def test_the_password_comes_from_the_secret_store(template):
    token = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]["KAFKA_PASSWORD"]
    assert token["If"][1]["Sub"].startswith("{{resolve:secretsmanager:")


def test_the_largest_body_fits_a_lambda_request_as_base64(template):
    limit = 6 * 1024 * 1024  # the request of a synchronous call: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    largest = int(template["Parameters"]["MaxBody"]["Default"].removesuffix("MB")) * 1_000_000
    headers = 64 * 1024
    assert largest * 4 / 3 + headers < limit


def test_the_function_responds_before_the_timeout_of_the_api(template):
    properties = template["Resources"]["Function"]["Properties"], template["Resources"]["Integration"]["Properties"]
    assert properties[0]["Timeout"] * 1000 < properties[1]["TimeoutInMillis"] <= 30000
