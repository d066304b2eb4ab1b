"""Events of the SDK of the CloudEvents project, through the ingest function.

events.py send URL    sends events in binary mode; prints the attributes and the data of each as a line of JSON
events.py read        reads Kafka messages from standard input, a line of JSON for each: {"headers": {NAME: HEX}, "value": HEX};
                      prints the same of the events that the SDK reads from them
"""

import datetime
import json
import sys
import urllib.error
import urllib.request

from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

# The record {"id": 1, "name": "Paul", "email": "p@x"} of schemas/user.avsc.
DATUM = b"\x02\x08Paul\x06p@x"
COMMON = {"specversion": "1.0", "datacontenttype": "avro/binary", "source": "/users", "type": "org.example.user"}
HOUR = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
EVENTS = [
    {"id": "1"},
    {"id": "100%", "subject": "Straße \"€\" 😀 \\ a+b", "tenant": "acme"},
    {"id": "3", "time": datetime.datetime(2026, 11, 27, 10, 0, 0, 500000, datetime.timezone.utc)},
    {"id": "4", "time": datetime.datetime(2026, 11, 27, 10, 0, tzinfo=HOUR), "dataschema": "https://x.example/user#1"},
    {"id": "5", "source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "count": "17", "flag": "true"},
]


def show(event):
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    data = event.get_data()
    if isinstance(data, str):  # the SDK decodes data that is UTF-8
        data = data.encode()
    print(json.dumps({"attributes": attributes, "data": data.hex()}, sort_keys=True))


def post(url, message):
    request = urllib.request.Request(url, message.body, message.headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def send(url):
    for more in EVENTS:
        event = CloudEvent({**COMMON, **more}, DATUM)
        found = post(url, http.to_binary(event, JSONFormat()))
        assert found == 202, f"{found}: {more}"
        show(event)
        found = post(url, http.to_structured(event, JSONFormat()))
        assert found == 415, f"{found} in structured mode: {more}"


def read():
    for line in sys.stdin:
        message = json.loads(line)
        headers = {name: bytes.fromhex(value) for name, value in message["headers"].items()}
        value = bytes.fromhex(message["value"])
        show(kafka.from_binary(kafka.KafkaMessage(headers, None, value), JSONFormat()))


if sys.argv[1] == "send":
    send(sys.argv[2])
else:
    read()
