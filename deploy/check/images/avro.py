"""Encodes Avro without the code under test: data of {"id": int, "name": string, "email": string}, and container files."""

import zlib

SCHEMA = b'{"type":"record","name":"User","fields":[{"name":"id","type":"int"},{"name":"name","type":"string"},{"name":"email","type":"string"}]}'
SYNC = bytes(range(0xF0, 0x100))


def long(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def text(value: str | bytes) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return long(len(value)) + value


def user(id_: int, name: str, email: str = "") -> bytes:
    return long(id_) + text(name) + text(email)


def container(data: list[bytes], codec: str = "null") -> bytes:
    """An object container file with one block."""
    header = b"Obj\x01" + long(2) + text("avro.schema") + text(SCHEMA) + text("avro.codec") + text(codec) + long(0) + SYNC
    block = b"".join(data)
    if codec == "deflate":
        packer = zlib.compressobj(wbits=-15)
        block = packer.compress(block) + packer.flush()
    return header + long(len(data)) + text(block) + SYNC


def every_byte() -> list[bytes]:
    """Data that contain all 256 byte values: those from 0x80 in ids, those below in a name."""
    name = "".join(map(chr, range(128)))
    ids = []
    for high in range(0x80, 0x100, 4):
        zigzag = sum((high + place & 0x7F) << 7 * place for place in range(4)) | 1 << 28
        ids.append((zigzag >> 1) ^ -(zigzag & 1))
    data = [user(id_, name, "\n") for id_ in ids]
    assert set(b"".join(data)) == set(range(256))
    return data
