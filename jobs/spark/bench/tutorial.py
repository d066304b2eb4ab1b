"""Delivers the records of a topic with Spark Structured Streaming, as in the tutorial: from_avro, foreachBatch, and a POST
for each row.

Trigger.AvailableNow ends the query at the current end of the topic. Each task keeps one connection per endpoint. With
BATCH above 1, a request has so many records of the task as JSON lines, in the form of `forward`'s format `ndjson`.
Environment: KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC, AVRO_SCHEMA, ENDPOINT, BATCH, CHECKPOINT.
"""

import http.client
import json
import os
from urllib.parse import urlsplit

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import col

URL = os.environ["ENDPOINT"]
BATCH = int(os.environ["BATCH"])


class Client:
    """One connection."""

    def __init__(self):
        url = urlsplit(URL)
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)

    def post(self, body, headers):
        self.connection.request("POST", "/", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{answer.status}")


def key_of(row):
    return f"{row.topic}/{row.partition}/{row.offset}"


def post_each(rows):
    """Sends the rows of a task, one request each."""
    clients = {}
    for row in rows:
        client = clients.get(row.id) or clients.setdefault(row.id, Client())
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": f'"{key_of(row)}"'}
        client.post(bytes(row.value), headers)


def post_batches(rows):
    """Sends the rows of a task as JSON lines, in batches for each endpoint."""
    clients, batches = {}, {}

    def send(identity):
        client = clients.get(identity) or clients.setdefault(identity, Client())
        client.post("".join(batches.pop(identity)).encode(), {"Content-Type": "application/x-ndjson"})

    for row in rows:
        batch = batches.setdefault(row.id, [])
        item = {
            "idempotency_key": key_of(row),
            "topic": row.topic,
            "partition": row.partition,
            "offset": row.offset,
            "value": {"id": row.id, "name": row.name, "email": row.email},
        }
        batch.append(json.dumps(item, separators=(",", ":")) + "\n")
        if len(batch) == BATCH:
            send(row.id)
    for identity in list(batches):
        send(identity)


def main():
    spark = SparkSession.builder.appName("tutorial").getOrCreate()
    with open(os.environ["AVRO_SCHEMA"], encoding="utf-8") as file:
        schema = file.read()
    stream = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        .option("subscribe", os.environ["KAFKA_TOPIC"])
        .option("startingOffsets", "earliest")
        .load()
    )
    user = from_avro(col("value"), schema, {"mode": "PERMISSIVE"}).alias("user")
    matching = (
        stream.select("topic", "partition", "offset", "value", user)
        .select("topic", "partition", "offset", "value", "user.*")
        .where(col("id").isin(1010, 1020))
    )
    # Only what is sent crosses from the JVM to Python.
    columns = ["name", "email"] if BATCH > 1 else ["value"]
    matching = matching.select("topic", "partition", "offset", "id", *columns)
    send = post_batches if BATCH > 1 else post_each
    query = (
        matching.writeStream.foreachBatch(lambda batch, _: batch.foreachPartition(send))
        .option("checkpointLocation", os.environ["CHECKPOINT"])
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    spark.stop()


main()
