//! Settings in a bucket and a vault, as in the tutorial.

#![allow(clippy::unwrap_used)] // clippy permits it only inside #[test]

use std::collections::BTreeMap;

use settings::common::{AVRO_SCHEMA, AVRO_SCHEMAS, EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};
use settings::{Group, Inspection, Settings};
use testkit::oci_standin::{Environment, Fault};

/// Settings of two programs, as they are declared in the programs.
mod program {
    settings::settings! {
        [KAFKA = "Kafka"]
        KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The brokers.";
        KAFKA_TOPIC = "kafka_topic", "The topic.";
        #[user] KAFKA_USERNAME = "kafka_username", "The SASL user name.";
        #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password.";

        [JOB = "The job"]
        API_TYPE_A_URL = "api_type_a_url", "The endpoint of API type A.";
        API_TYPE_B_URL = "api_type_b_url", "The endpoint of API type B.";
    }
}

use program::{
    API_TYPE_A_URL, JOB, KAFKA, KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_TOPIC,
    KAFKA_USERNAME,
};

static GROUPS: [&Group; 4] = [&EVERY_PROGRAM, &ORACLE_CLOUD, &KAFKA, &JOB];

const SCHEMA: &[u8] = br#"{"type":"record","name":"user","fields":[{"name":"id","type":"int"}]}"#;

/// Bucket, vault and settings file of the tutorial.
async fn tutorial() -> Environment {
    let mut environment = Environment::start().await.unwrap();
    let secrets = [
        (
            "kafka_bootstrap_servers",
            "“cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092”",
        ),
        ("kafka_topic", "“FrontDoorTopic”"),
        (
            "kafka_username",
            "tenancy/user@example.com/ocid1.streampool.oc1..x\n",
        ),
        ("kafka_password", " canary;-{)<token>\r\n"),
        ("api_type_a_url", "http://api-type-a.example/"),
        ("api_type_b_url", "http://api-type-b.example/"),
    ];
    environment.store_settings(&secrets, SCHEMA);
    environment
}

async fn error(environment: &Environment) -> String {
    match Settings::gather(&GROUPS, &[], environment.lookup()).await {
        Ok(settings) => panic!("gathered {settings:?}"),
        Err(error) => error.to_string(),
    }
}

/// The number of requests for each path.
fn requests(environment: &Environment) -> BTreeMap<String, usize> {
    let mut requests = BTreeMap::new();
    for seen in environment.cloud.requests() {
        *requests.entry(seen.target).or_insert(0) += 1;
    }
    requests
}

#[tokio::test]
async fn reads_the_six_lines_of_the_tutorial_with_one_request_each() {
    let environment = tutorial().await;
    let settings = Settings::gather(&GROUPS, &[], environment.lookup())
        .await
        .unwrap();
    assert_eq!(
        settings.required(&KAFKA_BOOTSTRAP_SERVERS).unwrap(),
        "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092"
    );
    assert_eq!(settings.required(&KAFKA_TOPIC).unwrap(), "FrontDoorTopic");
    assert_eq!(
        settings.required(&KAFKA_USERNAME).unwrap(),
        "tenancy/user@example.com/ocid1.streampool.oc1..x"
    );
    assert_eq!(
        settings.secret(&KAFKA_PASSWORD).unwrap().reveal(),
        "canary;-{)<token>"
    );
    assert_eq!(
        settings.required(&API_TYPE_A_URL).unwrap(),
        "http://api-type-a.example/"
    );
    assert_eq!(settings.document(&AVRO_SCHEMA).unwrap().as_bytes(), SCHEMA);
    assert!(
        settings
            .principal()
            .unwrap()
            .starts_with("resource principal, ")
    );
    let shown = format!("{settings:?} {:?}", settings.listing());
    assert!(
        !shown.contains("canary") && !shown.contains("streampool"),
        "contents of a vault are not printed: {shown}"
    );
    let requests = requests(&environment);
    assert_eq!(
        requests.len(),
        9,
        "a namespace, two objects, six secrets: {requests:?}"
    );
    assert!(requests.values().all(|times| *times == 1), "{requests:?}");
}

#[tokio::test]
async fn reads_neither_unused_secrets_nor_overridden_values() {
    let mut environment = tutorial().await;
    environment.set("KAFKA_TOPIC", "mine");
    environment.set(
        "CONFIG_LOCATION",
        "oci://config@standinns/config.properties",
    );
    environment.set(
        "AVRO_SCHEMA",
        "oci://avro-schema-bucket@standinns/user.avsc",
    );
    let groups = [&EVERY_PROGRAM, &ORACLE_CLOUD, &KAFKA];
    let settings = Settings::gather(&groups, &[], environment.lookup())
        .await
        .unwrap();
    assert_eq!(settings.required(&KAFKA_TOPIC).unwrap(), "mine");
    assert_eq!(settings.optional(&API_TYPE_A_URL), None);
    assert_eq!(
        requests(&environment).len(),
        5,
        "two objects, three secrets: {:?}",
        requests(&environment)
    );
}

#[tokio::test]
async fn reads_a_shared_secret_once() {
    let mut environment = tutorial().await;
    let id = environment.cloud.put_secret("shared", b"x");
    let file = environment.path().join("local.properties");
    std::fs::write(
        &file,
        format!("kafka_username_vaultOCID={id}\nauth_token_vaultOCID = \"{id}\"\n"),
    )
    .unwrap();
    environment.set("CONFIG_LOCATION", file.to_str().unwrap());
    environment.variables.remove("AVRO_SCHEMA");
    let settings = Settings::gather(&GROUPS, &[], environment.lookup())
        .await
        .unwrap();
    assert_eq!(settings.secret(&KAFKA_PASSWORD).unwrap().reveal(), "x");
    assert_eq!(
        requests(&environment).into_values().collect::<Vec<_>>(),
        [1]
    );
}

#[tokio::test]
async fn a_local_file_may_contain_the_settings_for_oracle_cloud() {
    let mut environment = tutorial().await;
    let file = environment.path().join("local.properties");
    let text = format!(
        "oci_endpoint={}\navro_schema=oci://avro-schema-bucket/user.avsc\n",
        environment.cloud.endpoint()
    );
    std::fs::write(&file, text).unwrap();
    environment.set("CONFIG_LOCATION", file.to_str().unwrap());
    environment.variables.remove("OCI_ENDPOINT");
    environment.variables.remove("AVRO_SCHEMA");
    let settings = Settings::gather(&GROUPS, &[], environment.lookup())
        .await
        .unwrap();
    assert_eq!(settings.document(&AVRO_SCHEMA).unwrap().as_bytes(), SCHEMA);
}

#[tokio::test]
async fn sends_no_request_without_a_reference_to_oracle_cloud() {
    let mut environment = tutorial().await;
    environment.variables.remove("CONFIG_LOCATION");
    environment.variables.remove("AVRO_SCHEMA");
    // Invalid: they must not be read.
    environment.set("OCI_AUTH", "nonsense");
    environment.set("OCI_RESOURCE_PRINCIPAL_VERSION", "9");
    let settings = Settings::gather(&GROUPS, &[], environment.lookup())
        .await
        .unwrap();
    assert_eq!(settings.principal(), None);
    assert!(environment.cloud.requests().is_empty());
}

#[tokio::test]
async fn errors_name_the_setting() {
    let mut environment = tutorial().await;
    let id = environment.cloud.put_secret("odd", b"x");
    for (line, sentence) in [
        (
            "kafka_topic",
            "oci://config/config.properties, line 2: expected name=value, found no \"=\"",
        ),
        (
            "kafka_topic_vaultOCID=canary",
            "oci://config/config.properties, line 2: the value of kafka_topic_vaultOCID is not an OCID; expected ocid1.vaultsecret.<realm>.<region>.<unique id>",
        ),
        (
            "kafka_topic_vaultOCID=ocid1.vaultsecret.REPLACE-WITH-YOURS",
            "line 2: the value of kafka_topic_vaultOCID is not an OCID",
        ),
        (
            "kafka_topic_vaultOCID=ocid1.vault.oc1..v",
            "is the OCID of a vault; expected the OCID of a secret",
        ),
        (
            "kafka_topic_vaultOCID=ocid1.vaultsecret.oc1..nothing",
            "KAFKA_TOPIC: reading secret ocid1.vaultsecret.oc1..nothing: 404 NotAuthorizedOrNotFound: Authorization failed or requested resource not found. (opc-request-id ",
        ),
        (
            &format!("kafka_topic_vaultOCID={id}?stage=PENDING"),
            "?stage=PENDING: 404 NotAuthorizedOrNotFound",
        ),
    ] {
        environment.put_config(&format!("# canary\n{line}\n"));
        let error = error(&environment).await;
        assert!(error.contains(sentence), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    environment.put_config(&format!("kafka_password_vaultOCID={id}"));
    for (content, reason) in [
        (&b"canary\xFF"[..], "its content is not UTF-8 text"),
        (b" \n", "its content is empty"),
        (b"canary\0", "its content holds a NUL byte"),
    ] {
        environment.cloud.put_secret("odd", content);
        assert_eq!(
            error(&environment).await,
            format!("KAFKA_PASSWORD: secret {id}: {reason}")
        );
    }
    environment.cloud.put_secret("odd", b"fine");
    environment.cloud.expire_secret("odd");
    let expired = error(&environment).await;
    assert!(
        expired.starts_with(&format!(
            "KAFKA_PASSWORD: reading secret {id}: its content expired at 2020-01-01T"
        )),
        "{expired}"
    );
    environment.set("CONFIG_LOCATION", "oci://config/nothing");
    let missing = error(&environment).await;
    assert!(
        missing.starts_with(
            "CONFIG_LOCATION: reading oci://config@standinns/nothing: 404 ObjectNotFound: "
        ),
        "{missing}"
    );
}

#[tokio::test]
async fn reports_an_invalid_principal_when_it_is_needed() {
    let mut environment = tutorial().await;
    environment.set("OCI_AUTH", "magic");
    assert_eq!(
        error(&environment).await,
        "CONFIG_LOCATION: OCI_AUTH is \"magic\", expected resource_principal, instance_principal, api_key or auto"
    );
}

#[tokio::test]
async fn an_inspection_reports_every_part() {
    let environment = tutorial().await;
    environment.cloud.expire_secret("kafka_password");
    environment.cloud.inject_fault(
        "user.avsc",
        Fault::Error(404, "ObjectNotFound".to_owned()),
        1,
    );
    let inspection = Inspection::of(&GROUPS, &[], environment.lookup()).await;
    assert!(
        inspection
            .principal
            .unwrap()
            .unwrap()
            .starts_with("resource principal")
    );
    assert_eq!(inspection.namespace.unwrap().unwrap(), "standinns");
    let wrong: Vec<&str> = inspection
        .parts
        .iter()
        .filter(|part| part.outcome.is_err())
        .map(|part| part.setting.name)
        .collect();
    assert_eq!(wrong, ["kafka_password", "avro_schema"]);
    let config = &inspection.parts[0];
    assert_eq!(config.setting.name, "config_location");
    assert_eq!(config.outcome.as_ref().unwrap(), "6 settings");
    let settings = inspection.settings;
    assert_eq!(settings.required(&KAFKA_TOPIC).unwrap(), "FrontDoorTopic");
    assert!(settings.secret(&KAFKA_PASSWORD).is_none());
}

#[tokio::test]
async fn reads_the_objects_of_a_list_by_name_and_only_for_programs_with_the_group() {
    let mut environment = tutorial().await;
    for name in [
        "v/b.avsc",
        "v/a.avsc",
        "v/old/c.avsc",
        "v/.d.avsc",
        "v/",
        "v/readme.md",
        "w/e.avsc",
    ] {
        environment
            .cloud
            .put_object("schemas", name, name.as_bytes());
    }
    environment.set(
        "AVRO_SCHEMAS",
        "oci://schemas/w/e.avsc,oci://schemas@standinns/v/",
    );
    let groups = [&EVERY_PROGRAM, &ORACLE_CLOUD, &WRITER_SCHEMAS];
    let settings = Settings::gather(&groups, &[], environment.lookup())
        .await
        .unwrap();
    let documents = settings.documents(&AVRO_SCHEMAS).iter();
    let documents: Vec<_> = documents
        .map(|document| (&*document.location, &*document.text))
        .collect();
    assert_eq!(
        documents,
        [
            ("oci://schemas/w/e.avsc", "w/e.avsc"),
            ("oci://schemas@standinns/v/a.avsc", "v/a.avsc"),
            ("oci://schemas@standinns/v/b.avsc", "v/b.avsc"),
            ("oci://schemas@standinns/v/old/c.avsc", "v/old/c.avsc"),
        ]
    );
    environment.cloud.clear_requests();
    Settings::gather(&GROUPS, &[], environment.lookup())
        .await
        .unwrap();
    assert!(environment.cloud.statuses("schemas").is_empty());
}

#[tokio::test]
async fn an_inspection_reports_every_object_of_a_list() {
    let mut environment = tutorial().await;
    for name in ["v/a.avsc", "v/b.avsc", "other/readme.md"] {
        environment.cloud.put_object("schemas", name, b"x");
    }
    let missing = Fault::Error(404, "ObjectNotFound".to_owned());
    environment.cloud.inject_fault("v%2Fa.avsc", missing, 1);
    environment.set(
        "AVRO_SCHEMAS",
        "oci://schemas/v/,oci://schemas/other/,oci://nothing/v/",
    );
    let groups = [&EVERY_PROGRAM, &ORACLE_CLOUD, &WRITER_SCHEMAS];
    let inspection = Inspection::of(&groups, &[], environment.lookup()).await;
    let parts = inspection
        .parts
        .iter()
        .filter(|part| part.setting.name == "avro_schemas");
    let parts: Vec<_> = parts
        .map(|part| {
            let outcome = part.outcome.as_ref().map_err(ToString::to_string);
            (&*part.location, outcome, part.advice.is_some())
        })
        .collect();
    let expected = [
        (
            "oci://schemas/v/a.avsc",
            "AVRO_SCHEMAS: reading oci://schemas@standinns/v/a.avsc: 404 ",
            true,
        ),
        ("oci://schemas/v/b.avsc", "1 bytes", false),
        (
            "oci://schemas/other/",
            "reading AVRO_SCHEMAS from oci://schemas/other/: no *.avsc in this prefix",
            false,
        ),
        (
            "oci://nothing/v/",
            "AVRO_SCHEMAS: listing oci://nothing@standinns/v/: 404 BucketNotFound",
            true,
        ),
    ];
    assert_eq!(parts.len(), expected.len());
    for ((location, outcome, has_advice), expected) in parts.into_iter().zip(expected) {
        let text = match &outcome {
            Ok(note) => note.as_str(),
            Err(error) => error,
        };
        assert_eq!((location, has_advice), (expected.0, expected.2));
        assert!(text.starts_with(expected.1), "{text}");
    }
}
