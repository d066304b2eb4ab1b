"""For schemathesis: bodies of Avro datums and container files, arbitrary bytes, and lines of JSON; headers of CloudEvents."""

import json
import pathlib

import schemathesis
from hypothesis import strategies as st

SCHEMA = pathlib.Path(__file__).parents[2].joinpath("schemas/user.avsc").read_bytes()
USERS = st.fixed_dictionaries(
    {"id": st.integers(-(2**31), 2**31 - 1), "name": st.text(), "email": st.text()}
)


def number(value):
    """An Avro int: zigzag, then 7 bits in each byte."""
    value = (value << 1) ^ (value >> 63)
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def datum(user):
    texts = (user[field].encode() for field in ("name", "email"))
    return number(user["id"]) + b"".join(map(sized, texts))


def sized(data):
    """An Avro string or bytes: the length, then the bytes."""
    return number(len(data)) + data


def container(users):
    """An object container file of one block without a codec."""
    header = b"Obj\x01" + number(1) + sized(b"avro.schema") + sized(SCHEMA) + number(0)
    sync = bytes(16)
    block = number(len(users)) + sized(b"".join(map(datum, users)))
    return header + sync + (block + sync if users else b"")


def lines(users):
    return "\n".join(json.dumps(user) for user in users).encode()


AVRO = st.one_of(
    USERS.map(datum),
    st.lists(USERS, max_size=3).map(container),
    st.binary(max_size=64),
    st.binary(max_size=64).map(lambda tail: b"Obj\x01" + tail),
    st.binary(max_size=64).map(lambda tail: b"\xc3\x01" + tail),
)
JSON_LINES = st.one_of(st.lists(USERS, max_size=3).map(lines), st.binary(max_size=64))

for name in (
    "application/octet-stream",
    "avro/binary",
    "application/avro",
    "application/vnd.apache.avro",
    "text/plain",
    "application/x-www-form-urlencoded",
):
    schemathesis.openapi.media_type(name, AVRO)
for name in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
    schemathesis.openapi.media_type(name, JSON_LINES)


@schemathesis.hook
def map_headers(context, headers):
    """Adds the required attributes to an event: with one attribute, they are required."""
    if headers and any(name.lower().startswith("ce-") for name in headers):
        event = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/tests", "ce-type": "test"}
        known = {name.lower() for name in headers}
        headers.update({name: value for name, value in event.items() if name not in known})
    return headers
