"""Checks rules and dashboard with promtool, their metrics against the documented ones, and the links to the runbook."""

import re
import shutil

import custom_resources
import jsonschema
import pytest
import yaml
from monitoring import MONITORING, OPERATIONS, dashboard, documented, names, panels, promtool, queries, rules, series, undocumented
from tools import run

# The exit codes without an alert of their own: completed, more work, and dead letters, which have an alert by their number.
WITHOUT_ALERT = {0, 10, 12}


def expressions() -> list[tuple[str, str]]:
    return [(rule["alert"], rule["expr"]) for rule in rules()] + queries()


def test_promtool_accepts_rules_and_configuration(tmp_path):
    place = tmp_path / "monitoring"
    shutil.copytree(MONITORING, place)
    for credentials in ("metrics-token", "status-token"):
        (place / credentials).write_text("token")
    promtool("check", "rules", "--lint=all", "--lint-fatal", place / "alerts.yaml")
    promtool("check", "config", place / "prometheus.yaml")


def test_the_rules_pass_their_tests():
    promtool("test", "rules", MONITORING / "alerts.test.yaml")


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("exit_code == 76", "exit_code == 77"),
        ("balanced) == 0", "balanced) == 1"),
        ("> 0.05", "> 0.5"),
        ("> 18 * 3600", "> 24 * 3600"),
        ("offset 1h)", "offset 31m)"),
        ("offset 6h)", "offset 1h)"),
        ("[1h]", "[5m]"),
        ('job=~"fn-recep-avro|', 'job=~"shop|'),
    ],
)
def test_the_tests_of_the_rules_find_a_changed_rule(tmp_path, rule, changed):
    original = (MONITORING / "alerts.yaml").read_text()
    assert rule in original
    (tmp_path / "alerts.yaml").write_text(original.replace(rule, changed))
    shutil.copy(MONITORING / "alerts.test.yaml", tmp_path)
    assert promtool("test", "rules", tmp_path / "alerts.test.yaml", check=False).returncode != 0


def test_every_alert_is_seen_to_fire():
    text = (MONITORING / "alerts.test.yaml").read_text()
    fired = set(re.findall(r'alertname="(\w+)"', text))
    for test in yaml.safe_load(text)["tests"]:
        fired |= {case["alertname"] for case in test.get("alert_rule_test", []) if case.get("exp_alerts")}
    assert {rule["alert"] for rule in rules()} - fired == set()


def test_every_exit_code_has_an_alert():
    table = OPERATIONS.read_text().split("## Exit codes")[1].split("\n## ")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \| `", table, re.MULTILINE)}
    assert len(documented) >= 18
    alerted = set()
    for rule in rules():
        alerted |= {int(code) for code in re.findall(r"last_run_exit_code == (\d+)", rule["expr"])}
        for low, high in re.findall(r"exit_code >= (\d+) and \w+exit_code <= (\d+)", rule["expr"]):
            alerted |= set(range(int(low), int(high) + 1))
    assert documented - alerted == WITHOUT_ALERT
    assert alerted - documented == set()


def test_the_dashboard_names_every_exit_code():
    table = OPERATIONS.read_text().split("## Exit codes")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| (\d+) \| `(\w+)`", table, re.MULTILINE))
    (panel,) = [panel for panel in panels() if panel["title"] == "Exit code"]
    shown = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert {code: value["text"] for code, value in shown.items()} == {code: f"{code} {name}" for code, name in documented.items()}


def test_every_alert_links_to_a_section_of_the_runbook():
    headings = re.findall(r"^#+ (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    # https://github.com/gjtorikian/html-pipeline: lower case, without punctuation, spaces as hyphens.
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = [rule["annotations"]["runbook_url"] for rule in rules()]
    assert len(links) == len(set(links)), "two alerts link to one section"
    for rule, link in zip(rules(), links):
        found = re.fullmatch(r"https://frontdoor\.example/docs/OPERATIONS\.md#(\S+)", link)
        assert found and found[1] in anchors, f"{rule['alert']}: {link}"
        assert rule["labels"]["severity"] in {"warning", "critical"}
    runbook = OPERATIONS.read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", runbook, re.MULTILINE)) == {rule["alert"] for rule in rules()}


def test_metrics_and_labels_are_documented():
    assert {where: undocumented(expression) for where, expression in expressions() if undocumented(expression)} == {}


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("sum(frontdoor_ingest_broker_upp)", {"frontdoor_ingest_broker_upp"}),
        ("rate(http_server_request_durations_seconds_count[5m])", {"http_server_request_durations_seconds"}),
        ('http_server_request_duration_seconds_count{status="202"}', {"status"}),
        ("sum by (reason) (http_server_request_duration_seconds_count)", {"reason"}),
    ],
)
def test_finds_a_misspelled_metric_or_label(expression, unknown):
    assert undocumented(expression) == unknown


def test_every_metric_of_the_programs_is_in_the_dashboard():
    shown = {series(name) for _, expression in queries() for name in names(expression)}
    missing = {series(name) for name in documented() if not name.endswith("_info")} - shown
    assert missing == set()


def test_the_expressions_of_the_dashboard_are_promql(tmp_path):
    recorded = [{"record": f"panel:{index}", "expr": expression} for index, (_, expression) in enumerate(queries())]
    generated = tmp_path / "panels.yaml"
    check = ["check", "rules", "--lint=none", generated]
    generated.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    assert f"{len(recorded)} rules found" in promtool(*check).stdout
    recorded[0]["expr"] = recorded[0]["expr"].replace(")", "", 1)
    generated.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    assert promtool(*check, check=False).returncode != 0


def test_the_rules_are_a_valid_resource_of_prometheus_operator():
    """As the README makes it."""
    command = (MONITORING / "README.md").read_text().split("## Kubernetes")[1].split("```sh\n")[1].split("```")[0]
    script = f'kubectl() {{ [ "$3" != apply ] || cat; }}\n{command}'
    manifest = yaml.safe_load(run("bash", "-euc", script, cwd=MONITORING).stdout)
    custom_resources.validate(manifest, "1.37")
    assert manifest["spec"]["groups"] == yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    manifest["spec"]["groups"][0]["rules"][0]["expression"] = "up"
    with pytest.raises(jsonschema.ValidationError):
        custom_resources.validate(manifest, "1.37")


def test_the_dashboard_can_be_imported():
    content = dashboard()
    assert content["uid"] == "frontdoor" and content["schemaVersion"] >= 36 and content["id"] is None
    variables = {variable["name"]: variable for variable in content["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    for name in ("topic", "group"):
        assert variables[name]["allValue"] == ".+", "the metrics of the function, which have no such label, would be shown"
    ids = [panel["id"] for panel in content["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    taken = set()
    for panel in content["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, f"{panel['title']} covers another panel"
        taken |= cells


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('sum by (topic) (rate(a_total{job="x", b!~"c.*"}[5m])) > 4 * 3600', {"a_total"}),
        ("time() - max by (topic) (a_seconds offset 6h) unless on (topic) b", {"a_seconds", "b"}),
        ('histogram_quantile(0.99, sum by (le) (rate(a_bucket{x="y"}[1h])))', {"a_bucket"}),
    ],
)
def test_finds_the_names_of_metrics(expression, expected):
    assert names(expression) == expected
