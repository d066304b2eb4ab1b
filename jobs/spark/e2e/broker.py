"""Apache Kafka, and what the checks read from it with confluent-kafka."""

import os
import subprocess
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import offset_fetch

# librdkafka logs each connection that ends, also when the tests kill the broker.
QUIET = {"log_level": 2}
SCRIPT = Path(__file__).resolve().parents[3] / "deploy/kafka/kafka"


class Kafka:
    """One broker of Apache Kafka. It stops when this process ends."""

    def __init__(self, directory, heap="512m", java=""):
        self.directory = directory
        environment = {**os.environ, "KAFKA_OPTS": java}
        command = [SCRIPT, "start", "--dir", directory, "--parent", str(os.getpid()), "--fast-join", "--heap", heap]
        # A killed run keeps its membership for three seconds instead of 45.
        for line in ("group.consumer.session.timeout.ms=3000", "group.consumer.heartbeat.interval.ms=500"):
            command += ["--set", line]
        self.bootstrap = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})

    def kill(self):
        """Kills the broker with SIGKILL."""
        subprocess.run([SCRIPT, "kill", "1", "--dir", self.directory], check=True)

    def revive(self):
        """Starts the killed broker with its data, and waits until it is ready."""
        subprocess.run([SCRIPT, "revive", "1", "--dir", self.directory], check=True)

    def stop(self):
        """Stops the broker, and deletes its files."""
        subprocess.run([SCRIPT, "stop", "--dir", self.directory], check=True)

    def create(self, topic, partitions):
        """Creates a topic."""
        for future in self.admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            future.result(30)

    def write(self, topic, values):
        """Writes values, each with its partition and, optionally, headers, in order: an idempotent producer keeps it.

        Waits for the end.
        """
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "queue.buffering.max.messages": 1_000_000,
                **QUIET,
            }
        )
        for partition, value, *headers in values:
            while True:
                try:
                    producer.produce(topic, value, partition=partition, headers=headers[0] if headers else None)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(120) == 0, "the broker has not acknowledged all records"

    def _consumer(self):
        # The group is never joined: the partitions are assigned.
        settings = {"bootstrap.servers": self.bootstrap, "group.id": "checker", "enable.auto.commit": False, **QUIET}
        return Consumer(settings)

    def ends(self, topic):
        """The end of the log of each partition; empty if there is no such topic."""
        consumer = self._consumer()
        try:
            found = consumer.list_topics(topic, 30).topics[topic]
            return {
                partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)[1]
                for partition in found.partitions
            }
        finally:
            consumer.close()

    def committed(self, group, topic, partitions=2):
        """What a group has committed: for each partition the offset and the metadata."""
        found = offset_fetch.fetch(self.bootstrap, group, topic, partitions)
        return {partition: (max(offset, 0), metadata) for partition, (offset, metadata) in found.items()}

    def read(self, topic):
        """All records of a topic, as (partition, offset, key, value, headers)."""
        ends = {partition: end for partition, end in self.ends(topic).items() if end > 0}
        if not ends:
            return []
        consumer = self._consumer()
        try:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
            records, left = [], sum(ends.values())
            while left > 0:
                batch = consumer.consume(min(left, 10_000), 30)
                assert batch, f"{topic}: {left} records do not arrive"
                for message in batch:
                    assert not message.error(), message.error()
                    headers = message.headers() or []
                    records.append((message.partition(), message.offset(), message.key(), message.value(), headers))
                left -= len(batch)
            return records
        finally:
            consumer.close()
