"""A real Prometheus with the example configuration: it scrapes the function, the job with --every, and a Pushgateway that real
runs push to.

Every panel that can have data has some, and alerts fire.
"""

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml
from environment import Broker, Listener, free_port, program, reports, temporary_folder, wait
from monitoring import MONITORING, dashboard, plain
from tools import HOME, debian, run

TOKEN = "e2e-metrics"

#: Panels without data here: no endpoint asks for a pause.
WITHOUT_DATA = {"Time until a paused route is used again"}


class Server:
    """A program that serves HTTP on a free port, until the test ends."""

    def __init__(self, stack, command, port, log):
        self.url = f"http://127.0.0.1:{port}"
        with log.open("wb") as output:
            process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output)
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait(f"{self.url}; its log is {log}", lambda: process.poll() is None and self.answers())

    def answers(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
            return answer.status == 200
        return False


class Prometheus(Server):
    def query(self, expression: str) -> list[dict]:
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def wait_for(self, expression: str) -> list[dict]:
        return wait(f"data of {expression}", lambda: self.query(expression), timeout=60)

    def firing(self) -> set[str]:
        return {alert["metric"]["alertname"] for alert in self.query('ALERTS{alertstate="firing"}')}


class Page:
    """A job that runs every second, with its status page."""

    def __init__(self, stack, settings, log):
        self.port = free_port()
        status = {"STATUS_LISTEN": f"127.0.0.1:{self.port}", "STATUS_TOKEN": TOKEN}
        environment = {"PATH": os.environ["PATH"], **settings, **status}
        with log.open("wb") as output:
            command = [program("forward"), "run", "--every", "1s"]
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait(f"the page; its log is {log}", lambda: process.poll() is None and self.is_ready())

    def request(self, path: str) -> urllib.request.Request:
        url = f"http://127.0.0.1:{self.port}/{path}"
        return urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})

    def is_ready(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(self.request("ready"), timeout=5) as answer:
            return answer.status == 200
        return False


@pytest.fixture(scope="module")
def pipeline():
    """Kafka, the function, endpoint A, no endpoint B, a Pushgateway, and Prometheus."""
    with temporary_folder(HOME / "e2e-monitoring") as stack:
        folder = HOME / "e2e-monitoring"
        broker = Broker(folder / "kafka", partitions=3)
        stack.callback(broker.end)
        settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "LOG_FORMAT": "json"}
        function = Listener("fn-recep-avro", settings | {"METRICS_TOKEN": TOKEN}, folder / "function.log")
        stack.callback(function.end)
        endpoint = Listener("api-avro-sample", {}, folder / "endpoint.log")
        stack.callback(endpoint.end)
        port = free_port()
        command = [debian("prometheus-pushgateway", "usr/bin/prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"]
        gateway = Server(stack, command, port, folder / "pushgateway.log")
        prometheus = start_prometheus(stack, folder, {"fn-recep-avro": function.port, "pushgateway": port})
        job = settings | {
            "API_TYPE_A_URL": endpoint.url,
            "API_TYPE_B_URL": f"http://127.0.0.1:{free_port()}/",
            "UNMATCHED": "dead_letter",
            "METRICS_PUSHGATEWAY": gateway.url,
            # The first failures defer the records.
            "MAX_ATTEMPTS": "2",
            "BACKOFF_INITIAL": "10ms",
        }
        yield folder, function, job, prometheus


def start_prometheus(stack, folder, ports) -> Prometheus:
    """Prometheus with the example, whose targets have these ports. Others are left out."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(MONITORING / "alerts.yaml")]
    configuration["scrape_configs"] = [each for each in configuration["scrape_configs"] if each["job_name"] in ports]
    for each in configuration["scrape_configs"]:
        each["static_configs"] = [{"targets": [f"127.0.0.1:{ports[each['job_name']]}"]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    for name in ("metrics-token", "status-token"):
        (folder / name).write_text(TOKEN)
    port = free_port()
    command = [
        debian("prometheus", "usr/bin/prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return Prometheus(stack, command, port, folder / "prometheus.log")


def forward(settings, **more) -> tuple[int, dict]:
    """The exit code and the report of a run."""
    environment = {"PATH": os.environ["PATH"], **settings, **more}
    done = run(program("forward"), "run", "--output", "json", env=environment, check=False)
    (report,) = reports(done.stdout)
    return done.returncode, report


def post(function: Listener, body: bytes) -> int:
    request = urllib.request.Request(function.url, body, {"Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def publish(function: Listener, folder, id_: int, count: int = 1):
    """Sends records with this id: 1010 for endpoint A, 1020 for endpoint B, others match no route."""
    run(program("create-avro-sample"), folder / "record.bin", json.dumps({"id": id_, "name": "x", "email": ""}))
    for _ in range(count):
        assert post(function, (folder / "record.bin").read_bytes()) == 202


def panels(*rows: str):
    """The title and the expressions of each panel of these rows that has data."""
    row = None
    for panel in dashboard()["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        if panel["type"] != "row" and row in rows and panel["title"] not in WITHOUT_DATA:
            yield panel["title"], [plain(target["expr"]) for target in panel["targets"]]


def show(prometheus: Prometheus, *rows: str):
    """Prints the values of all panels of these rows."""
    for title, expressions in panels(*rows):
        for expression in expressions:
            values = [float(found["value"][1]) for found in prometheus.wait_for(expression)]
            print(f"{title}: {values}")


def test_prometheus_shows_what_real_runs_and_requests_did(pipeline):
    folder, function, settings, prometheus = pipeline
    publish(function, folder, 1010, 5)
    code, report = forward(settings)
    assert code == 0, report
    (success,) = prometheus.wait_for("frontdoor_job_last_success_timestamp_seconds")
    assert success["metric"]["group"] == "frontdoor" and success["metric"]["job"] == "forward"
    for id_, count in ((1010, 4), (1020, 3), (7, 1)):
        publish(function, folder, id_, count)
    assert post(function, b"no Avro") == 422
    code, report = forward(settings)
    assert code == 11, report
    prometheus.wait_for("frontdoor_job_last_run_exit_code == 11")
    for outcome, count in (("delivered", 4), ("deferred", 3), ("dead_lettered", 1)):
        (found,) = prometheus.wait_for(f'sum by (outcome) (frontdoor_job_last_run_records{{outcome="{outcome}"}})')
        assert int(found["value"][1]) == report["totals"][outcome] == count
    # Further requests between two scrapes, for rates.
    publish(function, folder, 1010)
    assert post(function, b"no Avro") == 422
    show(prometheus, "Job: last run", "Ingest function")
    (memory,) = prometheus.query(dict(panels("Job: last run"))["Memory of the job"][0])
    assert memory["metric"] == {"topic": "FrontDoorTopic", "group": "frontdoor"}
    accepted = 'http_server_request_duration_seconds_count{http_response_status_code="202"}'
    (found,) = prometheus.wait_for(f"sum({accepted}) == 14")
    assert found["value"][1] == "14"


def test_alerts_fire_for_dead_letters_and_exit_codes(pipeline):
    folder, function, settings, prometheus = pipeline
    wait("the alert of the dead letters", lambda: "FrontdoorJobDeadLetters" in prometheus.firing())
    assert "FrontdoorJobDeadLetterThreshold" not in prometheus.firing()
    publish(function, folder, 7)
    code, report = forward(settings, UNMATCHED="stop")
    assert code == 65, report
    wait("the alert of the exit code", lambda: "FrontdoorJobDeadLetterThreshold" in prometheus.firing())
    publish(function, folder, 1010)
    code, report = forward(settings)
    assert code == 11, report
    wait("the end of the alert", lambda: "FrontdoorJobDeadLetterThreshold" not in prometheus.firing())
    assert prometheus.query('ALERTS{alertname=~"FrontdoorTargetDown|FrontdoorIngestBrokerDown"}') == []


def test_prometheus_scrapes_the_status_page_of_a_job_with_every(pipeline):
    folder, function, settings, _ = pipeline
    for id_ in (1010, 1020, 7):
        publish(function, folder, id_)
    own = folder / "every"
    own.mkdir()
    with contextlib.ExitStack() as stack:
        page = Page(stack, settings | {"KAFKA_GROUP_ID": "every"}, own / "forward.log")
        prometheus = start_prometheus(stack, own, {"forward": page.port})
        prometheus.wait_for("frontdoor_job_runs_total > 1")
        publish(function, folder, 1010)
        show(prometheus, "Job with --every")
        with urllib.request.urlopen(page.request("report"), timeout=30) as answer:
            report = json.load(answer)
        assert report["group"] == "every", report
        (lag,) = prometheus.wait_for('sum(frontdoor_job_lag_records{group="every"})')
        assert float(lag["value"][1]) >= 1  # the record for the endpoint that does not exist
        assert prometheus.query('up{job="forward"} == 0') == []
