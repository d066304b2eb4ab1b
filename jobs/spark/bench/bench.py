"""Compares ways to deliver one window, on the same Kafka, endpoint and standalone cluster, in turn.

- tutorial: Spark Structured Streaming, from_avro, foreachBatch, requests in Python (tutorial.py)
- spark: the job on Spark (jobs/spark/app.py)
- forward: the job alone
- drain: Spark's Kafka source into mapInArrow, which only counts (drain.py)

A window begins with the first request at the endpoint, and ends with the last one; the start is what comes before.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import processes
import records
from broker import Kafka
from cluster import Cluster
from sampler import Sampler

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
RELEASE = Path(os.environ.get("RELEASE", ROOT / "target/release"))
PARTITIONS = 4
TIMEOUT = 900
BATCH = 500


@dataclass(frozen=True)
class Window:
    """A topic, and how it is delivered."""

    name: str
    topic: str
    records: int
    # One record in this number matches.
    every: int
    batch: int

    @property
    def requests(self):
        """The number of requests without batches, and the fewest with them."""
        return -(-self.records // self.every) // self.batch

    def users(self):
        """The records: partition, id and datum."""
        for number in range(self.records):
            place = number % (2 * self.every)
            identity = 1010 if place == 0 else 1020 if place == self.every else 999
            name = f"user-{number:07}"
            user = {"id": identity, "name": name, "email": f"{name}@example.com"}
            yield number // self.every % PARTITIONS, identity, records.encode(user)


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    total: float
    start: float
    window: float
    processor: float
    executor: float
    python: float
    driver: float


class Endpoint:
    """bench-window's endpoint, in a process of its own, and the times of its first and last request."""

    def __init__(self):
        pipe = subprocess.PIPE
        self.process = processes.start([RELEASE / "bench-window", "serve"], stdin=pipe, stdout=pipe, text=True)
        self.url = self.process.stdout.readline().strip()
        self.is_watching = False

    def watch(self):
        """Starts to look for requests every 10 ms."""
        self._ask()
        self.requests, self.first, self.last = 0, None, None
        self.is_watching = True
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def end(self):
        self.is_watching = False
        self.thread.join()

    def _ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def _watch(self):
        while True:
            is_last = not self.is_watching
            before = time.monotonic()
            count = self._ask()
            if count:
                self.requests += count
                self.first, self.last = self.first or before, time.monotonic()
            if is_last:
                return
            time.sleep(0.01)


class Bench:
    """Kafka, the cluster, the endpoint, and what was measured."""

    def __init__(self, directory, jars, cluster):
        self.directory, self.jars, self.cluster = directory, jars, cluster
        # Both JIT compilers, so that the broker is not the bottleneck.
        self.kafka = Kafka(directory / "kafka", heap="1g", java="-XX:TieredStopAtLevel=4")
        self.endpoint = Endpoint()
        self.runs = 0

    def fill(self, window):
        self.kafka.create(window.topic, PARTITIONS)
        self.kafka.write(window.topic, ((partition, datum) for partition, _, datum in window.users()))

    def settings(self, window):
        routes = [
            {"name": name, "when": f"id == {identity}", "url": self.endpoint.url}
            | ({"format": "ndjson", "batch": window.batch} if window.batch > 1 else {})
            for name, identity in (("A", 1010), ("B", 1020))
        ]
        file = self.directory / f"routes-{window.batch}.json"
        file.write_text(json.dumps({"version": 1, "routes": routes}))
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "KAFKA_TOPIC": window.topic,
            "KAFKA_GROUP_ID": f"bench-{self.runs}",
            "ROUTES": str(file),
            "LOG_FORMAT": "text",
        }

    def start(self, way, window, log):
        """Starts a run, and returns the process and the report that it writes."""
        report = self.directory / f"{self.runs}.json"
        if way == "forward":
            command = [RELEASE / "forward", "run", "--report", report]
            with open(log, "wb") as file:
                environment = {"PATH": os.environ["PATH"], **self.settings(window)}
                return processes.start(command, env=environment, stdout=file, stderr=file), report
        if way == "spark":
            application, arguments, environment = ROOT / "jobs/spark/app.py", ["run", "--report", str(report)], {}
        else:
            application, arguments, report = HERE / f"{way}.py", [], None
            environment = {
                "AVRO_SCHEMA": str(ROOT / "schemas/user.avsc"),
                "ENDPOINT": self.endpoint.url,
                "BATCH": str(window.batch),
                "CHECKPOINT": str(self.directory / f"checkpoint-{self.runs}"),
            }
        # The settings of Spark are the same in all ways.
        configuration = {} if way == "spark" else {"spark.jars": ",".join(map(str, self.jars))}
        environment = {**self.settings(window), **environment}
        return self.cluster.submit(application, arguments, environment, configuration, log), report

    def run(self, way, window):
        """Runs once, and checks that everything arrived."""
        self.runs += 1
        log = self.directory / f"{self.runs:03}-{way}.log"
        self.endpoint.watch()
        started = time.monotonic()
        process, report = self.start(way, window, log)

        def roots():
            return [process.pid, *(worker.pid for worker in self.cluster.workers)]

        with Sampler(roots) as sampler:
            code = process.wait(TIMEOUT)
            ended = time.monotonic()
        self.endpoint.end()
        text = log.read_text(errors="replace")
        assert code == 0, f"{way}: exit code {code}: {text[-4000:]}"
        processes.wait_until(lambda: not self.cluster.executors(), "the end of the executors")
        first, last = self.endpoint.first, self.endpoint.last
        if way == "drain":
            line = next(line for line in text.splitlines() if line.startswith("drained "))
            # The monotonic clock of Linux is the same in all processes.
            count, first, last = map(float, line.split()[1:])
            assert count == window.records
        else:
            # Each task has an incomplete batch for each of the two routes.
            most = window.requests if window.batch == 1 else window.requests + 400
            assert window.requests <= self.endpoint.requests <= most, f"{way}: {self.endpoint.requests} requests"
        if report:
            counts = json.loads(report.read_text())
            assert counts["balanced"] and counts["totals"]["delivered"] == -(-window.records // window.every)
        return Cost(
            total=ended - started,
            start=first - started,
            window=last - first,
            processor=sampler.processor_seconds(first, last),
            executor=sampler.peak("executor"),
            python=sampler.peak("python"),
            driver=sampler.peak("driver"),
        )


def median(costs, name):
    return statistics.median(getattr(cost, name) for cost in costs)


def table(windows, costs):
    """The results as a table in Markdown: medians, and the lowest and highest rate."""
    lines = [
        "| window | way | records/s, median (lowest to highest) | ÷ tutorial | ÷ forward | CPU per record | start | start to exit "
        "| peak memory of an executor, a Python worker, the driver |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for window in windows:
        rate = {}
        for (name, way), runs in costs.items():
            if name != window.name or not runs:
                continue
            rates = sorted(window.records / run.window for run in runs)
            rate[way] = statistics.median(rates)

            def ratio(other):
                return f"{rate[way] / rate[other]:.2f}" if other in rate and other != way else ""

            processor = median(runs, "processor") / window.records * 1e6
            memory = ", ".join(f"{max(getattr(run, kind) for run in runs):.0f}" for kind in ("executor", "python", "driver"))
            lines.append(
                f"| {window.name}, {window.records:,} | {way} | {rate[way]:,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f}) "
                f"| {ratio('tutorial')} | {ratio('forward')} | {processor:.1f} µs | {median(runs, 'start'):.1f} s "
                f"| {median(runs, 'total'):.1f} s | {memory} MiB |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=1_000_000, help="of a window with batches; a fifth with one POST each, five times as many with the filter only")
    parser.add_argument("--ways", default="forward,tutorial,spark,drain")
    parser.add_argument("--windows", default="filter,single,batch")
    parser.add_argument("--jars", type=Path, required=True, help="the folder of Spark's sources for Kafka and Avro")
    flags = parser.parse_args()
    single = flags.records // 5
    windows = [
        Window("filter only, 1 % matching", "filter", 5 * flags.records, 100, 1),
        Window("one POST each", "single", single, 1, 1),
        Window(f"{BATCH} per POST", "batch", flags.records, 1, BATCH),
    ]
    windows = [window for window in windows if window.topic in flags.windows.split(",")]
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ["SPARK_E2E_HOME"]))
    bench = Bench(directory, sorted(flags.jars.glob("*.jar")), Cluster(directory / "spark"))
    costs = {}
    for window in windows:
        bench.fill(window)
    for number in range(1, flags.rounds + 1):
        for window in windows:
            ways = [way for way in flags.ways.split(",") if way != "drain" or window.topic == "single"]
            # The way that comes first changes, for a machine that gets slower or faster.
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                cost = bench.run(way, window)
                costs.setdefault((window.name, way), []).append(cost)
                load = os.getloadavg()[0]
                print(f"bench-spark: round {number}, {window.name}, {way}: {cost}, load {load:.1f}", flush=True)
    bench.kafka.stop()
    bench.cluster.stop()
    shutil.rmtree(directory)
    print(table(windows, costs))


if __name__ == "__main__":
    main()
