use std::path::Path;

use testkit::oci_standin::{Fault, Standin};

use super::*;
use crate::common::{AVRO_SCHEMA, AVRO_SCHEMAS};
use crate::samples::{GROUPS, KAFKA_PASSWORD, KAFKA_TOPIC};

/// Settings from a vault with `kafka_password` and `kafka_topic`, and a bucket with a schema.
async fn live(folder: &Path) -> (Standin, LiveSettings) {
    live_with(folder, &[]).await
}

async fn live_with(folder: &Path, more: &[(&'static str, &str)]) -> (Standin, LiveSettings) {
    let cloud = Standin::start().await.unwrap();
    let mut variables = cloud
        .resource_principal(folder, Duration::from_secs(3600))
        .unwrap();
    let secrets = cloud.put_secrets(&[("kafka_password", "first"), ("kafka_topic", "first")]);
    let lines = format!("secret_refresh_interval=20ms\n{secrets}");
    cloud.put_object("config", "config.properties", lines.as_bytes());
    cloud.put_object("config", "user.avsc", b"\"int\"");
    cloud.put_object("schemas", "v/1.avsc", b"one");
    cloud.put_object("schemas", "v/2.avsc", b"two");
    variables.push(("OCI_ENDPOINT", cloud.endpoint()));
    variables.push(("OCI_TIMEOUT", "300ms".to_owned()));
    variables.push((
        "CONFIG_LOCATION",
        "oci://config/config.properties".to_owned(),
    ));
    variables.push(("AVRO_SCHEMA", "oci://config/user.avsc".to_owned()));
    let more = more.iter();
    variables.extend(more.map(|(name, value)| (*name, (*value).to_owned())));
    let lookup = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some(value.clone())
    };
    let live = LiveSettings::gather(&GROUPS, &[], lookup).await.unwrap();
    (cloud, live)
}

fn token(live: &LiveSettings) -> String {
    live.current()
        .secret(&KAFKA_PASSWORD)
        .unwrap()
        .reveal()
        .to_owned()
}

#[tokio::test]
async fn reports_a_rotated_secret_and_a_new_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, live) = live(folder.path()).await;
    let mut changes = live.changes();
    assert!(
        !live.refresh_now(Instant::now()).await,
        "nothing has changed"
    );
    assert!(!changes.has_changed().unwrap());
    cloud.put_secret("kafka_password", b"second\n");
    cloud.put_object("config", "user.avsc", b"\"long\"");
    cloud.clear_requests();
    assert!(live.refresh_now(Instant::now()).await);
    assert!(changes.has_changed().unwrap());
    assert_eq!(token(&live), "second");
    let now = changes.borrow_and_update();
    assert_eq!(now.document(&AVRO_SCHEMA), Some("\"long\""));
    let mut statuses: Vec<u16> = cloud.requests().iter().map(|seen| seen.status).collect();
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [200, 200, 200, 304],
        "the settings file has not changed"
    );
}

#[tokio::test]
async fn reads_only_the_changed_objects_of_a_list_again() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, live) = live_with(folder.path(), &[("AVRO_SCHEMAS", "oci://schemas/v/")]).await;
    let texts = || {
        let current = live.current();
        let documents = current.documents(&AVRO_SCHEMAS).iter();
        documents.map(|one| one.text.clone()).collect::<Vec<_>>()
    };
    let requests = || {
        let requests = cloud.requests().into_iter();
        let mut targets: Vec<_> = requests
            .filter(|one| one.target.contains("/b/schemas/"))
            .map(|one| {
                (
                    one.target.split(['?', '/']).next_back().unwrap().to_owned(),
                    one.status,
                )
            })
            .collect();
        targets.sort_unstable();
        cloud.clear_requests();
        targets
    };
    let list = |status| {
        (
            "prefix=v%2F&fields=name%2Cetag&limit=1000".to_owned(),
            status,
        )
    };
    let object = |name: &str| (format!("v%2F{name}.avsc"), 200);
    assert_eq!(texts(), ["one", "two"]);
    assert_eq!(requests(), [list(200), object("1"), object("2")]);
    assert!(
        !live.refresh_now(Instant::now()).await,
        "nothing has changed"
    );
    assert_eq!(requests(), [list(200)]);
    cloud.put_object("schemas", "v/2.avsc", b"TWO");
    cloud.put_object("schemas", "v/3.avsc", b"three");
    cloud.delete_object("schemas", "v/1.avsc");
    assert!(live.refresh_now(Instant::now()).await);
    assert_eq!(texts(), ["TWO", "three"]);
    assert_eq!(requests(), [list(200), object("2"), object("3")]);
    let failing = Fault::Error(403, "NotAllowed".to_owned());
    cloud.inject_fault("?prefix=", failing, 1);
    assert!(
        !live.refresh_now(Instant::now()).await,
        "the last list is kept"
    );
    assert_eq!(requests(), [list(403)]);
    for name in ["v/2.avsc", "v/3.avsc"] {
        cloud.delete_object("schemas", name);
    }
    assert!(
        !live.refresh_now(Instant::now()).await,
        "an empty prefix is an error"
    );
    assert_eq!(texts(), ["TWO", "three"]);
}

#[tokio::test]
async fn reads_a_local_settings_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.properties");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("kafka_password=first\nkafka_topic=one\n");
    let place = file.to_str().unwrap().to_owned();
    let lookup = |name: &str| (name == "CONFIG_LOCATION").then(|| place.clone());
    let live = LiveSettings::gather(&GROUPS, &[], lookup).await.unwrap();
    write("kafka_password=second\nkafka_topic=one\n");
    assert!(live.refresh_now(Instant::now()).await);
    assert_eq!(token(&live), "second");
    write("no settings");
    assert!(
        !live.refresh_now(Instant::now()).await,
        "a broken file changes nothing"
    );
    assert_eq!(token(&live), "second");
}

#[tokio::test]
async fn keeps_the_last_value_when_a_read_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, live) = live(folder.path()).await;
    cloud.put_secret("kafka_password", b"second");
    cloud.put_secret("kafka_topic", b"second");
    cloud.inject_fault(
        "standin0",
        Fault::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        1,
    );
    cloud.inject_fault("config.properties", Fault::Hang, 1);
    assert!(live.refresh_now(Instant::now()).await);
    assert_eq!(token(&live), "first");
    assert_eq!(live.current().required(&KAFKA_TOPIC).unwrap(), "second");
    cloud.put_object("config", "config.properties", b"no settings");
    assert!(
        !live.refresh_now(Instant::now()).await,
        "a broken settings file changes nothing"
    );
    assert_eq!(token(&live), "first");
    cloud.expire_secret("kafka_password");
    assert!(!live.refresh_now(Instant::now()).await);
    assert_eq!(token(&live), "first");
}

#[tokio::test]
async fn refresh_reads_once_in_the_minimum_interval() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, live) = live(folder.path()).await;
    cloud.clear_requests();
    let start = *live.last_read();
    for _ in 0..1000 {
        live.refresh(start + MIN_INTERVAL - Duration::from_millis(1))
            .await;
    }
    assert!(
        cloud.requests().is_empty(),
        "the last read was within the interval"
    );
    for _ in 0..1000 {
        live.refresh(start + MIN_INTERVAL).await;
    }
    let parts = "the settings file, the schema and two secrets, once each";
    assert_eq!(cloud.requests().len(), 4, "{parts}");
}
