"""The systemd units, the crontab, and the behavior of forward-once for each exit code."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from settings import seconds, unknown_flags, unknown_variables
from tools import DEPLOY, run

CRON = DEPLOY / "cron"
SYSTEMD = DEPLOY / "systemd"
SERVICES = ["frontdoor-forward.service", "frontdoor-forward-every.service"]
UNITS = [*SERVICES, "frontdoor-forward.timer"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A root folder with the units and the programs that they start."""
    root = tmp_path_factory.mktemp("systemd")
    shutil.copytree("/lib/systemd/system", root / "lib/systemd/system", symlinks=True)
    (root / "etc/systemd/system").mkdir(parents=True)
    for unit in SYSTEMD.iterdir():
        shutil.copy(unit, root / "etc/systemd/system")
    for program in ("usr/bin/flock", "usr/local/bin/forward"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", root / program)
    return root


def lines(unit, key):
    """The values of a key in a unit, with continuation lines joined."""
    text = (SYSTEMD / unit).read_text().replace("\\\n", " ")
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(installed, unit):
    done = run("systemd-analyze", f"--root={installed}", "verify", unit)
    assert done.stderr.strip() == ""


def test_systemd_rejects_an_invalid_unit(installed, tmp_path):
    changed = tmp_path / "root"
    shutil.copytree(installed, changed, symlinks=True)
    unit = changed / "etc/systemd/system/frontdoor-forward.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    done = run("systemd-analyze", f"--root={changed}", "verify", unit.name, check=False)
    assert "ProtectHouse" in done.stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_the_service_is_sandboxed(unit):
    """systemd's exposure level (0 to 10) of a program that needs the network is at most 1.5."""
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", SYSTEMD / unit)


@pytest.mark.parametrize("unit", SERVICES)
def test_the_service_names_only_settings_that_exist(unit):
    variables = {entry.split("=")[0] for entry in lines(unit, "Environment")}
    assert "CONFIG_LOCATION" in variables and unknown_variables(variables) == []
    (command,) = lines(unit, "ExecStart")
    program, arguments = command.split("/usr/local/bin/forward ")
    assert arguments.startswith("run ") and unknown_flags(arguments.split()) == []
    assert "--no-fork" in program, "systemctl stop would stop flock but not the job"


def test_a_run_ends_before_systemd_stops_it():
    (command,) = lines("frontdoor-forward.service", "ExecStart")
    flags = dict(re.findall(r"--(deadline|shutdown-timeout) (\S+)", command))
    (limit,) = lines("frontdoor-forward.service", "TimeoutStartSec")
    assert seconds(flags["deadline"]) + seconds(flags["shutdown-timeout"]) < seconds(limit.replace("min", "m"))
    assert lines("frontdoor-forward.service", "SuccessExitStatus") == ["10 11 12 20"]
    (stop,) = lines("frontdoor-forward.service", "TimeoutStopSec")
    assert seconds(flags["shutdown-timeout"]) < seconds(stop)


def test_the_crontab_has_schedule_user_and_command():
    name = re.compile(r"[A-Z_]+=")
    entries = [line for line in (CRON / "frontdoor.cron").read_text().splitlines() if line and not line.startswith("#")]
    variables = {line.split("=")[0] for line in entries if name.match(line)}
    assert {"MAILTO", "PATH", "SHELL"} <= variables
    assert unknown_variables(variables - {"MAILTO", "PATH", "SHELL"}) == []
    (job,) = [line for line in entries if not name.match(line)]
    minute, *rest, user, command = re.fullmatch(r"(\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (.+)", job).groups()
    assert (minute, rest, user) == ("*/5", ["*"] * 4, "frontdoor")
    program, *arguments = command.split()
    assert program == "/usr/local/bin/forward-once" and unknown_flags(arguments) == []
    assert "%" not in command, "cron replaces % with a newline"


def test_the_image_is_not_started_if_the_settings_file_is_missing(tmp_path):
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "started: $*"\n')
    docker.chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "FRONTDOOR_IMAGE": "forward:0"}
    there, absent = tmp_path / "config.properties", tmp_path / "absent"
    there.touch()
    started = run(CRON / "forward-in-docker", "run", env={**variables, "CONFIG_LOCATION": str(there)})
    assert f"--user {os.getuid()}:{os.getgid()} " in started.stdout and started.stdout.endswith("forward:0 run\n")
    refused = run(CRON / "forward-in-docker", "run", env={**variables, "CONFIG_LOCATION": str(absent)}, check=False)
    assert refused.returncode != 0 and "started" not in refused.stdout


@pytest.fixture
def once(tmp_path):
    """Starts forward-once with a script instead of forward."""

    def start(script, *arguments, **options):
        program = tmp_path / "forward"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        environment = {
            **os.environ,
            "FORWARD": str(program),
            "FRONTDOOR_LOG": str(tmp_path / "log"),
            "FRONTDOOR_LOCK": str(tmp_path / "lock"),
        }
        return subprocess.Popen(
            [CRON / "forward-once", *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )

    return start


@pytest.mark.parametrize("code", [0, 11, 12, 20])
def test_cron_mails_nothing_after_a_normal_exit(once, code, tmp_path):
    done = once(f'echo "report of $*"; echo "a log line" >&2; exit {code}', "--deadline", "4m")
    assert done.communicate()[0] == "" and done.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "report of run --output json --deadline 4m" in log and "a log line" in log


@pytest.mark.parametrize("code", [10, 64, 65, 70, 74, 75, 76, 78, 137])
def test_cron_mails_the_end_of_the_log_after_a_failure(once, code):
    done = once(f'echo "an error" >&2; exit {code}')
    mail = done.communicate()[0]
    assert done.returncode == code and f"exit {code}, " in mail and "an error" in mail


def test_a_second_run_exits_while_the_first_is_running(once, tmp_path):
    first = once('echo began >> "$0.count"; sleep 30')
    count = tmp_path / "forward.count"
    while not count.exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = once('echo began >> "$0.count"')
    assert second.communicate()[0] == "" and second.returncode == 0
    assert count.read_text() == "began\n" and "still running" in (tmp_path / "log").read_text()
    subprocess.run(["pkill", "-P", str(first.pid)], check=False)
    first.communicate()


def test_a_killed_run_leaves_no_lock(once, tmp_path):
    first = once('echo $$ > "$0.pid"; exec sleep 30', start_new_session=True)
    pid = tmp_path / "forward.pid"
    while not (pid.exists() and pid.read_text().strip()):
        assert first.poll() is None
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = once("echo again")
    second.communicate()
    assert "again" in (tmp_path / "log").read_text()


def test_reports_a_path_that_is_not_writable(once, tmp_path):
    (tmp_path / "lock").mkdir()
    done = once("echo never")
    output = done.communicate()[0]
    assert done.returncode == 78 and "not writable by" in output
