"""The API server accepts every overlay with every component, unchanged and strictly, and only what complies with the standard."""

import custom_resources
import pytest
from cluster import kubectl
from frontdoor import in_frontdoor, place
from manifests import COMPONENTS, KUBERNETES
from tools import go_module

BUILDS = [(overlay, component) for overlay, components in COMPONENTS.items() for component in components]

ORDINARY_POD = """
apiVersion: v1
kind: Pod
metadata: {name: ordinary}
spec: {containers: [{name: ordinary, image: frontdoor.test/tools:1}]}
"""


@pytest.fixture(scope="module", autouse=True)
def namespace():
    """The namespace, which also warns of what it would refuse, and the definitions of the custom resources."""
    kubectl("apply", "-f", KUBERNETES / "base/namespace.yaml")
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("warn", "audit")]
    kubectl("label", "namespace/frontdoor", *levels)
    for kind, (module, version, path) in custom_resources.DEFINITIONS.items():
        kubectl("apply", "--server-side", "-f", go_module(module, version) / path.format(f"{kind.lower()}s"))
    kubectl("wait", "--for=condition=Established", "crds", "--all", "--timeout=60s")


@pytest.mark.parametrize(("overlay", "component"), BUILDS)
def test_the_server_accepts_it_strictly_and_without_a_warning(overlay, component):
    done = kubectl("apply", "-k", place(overlay, component), "--dry-run=server", "--validate=strict")
    assert "namespace/frontdoor" in done.stdout and "Warning" not in done.stderr, done.stderr


def test_the_server_refuses_a_pod_that_is_not_restricted():
    refused = kubectl("-n", "frontdoor", "apply", "-f", "-", input=ORDINARY_POD, check=False)
    assert refused.returncode != 0 and 'violates PodSecurity "restricted' in refused.stderr, refused.stderr


def test_the_server_refuses_a_misspelt_field():
    misspelt = in_frontdoor("create", "service", "clusterip", "x", "--tcp=1", "--dry-run=client", "-o", "yaml").replace("ports:", "portz:")
    refused = kubectl("-n", "frontdoor", "apply", "--validate=strict", "-f", "-", input=misspelt, check=False)
    assert refused.returncode != 0 and "portz" in refused.stderr, refused.stderr
