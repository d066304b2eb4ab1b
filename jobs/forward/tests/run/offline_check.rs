//! `forward check --offline` as a process.

use std::io::Write;

use super::*;

/// Checks a file with one route A that has these members. A connection would fail the check.
fn check(members: &str) -> (Option<i32>, Value) {
    let text = format!("version: 1\nroutes: [{{name: A, url: 'http://127.0.0.1:1', {members}}}]");
    check_file(&text, &[])
}

fn check_file(routes: &str, environment: &[(&str, &str)]) -> (Option<i32>, Value) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(routes.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    check_with(&[&[("ROUTES", path)], environment].concat())
}

/// Checks these settings. A listener that is never accepted from is the address of everything that has one.
fn check_with(environment: &[(&str, &str)]) -> (Option<i32>, Value) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("SCHEMA_REGISTRY_URL", &address)
        .env("OCI_ENDPOINT", &address)
        .env("OCI_METADATA_BASE_URL", &address)
        .envs(environment.iter().copied())
        .args(["check", "--offline", "--output", "json"])
        .output()
        .unwrap();
    assert!(listener.accept().is_err(), "a connection was opened");
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
}

/// The details of the checks of this name with this result.
fn details<'r>(report: &'r Value, name: &str, result: &str) -> Vec<&'r str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["name"] == name && check["result"] == result)
        .map(|check| check["detail"].as_str().unwrap())
        .collect()
}

fn result_of<'r>(report: &'r Value, name: &str) -> Vec<&'r str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["name"] == name)
        .map(|check| check["result"].as_str().unwrap())
        .collect()
}

#[test]
fn valid_routes_pass_without_a_connection() {
    let (code, report) = check("when: id == 1010, format: json");
    assert_eq!(code, Some(0), "{report}");
    // The document and its content.
    assert_eq!(result_of(&report, "routes"), ["ok", "ok"]);
    for name in ["broker", "endpoint A", "schema registry"] {
        assert!(result_of(&report, name).is_empty(), "{report}");
    }
}

#[test]
fn wrong_routes_fail_with_78() {
    for members in [
        "when: idd == 1010",
        "when: id == 1010, format: xml",
        "when: id == 1010, headers: {Host: a}",
    ] {
        let (code, report) = check(members);
        assert_eq!(code, Some(78), "{report}");
        assert_eq!(report["ok"], false);
    }
}

#[test]
fn a_suspicious_route_is_a_warning() {
    let (code, report) = check("when: 'true'");
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(result_of(&report, "routes"), ["ok", "warning", "ok"]);
}

#[test]
fn all_wrong_routes_are_reported_with_their_places() {
    let text = "version: 1
routes:
- {name: A, when: idd == 1, url: 'http://127.0.0.1:1'}
- {name: B, when: id == 2, url: 'ftp://b', batch: 0}
- {name: C, when: id == 3, url: 'http://c', ulr: x}
- {name: D, when: id == 4, url: 'http://d', limits: {backoff_initial: 1h}}
- {name: E, when: name == 5, url: 'http://e', format: json}
- {name: F, when: 'true', url: 'http://f', format: json}
";
    let (code, report) = check_file(text, &[("DELIVERY_SCHEMA", "writer")]);
    assert_eq!(code, Some(78), "{report}");
    let found = details(&report, "routes", "failed");
    let expected = [
        "line 3, route \"A\": idd == 1: ",
        "line 4, route \"B\": its url has the scheme",
        "line 4, route \"B\": batch is 0",
        "unknown field `ulr`",
        "line 6, route \"D\": backoff_initial",
        "line 7, route \"E\": DELIVERY_SCHEMA is writer",
        "line 7, route \"E\": name == 5: ",
        "line 8, route \"F\": DELIVERY_SCHEMA is writer",
    ];
    assert_eq!(found.len(), expected.len(), "{report:#}");
    for (detail, expected) in found.iter().zip(expected) {
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert!(found[3].ends_with("at line 5, column 45"), "{}", found[3]);
    let warnings = details(&report, "routes", "warning");
    assert_eq!(warnings, ["route \"F\" matches every record"]);
}

#[test]
fn secrets_and_files_of_another_machine_are_warnings() {
    let text = "version: 1
routes:
- {name: A, when: id == 1, url: 'https://a', auth: {bearer: '${file:/nowhere/token}'}}
- {name: B, when: id == 2, url: 'https://b', auth: {basic: {username: u, password: '${vault:ocid1.vaultsecret.oc1..a}'}}}
- {name: C, when: id == 3, url: 'https://c', auth: {bearer: '${env:NOWHERE}'}, sign: {standard_webhooks: ['${KAFKA_PASSWORD}']}}
- {name: D, when: id == 4, url: 'https://d', auth: {oci: {}}, tls: {ca: /nowhere/ca.pem}}
- {name: E, when: id == 5, url: 'https://e', tls: {certificate: '${vault:ocid1.vaultsecret.oc1..b}', key: '${file:/nowhere/key}'}}
";
    let mut config = tempfile::NamedTempFile::new().unwrap();
    let lines = "kafka_username=u\nkafka_password_vaultOCID=ocid1.vaultsecret.oc1..c\n\
                 kafka_bootstrap_servers_vaultOCID=ocid1.vaultsecret.oc1..d\n";
    config.write_all(lines.as_bytes()).unwrap();
    let path = config.path().to_str().unwrap();
    let (code, report) = check_file(text, &[("CONFIG_LOCATION", path)]);
    assert_eq!(code, Some(0), "{report:#}");
    let unread = details(&report, "routes", "warning");
    assert_eq!(unread.len(), 5, "{report:#}");
    for name in ["kafka_password", "kafka_bootstrap_servers"] {
        assert_eq!(details(&report, name, "warning"), ["not read offline"]);
    }
    assert!(report.to_string().contains("5 match the schema"));
}

#[test]
fn a_document_in_oracle_cloud_is_an_error_that_says_so() {
    let reason = "it is in Oracle Cloud, which is not read offline";
    for variable in ["ROUTES", "AVRO_SCHEMA", "AVRO_SCHEMAS", "CONFIG_LOCATION"] {
        let (code, report) = check_with(&[(variable, "oci://bucket/object")]);
        assert_eq!(code, Some(78), "{report:#}");
        let name = variable.to_lowercase();
        assert_eq!(details(&report, &name, "failed")[0], reason, "{report:#}");
    }
}

#[test]
fn other_settings_are_checked_if_they_are_set() {
    let text = "version: 1\nroutes: [{name: A, when: id == 1, url: 'http://a'}]";
    for (variable, value) in [
        ("MAX_IN_FLIGHT", "many"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a b"),
    ] {
        let (code, report) = check_file(text, &[(variable, value)]);
        assert_eq!(code, Some(78), "{report:#}");
        let detail = details(&report, "settings", "failed")[0];
        assert!(detail.starts_with(variable), "{detail}");
    }
}

#[test]
fn a_malformed_address_of_the_status_page_is_an_error() {
    let routes = "version: 1\nroutes: [{name: A, when: id == 1010, url: 'http://127.0.0.1:1'}]";
    let (code, report) = check_file(routes, &[("STATUS_LISTEN", "127.0.0.1:9464")]);
    assert_eq!(code, Some(0), "{report}");
    let (code, report) = check_file(routes, &[("STATUS_LISTEN", "example.org:9464")]);
    assert_eq!(code, Some(78), "{report}");
    let found = details(&report, "settings", "failed");
    assert!(
        found[0].contains("STATUS_LISTEN is \"example.org:9464\", expected an IP address"),
        "{found:?}"
    );
}

#[test]
fn the_variables_of_telemetry_are_checked() {
    let text = "version: 1\nroutes: [{name: A, when: id == 1, url: 'http://a'}]";
    for (value, code, failures) in [("http://collector:4318", 0, 0), ("collector:4318", 78, 1)] {
        let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", value)];
        let (found, report) = check_file(text, &environment);
        assert_eq!(found, Some(code), "{report:#}");
        let details = details(&report, "telemetry", "failed");
        assert_eq!(details.len(), failures, "{report:#}");
        let is_named = |detail: &&str| detail.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is");
        assert!(details.iter().all(is_named), "{details:?}");
    }
}
