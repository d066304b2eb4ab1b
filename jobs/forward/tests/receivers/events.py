"""Receives CloudEvents with the SDK of the CloudEvents project.

events.py    prints its URL, then a line of JSON for each request: {"key": the header Idempotency-Key, "events":
             [{"attributes": {...}, "data": ...}]}; a time is in milliseconds since 1970. Answers 400, and prints
             {"error": "..."}, if the SDK rejects the request. Ends at the end of standard input.
"""

import datetime
import http.server
import json
import sys
import threading

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

BATCH = "application/cloudevents-batch+json"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def read(headers, body):
    """The events of a request. The SDK has no function for a batch: an array of events in the JSON format."""
    if headers.get("content-type") == BATCH:
        return [JSONFormat().read(CloudEvent, json.dumps(event)) for event in json.loads(body)]
    return [from_http(HTTPMessage(headers, body), JSONFormat(), CloudEvent)]


def described(event):
    attributes = dict(event.get_attributes())
    attributes["time"] = (attributes["time"] - EPOCH) // datetime.timedelta(milliseconds=1)
    return {"attributes": attributes, "data": event.get_data()}


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        try:
            events = [described(event) for event in read(headers, body)]
            status, line = 204, {"key": headers.get("idempotency-key"), "events": events}
        except Exception as error:
            status, line = 400, {"error": repr(error)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        self.send_response(status)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
