"""Runs the cron daemon in its own mount namespace, so that a test does not change the machine.

The files of deploy/cron are installed as in its README, but the schedule is every minute instead of every five.
"""

import os
import shutil
import signal
import subprocess

from environment import program, reports
from tools import DEPLOY, debian

# In the namespace, prepared folders are mounted at /etc, /var and /usr/local/bin, and a script replaces sendmail.
ENTER = """
set -eu
mount --make-rprivate /
mount --bind "$PLACE/etc" /etc
mount --bind "$PLACE/bin" /usr/local/bin
mkdir "$PLACE/sbin" && mount -t tmpfs tmpfs "$PLACE/sbin"
mkdir -p "$PLACE/sbin/upper" "$PLACE/sbin/work"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$PLACE/sbin/upper,workdir=$PLACE/sbin/work" /usr/sbin
cp "$PLACE/sendmail" /usr/sbin/sendmail
if [ -n "$ENGINE" ]; then : > "$PLACE/docker.sock"; mount --bind "$ENGINE" "$PLACE/docker.sock"; fi
mount -t tmpfs tmpfs /run
mount --bind "$PLACE/var" /var
exec "$CRON" -f -L 15
"""


def install(folder, settings):
    """Installs the files of deploy/cron/README.md under `folder`."""
    shutil.copytree("/etc", folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
    for name in ("crontab", "cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly"):
        path = folder / "etc" / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    (folder / "etc/cron.d").mkdir()
    for name, line in (
        ("passwd", "frontdoor:x:987:987::/var/lib/frontdoor:/usr/sbin/nologin"),
        ("group", "frontdoor:x:987:"),
        ("shadow", "frontdoor:!:20000:0:99999:7:::"),
    ):
        with (folder / "etc" / name).open("a") as file:
            file.write(line + "\n")
    pam = debian("cron", "usr/sbin/cron").parents[2] / "etc/pam.d/cron"
    if pam.exists():
        shutil.copy(pam, folder / "etc/pam.d/cron")

    for name in ("var/lib/frontdoor", "var/log/frontdoor", "etc/frontdoor"):
        (folder / name).mkdir(parents=True)
        os.chown(folder / name, 987, 987)
        (folder / name).chmod(0o750)
    for name in ("var/spool/cron/crontabs", "var/tmp", "var/mail"):
        (folder / name).mkdir(parents=True)
    (folder / "var/mail").chmod(0o1777)
    (folder / "var/run").symlink_to("/run")
    config = folder / "etc/frontdoor/config.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    os.chown(config, 987, 987)
    config.chmod(0o400)

    (folder / "bin").mkdir()
    shutil.copy(DEPLOY / "cron/forward-once", folder / "bin/forward-once")
    shutil.copy(program("forward"), folder / "bin/forward")
    crontab = (DEPLOY / "cron/frontdoor.cron").read_text()
    assert crontab.count("*/5 * * * * frontdoor") == 1
    installed = folder / "etc/cron.d/frontdoor"
    installed.write_text(crontab.replace("*/5 * * * * frontdoor", "* * * * * frontdoor"))
    # A second job with wrong settings: cron must mail its output.
    wrong = "CONFIG_LOCATION=/etc/frontdoor/none FRONTDOOR_LOCK=/var/lib/frontdoor/wrong.lock FRONTDOOR_LOG=/var/log/frontdoor/wrong.log"
    (folder / "etc/cron.d/wrong").write_text(
        f"SHELL=/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\nMAILTO=root\n* * * * * frontdoor {wrong} forward-once\n"
    )
    for name in ("frontdoor", "wrong"):
        (folder / "etc/cron.d" / name).chmod(0o644)

    sendmail = folder / "sendmail"
    sendmail.write_text("#!/bin/sh\ncat >> /var/mail/all\n")
    sendmail.chmod(0o755)


def in_docker(folder, image):
    """Changes the installed crontab so that it runs the job's image with forward-in-docker."""
    shutil.copy(DEPLOY / "cron/forward-in-docker", folder / "bin/forward-in-docker")
    (folder / "bin/forward").unlink()
    shutil.copy(shutil.which("docker"), folder / "bin/docker")
    installed = folder / "etc/cron.d/frontdoor"
    crontab = installed.read_text()
    here = {
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "FORWARD": "/usr/local/bin/forward-in-docker",
        "FRONTDOOR_IMAGE": image,
        "CONFIG_LOCATION": f"{folder}/etc/frontdoor/config.properties",  # a path that the engine sees as well
    }
    crontab = crontab.replace("CONFIG_LOCATION=/etc/frontdoor/config.properties\n", "").replace("* frontdoor /", "* root /")
    installed.write_text("".join(f"{name}={value}\n" for name, value in here.items()) + crontab)


class Daemon:
    """The cron daemon, and the reports of the job."""

    def __init__(self, folder, engine=""):
        self.log = folder / "var/log/frontdoor/forward.log"
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER],
            env={"PATH": os.environ["PATH"], "PLACE": str(folder), "CRON": str(debian("cron", "usr/sbin/cron")), "ENGINE": engine},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def runs(self) -> list[dict]:
        assert self.process.poll() is None, f"cron ended:\n{self.process.stdout.read()}"
        return reports(self.log.read_text()) if self.log.exists() else []

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def assert_second_run_continues_first(first, second, delivered):
    """Asserts that both reports balance, deliver these numbers of records, and that the offsets are contiguous."""
    for report, count in zip((first, second), delivered):
        assert report["exit_code"] == 0 and report["balanced"], report
        assert report["totals"]["planned"] == report["totals"]["delivered"] == count, report["totals"]
    ends = {p["partition"]: p["end"] for p in first["partitions"]}
    starts = {p["partition"]: p["start"] for p in second["partitions"]}
    assert starts == {partition: ends[partition] for partition in starts}, "the second run starts at different offsets"
    print(f"first run: {first['totals']}, {first['seconds']} s\nsecond run: {second['totals']}, {second['seconds']} s")
