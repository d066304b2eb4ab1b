"""The pipeline from its images, with Apache Kafka: the function, both endpoints, and the job with the cron daemon."""

import json
import os
import urllib.request

import avro
import crond
import docker
from docker import CONFINED, Container
from drivers import DRIVERS
from environment import Broker, assert_each_arrived_once, free_port, temporary_folder, wait
from tools import HOME, run


class Endpoint(Container):
    """API type A or B from the image, on a port of the loopback."""

    def __init__(self, title: str):
        self.url = f"http://127.0.0.1:{(port := free_port())}/"
        limits = ("--memory", "64m", "--memory-swap", "64m", "--pids-limit", "50")
        super().__init__("api-avro-sample", *CONFINED, *limits, settings={"API_TITLE": title, "LISTEN": f"127.0.0.1:{port}"})
        wait(title, lambda: run("curl", "-sf", self.url + "health", check=False).returncode == 0)

    def records(self) -> dict:
        with urllib.request.urlopen(self.url + "records", timeout=30) as answer:
            return json.load(answer)


def engine() -> str:
    """The path of the engine's socket."""
    host = docker.host()
    assert host.startswith("unix://"), f"the job needs an engine on this machine, not {host}"
    return os.path.realpath(host.removeprefix("unix://"))


def test_cron_delivers_records_of_the_function_in_two_runs(request, left_behind):
    assert os.geteuid() == 0, "cron and its mount namespace need root"
    with temporary_folder(HOME / "e2e-pipeline") as stack:
        folder = HOME / "e2e-pipeline"
        broker = Broker(folder / "kafka", partitions=2)
        stack.callback(broker.end)
        endpoints = []
        for title in ("API type A", "API type B"):
            endpoints.append(Endpoint(title))
            stack.callback(endpoints[-1].remove)
        (folder / "function").mkdir()
        settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA_TOPIC": "FrontDoorTopic"}
        function = DRIVERS[request.config.getoption("--driver")](folder / "function", settings)
        stack.callback(function.end)

        def datum(number):
            return avro.user((1010, 1020)[number % 2], f"number {number}")

        crond.install(folder, {
            "kafka_bootstrap_servers": broker.bootstrap,
            "kafka_topic": "FrontDoorTopic",
            "api_type_a_url": endpoints[0].url,
            "api_type_b_url": endpoints[1].url,
        })
        crond.in_docker(folder, docker.image("forward"))
        for number in range(1, 21):
            send = (function.invoke, function.trigger)[number % 2]
            assert send(datum(number)).status == 202
        cron = crond.Daemon(folder, engine())
        try:
            first = wait("the first run", cron.runs, 180)[0]
            assert function.invoke(avro.container([datum(number) for number in range(21, 31)])).status == 202
            second = wait("the second run", lambda: len(cron.runs()) > 1 and cron.runs(), 180)[1]
        finally:
            cron.end()
        crond.assert_second_run_continues_first(first, second, (20, 10))
        assert_each_arrived_once(endpoints, 30)
        memory = [f"{container.memory() / 2**20:.1f}" for container in (*endpoints, *function.containers())]
        print(f"memory of the endpoints' and the function's containers, in MiB: {', '.join(memory)}")
    wait("the removal of all containers", lambda: not left_behind())
