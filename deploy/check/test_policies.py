"""The parser of policies rejects invalid statements."""

import pytest
from policies import Malformed, parse_rule, parse_statement

GROUP = "dynamic-group id ocid1.dynamicgroup.oc1..aaaa"
PLACE = "compartment id ocid1.compartment.oc1..aaaa"


def test_parses_a_statement():
    read = parse_statement(f"Allow {GROUP} to read objects in {PLACE} where any {{target.bucket.name = 'a', target.bucket.name = 'b'}}")
    assert (read.verb, read.resource, read.place) == ("read", "objects", PLACE)
    assert read.condition == [{"target.bucket.name": "a"}, {"target.bucket.name": "b"}]


def test_parses_all_inside_any_into_branches():
    rule = "ANY {ALL {resource.type = 'x', resource.compartment.id = 'c'}, ALL {resource.type='y', resource.compartment.id='c'}}"
    assert [branch["resource.type"] for branch in parse_rule(rule)] == ["x", "y"]


@pytest.mark.parametrize(
    "text",
    [
        f"Allow {GROUP} to reads objects in {PLACE}",
        f"Allow {GROUP} to read object in {PLACE}",
        f"Allow {GROUP} read objects in {PLACE}",
        f"Allow {GROUP} to read objects in compartment",
        f"Allow {GROUP} to read objects in {PLACE} where target.bucket.nam = 'a'",
        f"Allow {GROUP} to read objects in {PLACE} where any {{target.bucket.name = 'a'",
        f"Allow {GROUP} to read objects in {PLACE} where target.bucket.name = a",
        f"Allow {GROUP} to read objects in {PLACE} where target.bucket.name = 'a' or",
        f"Allow any-user to use functions-family in {PLACE}",
        f"Allow service to read objects in {PLACE}",
    ],
)
def test_rejects_an_invalid_statement(text):
    with pytest.raises(Malformed):
        parse_statement(text)
