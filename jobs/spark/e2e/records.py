"""The records that the tests write: users of schemas/user.avsc, and bytes that are none. Encoded here, without Frontdoor."""

from dataclasses import dataclass

PARTITIONS = 2
# One record in this number is invalid. It is prime, so that they are in both partitions and take the place of every id.
INVALID_EVERY = 997


@dataclass(frozen=True)
class Record:
    """A record as it was written, and the route that must receive it; None: none."""

    value: bytes
    route: str | None
    is_valid: bool
    fields: dict | None


def _long(number):
    left = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while left >= 0x80:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    encoded.append(left)
    return bytes(encoded)


def encode(user):
    """The datum of a user (Avro 1.12, binary encoding)."""
    texts = b"".join(_long(len(text)) + text for text in (user["name"].encode(), user["email"].encode()))
    return _long(user["id"]) + texts


def _record(number, matching):
    """The record with this number: `matching` of ten match, half of them each route."""
    place = number % 20
    identity = 1010 if place < matching else 1020 if place < 2 * matching else 999
    user = {"id": identity, "name": f"user-{number:07}", "email": f"user-{number:07}@example.com"}
    datum = encode(user)
    if number % INVALID_EVERY == INVALID_EVERY - 1:
        # With a trailing byte, without the last one, and with a length beyond the end.
        damaged = (datum + b"\0", datum[:-1], datum[:2] + b"\x7e" + datum[3:])[number // INVALID_EVERY % 3]
        return Record(damaged, None, False, None)
    return Record(datum, {1010: "A", 1020: "B"}.get(identity), True, user)


def make(count, matching):
    """`count` records, by partition and offset."""
    return {(number % PARTITIONS, number // PARTITIONS): _record(number, matching) for number in range(count)}
