"""Plain cron for real: the daemon of Debian's package starts the job, twice, against a real broker.

The files of deploy/cron are installed as its README says, in a mount namespace of the test's own, so nothing of this
machine changes. Only the schedule differs: every minute, in place of every five.
"""

import os
import shutil
import signal
import subprocess

import pytest
from stage import Broker, Listener, Publisher, assert_each_arrived_once, program, reports, stage, wait
from tools import DEPLOY, HOME, debian

# Inside the namespace: the prepared /etc, /var and /usr/local/bin in the places of the machine's, and a sendmail.
ENTER = """
set -eu
mount --make-rprivate /
mount --bind "$PLACE/etc" /etc
mount --bind "$PLACE/bin" /usr/local/bin
mkdir "$PLACE/sbin" && mount -t tmpfs tmpfs "$PLACE/sbin"
mkdir -p "$PLACE/sbin/upper" "$PLACE/sbin/work"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$PLACE/sbin/upper,workdir=$PLACE/sbin/work" /usr/sbin
cp "$PLACE/sendmail" /usr/sbin/sendmail
mount -t tmpfs tmpfs /run
mount --bind "$PLACE/var" /var
exec "$CRON" -f -L 15
"""


@pytest.fixture
def place(tmp_path_factory):
    """The folder in which everything lies, reachable by every user."""
    folder = HOME / "e2e-cron"
    shutil.rmtree(folder, ignore_errors=True)
    with stage(folder) as stack:
        yield folder, stack


def install(folder, settings):
    """What deploy/cron/README.md installs, under `folder`."""
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
    # A second job whose settings are wrong: what it prints must be mailed.
    wrong = "CONFIG_LOCATION=/etc/frontdoor/none FRONTDOOR_LOCK=/var/lib/frontdoor/wrong.lock FRONTDOOR_LOG=/var/log/frontdoor/wrong.log"
    (folder / "etc/cron.d/wrong").write_text(
        f"SHELL=/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\nMAILTO=root\n* * * * * frontdoor {wrong} forward-once\n"
    )
    for name in ("frontdoor", "wrong"):
        (folder / "etc/cron.d" / name).chmod(0o644)

    sendmail = folder / "sendmail"
    sendmail.write_text("#!/bin/sh\ncat >> /var/mail/all\n")
    sendmail.chmod(0o755)


def test_cron_starts_the_job_twice_and_the_second_run_takes_up_where_the_first_ended(place):
    assert os.geteuid() == 0, "cron and its namespace need root"
    folder, stack = place
    broker = Broker(folder / "kafka", partitions=2)
    stack.callback(broker.end)
    endpoints = [Listener("api-avro-sample", {"API_TITLE": title}, folder / f"{title}.log") for title in ("API type A", "API type B")]
    door = Listener("fn-recep-avro", {"KAFKA_BOOTSTRAPSERVER": broker.bootstrap}, folder / "door.log")
    for listener in (*endpoints, door):
        stack.callback(listener.end)
    publisher = Publisher(door, folder)

    install(folder, {
        "kafka_bootstrapserver": broker.bootstrap,
        "kafka_topic": "FrontDoorTopic",
        "api_type_a_url": endpoints[0].url,
        "api_type_b_url": endpoints[1].url,
    })
    publisher.publish(20)

    log = folder / "var/log/frontdoor/forward.log"
    cron = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER],
        env={"PATH": os.environ["PATH"], "PLACE": str(folder), "CRON": str(debian("cron", "usr/sbin/cron"))},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )

    def runs():
        assert cron.poll() is None, f"cron ended:\n{cron.stdout.read()}"
        return reports(log.read_text()) if log.exists() else []

    try:
        first = wait("the first run", runs, 180)[0]
        publisher.publish(10)
        second = wait("the second run", lambda: len(runs()) > 1 and runs(), 180)[1]
        wait("the mail", lambda: (folder / "var/mail/all").exists())
    finally:
        os.killpg(cron.pid, signal.SIGKILL)
        cron.wait()

    for report, delivered in ((first, 20), (second, 10)):
        assert report["exit_code"] == 0 and report["balanced"], report
        assert report["totals"]["planned"] == report["totals"]["delivered"] == delivered, report["totals"]
    ends = {p["partition"]: p["end"] for p in first["partitions"]}
    starts = {p["partition"]: p["start"] for p in second["partitions"]}
    assert starts == {partition: ends[partition] for partition in starts}, "the second run began elsewhere"
    assert_each_arrived_once(endpoints, 30)

    mail = (folder / "var/mail/all").read_text()
    assert "exit 78, its settings are wrong" in mail and "To: root" in mail, mail
    assert "exit 0" not in mail, "a run that went well was mailed"
    print(f"first run: {first['totals']}, {first['seconds']} s\nsecond run: {second['totals']}, {second['seconds']} s")
