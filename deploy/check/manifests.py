"""Builds the overlays with kustomize, and finds the pods in the result."""

import shutil

import yaml
from tools import DEPLOY, kustomize, run

KUBERNETES = DEPLOY / "kubernetes"
#: Components that can be added to each overlay; several are joined by +.
COMPONENTS = {
    "in-cluster-kafka": ["", "every", "indexed", "keda", "pushgateway", "every+monitor-every", "monitor-function", "spark"],
    "external-kafka": ["", "every", "indexed", "keda", "keda+keda-sasl"],
    "oci": ["", "every", "indexed", "keda", "keda+keda-sasl", "pushgateway", "every+monitor-every", "spark", "spark+pushgateway"],
}


def build(overlay, components, place):
    """The manifests that `kubectl apply -k` sends: the overlay, with components as in the README."""
    shutil.copytree(KUBERNETES, place, dirs_exist_ok=True)
    kustomization = place / "overlays" / overlay / "kustomization.yaml"
    if components:
        content = yaml.safe_load(kustomization.read_text())
        added = [f"../../components/{component}" for component in components.split("+")]
        content["components"] = [*content.get("components", []), *added]
        kustomization.write_text(yaml.safe_dump(content))
    return list(yaml.safe_load_all(run(*kustomize(), kustomization.parent).stdout))


def pods(manifests):
    """Every pod template, with its manifest and the spec of its job or deployment."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        elif manifest["kind"] == "ScaledJob":
            spec = spec["jobTargetRef"]
        if "template" in spec:
            yield manifest, spec, spec["template"]


def containers(manifests):
    for manifest, _, template in pods(manifests):
        for container in template["spec"]["containers"]:
            yield manifest, container


def forward(manifests):
    """The job's manifest, the job's or deployment's spec, its pod and its container. A suspended CronJob is not the job."""
    ((manifest, spec, template),) = [
        found for found in pods(manifests) if found[0]["metadata"]["name"] == "forward" and not found[0]["spec"].get("suspend")
    ]
    return manifest, spec, template["spec"], template["spec"]["containers"][0]


def backoff(restarts: int) -> float:
    """The seconds before a Job starts its next pod, after a number of pods that it did not count as failures or as success.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
    """
    return min(10 * 2 ** (restarts - 1), 600)


def share_worked(deadline: float, active_deadline: float) -> float:
    """The share of a Job's time in which a pod runs, if each pod reaches its --deadline with records left."""
    time = worked = pods_ended = 0
    while time < active_deadline:
        worked += min(deadline, active_deadline - time)
        pods_ended += 1
        time += deadline + backoff(pods_ended)
    return worked / active_deadline


def config_map(manifests, name):
    """The data of a ConfigMap; kustomize appends a digest to its name."""
    (data,) = [m["data"] for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"].startswith(f"{name}-")]
    return data
