"""Delivers the records of a topic with Spark Structured Streaming, as in the tutorial.

Decodes the records, selects them by id, and POSTs each to its endpoint. Trigger.AvailableNow ends the query at the current
end of the topic. Prints the number of posted records.
"""

import http.client
import os
from urllib.parse import urlsplit

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import col

URLS = {1010: os.environ["API_TYPE_A_URL"], 1020: os.environ["API_TYPE_B_URL"]}


def post(rows):
    """Sends the records of one partition, one request each, over one connection per endpoint."""
    connections = {}
    for row in rows:
        url = urlsplit(URLS[row.id])
        connection = connections.get(url.netloc)
        if connection is None:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
            connections[url.netloc] = connection
        headers = {
            "Content-Type": "application/octet-stream",
            "Idempotency-Key": f'"{row.topic}/{row.partition}/{row.offset}"',
        }
        connection.request("POST", url.path or "/", bytes(row.value), headers)
        answer = connection.getresponse()
        answer.read()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{row.topic}/{row.partition}@{row.offset}: {answer.status}")


def main():
    spark = SparkSession.builder.appName("window").getOrCreate()
    with open(os.environ["AVRO_SCHEMA"], encoding="utf-8") as file:
        schema = file.read()
    stream = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        .option("subscribe", os.environ["KAFKA_TOPIC"])
        .option("startingOffsets", "earliest")
        .load()
    )
    matching = (
        stream.select(
            "topic", "partition", "offset", "value",
            from_avro(col("value"), schema, {"mode": "PERMISSIVE"}).alias("user"),
        )
        .select("topic", "partition", "offset", "value", col("user.id").alias("id"))
        .where(col("id").isin(list(URLS)))
    )
    query = (
        matching.writeStream.foreachBatch(lambda batch, _: batch.foreachPartition(post))
        .option("checkpointLocation", os.environ["SPARK_CHECKPOINT"])
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    spark.stop()


main()
