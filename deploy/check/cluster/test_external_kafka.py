"""The overlay external-kafka, with a broker in another namespace that only the overlay's network policy admits to."""

import os
import signal
import time

import pytest
import yaml
from cluster import DATA, PODS, kubectl
from environment import wait
from frontdoor import (
    apply, in_frontdoor, is_ready, place, pods, pods_of, processes, publisher, received, start_job, suspend_schedule, terminated,
    wait_for_job, wait_for_rollout,
)
from manifests import KUBERNETES

BROKER = "kafka.mykafka.svc.cluster.local:9092"
FUNCTION = "app.kubernetes.io/name=fn-recep-avro"


def start_broker():
    """The broker of the overlay in-cluster-kafka, in another namespace and without network policies."""
    objects = list(yaml.safe_load_all((KUBERNETES / "overlays/in-cluster-kafka/kafka.yaml").read_text()))
    objects = [each for each in objects if each["kind"] != "NetworkPolicy"]
    for each in objects:
        template = each["spec"].get("template")
        if template:
            template["spec"].pop("serviceAccountName")
    (stateful,) = [each for each in objects if each["kind"] == "StatefulSet"]
    stateful["spec"].pop("volumeClaimTemplates")
    stateful["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    for variable in stateful["spec"]["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] == "KAFKA_ADVERTISED_LISTENERS":
            variable["value"] = f"PLAINTEXT://{BROKER}"
    kubectl("create", "namespace", "mykafka")
    kubectl("-n", "mykafka", "apply", "-f", "-", input=yaml.safe_dump_all(objects))
    kubectl("-n", "mykafka", "wait", "--for=condition=complete", "job/topics", "--timeout=180s")


def configured(**policy):
    """The overlay with the address of the broker, and with changes of its network policy."""
    folder = place("external-kafka")
    kustomization = folder / "kustomization.yaml"
    text = kustomization.read_text()
    assert text.count("BROKER:9092") == 1, "the address of Kafka is not in one place"
    kustomization.write_text(text.replace("BROKER:9092", BROKER))
    file = folder / "network-policy.yaml"
    changed = yaml.safe_load(file.read_text())
    (rule,) = changed["spec"]["egress"]
    if "cidr" in policy:
        rule["to"][0]["ipBlock"]["cidr"] = policy["cidr"]
    if "namespace" in policy:
        rule["to"] = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": policy["namespace"]}}}]
    file.write_text(yaml.safe_dump(changed))
    return folder


@pytest.fixture(scope="module", autouse=True)
def kafka():
    start_broker()
    yield
    kubectl("delete", "namespace", "mykafka", "--wait=false")


def ready() -> list[bool]:
    return [is_ready(pod) for pod in pods(FUNCTION)]


def restarts() -> list[int]:
    """How often each of the running containers was restarted."""
    states = [each for pod in pods(FUNCTION) for each in pod["status"].get("containerStatuses", [])]
    return [each["restartCount"] for each in states if "running" in each["state"]]


def test_with_a_policy_for_other_addresses_the_function_is_not_ready_and_the_job_fails():
    apply(configured())
    suspend_schedule()
    wait_for_rollout("deployment/api-type-a", "deployment/api-type-b")
    # A pod has its address a moment before the agent of the policies knows it. A connection of this moment stays open.
    wait("the function to run", lambda: restarts() == [0, 0])
    for number, _ in processes("fn-recep-avro"):
        os.kill(int(number), signal.SIGKILL)
    wait("the function to run again", lambda: restarts() == [1, 1])
    start_job("cut-off")
    ended = wait("a pod of the job to end", lambda: [t["exitCode"] for pod in pods_of("cut-off") if (t := terminated(pod))], timeout=180)
    assert ended[0] == 74, "the broker was reached, or another error came first"
    assert ready() == [False, False], "the function is ready without Kafka"
    in_frontdoor("delete", "job/cut-off")


@pytest.mark.parametrize("policy", [{"namespace": "mykafka"}, {"cidr": PODS}], ids=["namespace", "addresses"])
def test_with_a_policy_for_the_broker_the_pipeline_works(policy):
    apply(configured(**policy))
    suspend_schedule()
    wait_for_rollout("deployment/fn-recep-avro")
    before = received()
    publisher().publish(4)
    name = f"reaches-{next(iter(policy))}"
    start_job(name)
    wait_for_job(name)
    assert received() == before + 4


def test_delete_removes_everything_and_the_namespace():
    start = time.monotonic()
    kubectl("delete", "-k", DATA / "manifests/external-kafka-plain/overlays/external-kafka", "--timeout=120s")
    assert kubectl("get", "namespace", "frontdoor", check=False).returncode != 0
    print(f"delete -k: {time.monotonic() - start:.0f} s")
