"""The overlay in-cluster-kafka, unchanged, and its components. The tests are in the order of one installation's life."""

import collections
import json
import re
import subprocess
import threading
import time

import pytest
from cluster import DATA, kubectl
from connections import CONNECTIONS, Probes
from environment import TIMEOUT, program, wait
from frontdoor import (
    NAMESPACE, apply, arrived, endpoints, get, in_frontdoor, is_ready, keep_records, place, pods, pods_of, processes, publisher, received,
    reports_of, start_job, status, suspend_schedule, terminated, url, wait_for_job, wait_for_rollout,
)
from manifests import KUBERNETES, share_worked
from settings import seconds

VOLUME = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: node1}
spec:
  storageClassName: local
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  local: {path: PLACE}
  nodeAffinity:
    required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node1]}]}]}
"""


@pytest.fixture(scope="module", autouse=True)
def installed():
    kubectl("apply", "-f", "-", input=VOLUME.replace("PLACE", str(DATA / "volume")))
    wait("an earlier namespace to end", lambda: kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0)
    apply(place("in-cluster-kafka"))
    kubectl("label", f"namespace/{NAMESPACE}", *(f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("warn", "audit")))


def test_all_becomes_ready_and_the_topics_exist():
    in_frontdoor("rollout", "status", "statefulset/kafka", "--timeout=120s")
    in_frontdoor("wait", "--for=condition=complete", "job/topics", "--timeout=120s")
    wait_for_rollout("deployment/fn-recep-avro", "deployment/api-type-a", "deployment/api-type-b")


def test_a_second_apply_changes_nothing():
    lines = apply(place("in-cluster-kafka")).splitlines()
    # kubectl always sends the selector of a PodDisruptionBudget.
    changed = [line for line in lines if not line.endswith("unchanged") and not line.startswith("poddisruptionbudget")]
    assert len(lines) > 15 and changed == []


@pytest.mark.parametrize("name", ["fn-recep-avro", "api-avro-sample"])
def test_processes_have_no_privileges(name):
    found = list(processes(name))
    assert len(found) == 2
    for number, lines in found:
        assert lines["Uid"].split() == lines["Gid"].split() == ["1000"] * 4
        assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
        assert (lines["NoNewPrivs"], lines["Seccomp"]) == ("1", "2")
        with open(f"/proc/{number}/mountinfo", encoding="utf-8") as file:
            (root,) = [line.split() for line in file if line.split()[4] == "/"]
        assert "ro" in root[5].split(","), "the root file system can be written"


def test_policies_admit_the_documented_connections_only():
    with Probes() as probes:
        seen = probes.connections()
    different = {each: seen[each] for each in CONNECTIONS if seen[each] != CONNECTIONS[each]}
    assert not different, "(from, to): connected"
    assert sum(CONNECTIONS.values()) > 5 and len(CONNECTIONS) > 20


class Callers:
    """Sends requests, each on its own connection, and counts the results."""

    def __init__(self, address: str):
        self.address, self.results, self.ended = address, collections.Counter(), threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(4)]

    def _send(self):
        while not self.ended.is_set():
            self.results[status(self.address + "schema")] += 1
            time.sleep(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def restart_three_times() -> collections.Counter:
    with Callers(url("fn-recep-avro")) as callers:
        for _ in range(3):
            in_frontdoor("rollout", "restart", "deployment/fn-recep-avro")
            wait_for_rollout("deployment/fn-recep-avro")
        # The last pods end after the rollout.
        wait("old pods to end", lambda: len(pods("app.kubernetes.io/name=fn-recep-avro")) == 2)
    return callers.results


def test_a_rolling_update_of_the_function_drops_no_connection():
    results = restart_three_times()
    print(f"rolling update: {dict(results)}")
    assert set(results) == {200} and results[200] > 1000


def test_the_schedule_starts_a_run_that_delivers():
    publisher().publish(6)
    wait("the next five minutes", lambda: received() == 6, timeout=400)
    suspend_schedule()
    jobs = [each["metadata"] for each in get("jobs")["items"] if each["metadata"]["name"].startswith("forward-")]
    times = [job["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] for job in jobs]
    assert times and all(re.search(r":[0-5][05]:00Z$", each) for each in times), times
    assert get("cronjob", "forward")["status"]["lastSuccessfulTime"]


def test_the_commands_of_the_readme_work_when_pasted():
    commands = re.search(r"```sh\n(kubectl apply -k .*?)```", (KUBERNETES / "README.md").read_text(), re.DOTALL)[1]
    folder = DATA / "pasted"
    folder.mkdir()
    (folder / "deploy").symlink_to(KUBERNETES.parent)
    subprocess.run([program("create-avro-sample"), folder / "record.bin", '{"id": 1010, "name": "pasted", "email": ""}'], check=True)
    before = received()
    script = f"set -e; trap 'kill %1' EXIT\n{commands}"
    pasted = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert pasted.returncode == 0, pasted
    assert received() == before + 1
    assert '"balanced": true' in pasted.stdout or '"balanced":true' in pasted.stdout, "the report is not shown"


def test_four_pods_share_the_work_and_a_killed_one_loses_nothing():
    apply(place("in-cluster-kafka", "indexed"))
    in_frontdoor("set", "env", "deployment/fn-recep-avro", "KAFKA_KEY=name")
    wait_for_rollout("deployment/fn-recep-avro")
    keep_records(5000)
    publisher().publish_file(3000)
    start_job("four", rate_limit=30)
    wait("four pods with records", lambda: received() > 200)
    victim = [number for number, _ in processes("forward")][1]
    subprocess.run(["kill", "-9", victim], check=True)
    wait_for_job("four", timeout=300)
    found = pods_of("four")
    assert 137 in [terminated(pod)["exitCode"] for pod in found]
    assert arrived() == sorted(f"number {n}" for n in range(1, 3001))
    reports = reports_of("four")
    assert all(report["balanced"] for report in reports)
    by_pod = [report["totals"]["delivered"] for report in reports]
    print(f"indexed: delivered by pod {by_pod}, repeated {sum(e.records()['repeated'] for e in endpoints())}")
    assert sum(delivered > 0 for delivered in by_pod) >= 3, "pods without records"


def gaps(job: str) -> list[float]:
    """The seconds between the end of a pod and the start of the next."""
    found = [terminated(pod) for pod in pods_of(job)]
    times = [(parse(each["startedAt"]), parse(each["finishedAt"])) for each in found if each]
    return [start - end for (_, end), (start, _) in zip(times, times[1:])]


def parse(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def test_a_backlog_is_worked_off_during_nine_tenths_of_an_hour():
    """Scaled down: the pauses between pods are measured with runs of 3 seconds, and the hour is computed with them."""
    apply(place("in-cluster-kafka"))
    publisher().publish_file(2000)
    start_job("backlog", deadline="3s", rate_limit=10)
    measured = wait("the fourth pod to end", lambda: len(found := gaps("backlog")) >= 3 and found, timeout=180)
    codes = [terminated(pod)["exitCode"] for pod in pods_of("backlog") if terminated(pod)]
    spec = get("cronjob", "forward")["spec"]["jobTemplate"]["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    deadline = seconds(arguments[arguments.index("--deadline") + 1])
    shares = {minutes: share_worked(minutes * 60, spec["activeDeadlineSeconds"]) for minutes in (4, deadline / 60)}
    print(f"backlog: exit codes {codes}, pauses {measured} s, share of an hour by --deadline in minutes: {shares}")
    # 20: the pod that the test before killed may still be a member of the group.
    assert 12 in codes and set(codes) <= {12, 20}
    assert all(expected - 2 <= pause <= expected + 8 for pause, expected in zip(measured, (10, 20, 40)))
    assert shares[deadline / 60] >= 0.9
    in_frontdoor("delete", "job/backlog")


def test_sigterm_and_eviction_end_a_run_early_and_the_next_pod_continues():
    start_job("evicted", rate_limit=100)
    before = received()
    wait("its first records", lambda: received() > before)
    first = pods_of("evicted")[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first, "namespace": NAMESPACE}}
    start = time.monotonic()
    kubectl("create", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{first}/eviction", "-f", "-", input=json.dumps(eviction))
    end = wait("the pod to end", lambda: end_of(first))
    taken = time.monotonic() - start
    wait_for_job("evicted", timeout=180)
    last = terminated(pods_of("evicted")[-1])
    print(f"eviction: ended after {taken:.1f} s: {end}; the last pod: {last['exitCode']}")
    assert taken < 15 and last["exitCode"] == 0
    assert "DisruptionTarget" in end["conditions"] and end["exitCode"] == 12


def end_of(name: str) -> dict | None:
    """How a pod ended. The controller of the Job deletes an evicted one at once."""
    found = in_frontdoor("get", "pod", name, "--ignore-not-found", "-o", "json")
    assert found, "the pod was deleted before its end was seen"
    pod = json.loads(found)
    conditions = [each["type"] for each in pod["status"]["conditions"] if each["status"] == "True"]
    return terminated(pod) and {"exitCode": terminated(pod)["exitCode"], "conditions": conditions}


def test_every_replaces_the_schedule_of_an_earlier_apply():
    in_frontdoor("patch", "cronjob/forward", "-p", '{"spec": {"suspend": false}}')
    apply(place("in-cluster-kafka", "every"))
    assert get("cronjob", "forward")["spec"]["suspend"] is True
    wait_for_rollout("deployment/forward")
    before = received()
    publisher().publish(4)
    wait("the next window", lambda: received() == before + 4, timeout=60)
    (pod,) = pods("app.kubernetes.io/name=forward,pod-template-hash")
    start = time.monotonic()
    in_frontdoor("delete", "pod", pod["metadata"]["name"])
    print(f"every: ended {time.monotonic() - start:.1f} s after SIGTERM")
    assert time.monotonic() - start < 15
    wait_for_rollout("deployment/forward")
    in_frontdoor("delete", "deployment/forward")


def test_apply_of_other_topics_succeeds_after_the_job_has_ended():
    folder = place("in-cluster-kafka")
    file = folder / "kafka.yaml"
    text = file.read_text()
    assert "FrontDoorTopic:4" in text
    file.write_text(text.replace("FrontDoorTopic:4", "FrontDoorTopic:6"))
    wait("the job of the topics to be deleted", lambda: not in_frontdoor("get", "job/topics", "--ignore-not-found"))
    assert "job.batch/topics created" in apply(folder)
    in_frontdoor("wait", "--for=condition=complete", "job/topics", "--timeout=120s")
    in_frontdoor("delete", "job/topics")


def test_the_disruption_budget_keeps_one_pod_of_the_function():
    first, second = [pod["metadata"]["name"] for pod in pods("app.kubernetes.io/name=fn-recep-avro") if is_ready(pod)][:2]
    results = []
    for name in (first, second):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
        done = kubectl("create", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction", "-f", "-", input=json.dumps(eviction), check=False)
        results.append((done.returncode == 0, done.stderr))
    assert results[0][0] and not results[1][0] and "disruption budget" in results[1][1], results


def test_the_documented_removal_works_during_an_indexed_run():
    apply(place("in-cluster-kafka", "indexed"))
    in_frontdoor("wait", "--for=condition=Ready", "pod", "-l", "app.kubernetes.io/name=fn-recep-avro", "--timeout=60s")
    publisher().publish_file(2000)
    start_job("removed", rate_limit=5)
    wait("a run", lambda: len([pod for pod in pods_of("removed") if pod["status"]["phase"] == "Running"]) == 4)
    readme = (KUBERNETES / "README.md").read_text()
    (command,) = re.findall(r"`(kubectl -n frontdoor delete cronjobs,jobs --all)`", re.sub(r"\s+", " ", readme))
    start = time.monotonic()
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    ended = wait_or_not(lambda: kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0, 45)
    print(f"delete namespace alone: {'ended' if ended else 'not ended'} after {time.monotonic() - start:.0f} s")
    kubectl(*command.split()[1:], check=False)
    assert wait_or_not(lambda: kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0, 90)
    print(f"after {command}: {time.monotonic() - start:.0f} s")


def wait_or_not(ready, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.5)
    return False
