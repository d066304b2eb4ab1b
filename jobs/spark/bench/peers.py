"""Compares forward with other programs that read or deliver one window, on the same Apache Kafka and endpoint, in turn.

- forward: `forward run`
- librdkafka: a consumer that drops every record (`bench-window drain`), the limit of reading
- kcat: writes every value to a file
- connect: Kafka Connect, standalone
- spark: Spark Structured Streaming in one process, the tutorial's way (tutorial.py)

A run lasts from the start of the process to its end; that of Kafka Connect, which does not end, to the last request. It
fails if the number of records that were read or delivered is not the expected one. Only Aiven's sink may repeat a few requests.

Apache Kafka has no sink for HTTP, and Aiven's is not on Maven Central. So Kafka Connect writes each record as a line to a file,
without any request, unless CONNECT_HTTP_SINK is a folder with the jars of Aiven's HTTP Connector for Apache Kafka. Apache Kafka
has no predicate on a field either: its transformation Filter looks for a header, which only the matching records have.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import processes
import sampler
from bench import PARTITIONS, RELEASE, TIMEOUT, Bench, Endpoint, Window
from cluster import Cluster

HTTP_SINK = os.environ.get("CONNECT_HTTP_SINK")
WAYS = {
    "filter": ["forward", "librdkafka", "kcat", "connect", "spark"],
    "single": ["forward", "connect", "spark"],
}
NAMES = {
    "librdkafka": "librdkafka, reads only",
    "kcat": "kcat, to a file",
    "connect": "Kafka Connect, Aiven's HTTP sink" if HTTP_SINK else "Kafka Connect, to a file, no requests",
    "spark": "Spark Structured Streaming",
}
# They send nothing.
READERS = ("librdkafka", "kcat")
HEADER = "match"


class Lines(Endpoint):
    """The lines of a file, instead of the requests at an endpoint."""

    def __init__(self, path):
        self.file = open(path, "w+b")

    def _ask(self):
        return self.file.read().count(b"\n")


def properties(path, values):
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


class Peers(Bench):
    """bench-spark with other ways."""

    def __init__(self, directory, jars, connect):
        super().__init__(directory, jars, Cluster(directory / "spark", is_local=True))
        self.connect = connect
        self.sizes = {}

    def fill(self, window):
        def values():
            for partition, identity, datum in window.users():
                self.sizes[window.topic] += len(datum)
                yield partition, datum, [(HEADER, b"")] if identity != 999 else []

        self.sizes[window.topic] = 0
        self.kafka.create(window.topic, PARTITIONS)
        self.kafka.write(window.topic, values())

    def start_connect(self, window, output, log):
        """Starts Kafka Connect with the heap of its script connect-standalone, and a task for each partition."""
        string = "org.apache.kafka.connect.storage.StringConverter"
        worker = {
            "bootstrap.servers": self.kafka.bootstrap,
            "key.converter": string,
            "value.converter": string,
            # Every byte is a character.
            "value.converter.converter.encoding": "ISO-8859-1",
            "offset.storage.file.filename": self.directory / f"{self.runs}.offsets",
            "offset.flush.interval.ms": 1000,
            # The start is shorter without a search of all classes.
            "plugin.discovery": "service_load",
            "listeners": f"http://127.0.0.1:{processes.free_port()}",
        }
        connector = {
            "name": f"peers-{self.runs}",
            "topics": window.topic,
            "tasks.max": PARTITIONS,
            "predicates": "matching",
            "predicates.matching.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
            "predicates.matching.name": HEADER,
            "transforms": "filter",
            "transforms.filter.type": "org.apache.kafka.connect.transforms.Filter",
            "transforms.filter.predicate": "matching",
            "transforms.filter.negate": "true",
        }
        if HTTP_SINK:
            connector |= {
                "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
                "http.url": self.endpoint.url,
                "http.authorization.type": "none",
                "http.headers.content.type": "application/octet-stream",
            }
        else:
            connector |= {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": output.name}
        files = [
            properties(self.directory / f"{self.runs}-{kind}.properties", values)
            for kind, values in (("worker", worker), ("connector", connector))
        ]
        jars = f"{self.connect}/*" + (f":{HTTP_SINK}/*" if HTTP_SINK else "")
        # The log level of Kafka's own configuration.
        java = ["java", "-Xms256m", "-Xmx2g", "-Dorg.apache.logging.log4j.level=INFO", "-cp", jars]
        return processes.start([*java, "org.apache.kafka.connect.cli.ConnectStandalone", *files], stdout=log, stderr=log)

    def start_peer(self, way, window, output, log):
        """Starts a run, and returns the process and the report that it writes."""
        if way in ("forward", "spark"):
            return self.start({"spark": "tutorial"}.get(way, way), window, log.name)
        if way == "connect":
            return self.start_connect(window, output, log), None
        command = {
            "librdkafka": [RELEASE / "bench-window", "drain", self.kafka.bootstrap, window.topic],
            "kcat": ["kcat", "-C", "-b", self.kafka.bootstrap, "-t", window.topic, "-o", "beginning", "-e", "-q"],
        }[way]
        return processes.start(command, stdout=output, stderr=log), None

    def run_peer(self, way, window):
        """Runs once, checks the number of records, and returns what the run took."""
        self.runs += 1
        name = self.directory / f"{self.runs:03}-{way}"
        written = Path(f"{name}.output")
        target = Lines(written) if way == "connect" and not HTTP_SINK else self.endpoint
        with open(f"{name}.log", "wb") as log, open(written, "ab") as output:
            target.watch()
            started = time.monotonic()
            process, report = self.start_peer(way, window, output, log)
            with sampler.Sampler(lambda: [process.pid]) as samples:
                if way == "connect":
                    self.wait_for_last_request(process, target, window)
                else:
                    process.wait(TIMEOUT)
                ended = time.monotonic()
        if way == "connect":
            self.stop_connect(process, window)
        target.end()
        text = Path(f"{name}.log").read_text(errors="replace")[-4000:]
        assert way == "connect" or process.returncode == 0, f"{way}: exit code {process.returncode}: {text}"
        if way == "librdkafka":
            count, expected = int(written.read_text()), self.sizes[window.topic]
        elif way == "kcat":
            # A line feed follows each value.
            count, expected = written.stat().st_size, self.sizes[window.topic] + window.records
        else:
            count, expected = target.requests, window.requests
        # Aiven's sink repeats a request after a failed connection. The repeats are in the output.
        most = expected * 1.001 if way == "connect" and HTTP_SINK else expected
        assert expected <= count <= most, f"{way}: {count}, expected {expected}: {text}"
        assert not report or json.loads(report.read_text())["balanced"], f"{way}: the report does not balance"
        written.unlink()
        ended = target.last if way == "connect" else ended
        cost = {
            "seconds": ended - started,
            "cpu_seconds": samples.processor_seconds(started, ended),
            "peak_mib": samples.peak_resident(),
            "repeats": count - expected,
        }
        if way not in READERS:
            cost["start_seconds"] = target.first - started
            cost["records_per_second"] = window.records / (target.last - target.first)
        return cost

    @staticmethod
    def wait_for_last_request(process, target, window):
        """Returns at the last request, or if Kafka Connect has ended."""

        def is_over():
            return target.requests >= window.requests or process.poll() is not None

        processes.wait_until(is_over, "the last request of Kafka Connect", TIMEOUT)

    def stop_connect(self, process, window):
        """Stops Kafka Connect after it has committed the whole topic, so that no request follows."""
        ends = self.kafka.ends(window.topic)

        def is_committed():
            committed = self.kafka.committed(f"connect-peers-{self.runs}", window.topic, PARTITIONS)
            return process.poll() is not None or ends == {partition: offset for partition, (offset, _) in committed.items()}

        processes.wait_until(is_committed, "the commit of Kafka Connect")
        process.terminate()
        process.wait(TIMEOUT)


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def summary(window, runs):
    """What each way took, and its duration in relation to that of forward in the same round."""
    ways = {}
    for way, costs in runs.items():
        values = {name: [cost[name] for cost in costs] for name in costs[0]}
        values["ratio"] = [cost["seconds"] / forward["seconds"] for cost, forward in zip(costs, runs["forward"])]
        ways[way] = {"name": NAMES.get(way, way), **{name: spread(numbers) for name, numbers in values.items()}}
    return {"window": window.name, "records": window.records, "requests": window.requests, "ways": ways}


def table(result):
    def cell(values, form):
        return f"{values['median']:{form}} ({values['lowest']:{form}} to {values['highest']:{form}})"

    lines = [
        f"{result['records']:,} records, {result['window']}: medians (lowest to highest)",
        "",
        "| | duration | ÷ `forward` | CPU | peak memory | start to first request | records/s from first to last request |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for of in result["ways"].values():
        lines.append(
            f"| {of['name']} | {cell(of['seconds'], '.2f')} s | {cell(of['ratio'], '.2f')} | {of['cpu_seconds']['median']:.1f} s "
            f"| {of['peak_mib']['highest']:.0f} MiB "
            + (
                f"| {of['start_seconds']['median']:.2f} s | {cell(of['records_per_second'], ',.0f')} |"
                if "start_seconds" in of
                else "| | |"
            )
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=1_000_000, help="of the filter; a fifth with one POST each")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--jars", type=Path, required=True, help="the folder of Spark's sources for Kafka and Avro")
    parser.add_argument("--connect", type=Path, required=True, help="the folder of Kafka Connect's jars")
    flags = parser.parse_args()
    # Some runs last half a second.
    sampler.INTERVAL = 0.02
    windows = [
        Window("filter only, 1 % matching", "filter", flags.records, 100, 1),
        Window("one POST each", "single", flags.records // 5, 1, 1),
    ]
    directory = Path(tempfile.mkdtemp(prefix="peers-", dir=os.environ["SPARK_E2E_HOME"]))
    peers = Peers(directory, sorted(flags.jars.glob("*.jar")), flags.connect)
    results = {window: {way: [] for way in WAYS[window.topic]} for window in windows}
    for window in windows:
        peers.fill(window)
    # The first group makes Kafka create the topic of offsets.
    peers.run_peer("forward", windows[0])
    for number in range(flags.rounds):
        for window, runs in results.items():
            # The way that comes first changes, for a machine that gets slower or faster.
            ways = WAYS[window.topic]
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                cost = peers.run_peer(way, window)
                runs[way].append(cost)
                shown = ", ".join(f"{name} {value:,.2f}" for name, value in cost.items())
                print(f"bench-peers: round {number + 1}, {window.name}, {way}: {shown}", file=sys.stderr, flush=True)
    peers.kafka.stop()
    shutil.rmtree(directory)
    summaries = [summary(window, runs) for window, runs in results.items()]
    print(json.dumps(summaries, indent=2) if flags.output == "json" else "\n".join(map(table, summaries)))


main()
