"""Writes the two orders with fastavro and with Apache Avro for Python, in each codec. Arguments: schema, directory."""

import datetime
import decimal
import importlib.metadata
import json
import pathlib
import sys

import avro.codecs
import avro.datafile
import avro.io
import avro.schema
import fastavro

AT = datetime.datetime(2026, 11, 26, 12, 30, 45, 678000, tzinfo=datetime.timezone.utc)
ORDERS = [
    {"id": 1010, "at": AT, "price": decimal.Decimal("-12.34"), "state": "DONE", "hash": b"\x00\xff",
     "note": "grün", "any": -7, "tags": ["a", ""], "rates": {"x": 0.5}},
    {"id": -1, "at": AT, "price": decimal.Decimal("0.00"), "state": "NEW", "hash": b"ab",
     "note": None, "any": "z", "tags": [], "rates": {}},
]


def file(directory, codec, package):
    name = {"avro": "avro-python"}.get(package, package)
    return directory / f"{codec}-{name}-{importlib.metadata.version(package)}.avro"


def main(schema, directory):
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]:
        with open(file(directory, codec, "fastavro"), "wb") as out:
            fastavro.writer(out, json.loads(schema), ORDERS, codec=codec)
    for codec in avro.codecs.KNOWN_CODECS:
        with open(file(directory, codec, "avro"), "wb") as out:
            writer = avro.datafile.DataFileWriter(out, avro.io.DatumWriter(), avro.schema.parse(schema), codec=codec)
            for order in ORDERS:
                writer.append(order)
            writer.flush()


main(pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2]))
