"""The function's image as Fn's server runs it: valid and invalid calls, freezes, broken brokers, kills."""

import base64
import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import avro
import docker
import pytest
from drivers import AVRO, DRIVERS, FUNCTION
from environment import KAFKA, Broker, program, temporary_folder, wait
from tools import HOME, run

TOPIC = "FrontDoorTopic"
IDLE = 4  # seconds after which the broker closes a connection
TUTORIAL = [
    avro.user(1010, "Paul that goes to API type A", "paul@bla.com"),
    avro.user(1020, "Mary that goes to API type B", "mary@bla.com"),
    avro.user(10029, "John that goes nowhere", "john@bla.com"),
]


class Setup:
    """A broker, the function, and the records in the topic."""

    def __init__(self, broker, function):
        self.broker, self.function, self.seen = broker, function, set()

    def new_records(self) -> list[dict]:
        """The records in the topic since the last call."""
        # After a restart the broker is not the leader of its partitions at once.
        asked = wait("the topic", lambda: (shown := run(program("records"), self.broker.bootstrap, TOPIC, check=False)).returncode == 0 and shown)
        records = [json.loads(line) for line in asked.stdout.splitlines()]
        new = [record for record in records if (record["partition"], record["offset"]) not in self.seen]
        self.seen |= {(record["partition"], record["offset"]) for record in new}
        for record in new:
            record["value"] = base64.b64decode(record["value"])
        return new

    def values(self) -> list[bytes]:
        return sorted(record["value"] for record in self.new_records())

    def halt(self, seconds: float):
        """Suspends the broker for this time; its connections stay open."""
        process = int((self.broker.folder / "broker-1/pid").read_text())
        os.kill(process, signal.SIGSTOP)
        timer = threading.Timer(seconds, os.kill, (process, signal.SIGCONT))
        timer.start()
        return timer

    def restart_broker(self):
        for verb in ("kill", "revive"):
            run(KAFKA, verb, "1", "--dir", self.broker.folder)


@pytest.fixture(scope="module")
def setup(request, left_behind):
    driver = request.config.getoption("--driver")
    with temporary_folder(HOME / f"e2e-{driver}") as stack:
        folder = HOME / f"e2e-{driver}"
        broker = Broker(folder / "kafka", 2, "--set", f"connections.max.idle.ms={IDLE * 1000}")
        stack.callback(broker.end)
        (folder / "function").mkdir()
        settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA_TOPIC": TOPIC, "PUBLISH_TIMEOUT": "8s", "LOG_FORMAT": "json"}
        function = DRIVERS[driver](folder / "function", settings)
        stack.callback(function.end)
        yield Setup(broker, function)
    assert left_behind() == set()


def test_stores_the_tutorials_messages_unchanged(setup):
    for datum in TUTORIAL:
        answers = [setup.function.invoke(datum), setup.function.trigger(datum)]
        assert [answer.status for answer in answers] == [202, 202], answers
        stored = {(record["partition"], record["offset"]): record["value"] for record in setup.new_records()}
        positions = [answer.json() for answer in answers]
        assert stored == {(at["partition"], at["offset"]): datum for at in positions} and {at["topic"] for at in positions} == {TOPIC}


def test_stores_every_byte_value_of_data_and_container_files(setup):
    data = avro.every_byte()
    for datum in data:
        assert setup.function.invoke(datum).status == 202
    assert setup.values() == sorted(data)
    for codec in ("null", "deflate"):
        answer = setup.function.trigger(avro.container(data, codec), headers=(("content-type", "application/vnd.apache.avro"),))
        assert answer.status == 202 and len(answer.json()) == len(data), answer
        assert setup.values() == sorted(data)


def test_rejects_invalid_bodies_with_a_reason_and_stores_nothing(setup):
    for body, status, word in (
        (bytes(range(256)), 422, ""),
        (avro.user(1010, "Paul")[:-3], 422, ""),
        (avro.container(TUTORIAL)[:-1], 422, ""),
        (b"", 400, "empty"),
    ):
        for answer in (setup.function.invoke(body), setup.function.trigger(body)):
            assert answer.status == status, answer
            problem = answer.json()
            assert problem["status"] == status and word in problem["detail"].lower() and problem["detail"].endswith("."), problem
    assert setup.function.trigger(b"", method="GET").status == 405
    assert setup.values() == []


def test_accepts_a_body_at_the_limit_and_rejects_one_more_byte(setup):
    limit, count = 6_000_000, 5000
    data = [avro.user(number, "n" * 1000) for number in range(count)]
    room = limit - len(avro.container(data))
    data[0] = avro.user(0, "n" * (1000 + room - 10_000))
    data[1] = avro.user(1, "n" * 10_000)
    # The size of length prefixes varies, so the exact size is found by trying.
    for size in range(10_000, 12_000):
        data[1] = avro.user(1, "n" * size)
        if len(avro.container(data)) == limit:
            break
    body = avro.container(data)
    assert len(body) == limit
    answer = setup.function.invoke(body)
    assert answer.status == 202 and len(answer.json()) == count, answer
    assert setup.values() == sorted(data)
    for over in (body + b"\0", body * 2):  # the second is more than `fn invoke` sends on: it cuts at 10 MiB
        assert setup.function.invoke(over).status == 413
        assert setup.function.trigger(over).status == 413
    assert setup.values() == []
    for container in setup.function.containers():
        process = container.process("fn-recep-avro")
        peak = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
        print(f"\nafter 6 MB bodies: control group {container.memory() / 2**20:.1f} MiB of 128, {' '.join(peak.split())}")


def test_serves_two_concurrent_calls(setup):
    setup.halt(2)
    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(setup.function.invoke, TUTORIAL[:2]))
    assert [answer.status for answer in answers] == [202, 202], answers
    assert setup.values() == sorted(TUTORIAL[:2])


def test_a_call_after_the_brokers_idle_timeout_is_stored_once(setup):
    setup.function.invoke(TUTORIAL[0])
    setup.new_records()
    setup.function.freeze(IDLE * 2)
    answer = setup.function.invoke(TUTORIAL[1])
    assert answer.status == 202, answer
    assert setup.values() == [TUTORIAL[1]]


def test_reconnects_to_a_restarted_broker(setup):
    for frozen in (False, True):
        setup.function.invoke(TUTORIAL[0])
        setup.new_records()
        if frozen:
            freezing = threading.Thread(target=setup.function.freeze, args=(15,))
            freezing.start()
            time.sleep(1)
        setup.restart_broker()
        if frozen:
            freezing.join()
        answer = setup.function.invoke(TUTORIAL[1])
        assert answer.status == 202, answer
        assert setup.values() == [TUTORIAL[1]]


def test_responds_503_before_the_deadline_if_the_broker_does_not_respond(setup):
    setup.function.invoke(TUTORIAL[0])
    setup.new_records()
    halted = setup.halt(14)
    answer = setup.function.invoke(TUTORIAL[1])
    assert (answer.status, answer.json()["stored"]) == (503, "maybe"), answer
    halted.join()
    assert set(setup.values()) <= {TUTORIAL[1]}  # when the broker responds again
    assert setup.function.invoke(TUTORIAL[2]).status == 202
    assert setup.values().count(TUTORIAL[2]) == 1


def test_a_new_revision_replaces_a_warm_one_without_failed_calls(setup):
    """Two callers send records during the deployment: all are accepted and stored once, and the old containers end."""
    assert setup.function.invoke(TUTORIAL[0]).status == 202
    (old,) = docker.running(FUNCTION)
    setup.new_records()

    def deploy():
        setup.function.redeploy()
        time.sleep(setup.function.RECORD_AGE)  # the old revision is called until then

    with ThreadPoolExecutor(3) as pool:
        deploying = pool.submit(deploy)

        def calls(caller: int) -> list[bytes]:
            sent, after = [], 0
            while after < 20:
                after += deploying.done()
                sent.append(avro.user(len(sent), f"caller {caller}"))
                answer = setup.function.invoke(sent[-1])
                assert answer.status == 202, answer
            return sent

        sent = sum(pool.map(calls, range(2)), [])
        deploying.result()
    assert len(sent) > 40, "no call was made during the deployment"
    assert setup.values() == sorted(sent)
    new = docker.running(FUNCTION) - {old}
    assert len(new) == 1, "the old revision served calls after the deployment"
    wait("the old revision's containers to end", lambda: docker.running(FUNCTION) == new)
    assert setup.function.invoke(TUTORIAL[1]).status == 202
    assert setup.values() == [TUTORIAL[1]]
    print(f"\n{len(sent)} calls while {new.pop()} replaced {old}")


def test_a_caller_reads_which_setting_is_invalid(setup):
    setup.function.configure("PUBLISH_TIMEOUT", "soon")
    try:
        # Fn's server uses its copy of the configuration for 5 seconds.
        wait("the invalid setting", lambda: setup.function.invoke(TUTORIAL[0]).status != 202)
        for answer in (setup.function.invoke(TUTORIAL[0]), setup.function.trigger(TUTORIAL[0])):
            assert answer.status == 500, answer
            problem = answer.json()
            assert problem["type"] == "urn:problem-type:frontdoor:cannot-start", problem
            assert "PUBLISH_TIMEOUT" in problem["detail"] and "soon" not in problem["detail"], problem
    finally:
        setup.function.configure("PUBLISH_TIMEOUT", "8s")
        wait("the valid setting", lambda: setup.function.invoke(TUTORIAL[0]).status == 202)
        setup.new_records()


def test_an_interrupted_call_stores_no_partial_record(setup):
    setup.function.invoke(TUTORIAL[0])
    setup.new_records()
    halted = setup.halt(5)
    setup.function.abandon(TUTORIAL[1])
    halted.join()
    stored = setup.values()
    assert setup.function.invoke(TUTORIAL[2]).status == 202
    stored += setup.values()
    assert stored.count(TUTORIAL[1]) <= 1 and stored.count(TUTORIAL[2]) == 1 and len(stored) <= 2


def test_cold_start(setup, request):
    """Prints the time that Docker takes in a cold start, and the time of the first call, which connects to the broker."""
    if request.config.getoption("--driver") != "socket":
        pytest.fail("this measurement needs --driver=socket")
    rounds, taken = 5, {"docker run": [], "first reply": [], "warm reply": []}
    for _ in range(rounds):
        for container in setup.function.containers():
            container.remove()
        while not setup.function.idle.empty():
            setup.function.idle.get()
        begun = time.monotonic()
        container = setup.function._start()
        ran = time.monotonic()
        setup.function.idle.put(container)
        assert setup.function.invoke(TUTORIAL[0], times=100).status == 202
        taken["docker run"].append((ran - begun) * 1000)
        first, *warm = setup.function.milliseconds
        taken["first reply"].append(first)
        taken["warm reply"].append(sorted(warm)[len(warm) // 2])
    shown = ", ".join(f"{name} {sorted(figures)[rounds // 2]:.1f} ms" for name, figures in taken.items())
    print(f"\nmedians of {rounds}: {shown}")
    setup.new_records()
