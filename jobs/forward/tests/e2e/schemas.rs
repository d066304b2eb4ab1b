//! Versions of a schema, with Apicurio Registry, official clients, and the ingest function.

use std::collections::BTreeSet;
use std::time::Duration;

use avro::{Schema, confluent};
use schema_registry::{RegistryClient, RegistryConfig};
use serde_json::{Value, json};
use testkit::agent::{Agent, Call};
use testkit::container::Batch;
use testkit::endpoint::{Answer, Endpoint};
use testkit::peer::Peer;
use testkit::program;
use testkit::registry::Registry;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepting, accepting_after, user_of};
use crate::stage::{Stage, users};

const V1: &str = avro::BUILT_IN_SCHEMA.1;
/// A field with a default is added in the middle.
const V2: &str = r#"{"type":"record","name":"User","fields":[{"name":"id","type":"int"},
    {"name":"age","type":"int","default":7},{"name":"name","type":"string"},{"name":"email","type":"string"}]}"#;
/// The field is removed, others are reordered, and a type is promoted to by the reader.
const V3: &str = r#"{"type":"record","name":"User","fields":[
    {"name":"email","type":"string"},{"name":"name","type":"bytes"},{"name":"id","type":"int"}]}"#;
const OTHER: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"int"},{"name":"item","type":"string"}]}"#;

fn client(url: &str) -> RegistryClient {
    let urls = vec![url.parse().unwrap()];
    RegistryClient::new(&RegistryConfig::new(urls, Duration::from_secs(20))).unwrap()
}

/// Registers versions under the subject of the stage's topic, and returns their ids.
async fn register(stage: &Stage, registry: &Registry, schemas: &[&str]) -> Vec<u32> {
    let (client, subject) = (client(registry.url()), format!("{}-value", stage.topic));
    let mut ids = Vec::new();
    for schema in schemas {
        ids.push(client.register(&subject, schema, &[]).await.unwrap());
    }
    ids
}

/// The user as a framed datum of this schema.
fn framed(id: u32, schema: &str, user: &User) -> Vec<u8> {
    let mut value =
        json!({"id": user.id, "name": user.name, "email": user.email, "age": 7, "item": "x"});
    let schema = Schema::parse(schema).unwrap();
    let fields: BTreeSet<String> = serde_json::from_str::<Value>(schema.json()).unwrap()["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap().to_owned())
        .collect();
    if let Value::Object(object) = &mut value {
        object.retain(|name, _| fields.contains(name));
    }
    confluent::frame(id, &schema.from_json(&value).unwrap())
}

/// `count` users in turn with each of these schemas, over the partitions.
fn mixed(ids: &[u32], schemas: &[&str], count: usize, partitions: usize) -> Vec<NewRecord> {
    (0..count)
        .map(|number| {
            let user = User::new(1010, &format!("u-{number}"));
            let version = number % ids.len();
            let value = framed(ids[version], schemas[version], &user);
            NewRecord::to((number / ids.len() % partitions) as i32, value)
        })
        .collect()
}

fn names(endpoint: &Endpoint) -> Vec<String> {
    let requests = endpoint.requests();
    let mut names: Vec<String> = requests
        .iter()
        .map(|request| user_of(request).name)
        .collect();
    names.sort();
    names
}

fn expected_names(count: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|number| format!("u-{number}")).collect();
    names.sort();
    names
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn records_of_official_clients_are_delivered_as_the_configured_schema() {
    let registry = Registry::shared().unwrap();
    let (stage, a, b) = Stage::accepting("peers", 2).await;
    let stage = stage.with("SCHEMA_REGISTRY_URL", registry.url());
    let python = Peer::python(&stage.bootstrap, registry.url());
    let go = Peer::go(&stage.bootstrap, registry.url());
    let mut written = python.produce(&stage.topic, 20).await.unwrap();
    written.extend(
        python
            .schema_id_in("header")
            .produce(&stage.topic, 20)
            .await
            .unwrap(),
    );
    written.extend(go.produce(&stage.topic, 20).await.unwrap());
    // The third version comes after them, in the same topic.
    let ids = register(&stage, registry, &[V2]).await;
    stage.write(&mixed(&ids, &[V2], 10, 2));
    let run = stage.run().expect(0);
    assert_eq!(run.report["totals"]["delivered"], 70, "{:#}", run.report);
    let delivered = a.requests().len() + b.requests().len();
    assert_eq!(delivered, 70);
    for request in a.requests().iter().chain(&b.requests()) {
        let user = user_of(request);
        assert!(
            user.name.starts_with("user ") || user.name.starts_with("u-"),
            "{user:?}"
        );
    }
    assert_eq!(written.len(), 60);
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn records_of_an_incompatible_schema_are_dead_letters_and_the_others_are_delivered() {
    let registry = Registry::shared().unwrap();
    let (stage, a, _b) = Stage::accepting("incompatible", 2).await;
    let stage = stage
        .with("SCHEMA_REGISTRY_URL", registry.url())
        .with("DEAD_LETTER_MAX_RATIO", "1");
    let ids = register(&stage, registry, &[V1, OTHER]).await;
    let records = mixed(&ids, &[V1, OTHER], 40, 2);
    stage.write(&records);
    stage.run().expect(10);
    assert_eq!(a.count(), 20);
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 20);
    for letter in letters {
        assert_eq!(
            letter.header("frontdoor.cause").as_deref(),
            Some("undecodable")
        );
        let (id, _) = confluent::split(letter.value.as_deref().unwrap()).unwrap();
        assert_eq!(id, ids[1], "the value is unchanged");
    }
}

/// Posts `count` users to a function with this schema, which stores them with their ids.
async fn publish(stage: &Stage, registry: &Registry, schema: &str, first: usize, count: usize) {
    program::build_all().await.unwrap();
    let function = program::built("fn-recep-avro").unwrap();
    let file = stage.file(&format!("function-{first}.avsc"), schema);
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", stage.bootstrap.as_str()),
        ("KAFKA_TOPIC", stage.topic.as_str()),
        ("SCHEMA_REGISTRY_URL", registry.url()),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "true"),
        ("STORE_AS", "confluent"),
        ("AVRO_SCHEMA", file.to_str().unwrap()),
    ];
    let mut function = Agent::start(&function, &settings).await.unwrap();
    for number in first..first + count {
        let user = json!({"id": 1010, "name": format!("u-{number}"), "email": "e@x.org"});
        let call = Call::direct(user.to_string()).header("content-type", "application/json");
        let reply = function.call(call).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn a_rolling_upgrade_loses_and_misroutes_nothing() {
    let registry = Registry::shared().unwrap();
    let (mut stage, a, b) = Stage::accepting("upgrade", 2).await;
    stage.set("SCHEMA_REGISTRY_URL", registry.url());
    // The function is upgraded first, then the job; and a function is still on the first version.
    publish(&stage, registry, V1, 0, 10).await;
    publish(&stage, registry, V2, 10, 10).await;
    stage.run().expect(0);
    assert_eq!(names(&a), expected_names(20));
    let newer = stage.file("newer.avsc", V2);
    stage.set("AVRO_SCHEMA", newer.to_str().unwrap());
    publish(&stage, registry, V1, 20, 10).await;
    publish(&stage, registry, V2, 30, 10).await;
    stage.run().expect(0);
    assert_eq!(a.count(), 40);
    let schema = Schema::parse(V2).unwrap();
    for request in &a.requests()[20..] {
        assert_eq!(schema.to_json(&request.body).unwrap()["age"], 7);
    }
    assert_eq!(b.count(), 0);
    assert!(stage.dead_letters().is_empty());
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn official_clients_read_what_the_function_stores() {
    let registry = Registry::shared().unwrap();
    let stage = Stage::new("consumers", 1).await;
    publish(&stage, registry, V1, 0, 5).await;
    for peer in [
        Peer::python(&stage.bootstrap, registry.url()),
        Peer::go(&stage.bootstrap, registry.url()),
    ] {
        let read = peer.consume(&stage.topic, 5).await.unwrap();
        let mut names: Vec<_> = read
            .iter()
            .map(|user| user["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, expected_names(5));
    }
}

/// A reverse proxy that counts the requests.
fn counting(registry: &Registry) -> Endpoint {
    let target = registry.url().trim_end_matches('/').to_owned();
    Endpoint::start(move |request| {
        let url = format!("{target}{}", request.target);
        let request = http::Request::builder()
            .method(request.method.as_str())
            .uri(url)
            .body(request.body.clone())
            .unwrap();
        // The endpoint's own thread runs a runtime.
        let answer = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(testkit::http::send(request))
        });
        match answer.join().unwrap() {
            Ok(answer) => Answer::status(answer.status().as_u16()).body(answer.body().to_vec()),
            Err(_) => Answer::reset(),
        }
    })
    .unwrap()
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn a_window_with_three_ids_makes_at_most_six_requests_to_the_registry() {
    const COUNT: usize = 100_000;
    let registry = Registry::shared().unwrap();
    let a = accepting();
    let proxy = counting(registry);
    let stage = Stage::new("requests", 6)
        .await
        .routes(&json!([{"name": "A", "when": "id == 1010", "url": a.url(), "batch": 500}]))
        .with("SCHEMA_REGISTRY_URL", proxy.url());
    let schemas = [V1, V2, V3];
    let ids = register(&stage, registry, &schemas).await;
    for chunk in mixed(&ids, &schemas, COUNT, 6).chunks(10_000) {
        stage.write(chunk);
    }
    let run = stage.run().expect(0);
    assert_eq!(run.report["totals"]["delivered"], COUNT, "{:#}", run.report);
    let mut delivered = BTreeSet::new();
    for request in a.requests() {
        let batch = Batch::read(&request.body).unwrap();
        for datum in batch.data(User::length).unwrap() {
            delivered.insert(User::decode(&datum).unwrap().name);
        }
    }
    assert_eq!(delivered.len(), COUNT);
    assert!(proxy.count() <= 6, "{} requests", proxy.count());
}

#[tokio::test]
#[ignore = "needs Apache Kafka and Apicurio Registry: run by `make e2e`"]
async fn an_outage_of_the_registry_loses_and_dead_letters_nothing() {
    let registry = Registry::start().unwrap();
    let a = accepting_after(Duration::from_millis(5));
    let stage = Stage::new("outage", 2)
        .await
        .routes(&json!([{"name": "A", "when": "id == 1010", "url": a.url()}]))
        .with("SCHEMA_REGISTRY_URL", registry.url())
        .with("SCHEMA_REGISTRY_TIMEOUT", "1s")
        .with("MAX_IN_FLIGHT", "4");
    let ids = register(&stage, &registry, &[V1, V2]).await;
    stage.write(&mixed(&ids, &[V1, V2], 400, 2));
    // Down at the start: no schema is known.
    registry.stop().unwrap();
    let run = stage.run().expect(74);
    assert_eq!(
        (run.report["totals"]["dead_lettered"].as_i64(), a.count()),
        (Some(0), 0)
    );
    // Down during the run: both schemas are known.
    registry.restart().unwrap();
    let running = stage.start();
    assert!(a.wait_for(20, Duration::from_secs(30)));
    registry.stop().unwrap();
    running.wait().expect(0);
    // Another version, while it is down: the run ends, and the next one continues.
    registry.restart().unwrap();
    let other = register(&stage, &registry, &[V3]).await;
    registry.stop().unwrap();
    stage.write(&users(1010, "raw", 3, 2));
    let newer: Vec<NewRecord> = (0..10)
        .map(|number| {
            let user = User::new(1010, &format!("v3-{number}"));
            NewRecord::to(number % 2, framed(other[0], V3, &user))
        })
        .collect();
    stage.write(&newer);
    stage.run().expect(74);
    registry.restart().unwrap();
    stage.run_when_free().expect(0);
    let mut delivered = names(&a);
    delivered.dedup();
    assert_eq!(delivered.len(), 400 + 3 + 10);
    assert!(stage.dead_letters().is_empty());
}
