"""Validates custom resources against the schemas of their definitions, which the Go modules of their controllers contain."""

import functools

import jsonschema
import kubernetes_validate
import yaml
from tools import go_module

KEDA = ("github.com/kedacore/keda/v2", "v2.21.0", "config/crd/bases/keda.sh_{}.yaml")
OPERATOR = (
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml",
)

#: Where the definition of each kind is.
DEFINITIONS = {
    "ScaledJob": KEDA,
    "TriggerAuthentication": KEDA,
    "PodMonitor": OPERATOR,
    "PrometheusRule": OPERATOR,
    "ServiceMonitor": OPERATOR,
}


def is_custom(manifest) -> bool:
    return manifest["kind"] in DEFINITIONS


@functools.cache
def schema(kind: str, version: str) -> dict:
    module, release, path = DEFINITIONS[kind]
    definition = yaml.safe_load((go_module(module, release) / path.format(f"{kind.lower()}s")).read_text())
    (found,) = [each for each in definition["spec"]["versions"] if each["name"] == version]
    return strict(found["schema"]["openAPIV3Schema"])


def strict(schema: dict) -> dict:
    """The schema without unknown members, which the API server would drop without an error."""
    changed = dict(schema)
    for name in ("items", "additionalProperties"):
        if isinstance(changed.get(name), dict):
            changed[name] = strict(changed[name])
    if "properties" in changed:
        changed["properties"] = {name: strict(each) for name, each in changed["properties"].items()}
        if not changed.get("x-kubernetes-preserve-unknown-fields"):
            changed.setdefault("additionalProperties", False)
    return changed


def validate(manifest, kubernetes: str) -> None:
    """Raises an error if a manifest does not match its definition. Pods in it are validated for a version of Kubernetes."""
    group, version = manifest["apiVersion"].split("/")
    # The definitions describe metadata only as an object. Some of their patterns are valid only in Go.
    jsonschema.Draft202012Validator(schema(manifest["kind"], version)).validate(manifest | {"metadata": {}})
    if manifest["kind"] == "ScaledJob":
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": manifest["metadata"], "spec": manifest["spec"]["jobTargetRef"]}
        kubernetes_validate.validate(job, kubernetes, strict=True)
