//! Records of other clients: the ids and GUIDs that they write are those that the client reads.

use std::time::Duration;

use schema_registry::{RegistryClient, RegistryConfig};
use serde_json::Value;
use testkit::kafka::Kafka;
use testkit::peer::Peer;
use testkit::records::{self, StoredRecord};
use testkit::registry::{Registry, with_guids};
use testkit::topics::Topics;

const SCHEMA: &str = include_str!("../../../../schemas/user.avsc");

/// The header in which Confluent's clients name the schema of a value.
const HEADER: &str = "__value_schema_id";

fn client(url: &str) -> RegistryClient {
    let urls = vec![url.parse().unwrap()];
    RegistryClient::new(&RegistryConfig::new(urls, Duration::from_secs(20))).unwrap()
}

fn sorted(mut records: Vec<Value>) -> Vec<Value> {
    records.sort_by_key(|record| record["name"].to_string());
    records
}

fn header(record: &StoredRecord) -> &[u8] {
    let found = record.headers.iter().find(|(name, _)| name == HEADER);
    found.and_then(|(_, value)| value.as_deref()).unwrap()
}

fn id(prefix: &[u8]) -> u32 {
    assert_eq!(prefix[0], 0, "the magic byte");
    u32::from_be_bytes(prefix[1..5].try_into().unwrap())
}

fn assert_is_user_schema(json: &str) {
    let parse = |text| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(json), parse(SCHEMA));
}

/// The records of a new topic, after `from` wrote three and `to` read them.
async fn exchange(topic: &str, from: &Peer, to: &Peer) -> Vec<StoredRecord> {
    let bootstrap = Kafka::shared().unwrap().bootstrap();
    let topics = Topics::connect(bootstrap).unwrap();
    topics.create(topic, 1, &[]).await.unwrap();
    let written = from.produce(topic, 3).await.unwrap();
    assert_eq!(written.len(), 3);
    assert_eq!(sorted(to.consume(topic, 3).await.unwrap()), sorted(written));
    let stored = records::all(bootstrap, topic).unwrap();
    assert_eq!(stored.len(), 3);
    stored
}

#[tokio::test]
#[ignore = "starts Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn ids_in_payloads_of_python_and_go_are_found() {
    let (bootstrap, url) = (
        Kafka::shared().unwrap().bootstrap(),
        Registry::shared().unwrap().url(),
    );
    let (python, go) = (Peer::python(bootstrap, url), Peer::go(bootstrap, url));
    let client = client(url);
    for (topic, from, to) in [
        ("python-to-go", &python, &go),
        ("go-to-python", &go, &python),
    ] {
        for record in exchange(topic, from, to).await {
            let schema = client
                .schema_by_id(id(record.value.as_deref().unwrap()))
                .await
                .unwrap();
            assert_is_user_schema(&schema.json);
        }
    }
}

#[tokio::test]
#[ignore = "starts Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn ids_and_guids_in_headers_of_python_are_found() {
    let bootstrap = Kafka::shared().unwrap().bootstrap();
    let guids = with_guids(Registry::shared().unwrap().url()).unwrap();
    let url = guids.url();
    let url = url.trim_end_matches('/');
    let client = client(url);
    let python = Peer::python(bootstrap, url);
    let with_id = python.clone().schema_id_in("header");
    for record in exchange("id-in-header", &with_id, &python).await {
        let schema = client.schema_by_id(id(header(&record))).await.unwrap();
        assert_is_user_schema(&schema.json);
    }
    let with_guid = python.clone().schema_id_in("header-guid");
    for record in exchange("guid-in-header", &with_guid, &python).await {
        let (magic, guid) = header(&record).split_first().unwrap();
        assert_eq!(*magic, 1);
        let schema = client
            .schema_by_guid(guid.try_into().unwrap())
            .await
            .unwrap();
        assert_is_user_schema(&schema.json);
    }
}
