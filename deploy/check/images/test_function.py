"""The function's image as Fn's server runs it: called, refused, frozen, cut off from its broker, killed."""

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


class World:
    """A broker, the function, and what has come to lie in the topic."""

    def __init__(self, broker, function):
        self.broker, self.function, self.seen = broker, function, set()

    def news(self) -> list[dict]:
        """What is in the topic since this was asked last."""
        # A broker that has just come back leads nothing for a moment.
        asked = wait("the topic", lambda: (shown := run(program("records"), self.broker.bootstrap, TOPIC, check=False)).returncode == 0 and shown)
        records = [json.loads(line) for line in asked.stdout.splitlines()]
        new = [record for record in records if (record["partition"], record["offset"]) not in self.seen]
        self.seen |= {(record["partition"], record["offset"]) for record in new}
        for record in new:
            record["value"] = base64.b64decode(record["value"])
        return new

    def values(self) -> list[bytes]:
        return sorted(record["value"] for record in self.news())

    def halt(self, seconds: float):
        """Stops the broker where it stands, for so long; its connections stay."""
        process = int((self.broker.folder / "broker-1/pid").read_text())
        os.kill(process, signal.SIGSTOP)
        timer = threading.Timer(seconds, os.kill, (process, signal.SIGCONT))
        timer.start()
        return timer

    def restart_broker(self):
        for verb in ("kill", "revive"):
            run(KAFKA, verb, "1", "--dir", self.broker.folder)


@pytest.fixture(scope="module")
def world(request):
    driver = request.config.getoption("--driver")
    with temporary_folder(HOME / f"e2e-{driver}") as stack:
        folder = HOME / f"e2e-{driver}"
        broker = Broker(folder / "kafka", 2, "--set", f"connections.max.idle.ms={IDLE * 1000}")
        stack.callback(broker.end)
        (folder / "function").mkdir()
        settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA_TOPIC": TOPIC, "PUBLISH_TIMEOUT": "8s", "LOG_FORMAT": "json"}
        function = DRIVERS[driver](folder / "function", settings)
        stack.callback(function.end)
        yield World(broker, function)
    assert docker.left_behind() == []


def test_the_tutorials_messages_are_stored_as_they_came_by_invoke_and_by_the_trigger(world):
    for datum in TUTORIAL:
        answers = [world.function.invoke(datum), world.function.trigger(datum)]
        assert [answer.status for answer in answers] == [202, 202], answers
        stored = {(record["partition"], record["offset"]): record["value"] for record in world.news()}
        told = [answer.json() for answer in answers]
        assert stored == {(at["partition"], at["offset"]): datum for at in told} and {at["topic"] for at in told} == {TOPIC}


def test_every_byte_there_is_arrives_in_single_data_and_in_files(world):
    data = avro.every_byte()
    for datum in data:
        assert world.function.invoke(datum).status == 202
    assert world.values() == sorted(data)
    for codec in ("null", "deflate"):
        answer = world.function.trigger(avro.container(data, codec), headers=(("content-type", "application/vnd.apache.avro"),))
        assert answer.status == 202 and len(answer.json()) == len(data), answer
        assert world.values() == sorted(data)


def test_a_refused_body_tells_its_sender_why_and_stores_nothing(world):
    for body, status, word in (
        (bytes(range(256)), 422, ""),
        (avro.user(1010, "Paul")[:-3], 422, ""),
        (avro.container(TUTORIAL)[:-1], 422, ""),
        (b"", 400, "empty"),
    ):
        for answer in (world.function.invoke(body), world.function.trigger(body)):
            assert answer.status == status, answer
            problem = answer.json()
            assert problem["status"] == status and word in problem["detail"].lower() and problem["detail"].endswith("."), problem
    assert world.function.trigger(b"", method="GET").status == 405
    assert world.values() == []


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(world):
    limit, count = 6_000_000, 5000
    data = [avro.user(number, "n" * 1000) for number in range(count)]
    room = limit - len(avro.container(data))
    data[0] = avro.user(0, "n" * (1000 + room - 10_000))
    data[1] = avro.user(1, "n" * 10_000)
    # Lengths of lengths differ: the last few bytes are found by trying.
    for size in range(10_000, 12_000):
        data[1] = avro.user(1, "n" * size)
        if len(avro.container(data)) == limit:
            break
    body = avro.container(data)
    assert len(body) == limit
    answer = world.function.invoke(body)
    assert answer.status == 202 and len(answer.json()) == count, answer
    assert world.values() == sorted(data)
    for over in (body + b"\0", body * 2):  # the second is more than `fn invoke` sends on: it cuts at 10 MiB
        assert world.function.invoke(over).status == 413
        assert world.function.trigger(over).status == 413
    assert world.values() == []
    for container in world.function.containers():
        process = container.process("fn-recep-avro")
        peak = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
        print(f"\nafter 6 MB bodies: control group {container.memory() / 2**20:.1f} MiB of 128, {' '.join(peak.split())}")


def test_two_calls_at_once_are_both_served(world):
    world.halt(2)
    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(world.function.invoke, TUTORIAL[:2]))
    assert [answer.status for answer in answers] == [202, 202], answers
    assert world.values() == sorted(TUTORIAL[:2])


def test_a_call_after_a_freeze_longer_than_the_brokers_patience_is_served_once(world):
    world.function.invoke(TUTORIAL[0])
    world.news()
    world.function.freeze(IDLE * 2)
    answer = world.function.invoke(TUTORIAL[1])
    assert answer.status == 202, answer
    assert world.values() == [TUTORIAL[1]]


def test_a_broker_that_restarts_between_calls_is_found_again(world):
    for frozen in (False, True):
        world.function.invoke(TUTORIAL[0])
        world.news()
        if frozen:
            freezing = threading.Thread(target=world.function.freeze, args=(15,))
            freezing.start()
            time.sleep(1)
        world.restart_broker()
        if frozen:
            freezing.join()
        answer = world.function.invoke(TUTORIAL[1])
        assert answer.status == 202, answer
        assert world.values() == [TUTORIAL[1]]


def test_a_broker_that_does_not_answer_is_a_503_before_the_deadline(world):
    world.function.invoke(TUTORIAL[0])
    world.news()
    halted = world.halt(14)
    answer = world.function.invoke(TUTORIAL[1])
    assert (answer.status, answer.json()["stored"]) == (503, "maybe"), answer
    halted.join()
    assert set(world.values()) <= {TUTORIAL[1]}  # as soon as the broker serves again
    assert world.function.invoke(TUTORIAL[2]).status == 202
    assert world.values().count(TUTORIAL[2]) == 1


def test_a_new_revision_takes_over_while_the_old_one_is_warm(world):
    """Two callers go on throughout: none is turned away, nothing is stored twice, and the old containers end."""
    assert world.function.invoke(TUTORIAL[0]).status == 202
    (old,) = docker.running(FUNCTION)
    world.news()
    with ThreadPoolExecutor(3) as pool:
        deploying = pool.submit(world.function.redeploy)

        def calls(caller: int) -> list[bytes]:
            sent, after = [], 0
            while after < 20:
                after += deploying.done()
                sent.append(avro.user(len(sent), f"caller {caller}"))
                answer = world.function.invoke(sent[-1])
                assert answer.status == 202, answer
            return sent

        sent = sum(pool.map(calls, range(2)), [])
        deploying.result()
    assert len(sent) > 40, "no call fell into the deployment"
    assert world.values() == sorted(sent)
    new = docker.running(FUNCTION) - {old}
    assert len(new) == 1, "the calls after the deployment were still the old revision's"
    wait("the old revision's containers to end", lambda: docker.running(FUNCTION) == new)
    assert world.function.invoke(TUTORIAL[1]).status == 202
    assert world.values() == [TUTORIAL[1]]
    print(f"\n{len(sent)} calls while {old} gave way to {new.pop()}")


def test_a_caller_that_goes_away_leaves_no_half_record_and_the_next_call_is_served(world):
    world.function.invoke(TUTORIAL[0])
    world.news()
    halted = world.halt(5)
    world.function.abandon(TUTORIAL[1])
    halted.join()
    stored = world.values()
    assert world.function.invoke(TUTORIAL[2]).status == 202
    stored += world.values()
    assert stored.count(TUTORIAL[1]) <= 1 and stored.count(TUTORIAL[2]) == 1 and len(stored) <= 2


def test_a_cold_start_beside_the_process_alone(world, request):
    """Prints what Docker's share of a cold start is; the call itself includes finding the broker."""
    if request.config.getoption("--driver") != "socket":
        pytest.fail("this is the socket's measurement: run it with --driver=socket")
    rounds, taken = 5, {"docker run": [], "first reply": [], "warm reply": []}
    for _ in range(rounds):
        for container in world.function.containers():
            container.remove()
        while not world.function.idle.empty():
            world.function.idle.get()
        begun = time.monotonic()
        container = world.function._start()
        ran = time.monotonic()
        world.function.idle.put(container)
        assert world.function.invoke(TUTORIAL[0], times=100).status == 202
        taken["docker run"].append((ran - begun) * 1000)
        first, *warm = world.function.milliseconds
        taken["first reply"].append(first)
        taken["warm reply"].append(sorted(warm)[len(warm) // 2])
    shown = ", ".join(f"{name} {sorted(figures)[rounds // 2]:.1f} ms" for name, figures in taken.items())
    print(f"\nmedians of {rounds}: {shown}")
    world.news()
