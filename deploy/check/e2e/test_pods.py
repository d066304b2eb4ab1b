"""Runs the pods' commands as processes: the manifests' arguments, environment and user, with Apache Kafka.

The sandbox and the schedule of a cluster are not tested.
"""

import os
import signal
import subprocess

import pytest
from manifests import build, forward, pods
from environment import Broker, Listener, Publisher, assert_each_arrived_once, program, reports, temporary_folder, wait
from tools import HOME

# The pods' user, if the test runs as root.
AS_USER = {"user": 1000, "group": 1000, "extra_groups": []} if os.geteuid() == 0 else {}


def environment(manifests, container):
    """The container's environment variables, without Secrets."""
    maps = {m["metadata"]["name"]: m["data"] for m in manifests if m["kind"] == "ConfigMap"}
    settings = {}
    for source in container.get("envFrom", []):
        settings |= maps[source["configMapRef"]["name"]] if "configMapRef" in source else {}
    # A value of an optional Secret that does not exist is absent.
    return settings | {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}


def container_of(manifests, name):
    return next(t["spec"]["containers"][0] for m, _, t in pods(manifests) if m["metadata"]["name"] == name)


@pytest.fixture(scope="module")
def services():
    """The overlay in-cluster-kafka on the loopback: each Service's address is replaced by a local address."""
    with temporary_folder(HOME / "e2e-kubernetes") as stack:
        folder = HOME / "e2e-kubernetes"
        os.chmod(folder, 0o777)
        broker = Broker(folder / "kafka", partitions=4)
        stack.callback(broker.end)
        manifests = build("in-cluster-kafka", "", folder / "manifests")
        addresses = {"kafka:9092": broker.bootstrap}
        endpoints = []
        for name in ("api-type-a", "api-type-b"):
            settings = environment(manifests, container_of(manifests, name))
            endpoints.append(Listener("api-avro-sample", settings | {"API_MAX_RECORDS": "5000"}, folder / f"{name}.log", **AS_USER))
            stack.callback(endpoints[-1].end)
            addresses[f"http://{name}:8080/"] = endpoints[-1].url

        def with_local_addresses(settings):
            return {name: addresses.get(value, value) for name, value in settings.items()}

        function_settings = with_local_addresses(environment(manifests, container_of(manifests, "fn-recep-avro")))
        function = Listener("fn-recep-avro", function_settings, folder / "function.log", **AS_USER)
        stack.callback(function.end)
        yield folder, with_local_addresses, endpoints, Publisher(function, folder)


def start(services, component, **more):
    """Starts the command of the job's pod."""
    folder, with_local_addresses, _, _ = services
    manifests = build("in-cluster-kafka", component, folder / f"manifests-{component or 'cron'}")
    container = forward(manifests)[3]
    return subprocess.Popen(
        [program("forward"), *container["args"]],
        env={"PATH": os.environ["PATH"], **with_local_addresses(environment(manifests, container)), **more},
        cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **AS_USER,
    )


def received(endpoints) -> int:
    return sum(endpoint.records()["received"] for endpoint in endpoints)


def test_cron_job_pod_delivers_all_records_and_exits(services):
    _, _, endpoints, publisher = services
    publisher.publish(24)
    job = start(services, "")
    printed, log = job.communicate(timeout=120)
    assert job.returncode == 0, log
    (report,) = reports(printed)
    assert report["totals"]["delivered"] == report["totals"]["planned"] == 24 and report["balanced"]
    assert_each_arrived_once(endpoints, 24)


def test_four_indexed_pods_deliver_each_record_once(services):
    _, _, endpoints, publisher = services
    publisher.publish_file(2000)
    ended, waiting = [], list(range(4))
    while waiting:
        # The rate limit ensures that all four pods run at the same time.
        jobs = [start(services, "indexed", JOB_COMPLETION_INDEX=str(index), RATE_LIMIT="50") for index in waiting]
        ended += [(job.communicate(timeout=300), job.returncode, index) for job, index in zip(jobs, waiting)]
        # After exit codes 11, 12 and 20 the failure policy starts a new pod.
        waiting = [index for _, code, index in ended[-len(jobs) :] if code in (11, 12, 20)]
        assert len(ended) < 20, "the pods do not complete"
    assert sorted(index for _, code, index in ended if code == 0) == [0, 1, 2, 3], [log for (_, log), _, _ in ended]
    found = [report for (printed, _), _, _ in ended for report in reports(printed)]
    for report in found:
        print(report["totals"], {p["partition"]: p["delivered"] for p in report["partitions"] if p["delivered"]})
    assert all(report["balanced"] for report in found)
    assert sum(report["totals"]["delivered"] for report in found) == 2000
    assert sum(report["totals"]["delivered"] > 0 for report in found) >= 2, "one pod delivered all records"
    assert_each_arrived_once(endpoints, 2024)


def test_long_running_pod_runs_repeatedly_and_exits_after_sigterm(services):
    _, _, endpoints, publisher = services
    publisher.publish(10)
    job = start(services, "every")
    try:
        wait("its first run", lambda: received(endpoints) >= 2034)
        publisher.publish(10)
        wait("its second run", lambda: received(endpoints) >= 2044)
    finally:
        job.send_signal(signal.SIGTERM)
        printed, log = job.communicate(timeout=60)
    assert job.returncode == 0, log
    assert sum(report["totals"]["delivered"] for report in reports(printed)) == 20
    assert_each_arrived_once(endpoints, 2044)
