//! `forward check --offline` as a process.

use std::io::Write;

use super::*;

fn check(members: &str) -> (Option<i32>, Value) {
    // A listener that is never accepted from: a connection to it would make the check slow, and fail.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut routes = tempfile::NamedTempFile::new().unwrap();
    write!(
        routes,
        "version: 1\nroutes: [{{name: A, url: 'http://{address}', {members}}}]"
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", &address)
        .env("SCHEMA_REGISTRY_URL", format!("http://{address}"))
        .env("ROUTES", routes.path())
        .args(["check", "--offline", "--output", "json"])
        .output()
        .unwrap();
    assert!(listener.accept().is_err(), "a connection was opened");
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
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
