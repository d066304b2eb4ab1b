"""What all tests share: Kafka, the cluster, and a new pair of endpoints for each job."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import json
from pathlib import Path

import pytest

import checker
import processes
import records
from broker import Kafka
from cluster import Cluster
from job import Job


def pytest_addoption(parser):
    parser.addoption("--records", type=int, default=100_000, help="records of the topic for the comparison")


class Endpoint:
    """An endpoint in a process of its own."""

    def __init__(self, log):
        self.log, self.port = log, processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        log.touch()
        self.start()

    def start(self):
        command = [sys.executable, Path(__file__).with_name("endpoint.py"), str(self.port), self.log]
        self.process = processes.start(command, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self):
        """Ends it: connections are refused."""
        processes.kill_group(self.process)

    def behave(self, **behaviour):
        """Changes what it does: see endpoint.py."""
        request = urllib.request.Request(f"{self.url}behaviour", json.dumps(behaviour).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def requests(self):
        """The number of requests in the log."""
        with open(self.log, "rb") as log:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: log.read(1 << 20), b""))


class Stage:
    """Kafka, the cluster and the endpoints of a job."""

    def __init__(self, kafka, cluster, directory):
        self.kafka, self.cluster, self.directory = kafka, cluster, directory
        directory.mkdir(parents=True)
        self.endpoints = {route: Endpoint(directory / f"{route}.log") for route in checker.ROUTES}

    def topic(self, name, count, matching):
        """Writes a topic, and returns its records."""
        self.kafka.create(name, records.PARTITIONS)
        written = records.make(count, matching)
        self.kafka.write(name, ((partition, record.value) for (partition, _), record in written.items()))
        return written

    def job(self, topic, group):
        return Job(self, topic, group, self.directory / group)

    def requests(self):
        return sum(endpoint.requests() for endpoint in self.endpoints.values())

    def behave(self, **behaviour):
        for endpoint in self.endpoints.values():
            endpoint.behave(**behaviour)

    def wait_for_requests(self, count, run):
        """Waits until the endpoints have logged this number of requests, while the run continues."""

        def is_reached():
            assert run.is_running(), f"the run ended with {self.requests()} requests: {run.log.read_text()[-4000:]}"
            return self.requests() >= count

        processes.wait_until(is_reached, f"{count} requests", 120)

    def judge(self, job, written, is_complete=True):
        """The checker's verdict on everything that has happened to a group."""
        logs = {route: endpoint.log for route, endpoint in self.endpoints.items()}
        letters = self.kafka.read(job.dead_letter_topic)
        committed = self.kafka.committed(job.group, job.topic)
        verdict = checker.judge(written, logs, letters, committed, is_complete)
        accepted, dead = sum(verdict.accepted.values()), sum(verdict.letters.values())
        print(f"\n  {job.group}: {accepted} accepted, {dead} dead letters, {verdict.repeats} of them repeats")
        return verdict

    def stop(self):
        for endpoint in self.endpoints.values():
            endpoint.kill()


@pytest.fixture(scope="session")
def directory(request):
    target = Path(os.environ["SPARK_E2E_HOME"])
    directory = Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=target))
    yield directory
    # The logs of a failure are kept.
    if not request.session.testsfailed:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def kafka(directory):
    kafka = Kafka(directory / "kafka")
    yield kafka
    kafka.stop()


@pytest.fixture(scope="session")
def cluster(directory):
    cluster = Cluster(directory / "spark")
    yield cluster
    cluster.stop()


@pytest.fixture
def new_stage(kafka, cluster, directory, request):
    """Makes stages: each has endpoints of its own."""
    stages = []

    def make(name):
        stages.append(Stage(kafka, cluster, directory / name))
        return stages[-1]

    yield make
    for stage in stages:
        stage.stop()


@pytest.fixture
def stage(new_stage, request):
    """The stage of a test, with the test's name."""
    return new_stage(request.node.name)
