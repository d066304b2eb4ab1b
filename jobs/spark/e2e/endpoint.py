"""An HTTP endpoint that writes each request to a log before it responds.

usage: endpoint.py PORT LOG

A line of the log has the status of the response, the idempotency key and the body in base64, separated by tabs.
`PUT /behaviour` with a JSON object changes what follows:

- status: the status of the responses (200)
- delay: seconds before each response (0)
- first_delay: {partition, from, to, seconds}: the same for records in this range of offsets, only for the first request of
  each. The request is logged, and the response follows after the delay.
"""

import asyncio
import base64
import json
import os
import signal
import sys

RESPONSE = b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\n\r\n"


class Endpoint:
    """The behaviour and the log, for all connections."""

    def __init__(self, path):
        self.log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.behaviour = {}
        self.delayed = set()

    def delay(self, key):
        """The seconds before the response to a request with this key."""
        slow = self.behaviour.get("first_delay")
        if slow and key not in self.delayed:
            partition, offset = key.strip('"').split("/")[-2:]
            if int(partition) == slow["partition"] and slow["from"] <= int(offset) < slow["to"]:
                self.delayed.add(key)
                return slow["seconds"]
        return self.behaviour.get("delay", 0)


class Connection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.received = bytearray()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        while True:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = bytes(self.received[:end]).split(b"\r\n")
            fields = (line.split(b":", 1) for line in lines[1:])
            headers = {name.lower(): value.strip() for name, value in fields}
            length = int(headers.get(b"content-length", 0))
            if len(self.received) < end + 4 + length:
                return
            body = bytes(self.received[end + 4 : end + 4 + length])
            del self.received[: end + 4 + length]
            self.request(lines[0], headers.get(b"idempotency-key", b"").decode(), body)

    def request(self, line, key, body):
        endpoint = self.endpoint
        if line.startswith(b"PUT /behaviour "):
            endpoint.behaviour = json.loads(body)
            self.respond(200)
            return
        status = endpoint.behaviour.get("status", 200)
        delay = endpoint.delay(key)
        os.write(endpoint.log, b"%d\t%s\t%s\n" % (status, key.encode(), base64.b64encode(body)))
        if delay:
            asyncio.get_running_loop().call_later(delay, self.respond, status)
        else:
            self.respond(status)

    def respond(self, status):
        if not self.transport.is_closing():
            self.transport.write(RESPONSE % (status, b"OK" if status == 200 else b"Error"))


async def main():
    port, log = sys.argv[1:]
    endpoint = Endpoint(log)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await loop.create_server(lambda: Connection(endpoint), "127.0.0.1", int(port), reuse_address=True, backlog=1024)
    print("ready", flush=True)
    await stopped.wait()


asyncio.run(main())
