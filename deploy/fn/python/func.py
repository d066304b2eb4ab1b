"""The ingest function in the tutorial's stack, for benchmarks: decodes, publishes, waits for the acknowledgement.

The environment variables are those of fn-recep-avro: KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC, AVRO_SCHEMA (a path).
"""

import io
import json
import os

import fastavro
from confluent_kafka import Producer
from fdk import response

SCHEMA = fastavro.schema.load_schema(os.environ["AVRO_SCHEMA"])
TOPIC = os.environ["KAFKA_TOPIC"]
# One client per container, not idempotent, as is the client's default: idempotence delays the first message by half a
# second.
PRODUCER = Producer({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    "acks": "all",
    "linger.ms": 0,
})


def handler(ctx, data: io.BytesIO = None):
    body = data.getvalue()
    datum = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(datum, SCHEMA)
    except Exception as error:  # fastavro raises many types of exceptions
        return answer(ctx, 422, {"detail": f"invalid datum: {error!r}"})
    if datum.read(1):
        return answer(ctx, 422, {"detail": "trailing bytes"})
    reports = []
    PRODUCER.produce(
        TOPIC,
        body,
        key=str(record["id"]),
        headers={"content-type": "avro/binary", "call-id": ctx.CallID()},
        on_delivery=lambda error, message: reports.append((error, message)),
    )
    PRODUCER.flush(10)
    error, message = reports[0] if reports else ("no acknowledgement", None)
    if error is not None:
        return answer(ctx, 503, {"detail": str(error)})
    return answer(ctx, 202, {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
    })


def answer(ctx, status, body):
    return response.Response(
        ctx,
        response_data=json.dumps(body),
        headers={"Content-Type": "application/json"},
        status_code=status,
    )
