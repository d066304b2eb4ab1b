"""Writes users to topics of Kafka with Spark's to_avro, in the forms that docs/SCHEMAS.md describes.

usage: produce.py COUNT FORM=TOPIC...

- header: to_avro without a schema. A header of the record names the schema of the data frame.
- filtered: the same after a filter. to_avro then writes another schema than that of the data frame.
- frame: to_avro with the schema of the data frame, after the filter. The schema is registered, and its id precedes the
  datum.
- given: to_avro with the schema AVRO_SCHEMA, after the filter. Nothing names the schema.

Prints the schema of the data frame. Environment: KAFKA_BOOTSTRAP_SERVERS; AVRO_SCHEMA, a path; SCHEMA_REGISTRY_URL for
frame.
"""

import json
import os
import sys
import urllib.request
from datetime import datetime, timezone
from decimal import Decimal

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import to_avro
from pyspark.sql.functions import array, col, concat, lit, struct

COLUMNS = (
    "id int, name string, email string, address struct<city: string>, since timestamp, balance decimal(10, 2), "
    "tags array<string>"
)


def user(number):
    """A row of COLUMNS. Every second one has no address."""
    return (
        1010 if number % 4 < 2 else 1020,
        f"user-{number}",
        f"user-{number}@example.com",
        (f"city {number}",) if number % 2 == 0 else None,
        datetime.fromtimestamp(1_767_225_600 + number, timezone.utc),
        Decimal(number) / 100,
        [f"tag {number}"],
    )


def avro_schema(spark, frame):
    """The schema of a data frame, as Avro's Java object: what to_avro writes if the optimizer does not change it."""
    converters = spark._jvm.org.apache.spark.sql.avro.SchemaConverters
    return converters.toAvroType(frame._jdf.schema(), False, "topLevelRecord", "")


def fingerprint(spark, schema):
    """CRC-64-AVRO in hex digits, as in the header avro-schema-fingerprint."""
    normalization = spark._jvm.org.apache.avro.SchemaNormalization
    return bytes(normalization.parsingFingerprint("CRC-64-AVRO", schema)).hex()


def register(subject, schema):
    """Registers a schema, and returns its id."""
    request = urllib.request.Request(
        f"{os.environ['SCHEMA_REGISTRY_URL'].rstrip('/')}/subjects/{subject}/versions",
        json.dumps({"schema": schema}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)["id"]


def kafka_headers(spark, schema):
    """The column of Kafka headers that names the schema of a raw datum."""
    header = struct(
        lit("avro-schema-fingerprint").alias("key"),
        lit(fingerprint(spark, schema).encode()).alias("value"),
    )
    return array(header).alias("headers")


def rows(spark, form, topic, users):
    """The columns that Spark writes to Kafka."""
    schema = avro_schema(spark, users)
    # The optimizer makes `id` non-nullable, although the data frame's schema has it nullable.
    filtered = users.where(col("id") > 0)
    if form in ("header", "filtered"):
        source = users if form == "header" else filtered
        return source.select(to_avro(struct("*")).alias("value"), kafka_headers(spark, schema))
    if form == "frame":
        prefix = b"\0" + register(f"{topic}-value", schema.toString()).to_bytes(4, "big")
        return filtered.select(concat(lit(prefix), to_avro(struct("*"), schema.toString())).alias("value"))
    if form == "given":
        with open(os.environ["AVRO_SCHEMA"], encoding="utf-8") as file:
            given = file.read()
        return filtered.select(to_avro(struct("id", "name", "email"), given).alias("value"))
    sys.exit(f"produce.py: unknown form {form}")


def main():
    count, *targets = sys.argv[1:]
    spark = SparkSession.builder.appName("produce").getOrCreate()
    users = spark.createDataFrame([user(number) for number in range(int(count))], COLUMNS)
    for target in targets:
        form, topic = target.split("=", 1)
        (
            rows(spark, form, topic, users)
            .write.format("kafka")
            .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
            .option("topic", topic)
            .save()
        )
    print(avro_schema(spark, users).toString())
    spark.stop()


main()
