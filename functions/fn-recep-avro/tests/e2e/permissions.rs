//! What the function answers for lack of a permission, and what its log says.

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::acl::AclOperation;
use testkit::acl::Resource::{Cluster, Topic};
use testkit::agent::{Agent, Call};
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;
use testkit::user::User;

/// A broker with access control lists, and the SASL mechanism of OCI Streaming with Apache Kafka.
pub(crate) fn start() -> Kafka {
    Kafka::start(&Options {
        sasl_ssl: true,
        mechanism: "SCRAM-SHA-512".to_owned(),
        fast_join: true,
        set: vec![
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            // The listener without SASL: the test's own clients, and the broker itself.
            "super.users=User:ANONYMOUS".to_owned(),
        ],
        ..Options::default()
    })
    .unwrap()
}

fn datum() -> Vec<u8> {
    User::new(1010, "name").encode()
}

/// The rows of the table in docs/OPERATIONS.md: what is missing, and what is permitted.
const ROWS: [(&str, &[AclOperation]); 3] = [
    ("WRITE on `KAFKA_TOPIC`", &[AclOperation::Describe]),
    ("WRITE and DESCRIBE on `KAFKA_TOPIC`", &[]),
    (
        "DESCRIBE_CONFIGS on `KAFKA_TOPIC`, IDEMPOTENT_WRITE on the cluster",
        &[AclOperation::Write],
    ),
];

/// A function that writes to this topic.
async fn function(kafka: &Kafka, topic: &str) -> Agent {
    let mut settings: Vec<_> = kafka.environment().collect();
    settings.extend([("KAFKA_TOPIC", topic), ("KAFKA_PROFILE", "oci-kafka")]);
    let binary = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    Agent::start(binary, &settings).await.unwrap()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_table_of_permissions_says_what_a_missing_entry_causes() {
    const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");
    let kafka = start();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    let mut wrong = Vec::new();
    for (number, (missing, permitted)) in ROWS.iter().enumerate() {
        let topic = format!("permission-{number}");
        topics.create(&topic, 1, &[]).await.unwrap();
        for operation in *permitted {
            kafka.allow(Topic(&topic), *operation).unwrap();
        }
        // The broker applies an entry a moment after it is created.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut function = function(&kafka, &topic).await;
        let reply = function.call(Call::direct(datum())).await.unwrap();
        let body = reply.json().unwrap();
        let problem = body["type"]
            .as_str()
            .and_then(|kind| kind.rsplit(':').next());
        let problem = problem.map_or(String::new(), |name| format!(" `{name}`"));
        let (row, log) = (
            format!("| {missing} | {}{problem} | ", reply.status),
            function.log(),
        );
        let documented = DOCUMENT.split_once(&row);
        let text = documented.and_then(|(_, rest)| rest.split_once(" |"));
        let is_right = match text {
            Some(("nothing", _)) => !log.contains("WARN") && !log.contains("authoriz"),
            Some((text, _)) => log.contains(text.trim_matches('`')),
            None => false,
        };
        if !is_right {
            wrong.push(format!("{row}\n{log}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "not in docs/OPERATIONS.md:\n{}",
        wrong.join("\n")
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn with_every_permission_the_function_reads_the_limits_of_the_topic() {
    let kafka = start();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    topics.create("permitted", 1, &[]).await.unwrap();
    for (resource, operation) in [
        (Topic("permitted"), AclOperation::Write),
        (Topic("permitted"), AclOperation::DescribeConfigs),
        (Cluster, AclOperation::IdempotentWrite),
    ] {
        kafka.allow(resource, operation).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut function = function(&kafka, "permitted").await;
    let reply = function.call(Call::direct(datum())).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    let end = Instant::now() + Duration::from_secs(10);
    while !function.log().contains("the limits of the topic are known") {
        assert!(Instant::now() < end, "{}", function.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
