"""Kafka's request OffsetFetch, version 2: what a group has committed, with the metadata byte for byte.

confluent-kafka 2.16.1 reads metadata up to the next zero byte in memory, which is not always that of its end.
"""

import socket
import struct

API_KEY, VERSION = 9, 2


def _string(text):
    return struct.pack(">h", len(text)) + text.encode()


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def string(self):
        length = max(self.take(">h"), 0)
        self.at += length
        return self.data[self.at - length : self.at].decode()


def fetch(bootstrap, group, topic, partitions):
    """For each partition the committed offset, and the metadata. The cluster has one broker."""
    host, port = bootstrap.rsplit(":", 1)
    header = struct.pack(">hhi", API_KEY, VERSION, 1) + _string("checker")
    wanted = struct.pack(f">i{partitions}i", partitions, *range(partitions))
    request = header + _string(group) + struct.pack(">i", 1) + _string(topic) + wanted
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as response:
            reader = _Reader(response.read(struct.unpack(">i", response.read(4))[0]))
    assert reader.take(">i") == 1, "the correlation id"
    found = {}
    for _ in range(reader.take(">i")):
        assert reader.string() == topic
        for _ in range(reader.take(">i")):
            partition, offset, metadata = reader.take(">i"), reader.take(">q"), reader.string()
            assert reader.take(">h") == 0, f"{topic}/{partition}: an error"
            found[partition] = (offset, metadata)
    assert reader.take(">h") == 0, "an error"
    return found
