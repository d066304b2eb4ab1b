"""The cron daemon of Debian's package starts the job twice, with Apache Kafka."""

import os
import shutil

import pytest
from crond import Daemon, assert_second_run_continues_first, install
from environment import Broker, Listener, Publisher, assert_each_arrived_once, temporary_folder, wait
from tools import HOME


@pytest.fixture
def place(tmp_path_factory):
    """A folder that every user can read."""
    folder = HOME / "e2e-cron"
    shutil.rmtree(folder, ignore_errors=True)
    with temporary_folder(folder) as stack:
        yield folder, stack


def test_cron_starts_the_job_twice_and_the_second_run_continues_the_first(place):
    assert os.geteuid() == 0, "cron and its mount namespace need root"
    folder, stack = place
    broker = Broker(folder / "kafka", partitions=2)
    stack.callback(broker.end)
    endpoints = [Listener("api-avro-sample", {"API_TITLE": title}, folder / f"{title}.log") for title in ("API type A", "API type B")]
    function = Listener("fn-recep-avro", {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}, folder / "function.log")
    for listener in (*endpoints, function):
        stack.callback(listener.end)
    publisher = Publisher(function, folder)

    install(folder, {
        "kafka_bootstrap_servers": broker.bootstrap,
        "kafka_topic": "FrontDoorTopic",
        "api_type_a_url": endpoints[0].url,
        "api_type_b_url": endpoints[1].url,
    })
    publisher.publish(20)

    cron = Daemon(folder)
    try:
        first = wait("the first run", cron.runs, 180)[0]
        publisher.publish(10)
        second = wait("the second run", lambda: len(cron.runs()) > 1 and cron.runs(), 180)[1]
        wait("the mail", lambda: (folder / "var/mail/all").exists())
    finally:
        cron.end()

    assert_second_run_continues_first(first, second, (20, 10))
    assert_each_arrived_once(endpoints, 30)

    mail = (folder / "var/mail/all").read_text()
    assert "exit 78, invalid settings" in mail and "To: root" in mail, mail
    assert "exit 0" not in mail, "cron mailed the output of a successful run"
