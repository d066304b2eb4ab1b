//! Settings out of a bucket and a vault, as the tutorial lays them out.

#![allow(clippy::unwrap_used)] // a test may fail; clippy sees that only inside of #[test]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use settings::common::{AVRO_SCHEMA, EVERY_PROGRAM, ORACLE_CLOUD};
use settings::{Group, Inspection, Settings};
use testkit::oci_standin::{Standin, Trouble};

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

/// A stand-in, a folder for files, and the variables of a process that runs as a resource principal.
struct Place {
    cloud: Standin,
    folder: tempfile::TempDir,
    variables: HashMap<String, String>,
}

impl Place {
    async fn new() -> Self {
        let cloud = Standin::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut place = Self {
            variables: HashMap::new(),
            cloud,
            folder,
        };
        let endpoint = place.cloud.endpoint();
        place.set("OCI_ENDPOINT", &endpoint);
        place.set("OCI_METADATA_BASE_URL", &format!("{endpoint}/nothing"));
        let home = place.path().display().to_string();
        place.set("HOME", &home);
        for (name, value) in place.resource_principal(Duration::from_secs(3600)) {
            place.set(name, &value);
        }
        place
    }

    fn resource_principal(&self, lifetime: Duration) -> Vec<(&'static str, String)> {
        self.cloud
            .resource_principal(self.folder.path(), lifetime)
            .unwrap()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    fn environment(&self) -> impl Fn(&str) -> Option<String> + use<> {
        let variables = self.variables.clone();
        move |name| variables.get(name).cloned()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

const SCHEMA: &[u8] = br#"{"type":"record","name":"user","fields":[{"name":"id","type":"int"}]}"#;

/// The tutorial's bucket, vault and six lines.
async fn tutorial() -> Place {
    let mut place = Place::new().await;
    let lines = place.cloud.put_secrets(&[
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
    ]);
    place
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    place
        .cloud
        .put_object("avro-schema-bucket", "user.avsc", SCHEMA);
    place.set("CONFIG_LOCATION", "oci://config/config.properties");
    place.set("AVRO_SCHEMA", "oci://avro-schema-bucket/user.avsc");
    place
}

async fn error(place: &Place) -> String {
    match Settings::gather(&GROUPS, &[], place.environment()).await {
        Ok(settings) => panic!("gathered {settings:?}"),
        Err(error) => error.to_string(),
    }
}

/// How often each path was asked for.
fn asked(place: &Place) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for seen in place.cloud.requests() {
        *asked.entry(seen.target).or_insert(0) += 1;
    }
    asked
}

#[tokio::test]
async fn the_tutorials_six_lines_work_unchanged_and_each_thing_is_asked_for_once() {
    let place = tutorial().await;
    let settings = Settings::gather(&GROUPS, &[], place.environment())
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
            .identity()
            .unwrap()
            .starts_with("resource principal, ")
    );
    let shown = format!("{settings:?} {:?}", settings.listing());
    assert!(
        !shown.contains("canary") && !shown.contains("streampool"),
        "what was put into a vault is not printed: {shown}"
    );
    let asked = asked(&place);
    assert_eq!(
        asked.len(),
        9,
        "a namespace, two objects, six secrets: {asked:?}"
    );
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
}

#[tokio::test]
async fn a_program_asks_for_what_it_uses_and_for_nothing_that_is_set_above_the_file() {
    let mut place = tutorial().await;
    place.set("KAFKA_TOPIC", "mine");
    place.set(
        "CONFIG_LOCATION",
        "oci://config@standinns/config.properties",
    );
    place.set(
        "AVRO_SCHEMA",
        "oci://avro-schema-bucket@standinns/user.avsc",
    );
    let groups = [&EVERY_PROGRAM, &ORACLE_CLOUD, &KAFKA];
    let settings = Settings::gather(&groups, &[], place.environment())
        .await
        .unwrap();
    assert_eq!(settings.required(&KAFKA_TOPIC).unwrap(), "mine");
    assert_eq!(settings.optional(&API_TYPE_A_URL), None);
    assert_eq!(
        asked(&place).len(),
        5,
        "two objects, three secrets: {:?}",
        asked(&place)
    );
}

#[tokio::test]
async fn a_secret_that_two_settings_share_is_asked_for_once() {
    let mut place = tutorial().await;
    let id = place.cloud.put_secret("shared", b"x");
    let file = place.path().join("local.properties");
    std::fs::write(
        &file,
        format!("kafka_username_vaultOCID={id}\nauth_token_vaultOCID = \"{id}\"\n"),
    )
    .unwrap();
    place.set("CONFIG_LOCATION", file.to_str().unwrap());
    place.variables.remove("AVRO_SCHEMA");
    let settings = Settings::gather(&GROUPS, &[], place.environment())
        .await
        .unwrap();
    assert_eq!(settings.secret(&KAFKA_PASSWORD).unwrap().reveal(), "x");
    assert_eq!(asked(&place).into_values().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_local_file_may_say_how_to_reach_the_cloud() {
    let mut place = tutorial().await;
    let file = place.path().join("local.properties");
    let text = format!(
        "oci_endpoint={}\navro_schema=oci://avro-schema-bucket/user.avsc\n",
        place.cloud.endpoint()
    );
    std::fs::write(&file, text).unwrap();
    place.set("CONFIG_LOCATION", file.to_str().unwrap());
    place.variables.remove("OCI_ENDPOINT");
    place.variables.remove("AVRO_SCHEMA");
    let settings = Settings::gather(&GROUPS, &[], place.environment())
        .await
        .unwrap();
    assert_eq!(settings.document(&AVRO_SCHEMA).unwrap().as_bytes(), SCHEMA);
}

#[tokio::test]
async fn without_a_word_of_the_cloud_nothing_of_it_is_touched() {
    let mut place = tutorial().await;
    place.variables.remove("CONFIG_LOCATION");
    place.variables.remove("AVRO_SCHEMA");
    // Broken on purpose: nobody may look at them.
    place.set("OCI_AUTH", "nonsense");
    place.set("OCI_RESOURCE_PRINCIPAL_VERSION", "9");
    let settings = Settings::gather(&GROUPS, &[], place.environment())
        .await
        .unwrap();
    assert_eq!(settings.identity(), None);
    assert!(place.cloud.requests().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_setting() {
    let mut place = tutorial().await;
    let id = place.cloud.put_secret("odd", b"x");
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
        place.cloud.put_object(
            "config",
            "config.properties",
            format!("# canary\n{line}\n").as_bytes(),
        );
        let error = error(&place).await;
        assert!(error.contains(sentence), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    place.cloud.put_object(
        "config",
        "config.properties",
        format!("kafka_password_vaultOCID={id}").as_bytes(),
    );
    for (content, reason) in [
        (&b"canary\xFF"[..], "its content is not UTF-8 text"),
        (b" \n", "its content is empty"),
        (b"canary\0", "its content holds a NUL byte"),
    ] {
        place.cloud.put_secret("odd", content);
        assert_eq!(
            error(&place).await,
            format!("KAFKA_PASSWORD: secret {id}: {reason}")
        );
    }
    place.cloud.put_secret("odd", b"fine");
    place.cloud.expire_secret("odd");
    let expired = error(&place).await;
    assert!(
        expired.starts_with(&format!(
            "KAFKA_PASSWORD: reading secret {id}: its content expired at 2020-01-01T"
        )),
        "{expired}"
    );
    place.set("CONFIG_LOCATION", "oci://config/nothing");
    let missing = error(&place).await;
    assert!(
        missing.starts_with(
            "CONFIG_LOCATION: reading oci://config@standinns/nothing: 404 ObjectNotFound: "
        ),
        "{missing}"
    );
}

#[tokio::test]
async fn a_wrong_word_for_the_principal_is_told_when_it_is_needed() {
    let mut place = tutorial().await;
    place.set("OCI_AUTH", "magic");
    assert_eq!(
        error(&place).await,
        "CONFIG_LOCATION: OCI_AUTH is \"magic\", expected resource_principal, instance_principal, api_key or auto"
    );
}

#[tokio::test]
async fn an_inspection_tells_everything_at_once() {
    let place = tutorial().await;
    place.cloud.expire_secret("kafka_password");
    place.cloud.trouble(
        "user.avsc",
        Trouble::Error(404, "ObjectNotFound".to_owned()),
        1,
    );
    let inspection = Inspection::of(&GROUPS, &[], place.environment()).await;
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
