"""Judges a group by what was written to the topic, what the endpoints logged, and the dead-letter topic.

It uses nothing of Frontdoor, and reads no report of a run.
"""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field

ROUTES = ("A", "B")


@dataclass
class Verdict:
    """What is wrong, and how many requests and dead letters were repeated."""

    faults: list = field(default_factory=list)
    accepted: Counter = field(default_factory=Counter)
    letters: Counter = field(default_factory=Counter)

    @property
    def repeats(self):
        """How many times a record was accepted or dead-lettered after the first time."""
        return sum(count - 1 for counts in (self.accepted, self.letters) for count in counts.values())

    def check(self, max_repeats=0):
        """Fails if anything is wrong, or more was repeated than allowed."""
        assert not self.faults, f"{len(self.faults)} faults: {self.faults[:5]}"
        assert self.repeats <= max_repeats, f"{self.repeats} repeats, {max_repeats} are allowed"
        return self


def read_log(path):
    """The records in the log of an endpoint, as (status, key, what was received). A batch has several."""
    found = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            status, key, body = line.rstrip("\n").split("\t")
            body = base64.b64decode(body)
            if key:
                found.append((int(status), key.strip('"'), body))
                continue
            for item in body.splitlines():
                item = json.loads(item)
                found.append((int(status), item["idempotency_key"], item))
    return found


def place_of(key):
    """Partition and offset in a key that the job has made: CLUSTER/TOPIC-ID/PARTITION/OFFSET."""
    # A topic id is in base64, and may contain slashes.
    _, partition, offset = key.rsplit("/", 2)
    return int(partition), int(offset)


def judge(written, logs, dead_letters, committed, is_complete=True):
    """Compares what was written with what arrived.

    written: the records, by partition and offset. logs: for each route its log. dead_letters: the records of that topic.
    committed: what the group has committed. is_complete: the group is at the end of the topic.
    """
    verdict = Verdict()
    faults = verdict.faults
    keys = {}
    for route in ROUTES:
        for status, key, received in read_log(logs[route]):
            place = place_of(key)
            if keys.setdefault(place, key) != key:
                faults.append(f"{place} with the keys {keys[place]} and {key}")
            record = written.get(place)
            if record is None:
                faults.append(f"{route} received {key}, which was not written")
            elif not record.is_valid:
                faults.append(f"{route} received the invalid record at {place}")
            elif record.route != route:
                faults.append(f"{route} received the record of {record.route} at {place}")
            elif not _is_same(record, place, received):
                faults.append(f"{route} received something else than the record at {place}: {received}")
            elif status == 200:
                verdict.accepted[place] += 1
    for _, _, _, value, headers in dead_letters:
        headers = dict(headers)
        place = tuple(int(headers[f"__connect.errors.{name}"]) for name in ("partition", "offset"))
        record = written.get(place)
        if record is None or record.value != value:
            faults.append(f"the dead letter of {place} is not the record there")
        elif record.is_valid:
            faults.append(f"the valid record at {place} is a dead letter: {headers.get('frontdoor.cause')}")
        verdict.letters[place] += 1
    for place, record in written.items():
        partition, offset = place
        if not is_complete and offset >= committed[partition][0]:
            continue
        if record.route and not verdict.accepted[place]:
            faults.append(f"lost: {place} was not accepted by {record.route}")
        if not record.is_valid and not verdict.letters[place]:
            faults.append(f"lost: the invalid record at {place} is not a dead letter")
    if is_complete:
        for partition in {partition for partition, _ in written}:
            end = sum(1 for other, _ in written if other == partition)
            if committed[partition][0] != end:
                faults.append(f"partition {partition}: {committed[partition]} is committed, the end is {end}")
    return verdict


def _is_same(record, place, received):
    if isinstance(received, bytes):
        return received == record.value
    return received["value"] == record.fields and (received["partition"], received["offset"]) == place
