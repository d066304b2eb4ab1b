//! The partition of a key is the one that Java's producer chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use testkit::kafka::Kafka;
use testkit::records;
use testkit::topics::Topics;

use crate::server::Server;

const TOPIC: &str = "partitions";
const PARTITIONS: i32 = 7;
const KEYS: usize = 10_000;
const SCHEMA: &str = r#"{"type":"record","name":"Keyed","fields":[{"name":"key","type":"bytes"}]}"#;

/// Empty, text in several scripts, NUL in each place, every byte, long; the rest is pseudo-random, with all remainders of
/// the four bytes that the hash function takes at once.
fn keys() -> Vec<Vec<u8>> {
    let texts = [
        "",
        "a",
        "Paul",
        "order-1010",
        "Grüße",
        "ключ",
        "鍵",
        "🗝️",
        "\0",
        "a\0b",
        "\0a",
        "a\0",
        "\0\0\0\0",
    ];
    let mut keys: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    keys.extend((0..=255).map(|byte| vec![byte]));
    keys.push((0..=255).collect());
    keys.extend((0..8).map(|more| vec![0x80 | more; 20_000 + usize::from(more)]));
    // SplitMix64.
    let mut state = 0_u64;
    let mut random = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    while keys.len() < KEYS {
        let length = random() % 40;
        keys.push((0..length).map(|_| random() as u8).collect());
    }
    keys
}

/// The partition of each key by `Utils.murmur2` of Kafka's jar.
fn partitions_of_java(keys: &[Vec<u8>]) -> BTreeMap<&[u8], i32> {
    let mut lines = String::new();
    for key in keys {
        for byte in key {
            write!(lines, "{byte:02x}").unwrap();
        }
        lines.push('\n');
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/Partitions.java");
    let path = file.path().to_str().unwrap();
    let output = Kafka::run(&[source, path, &PARTITIONS.to_string()]).unwrap();
    let partitions: Vec<i32> = output.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(partitions.len(), keys.len());
    keys.iter().map(Vec::as_slice).zip(partitions).collect()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_key_has_the_partition_that_javas_producer_chooses() {
    let kafka = Kafka::shared().unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    topics.create(TOPIC, PARTITIONS, &[]).await.unwrap();
    let schema = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(schema.path(), SCHEMA).unwrap();
    let settings = [
        ("KAFKA_TOPIC", TOPIC),
        ("KAFKA_KEY", "key"),
        ("AVRO_SCHEMA", schema.path().to_str().unwrap()),
    ];
    let server = Server::start(kafka, &settings).await;

    let keys = keys();
    for chunk in keys.chunks(1_000) {
        // Bytes in JSON are characters of Latin-1 (Avro 1.12, JSON encoding).
        let text = |key: &Vec<u8>| key.iter().map(|byte| char::from(*byte)).collect::<String>();
        let records: Vec<_> = chunk
            .iter()
            .map(|key| serde_json::json!({"key": text(key)}))
            .collect();
        let reply = server.post_json(&records.into()).await;
        assert_eq!(reply.status(), 202, "{reply:?}");
    }

    let java = partitions_of_java(&keys);
    let stored = records::all(kafka.bootstrap(), TOPIC).unwrap();
    assert_eq!(stored.len(), KEYS);
    for record in &stored {
        let key = record.key.as_deref().unwrap();
        assert_eq!(record.partition, java[key], "{key:?}");
    }
    let used: BTreeSet<i32> = stored.iter().map(|record| record.partition).collect();
    assert_eq!(used.len(), PARTITIONS as usize);
    let distinct: BTreeSet<_> = stored.iter().map(|record| &record.key).collect();
    assert_eq!(distinct.len(), java.len());
}
