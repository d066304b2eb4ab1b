"""The programs read the settings and secrets that the Terraform modules create.

The state at the end of the pipeline module's tests contains buckets, secrets and environment variables. The test copies
them into the stand-in for Oracle Cloud, and starts function and job with only these variables and the platform's. They read
their settings and secrets, authenticate to Kafka with SASL_SSL, and deliver records. The test replaces only addresses and
the OCIDs of secrets.
"""

import base64
import os
import signal
import subprocess

import pytest
from cloud import Cloud
from modules import copy_to, messages, resources
from environment import Broker, Listener, Publisher, assert_each_arrived_once, program, reports, temporary_folder, wait
from tools import HOME


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The pipeline's resources, by type, name and index."""
    output = messages(copy_to(tmp_path_factory.mktemp("state")) / "pipeline")
    return {
        (found["type"], found["name"], found.get("index")): found["values"]
        for found in resources(output, "settings_refer_to_the_secrets")
    }


def test_programs_read_the_settings_that_terraform_creates(state):
    with temporary_folder(HOME / "e2e-oracle-cloud") as stack:
        folder = HOME / "e2e-oracle-cloud"
        secrets = {
            name: base64.b64decode(values["secret_content"][0]["content"]).decode()
            for (type_, _, name), values in state.items()
            if type_ == "oci_vault_secret"
        }
        assert len(secrets) == 6
        broker = Broker(
            folder / "kafka", 2, "--sasl-ssl", "--auth-user", secrets["KAFKA_USERNAME"], "--kafka-password", secrets["AUTH_KEY"]
        )
        stack.callback(broker.end)
        endpoints = []
        for key in ("a", "b"):
            settings = state["oci_container_instances_container_instance", "endpoint", key]["containers"][0]["environment_variables"]
            endpoints.append(Listener("api-avro-sample", settings, folder / f"{key}.log"))
            stack.callback(endpoints[-1].end)

        cloud = Cloud(folder)
        stack.callback(cloud.end)
        secrets["KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap
        secrets["API_TYPE_A_URL"], secrets["API_TYPE_B_URL"] = (endpoint.url for endpoint in endpoints)
        config = state["oci_objectstorage_object", "config", None]
        schema = state["oci_objectstorage_object", "schema", None]
        content = config["content"]
        for name, value in secrets.items():
            planned = state["oci_vault_secret", "setting", name]["id"]
            assert planned in content, f"config.properties does not contain the OCID of {name}"
            content = content.replace(planned, cloud.secret(name, value))
        for document, text in ((config, content), (schema, schema["content"])):
            cloud.bucket(document["bucket"])
            cloud.object(document["bucket"], document["object"], text)

        def with_local_addresses(settings):
            here = {name: value.replace("@mynamespace/", f"@{cloud.namespace}/") for name, value in settings.items()}
            return {**here, **cloud.variables, "KAFKA_SSL_CA_LOCATION": broker.settings["KAFKA_SSL_CA_LOCATION"]}

        application = state["oci_functions_application", "main", None]["config"]
        function = state["oci_functions_function", "fn_recep_avro", None]["config"]
        listener = Listener("fn-recep-avro", with_local_addresses(application | function), folder / "listener.log")
        stack.callback(listener.end)
        Publisher(listener, folder).publish(20)

        container = state["oci_container_instances_container_instance", "job", 0]["containers"][0]
        job = subprocess.Popen(
            [program("forward"), *container["arguments"], "--output", "json"],
            env={"PATH": os.environ["PATH"], **with_local_addresses(container["environment_variables"])},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        try:
            wait("the job to deliver", lambda: job.poll() is not None or sum(e.records()["received"] for e in endpoints) >= 20)
        finally:
            job.send_signal(signal.SIGTERM)
            printed, log = job.communicate(timeout=60)
        assert job.returncode == 0, log
        assert sum(report["totals"]["delivered"] for report in reports(printed)) == 20, printed
        assert_each_arrived_once(endpoints, 20)
        for text in (printed, log, listener.log.read_text()):
            assert secrets["AUTH_KEY"] not in text, "a program printed the auth token"
