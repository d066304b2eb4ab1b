"""Validates the manifests against the API's schemas, the restricted pod security standard and the settings."""

import re

import custom_resources
import jsonschema
import kubernetes_validate
import pytest
import yaml
from manifests import COMPONENTS, build, config_map, containers, forward, pods, share_worked
from settings import catalog, seconds, secrets, unknown_flags, unknown_variables
from tools import DEPLOY

# The oldest and the newest supported version (deploy/kubernetes/README.md).
VERSIONS = ["1.31", "1.37"]

#: Each overlay with each of its components.
BUILDS = [(overlay, component) for overlay, components in COMPONENTS.items() for component in components]

MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}

PROGRAMS = {"fn-recep-avro", "api-avro-sample", "forward"}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return {each: build(*each, tmp_path_factory.mktemp("kubernetes")) for each in BUILDS}


def each(*names):
    builds = [(overlay, component) for overlay, component in BUILDS if not names or component in names]
    return pytest.mark.parametrize(("overlay", "component"), builds)


@pytest.mark.parametrize("version", VERSIONS)
@each()
def test_matches_the_schema_of_the_api(built, overlay, component, version):
    for manifest in built[overlay, component]:
        if custom_resources.is_custom(manifest):
            custom_resources.validate(manifest, version)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "startingDeadlineSeconds"), "2m"),
        (("spec", "jobTemplate", "spec", "activeDeadline"), 3600),
        (("spec", "schedule"), None),
        (("spec", "jobTemplate", "spec", "template", "spec", "containers"), [{"image": "forward"}]),
    ],
)
def test_rejects_an_invalid_manifest(built, path, value):
    manifest = yaml.safe_load(yaml.safe_dump(forward(built["oci", ""])[0]))
    inner = manifest
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "pollingInterval"), "30s"),
        (("spec", "maxReplicas"), 1),
        (("spec", "triggers", 0, "metadata", "lagThreshold"), 1),
        (("spec", "jobTargetRef", "template", "spec", "containers", 0, "imagePullPolice"), "Always"),
        (("spec", "jobTargetRef", "backoffLimit"), "two"),
    ],
)
def test_rejects_an_invalid_custom_resource(built, path, value):
    manifest = yaml.safe_load(yaml.safe_dump(forward(built["oci", "keda"])[0]))
    inner = manifest
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        custom_resources.validate(manifest, VERSIONS[-1])


@each()
def test_names_only_settings_that_exist(built, overlay, component):
    variables = set()
    for manifest in built[overlay, component]:
        if manifest["kind"] == "ConfigMap" and not manifest["metadata"]["name"].startswith("forward-spark"):
            variables |= set(manifest["data"])
    for _, container in containers(built[overlay, component]):
        if container["name"] in PROGRAMS:
            variables |= {entry["name"] for entry in container.get("env", []) if "fieldRef" not in entry.get("valueFrom", {})}
            assert unknown_flags(container.get("args", [])) == []
    assert {"LISTEN", "KAFKA_BOOTSTRAP_SERVERS"} <= variables
    assert unknown_variables(variables) == []


@each()
def test_keeps_secrets_out_of_config_maps_and_arguments(built, overlay, component):
    hidden = {name.upper() for name in secrets()}
    assert "KAFKA_PASSWORD" in hidden
    for manifest in built[overlay, component]:
        assert manifest["kind"] != "Secret", "a Secret's value would be in Git"
        if manifest["kind"] == "ConfigMap":
            assert not hidden & set(manifest["data"])
    for _, container in containers(built[overlay, component]):
        assert not hidden & {entry["name"] for entry in container.get("env", []) if "value" in entry}
        assert not [word for word in container.get("args", []) if word.lstrip("-").replace("-", "_") in secrets()]


@each()
def test_complies_with_the_restricted_pod_standard(built, overlay, component):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    namespace = next(m for m in built[overlay, component] if m["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for manifest, _, template in pods(built[overlay, component]):
        name, pod = manifest["metadata"]["name"], template["spec"]
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] == 1000, name
        assert context["seccompProfile"]["type"] == "RuntimeDefault", name
        has_token = component.startswith("spark") and name == "forward"  # the driver starts its executors
        assert pod["automountServiceAccountToken"] is has_token, f"{name} and a token for the Kubernetes API"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}, name
            assert own.get("readOnlyRootFilesystem") or container["name"] not in PROGRAMS, f"{name} has a writable root file system"


@each()
def test_every_container_has_limits_a_pinned_image_and_probes(built, overlay, component):
    for manifest, container in containers(built[overlay, component]):
        name = f"{manifest['metadata']['name']}/{container['name']}"
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]) and container["resources"]["limits"]["memory"], name
        assert re.fullmatch(r".+:(?!latest$)[\w.-]+", container["image"]), f"{name}: {container['image']} is not pinned"
        assert container["name"] not in PROGRAMS or "/" in container["image"], f"{name}: the overlay sets no registry"
        if container.get("ports"):
            probes = {"startupProbe", "readinessProbe", "livenessProbe"}
            assert probes <= set(container), f"{name} has a port but no probes"
            named = {port["name"] for port in container["ports"]}
            for probe in probes:
                kind = container[probe].get("httpGet") or container[probe]["tcpSocket"]
                assert kind["port"] in named, f"{name}: {probe} uses an unknown port"


@each("", "indexed", "pushgateway", "spark")
def test_a_run_ends_before_kubernetes_stops_the_pod(built, overlay, component):
    manifest, job, pod, container = forward(built[overlay, component])
    assert manifest["kind"] == "CronJob" and manifest["spec"]["concurrencyPolicy"] == "Forbid"
    assert manifest["spec"]["startingDeadlineSeconds"] >= 10, "shorter than the controller's interval: it would skip runs"
    arguments = dict(zip(container["args"][1::2], container["args"][2::2]))
    deadline, shutdown = seconds(arguments["--deadline"]), seconds(arguments["--shutdown-timeout"])
    assert 2 * (deadline + shutdown) < job["activeDeadlineSeconds"], "too short for a second pod that continues the run"
    assert shutdown < pod["terminationGracePeriodSeconds"]
    assert pod["restartPolicy"] == "Never", "required by the failure policy"


@each("", "indexed", "keda", "spark")
def test_a_backlog_is_worked_off_most_of_the_time(built, overlay, component):
    _, job, _, container = forward(built[overlay, component])
    deadline = seconds(dict(zip(container["args"][1::2], container["args"][2::2]))["--deadline"])
    assert share_worked(240, 3600) < 0.6, "the back-off between pods does not count"
    assert share_worked(deadline, job["activeDeadlineSeconds"]) >= 0.9


@each("", "indexed")
def test_the_alert_of_a_missing_run_is_not_raised_by_a_long_one(built, overlay, component):
    manifest, _, _, container = forward(built[overlay, component])
    minutes = int(re.fullmatch(r"\*/(\d+) \* \* \* \*", manifest["spec"]["schedule"])[1])
    deadline = seconds(dict(zip(container["args"][1::2], container["args"][2::2]))["--deadline"])
    alert = re.search(r"last_run_timestamp_seconds\) > (\d+) \* 60", (DEPLOY / "monitoring/alerts.yaml").read_text())
    assert minutes * 60 + deadline < int(alert[1]) * 60


@each("", "indexed", "keda", "spark")
def test_the_failure_policy_covers_every_exit_code(built, overlay, component):
    rules = forward(built[overlay, component])[1]["podFailurePolicy"]["rules"]
    codes = {rule["action"]: set(rule["onExitCodes"]["values"]) for rule in rules if "onExitCodes" in rule}
    assert codes["FailJob"] == {64, 65, 76, 78}, "exit codes for which a retry cannot help"
    assert codes["Ignore"] == {10, 11, 12, 20}, "exit codes that are not failures"


@each("indexed")
def test_indexed_pods_share_the_partitions(built, overlay, component):
    _, job, _, container = forward(built[overlay, component])
    assert job["completionMode"] == "Indexed" and job["completions"] == job["parallelism"] == 4
    assert container["args"][-2:] == ["--concurrent-runs", "share"]
    assert "backoffLimit" not in job and job["backoffLimitPerIndex"] == 2


def spark_files(manifests):
    """The properties of the Spark application, and its executors' pod template."""
    files = config_map(manifests, "forward-spark")
    lines = [line.split() for line in files["spark.properties"].splitlines() if line and not line.startswith("#")]
    return dict(lines), yaml.safe_load(files["executor.yaml"])


@each("spark", "spark+pushgateway")
def test_component_spark_makes_the_job_the_driver_of_an_application(built, overlay, component):
    manifests = built[overlay, component]
    _, _, pod, container = forward(manifests)
    properties, _ = spark_files(manifests)
    without = forward(built[overlay, component.removeprefix("spark").removeprefix("+")])[3]
    assert container["args"] == without["args"] and container["envFrom"] == without["envFrom"], "not the arguments and settings of the job"
    assert container["command"][0].endswith("/spark-submit") and container["command"][-1] == "/opt/frontdoor/app.py"
    assert properties["spark.submit.deployMode"] == "client", "the pod would not end with the exit code of the application"
    assert properties["spark.kubernetes.container.image"] == container["image"], "driver and executors have different images"
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (volume,) = [volume for volume in pod["volumes"] if volume.get("configMap", {}).get("name", "").startswith("forward-spark")]
    assert f"--properties-file={mounted[volume['name']]}/spark.properties" in container["command"]
    assert properties["spark.kubernetes.executor.podTemplateFile"] == f"{mounted[volume['name']]}/executor.yaml"
    assert properties["spark.authenticate"] == properties["spark.network.crypto.enabled"] == "true", "secrets are sent in clear text"


@pytest.mark.parametrize("version", VERSIONS)
@each("spark")
def test_executors_comply_with_the_restricted_pod_standard(built, overlay, component, version):
    _, pod = spark_files(built[overlay, component])
    named = pod | {"metadata": pod["metadata"] | {"name": "executor"}}
    (container,) = pod["spec"]["containers"]
    # Spark sets the image.
    kubernetes_validate.validate(named, version, strict=True)
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True and pod["spec"]["securityContext"]["runAsUser"] == 1000
    assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["spec"]["automountServiceAccountToken"] is False, "executors have a token for the Kubernetes API"
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False and context["capabilities"] == {"drop": ["ALL"]}


@each("spark")
def test_executors_have_the_connections_of_the_job(built, overlay, component):
    manifests = built[overlay, component]
    _, _, template = next(found for found in pods(manifests) if found[0]["metadata"]["name"] == "forward")
    driver, executor = template["metadata"]["labels"], spark_files(manifests)[1]["metadata"]["labels"]
    policies = [m for m in manifests if m["kind"] == "NetworkPolicy"]
    selected = {
        name: {p["metadata"]["name"] for p in policies if p["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()}
        for name, labels in (("driver", driver), ("executor", executor))
    }
    assert selected["driver"] - selected["executor"] == {"spark-driver-allow-api"} and selected["executor"] < selected["driver"]
    assert {"spark-allow-application", "job-allow-endpoints"} <= selected["executor"]


@each("spark")
def test_the_driver_may_manage_pods_but_not_secrets(built, overlay, component):
    manifests = built[overlay, component]
    (role,) = [m for m in manifests if m["kind"] == "Role"]
    (binding,) = [m for m in manifests if m["kind"] == "RoleBinding"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (forward(manifests)[2]["serviceAccountName"], "frontdoor")
    assert {name for rule in role["rules"] for name in rule["resources"]} == {"pods", "configmaps"}
    assert not any("*" in rule["verbs"] for rule in role["rules"])


@each("every", "every+monitor-every")
def test_component_every_replaces_the_cron_job_with_one_pod(built, overlay, component):
    manifest, deployment, pod, container = forward(built[overlay, component])
    assert [m["spec"]["suspend"] for m in built[overlay, component] if m["kind"] == "CronJob"] == [True]
    assert manifest["kind"] == "Deployment" and deployment["replicas"] == 1
    assert deployment["strategy"]["type"] == "Recreate", "two pods would wait for each other"
    arguments = dict(zip(container["args"][1::2], container["args"][2::2]))
    assert "--every" in arguments and seconds(arguments["--shutdown-timeout"]) < pod["terminationGracePeriodSeconds"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/health", "readiness": "/ready", "liveness": "/health"}
    listen = next(entry["value"] for entry in container["env"] if entry["name"] == "STATUS_LISTEN")
    assert listen == f"0.0.0.0:{container['ports'][0]['containerPort']}"


@each("keda", "keda+keda-sasl")
def test_component_keda_starts_the_job_of_the_cron_job(built, overlay, component):
    manifest, job, _, _ = forward(built[overlay, component])
    assert manifest["kind"] == "ScaledJob" and job == forward(built[overlay, ""])[1]
    assert [m["spec"]["suspend"] for m in built[overlay, component] if m["kind"] == "CronJob"] == [True]
    assert manifest["spec"]["maxReplicaCount"] == 1, "a second run would exit with 20"


@each("keda", "keda+keda-sasl")
def test_the_lag_that_keda_reads_includes_the_first_window(built, overlay, component):
    """https://keda.sh/docs/latest/scalers/apache-kafka/#new-consumers-and-offset-reset-policy"""
    manifest, _, _, container = forward(built[overlay, component])
    kafka, cron = manifest["spec"]["triggers"]
    trigger = kafka["metadata"]
    assert trigger["offsetResetPolicy"] == "earliest" and trigger["scaleToZeroOnInvalidOffset"] == "false"
    assert trigger["lagThreshold"] == "1" and trigger["activationLagThreshold"] == "0"
    assert trigger["excludePersistentLag"] == "false", "deferred records would not be tried again"
    assert cron["type"] == "cron", "without it no run starts while KEDA cannot read the lag"
    (source,) = [source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source]
    (settings,) = [m for m in built[overlay, component] if m["kind"] == "ConfigMap" and m["metadata"]["name"] == source]
    for parameter in ("bootstrapServers", "topic", "consumerGroup"):
        assert settings["data"][trigger[f"{parameter}FromEnv"]], f"{parameter} is not a setting of the job"


@each("keda+keda-sasl")
def test_keda_has_the_credentials_of_the_job(built, overlay, component):
    manifest, _, _, container = forward(built[overlay, component])
    (authentication,) = [m for m in built[overlay, component] if m["kind"] == "TriggerAuthentication"]
    assert manifest["spec"]["triggers"][0]["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    (secret,) = [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]
    targets = authentication["spec"]["secretTargetRef"]
    assert {target["key"]: target["parameter"] for target in targets} == {"KAFKA_USERNAME": "username", "KAFKA_PASSWORD": "password"}
    assert {target["name"] for target in targets} == {secret}


@each("monitor-function", "every+monitor-every")
def test_prometheus_reaches_what_it_scrapes_and_has_its_token(built, overlay, component):
    manifests = built[overlay, component]
    (monitor,) = [m for m in manifests if m["kind"] in ("ServiceMonitor", "PodMonitor")]
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    if monitor["kind"] == "ServiceMonitor":
        (service,) = [m for m in manifests if m["kind"] == "Service" and wanted <= m["metadata"]["labels"].items()]
        (port,) = [port["targetPort"] for port in service["spec"]["ports"] if port["name"] == endpoint["port"]]
        wanted = service["spec"]["selector"].items()
    else:
        port = endpoint["port"]
    running = [template for manifest, _, template in pods(manifests) if not manifest["spec"].get("suspend")]
    (pod,) = [template for template in running if wanted <= template["metadata"]["labels"].items()]
    (container,) = pod["spec"]["containers"]
    assert port in {each["name"] for each in container["ports"]} and endpoint["path"] == "/metrics"
    token = endpoint["authorization"]["credentials"]
    variables = {entry["name"]: entry.get("valueFrom", {}).get("secretKeyRef") for entry in container["env"]}
    assert variables[token["key"]].items() >= token.items(), "the program and Prometheus have different tokens"
    job = pod["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    assert job == monitor["metadata"]["labels"][monitor["spec"]["jobLabel"]] == container["name"]
    admitted = [
        rule
        for policy in manifests
        if policy["kind"] == "NetworkPolicy" and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod["metadata"]["labels"].items()
        for rule in policy["spec"].get("ingress", [])
        if {"port": port, "protocol": "TCP"} in rule["ports"] and rule.get("from", [MONITORING]) == [MONITORING]
    ]
    assert admitted, f"no policy admits Prometheus to the port {port}"


@each("pushgateway")
def test_the_job_reaches_the_pushgateway(built, overlay, component):
    manifests = built[overlay, component]
    settings = config_map(manifests, "frontdoor-settings")
    found = re.fullmatch(r"http://([\w-]+)\.(\w+):(\d+)", settings["METRICS_PUSHGATEWAY"])
    (policy,) = [m for m in manifests if m["metadata"]["name"] == "job-allow-pushgateway"]
    (rule,) = policy["spec"]["egress"]
    (peer,), (port,) = rule["to"], rule["ports"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": found[1]}
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": found[2]} and port["port"] == int(found[3])


@each()
def test_on_oracle_cloud_the_job_requires_its_credentials(built, overlay, component):
    container = forward(built[overlay, component])[3]
    reference = next(source["secretRef"] for source in container["envFrom"] if "secretRef" in source)
    assert reference == {"name": "frontdoor-kafka", "optional": overlay != "oci"}


@each()
def test_urls_and_selectors_refer_to_existing_objects(built, overlay, component):
    manifests = built[overlay, component]
    names = {m["metadata"]["name"] for m in manifests if m["kind"] == "Service"}
    settings = config_map(manifests, "frontdoor-settings")
    for setting in ("API_TYPE_A_URL", "API_TYPE_B_URL"):
        host = re.fullmatch(r"http://([\w-]+):8080/", settings[setting])[1]
        assert host in names, f"{setting} contains {host}, which is not a Service"
    labelled = [template["metadata"]["labels"].items() for _, _, template in pods(manifests)]
    for policy in (m for m in manifests if m["kind"] == "NetworkPolicy"):
        wanted = policy["spec"]["podSelector"].get("matchLabels", {}).items()
        assert any(wanted <= labels for labels in labelled), f"{policy['metadata']['name']} selects no pod"
    for service in (m for m in manifests if m["kind"] == "Service"):
        assert any(service["spec"]["selector"].items() <= labels for labels in labelled), service["metadata"]["name"]


def test_the_broker_has_the_version_of_the_tests(built):
    tested = re.search(r"<kafka.version>([\d.]+)</kafka.version>", (DEPLOY / "kafka/pom.xml").read_text())[1]
    images = {container["image"] for _, container in containers(built["in-cluster-kafka", ""]) if "kafka" in container["image"]}
    assert images == {f"apache/kafka:{tested}"}


def test_the_log_of_the_broker_is_in_a_subfolder_of_its_volume(built):
    """The root of an ext4 volume contains lost+found. Kafka does not start if its log folder contains such a folder."""
    template = next(template for m, _, template in pods(built["in-cluster-kafka", ""]) if m["metadata"]["name"] == "kafka")
    (container,) = template["spec"]["containers"]
    logs = next(entry["value"] for entry in container["env"] if entry["name"] == "KAFKA_LOG_DIRS")
    (mount,) = [mount for mount in container["volumeMounts"] if logs.startswith(mount["mountPath"])]
    assert mount.get("subPath") or logs != mount["mountPath"], "the log folder is the root of the volume"
    assert template["spec"]["securityContext"]["fsGroup"] == template["spec"]["securityContext"]["runAsGroup"], "the broker cannot write to the volume"


@each("")
def test_ports_of_policies_name_their_protocol(built, overlay, component):
    """The server would add it, and `kubectl apply` then always finds a difference."""
    policies = [m["spec"] for m in built[overlay, component] if m["kind"] == "NetworkPolicy"]
    ports = [port for spec in policies for rule in spec.get("ingress", []) + spec.get("egress", []) for port in rule["ports"]]
    assert ports and all(port.get("protocol") for port in ports)


@each("")
def test_the_function_and_the_job_may_connect_to_kafka(built, overlay, component):
    manifests = built[overlay, component]
    port = int(config_map(manifests, "frontdoor-settings")["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    named = {each["name"]: each["containerPort"] for _, c in containers(manifests) for each in c.get("ports", [])}
    for _, container in containers(manifests):
        if container["name"] in ("fn-recep-avro", "forward"):
            admitted = [
                rule
                for policy in manifests
                if policy["kind"] == "NetworkPolicy" and selects(policy["spec"]["podSelector"], container["name"])
                for rule in policy["spec"].get("egress", [])
                if port in [named.get(each["port"], each["port"]) for each in rule["ports"]]
            ]
            assert admitted, f"no policy admits {container['name']} to the port {port} of Kafka"


def selects(selector, name) -> bool:
    """Whether a selector names the pods of an application."""
    expressions = selector.get("matchExpressions", [])
    if not expressions:
        return selector.get("matchLabels", {}).get("app.kubernetes.io/name") == name
    return all(e["key"] == "app.kubernetes.io/name" and e["operator"] == "In" and name in e["values"] for e in expressions)


def test_the_function_takes_connections_until_the_service_has_no_more_for_it(built):
    (pod,) = [t["spec"] for m, _, t in pods(built["in-cluster-kafka", ""]) if m["metadata"]["name"] == "fn-recep-avro"]
    (container,) = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 5 <= pause <= pod["terminationGracePeriodSeconds"] - 20
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready", "/health does not tell whether a broker answers"


def test_the_job_of_the_topics_does_not_outlast_its_end_for_long(built):
    (job,) = [m for m in built["in-cluster-kafka", ""] if m["kind"] == "Job"]
    assert job["spec"]["ttlSecondsAfterFinished"] <= 300, "its template is immutable"


def test_the_created_topics_are_the_configured_topics(built):
    created = next(c for _, c in containers(built["in-cluster-kafka", ""]) if c["name"] == "topics")["args"][0]
    topic = next(m["data"] for m in built["in-cluster-kafka", ""] if m["kind"] == "ConfigMap")["KAFKA_TOPIC"]
    assert topic == catalog()["kafka_topic"] and f"{topic}:" in created and f"{topic}-dead-letter:" in created
