"""Kafka, the endpoints and the function on the loopback, for end-to-end tests. They stop when the test ends."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from tools import DEPLOY, ROOT, run

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
KAFKA = DEPLOY / "kafka/kafka"
TIMEOUT = 120  # seconds; allows for a busy machine


def program(name: str) -> Path:
    """The path of a program: in the folder FRONTDOOR_PROGRAMS, or the newest that cargo has built, or built now."""
    folders = [Path(os.environ["FRONTDOOR_PROGRAMS"])] if "FRONTDOOR_PROGRAMS" in os.environ else [TARGET / "release", TARGET / "debug"]
    built = sorted((folder / name for folder in folders if (folder / name).exists()), key=lambda path: path.stat().st_mtime)
    if not built:
        run("cargo", "build", "--quiet", "--locked", "--workspace", "--bins", cwd=ROOT)
        built = [TARGET / "debug" / name]
    return built[-1]


def wait(description: str, ready, timeout=TIMEOUT):
    """Calls `ready` until its result is true, and returns the result."""
    end = time.monotonic() + timeout
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"timeout after {timeout} s: {description}")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Listener:
    """A program that serves HTTP. Its settings are environment variables."""

    def __init__(self, name, settings, log, **options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [program(name)],
                env={"PATH": os.environ["PATH"], **settings, "LISTEN": f"127.0.0.1:{self.port}"},
                stdout=output,
                stderr=output,
                **options,
            )
        wait(f"{name} to listen; its log is {log}", self._is_healthy)

    def _is_healthy(self):
        assert self.process.poll() is None, f"the program ended during its start:\n{self.log.read_text()}"
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "health", timeout=5) as answer:
            return answer.status == 200
        return False

    def records(self) -> dict:
        """The records that the sample endpoint has received."""
        with urllib.request.urlopen(self.url + "records", timeout=30) as answer:
            return json.load(answer)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Broker:
    """Apache Kafka from deploy/kafka, with the topic FrontDoorTopic."""

    def __init__(self, folder: Path, partitions: int, *options: str):
        self.folder = folder
        run(KAFKA, "start", "--fast-join", "--dir", folder, "--parent", os.getpid(), *options)
        lines = (folder / "env").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines)
        self.bootstrap = self.settings["KAFKA_BOOTSTRAP_SERVERS"]
        run(program("create-topic"), self.settings["PLAINTEXT_BOOTSTRAP_SERVERS"], "FrontDoorTopic", partitions)

    def end(self):
        run(KAFKA, "stop", "--dir", self.folder, check=False)


class Publisher:
    """Posts records to a function, with the curl command of the README."""

    def __init__(self, function: Listener, folder: Path):
        self.function, self.folder, self.sent = function, folder, itertools.count(1)

    def _next(self) -> str:
        number = next(self.sent)
        return json.dumps({"id": (1010, 1020)[number % 2], "name": f"number {number}", "email": ""})

    def _post(self, file: Path, content_type: str):
        run(
            "curl", "--fail-with-body", "-sS", "-X", "POST", "-H", f"Content-Type: {content_type}",
            "--data-binary", f"@{file}", self.function.url,
        )

    def publish(self, count: int):
        """Sends `count` records with alternating ids 1010 and 1020, one per call."""
        file = self.folder / "record.bin"
        for _ in range(count):
            run(program("create-avro-sample"), file, self._next())
            self._post(file, "application/octet-stream")

    def publish_file(self, count: int):
        """Sends `count` records as one container file."""
        file = self.folder / "records.avro"
        lines = "\n".join(self._next() for _ in range(count))
        run(program("create-avro-sample"), "--container", file, input=lines)
        self._post(file, "application/vnd.apache.avro")


def names(endpoint: Listener) -> list[str]:
    """The names in the records that an endpoint has received."""
    return [entry["record"]["name"] for entry in endpoint.records()["records"]]


def assert_each_arrived_once(endpoints, count: int):
    """Asserts that every published record was received by its endpoint once."""
    arrived = sorted(name for endpoint in endpoints for name in names(endpoint))
    assert arrived == sorted(f"number {n}" for n in range(1, count + 1))
    for endpoint, id_ in zip(endpoints, (1010, 1020)):
        shown = endpoint.records()
        assert shown["refused"] == 0 and {entry["record"]["id"] for entry in shown["records"]} <= {id_}


def reports(text: str) -> list[dict]:
    """The run reports in a log."""
    decoder, found, start = json.JSONDecoder(), [], text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            end = start + 1
        else:
            if isinstance(value, dict) and "totals" in value and "partitions" in value:
                found.append(value)
        start = text.find("{", end)
    return found


@contextlib.contextmanager
def temporary_folder(folder: Path):
    """An empty folder that is deleted at the end, and an exit stack."""
    if folder.exists():
        shutil.rmtree(folder)  # of an earlier run that was killed; an error shows that its processes still run
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        yield stack
    shutil.rmtree(folder, ignore_errors=True)
