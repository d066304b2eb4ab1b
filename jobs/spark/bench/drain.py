"""Reads a topic with Spark's Kafka source into mapInArrow, which only counts: what reading through Spark costs.

Prints the number of records, and the monotonic clock before and after it: without the start of Spark. Environment: KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC.
"""

import os
import time

import pyarrow
from pyspark.sql import SparkSession


def count(batches):
    rows = sum(batch.num_rows for batch in batches)
    yield pyarrow.RecordBatch.from_pydict({"rows": [rows]})


def main():
    spark = SparkSession.builder.appName("drain").getOrCreate()
    # The executors and their Python workers start with the first job.
    spark.range(2, numPartitions=2).mapInArrow(count, "rows long").collect()
    started = time.monotonic()
    records = (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        .option("subscribe", os.environ["KAFKA_TOPIC"])
        .load()
        .select("partition", "offset", "value")
    )
    rows = sum(row.rows for row in records.mapInArrow(count, "rows long").collect())
    print(f"drained {rows} {started} {time.monotonic()}")
    spark.stop()


main()
