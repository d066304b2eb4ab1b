"""The driver of Fn: what a failed start leaves behind, and the containers that count as left behind."""

import json
import sys
from pathlib import Path

import pytest
from tools import HERE

sys.path[:0] = [str(HERE / "images"), str(HERE / "e2e")]

import docker  # noqa: E402
from drivers import Fn  # noqa: E402

SERVER = """#!/usr/bin/env python3
import http.server, json, os
with open("environment", "w") as file:
    json.dump({**os.environ, "PROCESS": os.getpid()}, file)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["FN_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes a program to the start of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.delenv("FNSERVER", raising=False)
    monkeypatch.delenv("FN", raising=False)

    def write(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
        return folder / name

    return write


def test_a_failed_start_ends_the_server_which_has_the_address_of_the_engine(tmp_path, program, monkeypatch):
    monkeypatch.setenv("FNSERVER", str(program("server", SERVER)))
    monkeypatch.setenv("FN", str(program("client", "#!/bin/sh\necho \"$1: refused\" >&2\nexit 1\n")))
    program("docker", "#!/bin/sh\necho unix:///run/context.sock\n")
    for variable, expected in (("unix:///run/variable.sock",) * 2, ("", "unix:///run/context.sock")):
        monkeypatch.setenv("DOCKER_HOST", variable)
        folder = tmp_path / (variable[-13:] or "context")
        folder.mkdir()
        with pytest.raises(AssertionError, match="create: refused"):
            Fn(folder, {})
        environment = json.loads((folder / "environment").read_text())
        assert environment["DOCKER_HOST"] == expected
        assert not Path(f"/proc/{environment['PROCESS']}").exists(), "the server still runs"
        assert not (folder / "project").exists()


def test_a_server_that_does_not_start_is_reported_with_its_log(tmp_path, program):
    program("fnserver", "#!/bin/sh\necho 'bind: address already in use'\n")
    program("docker", "#!/bin/sh\n")
    with pytest.raises(AssertionError, match="fnserver ended:\\nbind: address already in use"):
        Fn(tmp_path, {})


def test_a_container_of_fn_counts_as_left_behind(program):
    program("docker", f'#!/bin/sh\ncase "$*" in *label=fn-agent-classifier={docker.LABEL}) echo c0ffee ;; esac\n')
    assert docker.containers() == {"c0ffee"}
