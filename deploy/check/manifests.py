"""Builds the overlays with kustomize, and finds the pods in the result."""

import shutil

import yaml
from tools import DEPLOY, kustomize, run

KUBERNETES = DEPLOY / "kubernetes"
#: Components that can be added to each overlay; several are joined by +.
COMPONENTS = {
    "in-cluster-kafka": ["", "every", "indexed", "keda", "pushgateway", "every+monitor-every", "monitor-function", "spark"],
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
    """The job's manifest, the job's or deployment's spec, its pod and its container."""
    manifest, spec, template = next(found for found in pods(manifests) if found[0]["metadata"]["name"] == "forward")
    return manifest, spec, template["spec"], template["spec"]["containers"][0]


def config_map(manifests, name):
    """The data of a ConfigMap; kustomize appends a digest to its name."""
    (data,) = [m["data"] for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"].startswith(f"{name}-")]
    return data
