"""The tutorial's two commands to send a record change its bytes; the README's commands do not.

The tutorial sends `-d "$(echo -n -e "$(cat FILE)")"` to the gateway and pipes the same into `fn invoke`. The tests run the
commands with the shell and curl of this machine and compare the received bytes.
"""

import http.server
import os
import shlex
import shutil
import threading

import pytest
from tools import ROOT, debian, run

# Avro data of {"id": int, "name": string, "email": string}: a zigzag varint, then twice a length and the bytes.
PLAIN = b"\xe4\x0f\x08Paul\x18paul@bla.com"
HARMLESS = {"a_plain_record": PLAIN}
DAMAGED = {
    "id_0_begins_with_a_nul": (b"\x00\x08Paul\x18paul@bla.com", "NUL bytes are dropped by $(...)"),
    "an_empty_email_ends_with_a_nul": (b"\xe4\x0f\x08Paul\x00", "NUL bytes are dropped by $(...)"),
    "a_final_line_feed": (b"\xe4\x0f\x08Paul\x0aline\n", "line feeds at the end are dropped by $(...)"),
    "a_backslash_and_n": (b"\xe4\x0f\x10C:\\nodes\x18paul@bla.com", "backslash and n become a line feed by echo -e"),
    "a_backslash_and_x41": (b"\xe4\x0f\x0a\\x41\\\x18paul@bla.com", "backslash, x, 4 and 1 become the letter A by echo -e"),
    "a_backslash_and_c": (b"\xe4\x0f\x0a\\c\\c\x18paul@bla.com", "backslash and c end the output by echo -e"),
}
EVERY_BYTE = bytes(range(256)) + b"\n"


@pytest.fixture(scope="module")
def server():
    """An HTTP server on the loopback that records the bodies of requests."""
    bodies, headers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            headers.append(self.headers)
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.bodies, listening.headers = bodies, headers
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.fixture
def arrived(server, tmp_path):
    """Sends a record with a shell command in which FILE and URL are placeholders, and returns the received body."""

    def send(record, command):
        file = tmp_path / "record.bin"
        file.write_bytes(record)
        url = f"http://127.0.0.1:{server.server_port}/"
        run("bash", "-c", command.replace("FILE", shlex.quote(str(file))).replace("URL", url))
        return server.bodies.pop()

    assert shutil.which("curl") or debian("curl", "usr/bin/curl")
    return send


def piped(record, command, tmp_path):
    """The output of the first command of a pipe."""
    file = tmp_path / "record.bin"
    file.write_bytes(record)
    return run("bash", "-c", command.replace("FILE", shlex.quote(str(file))), text=False, errors=None).stdout


CURL = "curl -sS -X POST -H 'Content-Type: application/octet-stream' "
TUTORIAL = CURL + '-d "$(echo -n -e "$(cat FILE)")" URL'
TUTORIAL_PIPE = 'echo -n -e "$(cat FILE)"'


@pytest.mark.parametrize("name", HARMLESS)
def test_the_tutorials_commands_keep(name, arrived, tmp_path):
    assert arrived(HARMLESS[name], TUTORIAL) == piped(HARMLESS[name], TUTORIAL_PIPE, tmp_path) == HARMLESS[name]


@pytest.mark.parametrize("name", DAMAGED)
def test_the_tutorials_commands_change(name, arrived, tmp_path):
    record, why = DAMAGED[name]
    by_curl, by_pipe = arrived(record, TUTORIAL), piped(record, TUTORIAL_PIPE, tmp_path)
    print(f"{why}\n  sent     {record.hex(' ')}\n  curl -d  {by_curl.hex(' ')}\n  echo -e  {by_pipe.hex(' ')}")
    assert by_curl != record and by_pipe != record


def test_curl_d_drops_bytes_of_a_file(arrived):
    """Carriage returns, line feeds and NULs are dropped; older versions also drop the rest of the line after a NUL."""
    body = arrived(EVERY_BYTE, CURL + "-d @FILE URL")
    assert len(body) < len(EVERY_BYTE) and not set(b"\0\r\n") & set(body)


@pytest.mark.parametrize("name", [*HARMLESS, *DAMAGED, "all_byte_values"])
def test_data_binary_and_a_plain_pipe_keep_every_byte(name, arrived, tmp_path):
    record = EVERY_BYTE if name == "all_byte_values" else HARMLESS.get(name) or DAMAGED[name][0]
    assert arrived(record, CURL + "--data-binary @FILE URL") == record
    assert arrived(record, "cat FILE | " + CURL + "--data-binary @- URL") == record
    assert piped(record, "cat < FILE", tmp_path) == record


def test_make_invoke_keeps_every_byte_and_sends_the_token(server, tmp_path):
    record = tmp_path / "record.bin"
    record.write_bytes(EVERY_BYTE)
    url = f"http://127.0.0.1:{server.server_port}/"
    command = ("make", "-f", "deploy/deploy.mk", "invoke", f"FILE={record}")
    for token in ("", "a.b.c"):
        run(*command, cwd=ROOT, env={**os.environ, "ENDPOINT": url, "TOKEN": token})
        assert server.bodies.pop() == EVERY_BYTE
        assert server.headers.pop().get("Authorization") == (f"Bearer {token}" if token else None)


def test_make_reports_missing_variables():
    for target, word in (("invoke", "FILE is not set"), ("push", "REGISTRY is not set")):
        done = run("make", "-f", "deploy/deploy.mk", target, cwd=ROOT, check=False)
        assert done.returncode != 0 and word in done.stderr


@pytest.mark.parametrize("stage", ["foundation", "pipeline", "dataflow"])
def test_make_plan_uses_the_stage_and_the_image_tag(stage, tmp_path):
    terraform = tmp_path / "terraform"
    terraform.write_text('#!/bin/sh\necho "$TF_VAR_image_tag $*"\n')
    terraform.chmod(0o755)
    done = run("make", "-f", "deploy/deploy.mk", "plan", f"STAGE={stage}", "IMAGE_TAG=0.1.0", f"TERRAFORM={terraform}", cwd=ROOT)
    assert done.stdout.splitlines() == [
        f"0.1.0 -chdir=deploy/terraform/{stage} init -input=false",
        f"0.1.0 -chdir=deploy/terraform/{stage} plan",
    ]
