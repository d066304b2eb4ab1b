"""Who may connect to whom. Pods with the labels of Frontdoor's try it: the images of Frontdoor contain no shell."""

import concurrent.futures

import yaml
from cluster import DNS_ADDRESS, kubectl
from frontdoor import NAMESPACE, get
from images import TOOLS

LABEL = "app.kubernetes.io/name"

#: The pods: namespace and labels.
SOURCES = {
    "function": (NAMESPACE, {LABEL: "fn-recep-avro"}),
    "job": (NAMESPACE, {LABEL: "forward"}),
    "endpoint": (NAMESPACE, {"app.kubernetes.io/component": "endpoint"}),
    "unlabelled": (NAMESPACE, {}),
    "other namespace": ("strangers", {LABEL: "forward"}),
}

ALLOWED = {
    ("function", "Kafka"), ("job", "Kafka"), ("job", "endpoint A"), ("job", "endpoint B"), ("other namespace", "function"),
    # The other namespace has no policy.
    ("other namespace", "outside"),
    *((source, "DNS") for source in SOURCES),
}

#: Not the API server: it is on the node, and the agent of the policies does not see connections to the node.
TARGETS = ("Kafka", "function", "endpoint A", "endpoint B", "DNS", "outside")
CONNECTIONS = {(source, target): (source, target) in ALLOWED for source in SOURCES for target in TARGETS}


def pod(name: str, namespace: str, labels: dict) -> dict:
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"probe": "true", **labels}},
        "spec": {
            "containers": [{"name": "tools", "image": TOOLS, "securityContext": restricted}],
            "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0,
            # Never ready: the Services send it nothing.
            "readinessGates": [{"conditionType": "frontdoor.test/never"}],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }


class Probes:
    """The pods, until the end of the block. A server outside of Frontdoor's namespace listens in the pod `outside`."""

    def __enter__(self):
        kubectl("create", "namespace", "strangers")
        self.pods = {source: (source.replace(" ", "-") + "-probe", *place) for source, place in SOURCES.items()}
        listener = pod("outside", "strangers", {})
        listener["spec"]["containers"][0]["command"] = ["/bin/nc", "-ll", "-p", "9092", "-e", "/bin/true"]
        objects = [listener, *(pod(*each) for each in self.pods.values())]
        kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
        for namespace in ("strangers", NAMESPACE):
            kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "probe", "--timeout=60s")
        return self

    def __exit__(self, *_):
        kubectl("delete", "namespace", "strangers", "--wait=false")
        kubectl("-n", NAMESPACE, "delete", "pods", "-l", "probe", "--now")

    def connections(self) -> dict:
        services = {"function": "fn-recep-avro", "endpoint A": "api-type-a", "endpoint B": "api-type-b"}
        addresses = {target: f"{get('service', name)['spec']['clusterIP']} 8080" for target, name in services.items()}
        for target, name, namespace in (("Kafka", "kafka-0", NAMESPACE), ("outside", "outside", "strangers")):
            addresses[target] = f"{get('pod', name, namespace=namespace)['status']['podIP']} 9092"
        addresses["DNS"] = f"{DNS_ADDRESS} 53"

        def connects(source, target):
            name, namespace, _ = self.pods[source]
            command = ["/bin/nc", "-w", "3", *addresses[target].split(), "-e", "/bin/true"]
            return kubectl("-n", namespace, "exec", name, "--", *command, check=False).returncode == 0

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = {each: pool.submit(connects, *each) for each in CONNECTIONS}
        return {each: future.result() for each, future in found.items()}
