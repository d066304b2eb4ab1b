"""The checker finds each kind of fault."""

import base64
import json

import pytest

import checker
import records

WRITTEN = records.make(2_000, matching=8)
CLUSTER = "cluster/topic/id"
ENDS = {0: (1_000, ""), 1: (1_000, "")}


def key(place):
    return f"{CLUSTER}/{place[0]}/{place[1]}"


def item(place, record):
    partition, offset = place
    return {"idempotency_key": key(place), "partition": partition, "offset": offset, "value": dict(record.fields)}


def letter(place, record):
    partition, offset = place
    headers = {"__connect.errors.partition": b"%d" % partition, "__connect.errors.offset": b"%d" % offset}
    return (0, 0, None, record.value, list(headers.items()))


class Evidence:
    """What a group without faults leaves behind."""

    def __init__(self, directory):
        self.directory = directory
        routed = [(place, record) for place, record in WRITTEN.items() if record.route]
        self.singles = [[200, key(place), record.value] for place, record in routed if record.route == "A"]
        self.items = [item(place, record) for place, record in routed if record.route == "B"]
        self.letters = [letter(place, record) for place, record in WRITTEN.items() if not record.is_valid]
        self.committed = dict(ENDS)

    def judge(self):
        lines = {"A": [(status, f'"{key}"', body) for status, key, body in self.singles]}
        body = "".join(json.dumps(item) + "\n" for item in self.items).encode()
        lines["B"] = [(200, "", body)]
        logs = {}
        for route, entries in lines.items():
            logs[route] = self.directory / route
            text = "".join(f"{status}\t{key}\t{base64.b64encode(body).decode()}\n" for status, key, body in entries)
            logs[route].write_text(text)
        return checker.judge(WRITTEN, logs, self.letters, self.committed)


@pytest.fixture
def evidence(tmp_path):
    return Evidence(tmp_path)


def test_it_accepts_what_has_no_fault(evidence):
    verdict = evidence.judge().check()
    assert len(verdict.letters) == 2
    assert len(verdict.accepted) == sum(1 for record in WRITTEN.values() if record.route) > 1_500


def test_it_counts_repeats(evidence):
    evidence.singles.append(evidence.singles[0])
    evidence.letters.append(evidence.letters[0])
    assert evidence.judge().check(max_repeats=2).repeats == 2
    with pytest.raises(AssertionError, match="2 repeats"):
        evidence.judge().check(max_repeats=1)


def invalid(evidence):
    place, record = next((place, record) for place, record in WRITTEN.items() if not record.is_valid)
    evidence.singles.append([200, key(place), record.value])


def other_route(evidence):
    place, record = next((place, record) for place, record in WRITTEN.items() if record.route == "B")
    evidence.singles.append([200, key(place), record.value])


def other_key(evidence):
    status, first, body = evidence.singles[0]
    evidence.singles.append([status, first.replace("cluster", "other"), body])


def only_refused(evidence):
    evidence.singles[0][0] = 503


@pytest.mark.parametrize(
    "damage, fault",
    [
        (lambda evidence: evidence.singles.pop(), "lost"),
        (lambda evidence: evidence.items.pop(), "lost"),
        (lambda evidence: evidence.letters.pop(), "lost"),
        (only_refused, "lost"),
        (invalid, "invalid"),
        (other_route, "received the record of B"),
        (other_key, "with the keys"),
        (lambda evidence: evidence.singles[0].__setitem__(2, b"other"), "something else"),
        (lambda evidence: evidence.items[0]["value"].update(name="other"), "something else"),
        (lambda evidence: evidence.singles.append([200, key((1, 5_000)), b""]), "not written"),
        (lambda evidence: evidence.letters.append(letter((0, 0), WRITTEN[(0, 0)])), "valid record"),
        (lambda evidence: evidence.committed.update({1: (999, "")}), "is committed"),
    ],
)
def test_it_finds(evidence, damage, fault):
    damage(evidence)
    assert any(fault in found for found in evidence.judge().faults)
