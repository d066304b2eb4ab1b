//! A change of a secret during repeated runs.

use std::process::Stdio;
use std::time::Duration;

use testkit::endpoint::{Answer, Endpoint};
use testkit::oci_standin::Fault;

use crate::{Fixture, terminate, text, wait_until, write_datum};

#[tokio::test]
async fn a_repeating_run_uses_a_changed_secret() {
    let mut fixture = Fixture::new().await;
    fixture.oci.set("SECRET_REFRESH_INTERVAL", "100ms");
    let other = Endpoint::always(Answer::ok()).unwrap();
    // A free port: the log is read at the end.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let mut command = fixture.command("run");
    command
        .env("STATUS_LISTEN", page.trim_start_matches("http://"))
        .args(["--every", "100ms", "--output", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let write = || write_datum(&fixture.broker);
    write();
    wait_until(|| fixture.a.count() == 1).await;
    // A vault error and an invalid value leave the settings unchanged.
    fixture.oci.cloud.inject_fault(
        "secretbundles",
        Fault::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        5,
    );
    fixture.oci.cloud.put_secret("api_type_a_url", b"no URL");
    tokio::time::sleep(Duration::from_millis(500)).await;
    write();
    wait_until(|| fixture.a.count() == 2).await;
    fixture
        .oci
        .cloud
        .put_secret("api_type_a_url", format!("{}\n", other.url()).as_bytes());
    wait_until(|| {
        write();
        other.count() > 0
    })
    .await;
    let report = testkit::http::get(&format!("{page}/report")).await.unwrap();
    assert_eq!(report.status(), 200, "the listener stays");
    terminate(&child).await;
    let output = child.wait_with_output().await.unwrap();
    let log = text(&output.stderr);
    // 0 between two windows, 12 within a window.
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 12)), "{code:?}: {log}");
    assert!(
        log.contains("keeping the current ones") && log.contains("refresh failed, last value kept"),
        "{log}"
    );
}
