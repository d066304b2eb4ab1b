"""Produces and consumes records of schemas/user.avsc with Confluent's Python client and its Avro serializers."""

import json
import os
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, dual_schema_id_deserializer, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

BOOTSTRAP = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
TIMEOUT = 60


def id_header(payload, context, schema_id):
    """Puts the id into the header that otherwise contains the GUID. The client reads both forms."""
    context.headers.append(("__value_schema_id", schema_id.id_to_bytes()))
    return payload


# Where the schema of a record is named; the default of the client is the payload.
SERIALIZERS = {"payload": None, "header": id_header, "header-guid": header_schema_id_serializer}


def produce(registry, topic, count):
    with open(os.environ["AVRO_SCHEMA"], encoding="utf-8") as file:
        schema = file.read()
    chosen = SERIALIZERS[os.environ.get("SCHEMA_ID_IN", "payload")]
    serialize = AvroSerializer(registry, schema, conf={"schema.id.serializer": chosen} if chosen else {})
    producer = Producer({**BOOTSTRAP, "acks": "all"})
    failed = []
    for number in range(count):
        user = {"id": 1010 if number % 2 == 0 else 1020, "name": f"user {number}", "email": f"user{number}@example.com"}
        headers = []
        value = serialize(user, SerializationContext(topic, MessageField.VALUE, headers))
        producer.produce(topic, value=value, headers=headers, on_delivery=lambda error, _: error and failed.append(error))
        producer.poll(0)
        print(json.dumps(user), flush=True)
    if producer.flush(TIMEOUT) or failed:
        sys.exit(f"records were not acknowledged: {failed}")


def consume(registry, topic, count):
    deserialize = AvroDeserializer(registry, conf={"schema.id.deserializer": dual_schema_id_deserializer})
    group = f"peer-{os.getpid()}-{time.time_ns()}"
    consumer = Consumer({**BOOTSTRAP, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    end = time.monotonic() + TIMEOUT
    while count > 0:
        message = consumer.poll(1)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            context = SerializationContext(topic, MessageField.VALUE, message.headers() or [])
            print(json.dumps(deserialize(message.value(), context)), flush=True)
            count -= 1
        elif time.monotonic() > end:
            sys.exit(f"{count} records are missing after {TIMEOUT} s")
    consumer.close()


def main():
    verb, topic, count = sys.argv[1:]
    registry = SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]})
    {"produce": produce, "consume": consume}[verb](registry, topic, int(count))


main()
