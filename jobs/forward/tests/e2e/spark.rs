//! Records that Spark writes with `to_avro`, as docs/SCHEMAS.md describes.

use avro::Schema;
use serde_json::{Value, json};
use testkit::endpoint::Endpoint;
use testkit::registry::Registry;
use testkit::spark;

use crate::endpoints::accepting;
use crate::stage::Stage;

const COUNT: usize = 40;
const PARTITIONS: i32 = 2;

/// Names and types differ from Spark's: no unions with null, and other names of the nested types.
const READER: &str = r#"{"type":"record","name":"User","aliases":["topLevelRecord"],"fields":[
    {"name":"id","type":"int"},{"name":"name","type":"string"},{"name":"email","type":"string"},
    {"name":"address","type":["null",{"type":"record","name":"Address","aliases":["topLevelRecord.address"],
        "fields":[{"name":"city","type":"string"}]}]},
    {"name":"since","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"balance","type":{"type":"fixed","name":"Balance","aliases":["topLevelRecord.balance.fixed"],"size":5,
        "logicalType":"decimal","precision":10,"scale":2}},
    {"name":"tags","type":{"type":"array","items":"string"}}]}"#;

/// The user that Spark writes with this number, as JSON of [`READER`].
fn user(number: usize) -> Value {
    let address = number
        .is_multiple_of(2)
        .then(|| json!({"city": format!("city {number}")}));
    json!({
        "id": if number % 4 < 2 { 1010 } else { 1020 },
        "name": format!("user-{number}"),
        "email": format!("user-{number}@example.com"),
        "address": address,
        "since": format!("2026-01-01T00:00:{number:02}.000000Z"),
        "balance": format!("0.{number:02}"),
        "tags": [format!("tag {number}")],
    })
}

/// The datums that the endpoint received, as JSON in the order of the names' numbers.
fn received(endpoint: &Endpoint, schema: &Schema) -> Vec<Value> {
    let requests = endpoint.requests();
    let mut users: Vec<Value> = requests
        .iter()
        .map(|request| schema.to_json(&request.body).unwrap())
        .collect();
    users.sort_by_key(|user| {
        let name = user["name"].as_str().unwrap();
        name["user-".len()..].parse::<usize>().unwrap()
    });
    users
}

/// Runs the job: it delivers each user once, to the route of its id.
fn delivers_all(stage: &Stage, (a, b): (&Endpoint, &Endpoint), schema: &Schema, users: &[Value]) {
    let run = stage.run().expect(0);
    let totals = &run.report["totals"];
    assert_eq!(totals["delivered"], users.len(), "{:#}", run.report);
    for (endpoint, id) in [(a, 1010), (b, 1020)] {
        let expected = users.iter().filter(|user| user["id"] == id);
        let expected: Vec<Value> = expected.cloned().collect();
        assert_eq!(received(endpoint, schema), expected);
    }
    assert!(stage.dead_letters().is_empty());
}

#[tokio::test]
#[ignore = "needs Apache Kafka, Apicurio Registry and Spark: run by `make e2e`"]
async fn records_of_spark_are_delivered_as_the_configured_schema() {
    let registry = Registry::shared().unwrap();
    let (header, a1, b1) = Stage::accepting("spark-header", PARTITIONS).await;
    let (frame, a2, b2) = Stage::accepting("spark-frame", PARTITIONS).await;
    let (given, a3, b3) = Stage::accepting("spark-given", PARTITIONS).await;
    let (mut filtered, a4, b4) = Stage::accepting("spark-filtered", PARTITIONS).await;
    let targets = [
        format!("header={}", header.topic),
        format!("frame={}", frame.topic),
        format!("given={}", given.topic),
        format!("filtered={}", filtered.topic),
    ];
    let written = spark::produce(&header.bootstrap, registry.url(), COUNT, &targets);
    let written = written.await.unwrap();
    let reader = Schema::parse(READER).unwrap();
    let users: Vec<Value> = (0..COUNT).map(user).collect();

    let reader_file = header.file("reader.avsc", READER);
    let written_file = header.file("spark.avsc", &written);
    let (reader_file, written_file) = (
        reader_file.to_str().unwrap(),
        written_file.to_str().unwrap(),
    );
    let header = header
        .with("AVRO_SCHEMA", reader_file)
        .with("AVRO_SCHEMAS", written_file);
    delivers_all(&header, (&a1, &b1), &reader, &users);
    // With a registry, too: each datum begins with a zero byte, as a framed value.
    let (a5, b5) = (accepting(), accepting());
    let again = header
        .to(&a5, &b5)
        .with("SCHEMA_REGISTRY_URL", registry.url())
        .with("KAFKA_GROUP_ID", "spark-header-with-registry");
    delivers_all(&again, (&a5, &b5), &reader, &users);

    let frame = frame
        .with("AVRO_SCHEMA", reader_file)
        .with("SCHEMA_REGISTRY_URL", registry.url());
    delivers_all(&frame, (&a2, &b2), &reader, &users);

    let built_in = Schema::parse(avro::BUILT_IN_SCHEMA.1).unwrap();
    let fields = ["id", "name", "email"];
    let narrow = users.iter().map(|user| {
        let kept = fields.map(|field| (field.to_owned(), user[field].clone()));
        Value::Object(kept.into_iter().collect())
    });
    delivers_all(&given, (&a3, &b3), &built_in, &narrow.collect::<Vec<_>>());

    // Spark wrote another schema than the header names: no datum is valid.
    filtered.set("AVRO_SCHEMA", reader_file);
    filtered.set("AVRO_SCHEMAS", written_file);
    filtered.set("DEAD_LETTER_MAX_RATIO", "1");
    filtered.run().expect(10);
    assert_eq!((a4.count(), b4.count()), (0, 0));
    assert_eq!(filtered.dead_letters().len(), COUNT);
}
