//! Reports in Object Storage.

use serde_json::Value;
use testkit::oci_standin::Fault;

use crate::{Fixture, text, write_datum};

const LOCATION: &str = "oci://reports/jobs/last.json";

async fn run(fixture: &Fixture, location: &str) -> (i32, Value, String) {
    let mut command = fixture.command("run");
    command.args(["--output", "json", "--report", location]);
    let output = command.output().await.unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report, text(&output.stderr))
}

/// The exit code of `forward report`, standard output and standard error.
async fn rendered(fixture: &Fixture, location: &str) -> (i32, String, String) {
    let mut command = fixture.command("report");
    command.args([location, "--output", "json"]);
    let output = command.output().await.unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_run_replaces_the_object_and_the_report_is_rendered_from_it() {
    let fixture = Fixture::new().await;
    let cloud = &fixture.oci.cloud;
    cloud.put_object("reports", "jobs/last.json", b"old");
    let (code, _, log) = rendered(&fixture, LOCATION).await;
    assert_eq!(code, 65, "{log}");
    assert!(
        log.contains("oci://reports/jobs/last.json: it is not JSON"),
        "{log}"
    );
    write_datum(&fixture.broker);
    let (code, report, log) = run(&fixture, LOCATION).await;
    assert_eq!(
        (code, &report["totals"]["delivered"]),
        (0, &1.into()),
        "{log}"
    );
    let stored = cloud.object("reports", "jobs/last.json").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), report);
    let (code, json, _) = rendered(&fixture, LOCATION).await;
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), report);
    let (code, _, log) = rendered(&fixture, "oci://reports/none.json").await;
    assert_eq!(code, 1);
    assert!(log.contains("there is no such object"), "{log}");
}

#[tokio::test]
async fn an_object_that_cannot_be_written_is_a_note_and_a_log_line() {
    let fixture = Fixture::new().await;
    fixture.oci.cloud.put_object("reports", "other", b"");
    fixture.oci.cloud.inject_fault(
        "/b/reports/",
        Fault::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        1,
    );
    for location in ["oci://reports/last.json", "oci://no-such-bucket/last.json"] {
        write_datum(&fixture.broker);
        let before = fixture.a.count();
        let (code, report, log) = run(&fixture, location).await;
        assert_eq!(code, 0, "{log}");
        assert_eq!(fixture.a.count(), before + 1);
        assert_eq!(report["partitions"][0]["lag_after"], 0);
        let note = report["notes"][0].as_str().unwrap();
        let expected = format!("the report was not written to {location}: ");
        assert!(
            note.starts_with(&expected) && note.contains("404"),
            "{note}"
        );
        assert!(log.contains("the report was not written"), "{log}");
        assert!(!log.contains("canary"));
    }
    assert!(fixture.oci.cloud.object("reports", "last.json").is_none());
}
