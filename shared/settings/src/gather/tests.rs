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

#[test]
fn gathering_is_send() {
    fn is_send(future: impl Future + Send) {
        drop(future);
    }
    is_send(Settings::gather(&GROUPS, &[], |name| {
        std::env::var(name).ok()
    }));
}
