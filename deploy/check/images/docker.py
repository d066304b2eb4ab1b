"""Starts, inspects and removes containers of the project's images."""

import json
import os
import re
from pathlib import Path

from tools import run

TAG = os.environ.get("IMAGE_TAG", "e2e")
LABEL = "frontdoor-e2e"
# The label of containers that Fn's server starts with FN_CONTAINER_LABEL_TAG=LABEL.
FN_LABEL = f"fn-agent-classifier={LABEL}"
IMAGES = ("fn-recep-avro", "api-avro-sample", "forward")
# The default flags of a container.
CONFINED = ("--network", "host", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")


def docker(*arguments, **options) -> str:
    return run("docker", *arguments, **options).stdout.strip()


def image(name: str, tag=TAG) -> str:
    return f"{name}:{tag}"


def inspect(thing: str) -> dict:
    return json.loads(docker("inspect", thing))[0]


def host() -> str:
    """The address of the engine that `docker` uses. Programs with another HOME do not find the context of this user."""
    return os.environ.get("DOCKER_HOST") or docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")


def containers(*marks: str) -> set[str]:
    """The containers with one of the marks, whether they run or not; without marks those of the tests and of their images."""
    marks = marks or (f"label={LABEL}", f"label={FN_LABEL}", *(f"ancestor={image(name)}" for name in IMAGES))
    return {found for mark in marks for found in docker("ps", "--all", "--quiet", "--filter", mark).split()}


def running(name: str) -> set[str]:
    """The images with this name, with any tag, of running containers."""
    return {shown for shown in docker("ps", "--format", "{{.Image}}").split() if shown.startswith(f"{name}:")}


class Container:
    """A running container of one of the project's images."""

    def __init__(self, name: str, *flags, tag=TAG, settings=None, command=()):
        variables = [word for key, value in (settings or {}).items() for word in ("--env", f"{key}={value}")]
        self.id = docker("run", "--detach", "--label", LABEL, *flags, *variables, image(name, tag), *command)
        self.tag = tag

    def runs(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.id, check=False) == "true"

    def log(self) -> str:
        done = run("docker", "logs", self.id, check=False)
        return done.stdout + done.stderr

    def memory(self) -> int:
        """The memory usage of the control group in bytes, which is compared with the limit."""
        shown = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", self.id).split("/")[0].strip()
        number, unit = re.fullmatch(r"([0-9.]+)([KMG]?i?B)", shown).groups()
        return int(float(number) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit])

    def process(self, program: str) -> Path:
        """The folder in /proc of the process of `program`."""
        for line in docker("top", self.id, "-o", "pid,comm").splitlines()[1:]:
            pid, command = line.split()
            if command == program[:15]:
                return Path("/proc", pid)
        raise AssertionError(f"{program} is not running in {self.id}")

    def remove(self):
        docker("rm", "--force", self.id, check=False)
