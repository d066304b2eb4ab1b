"""The manifests' own commands as processes: same arguments, same environment, same user, on a real broker.

What a cluster would add, a pod's sandbox and its schedule, is not here; what a pod would run is.
"""

import os
import signal
import subprocess

import pytest
from manifests import build, forward, pods
from stage import Broker, Listener, Publisher, assert_each_arrived_once, program, reports, stage, wait
from tools import HOME

# A pod's user, where the test may become it.
AS_USER = {"user": 1000, "group": 1000, "extra_groups": []} if os.geteuid() == 0 else {}


def environment(manifests, container):
    """What Kubernetes would put into the container's environment, Secrets left out."""
    maps = {m["metadata"]["name"]: m["data"] for m in manifests if m["kind"] == "ConfigMap"}
    settings = {}
    for source in container.get("envFrom", []):
        settings |= maps[source["configMapRef"]["name"]] if "configMapRef" in source else {}
    return settings | {entry["name"]: entry["value"] for entry in container.get("env", [])}


def container_of(manifests, name):
    return next(t["spec"]["containers"][0] for m, _, t in pods(manifests) if m["metadata"]["name"] == name)


@pytest.fixture(scope="module")
def world():
    """The overlay in-cluster-kafka on the loopback: each Service's name stands for an address here."""
    with stage(HOME / "e2e-kubernetes") as stack:
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

        def placed(settings):
            return {name: addresses.get(value, value) for name, value in settings.items()}

        door_settings = placed(environment(manifests, container_of(manifests, "fn-recep-avro")))
        door = Listener("fn-recep-avro", door_settings, folder / "door.log", **AS_USER)
        stack.callback(door.end)
        yield folder, placed, endpoints, Publisher(door, folder)


def start(world, component, **more):
    """Starts what the job's pod would run."""
    folder, placed, _, _ = world
    manifests = build("in-cluster-kafka", component, folder / f"manifests-{component or 'cron'}")
    container = forward(manifests)[3]
    return subprocess.Popen(
        [program("forward"), *container["args"]],
        env={"PATH": os.environ["PATH"], **placed(environment(manifests, container)), **more},
        cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **AS_USER,
    )


def received(endpoints) -> int:
    return sum(endpoint.records()["received"] for endpoint in endpoints)


def test_the_cron_jobs_pod_delivers_what_came_through_the_door_and_exits(world):
    _, _, endpoints, publisher = world
    publisher.publish(24)
    job = start(world, "")
    printed, log = job.communicate(timeout=120)
    assert job.returncode == 0, log
    (report,) = reports(printed)
    assert report["totals"]["delivered"] == report["totals"]["planned"] == 24 and report["balanced"]
    assert_each_arrived_once(endpoints, 24)


def test_four_indexed_pods_share_the_partitions_without_overlap_or_gap(world):
    _, _, endpoints, publisher = world
    publisher.publish_file(2000)
    ended, waiting = [], list(range(4))
    while waiting:
        # Slow enough that all four are there while there is work.
        jobs = [start(world, "indexed", JOB_COMPLETION_INDEX=str(index), RATE_LIMIT="50") for index in waiting]
        ended += [(job.communicate(timeout=300), job.returncode, index) for job, index in zip(jobs, waiting)]
        # A pod whose partitions went to another leaves work to it (11): the failure policy starts a new pod.
        waiting = [index for _, code, index in ended[-len(jobs) :] if code in (11, 12, 20)]
        assert len(ended) < 20, "no end is in sight"
    assert sorted(index for _, code, index in ended if code == 0) == [0, 1, 2, 3], [log for (_, log), _, _ in ended]
    found = [report for (printed, _), _, _ in ended for report in reports(printed)]
    for report in found:
        print(report["totals"], {p["partition"]: p["delivered"] for p in report["partitions"] if p["delivered"]})
    assert all(report["balanced"] for report in found)
    assert sum(report["totals"]["delivered"] for report in found) == 2000
    assert sum(report["totals"]["delivered"] > 0 for report in found) >= 2, "one pod did it all"
    assert_each_arrived_once(endpoints, 2024)


def test_the_long_lived_pod_comes_round_and_ends_when_it_is_told(world):
    _, _, endpoints, publisher = world
    publisher.publish(10)
    job = start(world, "every")
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
