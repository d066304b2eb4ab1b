use super::*;
use crate::common::AVRO_SCHEMA;
use crate::samples::{GROUPS, KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_TOPIC, ROUTES};

async fn gathered(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let lookup = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some((*value).to_owned())
    };
    Settings::gather(&GROUPS, &[(KAFKA_TOPIC.name, String::new())], lookup)
        .await
        .map_err(|error| error.to_string())
}

fn file_with(bytes: &[u8]) -> tempfile::TempPath {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn the_environment_overrides_the_file_which_overrides_the_default() {
    let file = file_with(b"\xEF\xBB\xBFkafka_topic=from-file\nlisten=from-file\n");
    let path = file.to_str().unwrap();
    let settings = gathered(&[("CONFIG_LOCATION", path), ("LISTEN", "from-environment")])
        .await
        .unwrap();
    let listing = settings.listing();
    let of = |name: &str| listing.iter().find(|(known, ..)| *known == name).unwrap();
    assert_eq!(of("kafka_topic").1, "from-file");
    assert_eq!(of("listen").1, "from-environment");
    assert_eq!(of("listen").2, Source::Environment);
    assert_eq!(of("log_level").2, Source::Default);
}

#[tokio::test]
async fn accepts_aliases_and_prefers_the_name() {
    let settings = gathered(&[("KAFKA_BOOTSTRAPSERVER", "old:9092"), ("AUTH_TOKEN", "t")])
        .await
        .unwrap();
    assert_eq!(
        settings.required(&KAFKA_BOOTSTRAP_SERVERS).unwrap(),
        "old:9092"
    );
    assert_eq!(settings.secret(&KAFKA_PASSWORD).unwrap().reveal(), "t");
    let settings = gathered(&[
        ("KAFKA_BOOTSTRAPSERVER", "old:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "new:9092"),
    ])
    .await
    .unwrap();
    assert_eq!(
        settings.required(&KAFKA_BOOTSTRAP_SERVERS).unwrap(),
        "new:9092"
    );
}

#[tokio::test]
async fn reads_documents() {
    let file = file_with(b"\"string\"");
    let settings = gathered(&[("AVRO_SCHEMA", file.to_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(settings.document(&AVRO_SCHEMA), Some("\"string\""));
    assert_eq!(settings.document(&ROUTES), None);
}

#[tokio::test]
async fn reports_an_unreadable_document() {
    let binary = file_with(b"\xFF\xFE");
    let large = file_with(&vec![b' '; (1 << 20) + 1]);
    for (location, error) in [
        ("/nowhere/x.avsc", "No such file or directory (os error 2)"),
        (binary.to_str().unwrap(), "it is not UTF-8 text"),
        (large.to_str().unwrap(), "it is larger than 1048576 bytes"),
    ] {
        assert_eq!(
            gathered(&[("AVRO_SCHEMA", location)]).await.unwrap_err(),
            format!("reading AVRO_SCHEMA from {location}: {error}")
        );
    }
    assert_eq!(
        gathered(&[("CONFIG_LOCATION", "s3://b/o")])
            .await
            .unwrap_err(),
        "CONFIG_LOCATION is \"s3://b/o\", expected a path, or an object as oci://BUCKET/OBJECT or \
         oci://BUCKET@NAMESPACE/OBJECT"
    );
}

#[tokio::test]
async fn reads_the_references_of_a_document() {
    let secret = file_with(b" hunter2\n");
    let secret = secret.to_str().unwrap();
    let text = format!(
        "a: ${{file:{secret}}} ${{env:CARGO_PKG_NAME}} ${{env:NO_SUCH_VARIABLE}}\n# ${{file:/nowhere}}"
    );
    let document = file_with(text.as_bytes());
    let variables = [
        ("ROUTES", document.to_str().unwrap()),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092"),
        ("KAFKA_PASSWORD", "pass"),
    ];
    let settings = gathered(&variables).await.unwrap();
    let expanded = |text: &str| {
        let expanded = settings.expand(text)?;
        let text = expanded.text.reveal().to_owned();
        Ok::<_, String>((text, expanded.has_secret, expanded.has_reference))
    };
    for (text, expected) in [
        ("plain $${x}", ("plain ${x}", false, false)),
        (
            "http://${KAFKA_BOOTSTRAP_SERVERS}/x",
            ("http://broker:9092/x", false, true),
        ),
        ("${env:CARGO_PKG_NAME}", ("settings", false, true)),
        ("${KAFKA_PASSWORD}", ("pass", true, true)),
        (
            &format!("Token ${{file:{secret}}}"),
            ("Token hunter2", true, true),
        ),
    ] {
        let (text_of, has_secret, has_reference) = expected;
        assert_eq!(
            expanded(text).unwrap(),
            (text_of.to_owned(), has_secret, has_reference)
        );
    }
    for (text, error) in [
        (
            "${env:NO_SUCH_VARIABLE}",
            "${env:NO_SUCH_VARIABLE} has no value",
        ),
        ("${file:/nowhere}", "${file:/nowhere} has no value"),
        ("${KAFKA_USERNAME}", "${KAFKA_USERNAME} has no value"),
        (
            "${HOME}",
            "unknown setting HOME in ${HOME}; an environment variable is ${env:HOME}",
        ),
    ] {
        assert_eq!(expanded(text).unwrap_err(), error);
    }
    assert_eq!(runtime::redact::mask("it is hunter2"), "it is [redacted]");
    let document = file_with(b"a: ${file:/nowhere/x}");
    let error = gathered(&[("ROUTES", document.to_str().unwrap())]).await;
    assert_eq!(
        error.unwrap_err(),
        "reading ROUTES from /nowhere/x: No such file or directory (os error 2)"
    );
}

#[test]
fn gathering_is_send() {
    fn is_send(future: impl Future + Send) {
        drop(future);
    }
    is_send(Settings::gather(&GROUPS, &[], |name| {
        std::env::var(name).ok()
    }));
}

async fn offline(variables: &[(&str, &str)]) -> Gathered {
    let lookup = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some((*value).to_owned())
    };
    let gatherer = Gatherer::offline(&GROUPS, &[], lookup);
    let gathered = gatherer.gather().await;
    assert!(gatherer.cloud().signed_in().is_none(), "no sign-in");
    gathered
}

#[tokio::test]
async fn offline_a_secret_that_cannot_be_read_has_no_value() {
    let secret = file_with(b"hunter2");
    let text = format!(
        "a: ${{file:{}}}\nb: ${{file:/nowhere}} ${{vault:ocid1.vaultsecret.oc1..a}} ${{env:FD_NO_SUCH}}",
        secret.display()
    );
    let routes = file_with(text.as_bytes());
    let lines = "kafka_password_vaultOCID=ocid1.vaultsecret.oc1..b\nkafka_topic_vaultOCID=ocid1.vaultsecret.oc1..c";
    let config = file_with(lines.as_bytes());
    let gathered = offline(&[
        ("ROUTES", routes.to_str().unwrap()),
        ("CONFIG_LOCATION", config.to_str().unwrap()),
    ])
    .await;
    let unread: Vec<&str> = gathered
        .parts
        .iter()
        .filter(|part| part.is_unread)
        .map(|part| &*part.location)
        .collect();
    assert_eq!(
        unread,
        [
            "secret ocid1.vaultsecret.oc1..b",
            "secret ocid1.vaultsecret.oc1..c",
            "${file:/nowhere}",
            "${vault:ocid1.vaultsecret.oc1..a}"
        ]
    );
    let settings = gathered.complete().unwrap();
    assert!(settings.is_unread(&KAFKA_PASSWORD) && !settings.is_unread(&ROUTES));
    assert_eq!(
        settings.unknown(&text),
        [
            "${file:/nowhere}",
            "${vault:ocid1.vaultsecret.oc1..a}",
            "${env:FD_NO_SUCH}"
        ]
    );
    // A setting in the vault is not its default.
    for name in ["${KAFKA_PASSWORD}", "${KAFKA_TOPIC}"] {
        assert_eq!(settings.unknown(name), [name]);
        assert!(settings.expand(name).is_err());
    }
    assert!(settings.unknown("${LISTEN} ${NO_SUCH}").is_empty());
    assert!(settings.expand("${NO_SUCH}").is_err());
}

#[tokio::test]
async fn offline_a_document_in_oracle_cloud_is_an_error() {
    for variable in ["ROUTES", "AVRO_SCHEMA", "AVRO_SCHEMAS", "CONFIG_LOCATION"] {
        let error = offline(&[(variable, "oci://bucket@namespace/object")]).await;
        let error = error.complete().err().unwrap().to_string();
        let expected = format!("{variable}: it is in Oracle Cloud, which is not read offline");
        assert_eq!(error, expected);
    }
}
