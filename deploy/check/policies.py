"""Parses the part of Oracle's policy language that deploy/terraform uses: statements, conditions and matching rules.

Grammar: https://docs.oracle.com/iaas/Content/Identity/Concepts/policysyntax.htm and, for conditions,
https://docs.oracle.com/iaas/Content/Identity/Concepts/policyadvancedfeatures.htm
"""

import re
from dataclasses import dataclass

VERBS = ("inspect", "read", "use", "manage")

# The resource types in deploy/terraform. A mistyped resource type would be found only when a call is rejected.
RESOURCES = {"objects", "secret-bundles", "repos", "functions-family", "stream-push", "stream-pull"}

# The variables in conditions: general variables, and those of the resource types above.
VARIABLES = {
    "request.principal.type", "request.resource.compartment.id",
    "target.bucket.name", "target.secret.id", "target.streampool.id",
    "resource.type", "resource.compartment.id", "tag.oci-dataflow.application-id.value",
}

TOKEN = re.compile(r"\s*(?:(?P<brace>[{},])|(?P<text>'[^']*')|(?P<operator>!?=)|(?P<word>[\w.-]+))")


class Malformed(ValueError):
    """The error in a statement or a rule."""


@dataclass
class Statement:
    """Allow `subject` to `verb` `resource` in `place` where `condition`."""

    subject: str
    verb: str
    resource: str
    place: str
    condition: list[dict[str, str]] | None


STATEMENT = re.compile(
    r"Allow (?P<subject>any-user|service \w+|(?:dynamic-group|group)(?: id)? \S+) to (?P<verb>\w+) (?P<resource>[\w-]+)"
    r" in (?P<place>tenancy|compartment id \S+)(?: where (?P<condition>.+))?",
)


def parse_statement(text: str) -> Statement:
    """Parses one statement."""
    match = STATEMENT.fullmatch(text)
    if not match:
        raise Malformed(f"not a policy statement: {text}")
    if match["verb"] not in VERBS:
        raise Malformed(f"{match['verb']!r} is not a verb: {text}")
    if match["resource"] not in RESOURCES:
        raise Malformed(f"{match['resource']!r} is an unknown resource type: {text}")
    if match["subject"] == "any-user" and "request.principal" not in (match["condition"] or ""):
        raise Malformed(f"any-user without a principal: {text}")
    condition = parse_rule(match["condition"]) if match["condition"] else None
    return Statement(match["subject"], match["verb"], match["resource"], match["place"], condition)


def parse_rule(text: str) -> list[dict[str, str]]:
    """Parses a condition or matching rule into branches. One branch must match; a branch matches if all its comparisons do."""
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = TOKEN.match(text, position)
        if not match:
            raise Malformed(f"unexpected {text[position:position + 20]!r} in {text}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    branches, rest = _rule(tokens, text)
    if rest:
        raise Malformed(f"text after the end: {rest[0][1]!r} in {text}")
    return branches


def _rule(tokens, text):
    if not tokens:
        raise Malformed(f"unexpected end: {text}")
    kind, word = tokens[0]
    if kind == "word" and word.lower() in ("any", "all"):
        if len(tokens) < 2 or tokens[1][1] != "{":
            raise Malformed(f"{word} without braces: {text}")
        parts, rest = [], tokens[2:]
        while True:
            part, rest = _rule(rest, text)
            parts.append(part)
            if not rest or rest[0][1] not in (",", "}"):
                raise Malformed(f"braces are not closed: {text}")
            closing, rest = rest[0][1], rest[1:]
            if closing == "}":
                break
        if word.lower() == "any":
            return [branch for part in parts for branch in part], rest
        branches = [{}]
        for part in parts:
            branches = [{**one, **other} for one in branches for other in part]
        return branches, rest
    if len(tokens) < 3 or [token[0] for token in tokens[:3]] != ["word", "operator", "text"]:
        raise Malformed(f"expected a comparison at {word!r}: {text}")
    if word not in VARIABLES:
        raise Malformed(f"{word!r} is an unknown variable: {text}")
    return [{word: tokens[2][1].strip("'")}], tokens[3:]
