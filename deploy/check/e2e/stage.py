"""The world round the job, on the loopback: real Kafka, both endpoints, the door. Everything ends with the test."""

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
PATIENCE = 120  # seconds: a busy machine is slow


def program(name: str) -> Path:
    """A program of the project: in the folder FRONTDOOR_PROGRAMS, else the newest that cargo built, else built now."""
    folders = [Path(os.environ["FRONTDOOR_PROGRAMS"])] if "FRONTDOOR_PROGRAMS" in os.environ else [TARGET / "release", TARGET / "debug"]
    built = sorted((folder / name for folder in folders if (folder / name).exists()), key=lambda path: path.stat().st_mtime)
    if not built:
        run("cargo", "build", "--quiet", "--locked", "--workspace", "--bins", cwd=ROOT)
        built = [TARGET / "debug" / name]
    return built[-1]


def wait(what: str, ready, patience=PATIENCE):
    """What `ready` gives as soon as it gives something."""
    end = time.monotonic() + patience
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Listener:
    """A program that listens, with its settings as environment variables."""

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
        assert self.process.poll() is None, f"ended at its start:\n{self.log.read_text()}"
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "health", timeout=5) as answer:
            return answer.status == 200
        return False

    def records(self) -> dict:
        """What the sample endpoint has taken."""
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
    """Real Apache Kafka, from deploy/kafka, with the topic FrontDoorTopic of so many partitions."""

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
    """Sends records through a door, as the README's curl line does."""

    def __init__(self, door: Listener, folder: Path):
        self.door, self.folder, self.sent = door, folder, itertools.count(1)

    def _next(self) -> str:
        number = next(self.sent)
        return json.dumps({"id": (1010, 1020)[number % 2], "name": f"number {number}", "email": ""})

    def _post(self, file: Path, content_type: str):
        run(
            "curl", "--fail-with-body", "-sS", "-X", "POST", "-H", f"Content-Type: {content_type}",
            "--data-binary", f"@{file}", self.door.url,
        )

    def publish(self, count: int):
        """Sends `count` records, ids 1010 and 1020 in turn, one to a call."""
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
    """The names in the records that an endpoint has taken."""
    return [entry["record"]["name"] for entry in endpoint.records()["records"]]


def assert_each_arrived_once(endpoints, count: int):
    """Every record published so far has reached one endpoint, once."""
    arrived = sorted(name for endpoint in endpoints for name in names(endpoint))
    assert arrived == sorted(f"number {n}" for n in range(1, count + 1))
    for endpoint, id_ in zip(endpoints, (1010, 1020)):
        shown = endpoint.records()
        assert shown["refused"] == 0 and {entry["record"]["id"] for entry in shown["records"]} <= {id_}


def reports(text: str) -> list[dict]:
    """The run reports among the lines of a log."""
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
def stage(folder: Path):
    """A folder and a stack of things that end in the other order than they began."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        yield stack
    shutil.rmtree(folder, ignore_errors=True)
