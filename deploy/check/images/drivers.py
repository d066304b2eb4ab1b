"""Calls the function: with the testkit's agent over the socket of a container, or with Fn's server and CLI."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from docker import FN_LABEL, LABEL, TAG, Container, containers, docker, host, image
from environment import free_port, program, wait
from tools import ROOT, run

AVRO = "application/octet-stream"
APP, FUNCTION = "MyReceptionApp", "fn-recep-avro"


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Killed(AssertionError):
    """The container ended before its reply."""


class Socket:
    """The function in containers as Fn's server starts and calls them: one call at a time per container.

    The flags are those in the output of `docker inspect` for a container of fnserver v0.3.753, except the log driver `none`
    and the label.
    """

    FLAGS = (
        "--user", "1000:1000", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--read-only", "--init",
        "--network", "host", "--memory", "128m", "--memory-swap", "128m", "--memory-swappiness", "0", "--kernel-memory", "128m",
        "--pids-limit", "50", "--ulimit", "nofile=350:350", "--ulimit", "memlock=65536:65536",
        "--ulimit", "sigpending=5000:5000", "--ulimit", "msgqueue=819200:819200", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev",
    )  # fmt: skip
    ENVIRONMENT = {
        "FN_FORMAT": "http-stream", "FN_LISTENER": "unix:/tmp/iofs/lsnr.sock", "FN_TYPE": "sync", "FN_MEMORY": "128",
        "FN_APP_ID": "01DWAPP0000000000000000000", "FN_FN_ID": "01DWFN00000000000000000000", "HOME": "/",
    }  # fmt: skip

    IDLE = 2  # seconds; func.yaml has a higher value
    RECORD_AGE = 0  # seconds: the next call after a deployment is made to the new revision
    NEXT = f"{TAG}-next"

    def __init__(self, folder: Path, settings: dict):
        self.folder, self.settings = folder, settings
        self.idle, self.started = queue.LifoQueue(), []
        self.tag, self.switch = TAG, threading.Lock()

    def _start(self):
        shared = Path(tempfile.mkdtemp(prefix="iofs", dir=self.folder))
        shared.chmod(0o777)
        container = Container(
            FUNCTION, *self.FLAGS, "--volume", f"{shared}:/tmp/iofs", tag=self.tag, settings={**self.ENVIRONMENT, **self.settings}
        )
        container.socket = shared / "lsnr.sock"
        self.started.append(container)
        return container

    def _call(self, body: bytes, *arguments, timeout=30, times=1, on_start=lambda container: None) -> Answer:
        try:
            container = self.idle.get_nowait()
        except queue.Empty:
            container = self._start()
        on_start(container)
        # Fn's server waits five seconds for the socket. This timeout allows for a busy machine.
        command = [program("agent"), container.socket, "--timeout", timeout, "--times", times, "--socket-timeout", 30000, *arguments]
        done = subprocess.run([str(word) for word in command], input=body, capture_output=True, check=False)
        if done.returncode != 0:
            container.remove()
            raise Killed(f"{done.stderr.decode()}\n{container.log()}")
        with self.switch:
            self._return_container(container)
        reply = json.loads(done.stdout)
        self.milliseconds = reply["milliseconds"]
        return Answer(reply["status"], reply["headers"], base64.b64decode(reply["body_base64"]))

    def _return_container(self, container):
        """Keeps the container for the next call. A container of an old revision is paused, and removed after its idle time."""
        if container.tag == self.tag:
            self.idle.put(container)
        else:
            docker("pause", container.id)
            threading.Timer(self.IDLE, container.remove).start()

    def redeploy(self):
        """Builds a new revision while calls continue; later calls go to the new revision."""
        run("make", "images", f"IMAGES={FUNCTION}", f"IMAGE_TAG={self.NEXT}", "REVISION=next", cwd=ROOT)
        with self.switch:
            self.tag, old, self.idle = self.NEXT, self.idle, queue.LifoQueue()
            while not old.empty():
                self._return_container(old.get())

    def configure(self, name: str, value: str):
        """Changes a setting: later calls are made to new containers."""
        self.settings[name] = value
        while not self.idle.empty():
            self.idle.get().remove()

    def invoke(self, body: bytes, content_type=AVRO, **options) -> Answer:
        """Calls the function as `fn invoke` does."""
        return self._call(body, "--header", f"content-type: {content_type}", **options)

    def trigger(self, body: bytes, method="POST", headers=(("content-type", AVRO),)) -> Answer:
        """Calls the function as a gateway or an HTTP trigger does."""
        given = [word for name, value in headers for word in ("--header", f"{name}: {value}")]
        return self._call(body, "--http", f"{method} http://localhost/t/{APP}/{FUNCTION}", *given)

    def freeze(self, seconds: float):
        """Suspends all processes of the function for this time."""
        containers = [container for container in self.started if container.runs()]
        for container in containers:
            docker("pause", container.id)
        time.sleep(seconds)
        for container in containers:
            docker("unpause", container.id)

    def abandon(self, body: bytes):
        """Interrupts a call; the container is killed."""

        def kill(container):
            threading.Timer(1, container.remove).start()

        try:
            answer = self.invoke(body, on_start=kill)
        except Killed:
            return
        raise AssertionError(f"the function responded before it was killed: {answer}")

    def containers(self) -> list[Container]:
        return [container for container in self.started if container.runs()]

    def end(self):
        for container in self.started:
            container.remove()
        docker("rmi", image(FUNCTION, self.NEXT), check=False)


class Fn:
    """The function in Fn, with `fnserver` and `fn` from the PATH or from FNSERVER and FN, and the app of the tutorial."""

    RECORD_AGE = 6  # seconds; the server uses its copy of a function's record for 5 seconds, also after a deployment

    def __init__(self, folder: Path, settings: dict):
        self.port, self.folder, self.project = free_port(), folder, folder / "project"
        for name in ("data", "iofs", "home", "project"):
            (folder / name).mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DOCKER_HOST": host()}
        # How to connect to that engine, if it has a TCP port.
        self.environment |= {name: value for name, value in os.environ.items() if name in ("DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")}
        self.log = folder / "fnserver.log"
        server = {
            "FN_PORT": str(self.port), "FN_DB_URL": f"sqlite3://{folder}/data/fn.db", "FN_IOFS_PATH": f"{folder}/iofs",
            "FN_LOG_LEVEL": "debug", "FN_CONTAINER_LABEL_TAG": LABEL, "FN_DOCKER_NETWORKS": "host",
        }  # fmt: skip
        with self.log.open("wb") as log:
            command = [os.environ.get("FNSERVER", "fnserver")]
            self.server = subprocess.Popen(command, env=self.environment | server, cwd=folder, stdout=log, stderr=log)
        self.environment["FN_API_URL"] = f"http://127.0.0.1:{self.port}"
        try:
            self._deploy(settings)
        except BaseException:
            self.end()
            raise

    def _deploy(self, settings: dict):
        wait("fnserver", self._is_listening)
        # A copy, because `fn deploy` runs in the folder of func.yaml and changes the file.
        run("sh", "-c", f"git ls-files -z | xargs -0 cp --parents -t '{self.project}'", cwd=ROOT)
        self._fn("create", "app", APP)
        for name, value in settings.items():
            self._fn("config", "app", APP, name, value)
        self._fn("--verbose", "deploy", "--app", APP, "--local", "--no-bump", cwd=self.project)

    def _is_listening(self) -> bool:
        # It exits with 0 if its port is taken.
        assert self.server.poll() is None, f"fnserver ended:\n{self.log.read_text()[-2000:]}"
        return run("curl", "-sf", f"127.0.0.1:{self.port}/version", check=False).returncode == 0

    def _fn(self, *arguments, **options):
        return run(os.environ.get("FN", "fn"), *arguments, env=self.environment, **options)

    def redeploy(self):
        # The version bump changes the image's name. Otherwise warm containers would still be called.
        self._fn("--verbose", "deploy", "--app", APP, "--local", cwd=self.project)

    def configure(self, name: str, value: str):
        self._fn("config", "app", APP, name, value)

    def invoke(self, body: bytes, content_type=AVRO, **_) -> Answer:
        shown = self._fn(
            "invoke", "--content-type", content_type, "--output", "json", APP, FUNCTION,
            input=body, text=False, errors=None,
        )  # fmt: skip
        reply = json.loads(shown.stdout)
        headers = {name.lower(): value[0] for name, value in reply["headers"].items()}
        return Answer(int(headers.get("fn-http-status", reply["status_code"])), headers, reply["body"].encode())

    def trigger(self, body: bytes, method="POST", headers=(("content-type", AVRO),)) -> Answer:
        url = f"http://127.0.0.1:{self.port}/t/{APP}/{FUNCTION}"
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())

    def freeze(self, seconds: float):
        time.sleep(seconds)  # the server pauses a container 50 ms after its reply

    def abandon(self, body: bytes):
        file = self.folder / "abandoned"
        file.write_bytes(body)
        url = f"http://127.0.0.1:{self.port}/t/{APP}/{FUNCTION}"
        done = run("curl", "-s", "-m", "1", "-H", f"content-type: {AVRO}", "--data-binary", f"@{file}", url, check=False)
        assert done.returncode == 28, done.stdout  # curl's timeout

    def containers(self) -> list:
        return []  # managed by the server

    def end(self):
        """Ends the server, which removes its containers. Also after an incomplete start."""
        self.server.terminate()
        try:
            self.server.wait(30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
            left = containers(f"label={FN_LABEL}")
            if left:
                docker("rm", "--force", *left)
        shutil.rmtree(self.project)


DRIVERS = {"socket": Socket, "fn": Fn}
