"""What the tests do with the objects of Frontdoor in the cluster."""

import json
import subprocess
import urllib.error
import urllib.request
from types import SimpleNamespace

from cluster import DATA, kubectl
from environment import Publisher, names, reports, wait
from manifests import build

NAMESPACE = "frontdoor"


def in_frontdoor(*words, **options) -> str:
    return kubectl("-n", NAMESPACE, *words, **options).stdout


def place(overlay: str, component=""):
    """A copy of the manifests, with components added to an overlay. Returns the folder for `kubectl apply -k`."""
    folder = DATA / "manifests" / f"{overlay}-{component or 'plain'}"
    build(overlay, component, folder)
    return folder / "overlays" / overlay


def apply(folder) -> str:
    done = kubectl("apply", "-k", folder, "--validate=strict")
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def get(*words, namespace=NAMESPACE) -> dict:
    return json.loads(kubectl("-n", namespace, "get", *words, "-o", "json").stdout)


def pods(selector: str, namespace=NAMESPACE) -> list[dict]:
    """The pods with a label, oldest first."""
    found = get("pods", "-l", selector, namespace=namespace)["items"]
    return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


def pods_of(job: str) -> list[dict]:
    return pods(f"batch.kubernetes.io/job-name={job}")


def is_ready(pod) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def terminated(pod) -> dict | None:
    """The end of a pod's container: exitCode, startedAt, finishedAt."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("terminated")


def condition(kind: str, name: str) -> dict[str, str]:
    """The conditions of an object that are true, with their reasons."""
    found = get(kind, name)["status"].get("conditions", [])
    return {each["type"]: each.get("reason", "") for each in found if each["status"] == "True"}


def wait_for_rollout(*deployments: str):
    for name in deployments:
        in_frontdoor("rollout", "status", name, "--timeout=120s")


def suspend_schedule():
    in_frontdoor("patch", "cronjob/forward", "-p", '{"spec": {"suspend": true}}')
    wait("the scheduled job to end", lambda: not get("cronjob", "forward")["status"].get("active"))


def start_job(name: str, **settings):
    """A job from the CronJob, as in the README, with other settings as arguments."""
    job = json.loads(in_frontdoor("create", "job", "--from=cronjob/forward", name, "--dry-run=client", "-o", "json"))
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    for setting, value in settings.items():
        flag = "--" + setting.replace("_", "-")
        if flag in arguments:
            arguments[arguments.index(flag) + 1] = str(value)
        else:
            arguments += [flag, str(value)]
    in_frontdoor("create", "-f", "-", input=json.dumps(job))


def wait_for_job(name: str, outcome="Complete", timeout=120) -> str:
    """Waits for the end of a job, and returns the reason."""

    def ended():
        return {kind: why for kind, why in condition("job", name).items() if kind in ("Complete", "Failed")}

    (found,) = wait(f"the job {name}", ended, timeout).items()
    assert found[0] == outcome, (found, [(terminated(pod), logs(pod)) for pod in pods_of(name)])
    return found[1]


def logs(pod) -> str:
    return in_frontdoor("logs", pod["metadata"]["name"], check=False)


def reports_of(job: str) -> list[dict]:
    return [report for pod in pods_of(job) for report in reports(logs(pod))]


def url(service: str) -> str:
    return f"http://{get('service', service)['spec']['clusterIP']}:8080/"


def status(address: str, data=None) -> int:
    """The status code of a request, or 0 without a connection."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Endpoint:
    """API type A or B, by its Service."""

    def __init__(self, name: str):
        self.url = url(name)

    def records(self) -> dict:
        with urllib.request.urlopen(self.url + "records", timeout=30) as answer:
            return json.load(answer)


def endpoints() -> list[Endpoint]:
    return [Endpoint("api-type-a"), Endpoint("api-type-b")]


def received() -> int:
    return sum(endpoint.records()["received"] for endpoint in endpoints())


def keep_records(number: int):
    """Empties the endpoints, and lets them keep more records than by default."""
    for name in ("deployment/api-type-a", "deployment/api-type-b"):
        in_frontdoor("set", "env", name, f"API_MAX_RECORDS={number}")
    wait_for_rollout("deployment/api-type-a", "deployment/api-type-b")


def arrived() -> list[str]:
    return sorted(name for endpoint in endpoints() for name in names(endpoint))


def publisher() -> Publisher:
    folder = DATA / "records"
    folder.mkdir(exist_ok=True)
    return Publisher(SimpleNamespace(url=url("fn-recep-avro")), folder)


def processes(name: str):
    """The status files of the processes with a name, each as a dictionary."""
    ids = subprocess.run(["pgrep", "--full", f"^/{name}( |$)"], capture_output=True, text=True, check=False).stdout.split()
    for number in ids:
        with open(f"/proc/{number}/status", encoding="utf-8") as file:
            yield number, dict(line.strip().split(":\t", 1) for line in file if ":\t" in line)
