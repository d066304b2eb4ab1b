"""Runs of the job: `forward` as a process, or on Spark."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[3]
APPLICATION = ROOT / "jobs/spark/app.py"
FORWARD = Path(os.environ.get("FORWARD", ROOT / "target/debug/forward"))
TIMEOUT = 300


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    code: int
    report: dict
    seconds: float
    log: str


class Run:
    """A run that was started."""

    def __init__(self, process, report, log):
        self.process, self.report, self.log = process, report, log
        self.started = time.monotonic()

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        """Sends SIGKILL to the process and its process group: with Spark, spark-submit and the driver."""
        assert self.is_running(), f"the run has already ended: {self.log.read_text()}"
        processes.kill_group(self.process)

    def wait(self, *codes):
        """Waits for the end. The exit code must be one of these, and that of the report."""
        try:
            code = self.process.wait(TIMEOUT)
        except Exception:
            processes.kill_group(self.process)
            raise
        log = self.log.read_text(errors="replace")
        seconds = time.monotonic() - self.started
        assert code in codes, f"exit code {code}, expected {codes}: {log[-6000:]}"
        report = json.loads(self.report.read_text()) if self.report.exists() else {}
        if report:
            assert report["exit_code"] == code, f"exit code {code}, report: {report}"
            assert report["balanced"], f"the report does not balance: {report}"
        return Result(code, report, seconds, log)


class Job:
    """The settings of a group on a topic, and the runs with them."""

    # Short waits, so that an endpoint that is down does not make the tests long.
    WAITS = {"BACKOFF_INITIAL": "20ms", "BACKOFF_MAX": "100ms", "CIRCUIT_COOL_DOWN": "100ms", "START_TIMEOUT": "5s"}

    def __init__(self, stage, topic, group, directory):
        self.stage, self.topic, self.group = stage, topic, group
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.dead_letter_topic = f"{group}-dead-letter"
        self.runs = 0
        routes = [
            {"name": "A", "when": "id == 1010", "url": stage.endpoints["A"].url},
            {"name": "B", "when": "id == 1020", "url": stage.endpoints["B"].url, "format": "ndjson", "batch": 50},
        ]
        (self.directory / "routes.json").write_text(json.dumps({"version": 1, "routes": routes}))
        self.settings = {
            "KAFKA_BOOTSTRAP_SERVERS": stage.kafka.bootstrap,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": group,
            "DEAD_LETTER_TOPIC": self.dead_letter_topic,
            "ROUTES": str(self.directory / "routes.json"),
            "LOG_FORMAT": "text",
            **self.WAITS,
        }

    def _files(self, engine):
        self.runs += 1
        name = f"{self.runs:02}-{engine}"
        return self.directory / f"{name}.json", self.directory / f"{name}.log"

    def forward(self, **settings):
        """Starts `forward run`."""
        report, log = self._files("forward")
        environment = {"PATH": os.environ["PATH"], **self.settings, **settings}
        with open(log, "wb") as file:
            command = [FORWARD, "run", "--report", report]
            return Run(processes.start(command, env=environment, stdout=file, stderr=file), report, log)

    def spark(self, slice_offsets, configuration=None, **settings):
        """Starts the same on Spark, with slices of at most this number of offsets."""
        report, log = self._files("spark")
        process = self.stage.cluster.submit(
            APPLICATION,
            ["run", "--report", str(report)],
            {**self.settings, **settings},
            {"spark.frontdoor.sliceOffsets": str(slice_offsets), **(configuration or {})},
            log,
        )
        return Run(process, report, log)
