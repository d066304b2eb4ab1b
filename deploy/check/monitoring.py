"""Reads deploy/monitoring: the rules, the dashboard, the names of metrics in their expressions and those that exist."""

import json
import re

import yaml
from tools import DEPLOY, ROOT, debian, run

MONITORING = DEPLOY / "monitoring"
OPERATIONS = ROOT / "docs/OPERATIONS.md"

#: What Prometheus itself adds.
OF_PROMETHEUS = {"up", "ALERTS"}

#: Labels of every metric: what Prometheus adds to a target, what makes a histogram, and those of the job.
OF_EVERY_METRIC = {"job", "instance", "le", "topic", "group"}


def promtool(*arguments, check=True):
    """Runs Prometheus' own checker."""
    return run(debian("prometheus", "usr/bin/promtool"), *arguments, check=check)


def rules() -> list[dict]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict:
    return json.loads((MONITORING / "dashboard.json").read_text())


def panels() -> list[dict]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def plain(expression: str, topic: str = ".+", group: str = ".+") -> str:
    """An expression of the dashboard, with values for Grafana's variables."""
    replaced = expression.replace("$__rate_interval", "5m").replace("$topic", topic).replace("$group", group)
    assert "$" not in replaced, f"unknown variable in {expression}"
    return replaced


def queries() -> list[tuple[str, str]]:
    """The title and the expression of each query of the dashboard."""
    return [(panel["title"], plain(target["expr"])) for panel in panels() for target in panel["targets"]]


def names(expression: str) -> set[str]:
    """The names of the metrics of an expression, without strings, labels, durations and functions."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    words = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*\b(?!\s*\()", bare)
    return set(words) - {"and", "or", "unless", "by", "on", "without", "ignoring", "bool"}


def labels(expression: str) -> set[str]:
    """The names of the labels that an expression selects or groups by."""
    bare = re.sub(r'"[^"]*"', "", expression)
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", " ".join(re.findall(r"\{([^}]*)\}", bare)))
    grouped = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", bare)
    return set(selected) | {label for group in grouped for label in re.findall(r"\w+", group)}


def series(metric: str) -> str:
    """The metric of a series: those of a histogram end in _bucket, _sum and _count."""
    return re.sub(r"_(bucket|sum|count)$", "", metric)


def documented() -> dict[str, set[str]]:
    """The metrics in the tables of docs/OPERATIONS.md, with their labels. A metric of both programs has those of both."""
    sections = re.findall(r"^## Metrics of (?s:.*?)(?=^## )", OPERATIONS.read_text(), re.MULTILINE)
    rows = re.findall(r"^\| (`[^|]*`) \| [a-z]+ \| ?([^|]*)\|", "".join(sections), re.MULTILINE)
    found = {}
    for metrics, labels in rows:
        for metric in re.findall(r"`(\w+)`", metrics):
            found.setdefault(metric, set()).update(re.findall(r"`(\w+)`", labels))
    return found


def undocumented(expression: str) -> set[str]:
    """The metrics of an expression that no table has, and the labels that none of its metrics has."""
    known = documented()
    used = {name if name in known else series(name) for name in names(expression)} - OF_PROMETHEUS
    described = OF_EVERY_METRIC.union(*(known[name] for name in used & set(known)))
    return (used - set(known)) | (labels(expression) - described)
