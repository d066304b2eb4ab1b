//! Brokers that cannot be used: the response, and what the log says.

use std::net::TcpListener;
use std::path::Path;

use testkit::agent::{Agent, Call};
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;
use testkit::user::User;

use crate::permissions;

/// Calls a function with these settings. The response must be a 503, and the log line must have this reason.
async fn assert_reason(settings: &[(&str, &str)], expected: &str) {
    let binary = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let mut function = Agent::start(binary, settings).await.unwrap();
    let datum = User::new(1010, "name").encode();
    let reply = function.call(Call::direct(datum)).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}");
    let log = function.log();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("publishing failed"));
    assert!(
        line.is_some_and(|line| line.contains(expected)),
        "{expected}\n{log}"
    );
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_log_of_a_503_names_an_advertised_address_that_cannot_be_reached() {
    // It accepts connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    // The fault at the address of RFC 5737, which has no host, depends on the network.
    let cases = [
        ("CLOSED", "127.0.0.1:1", "connection refused"),
        (
            "UNRESOLVED",
            "kafka-0.internal.invalid:9092",
            "the host name does not resolve",
        ),
        ("SILENT", silent.as_str(), "the port accepts connections"),
        ("DOCUMENTATION", "192.0.2.1:9092", ""),
    ];
    let ports = cases.map(|_| free_port());
    let listeners = cases.iter().zip(ports);
    let listeners = listeners
        .map(|((name, advertised, _), port)| format!("{name}://127.0.0.1:{port}={advertised}"));
    let kafka = Kafka::start(&Options {
        listeners: listeners.collect(),
        ..Options::default()
    })
    .unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    topics.create("advertised", 1, &[]).await.unwrap();
    for ((_, advertised, fault), port) in cases.iter().zip(ports) {
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", &*format!("127.0.0.1:{port}")),
            ("KAFKA_TOPIC", "advertised"),
            ("PUBLISH_TIMEOUT", "5s"),
        ];
        let expected = format!(
            "Kafka cannot be used (advertised_address): a bootstrap server answers, but broker 1 has the advertised \
             address {advertised}: {fault}"
        );
        assert_reason(&settings, &expected).await;
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_log_of_a_503_says_that_credentials_are_rejected() {
    let kafka = permissions::start();
    for (name, value, expected) in [
        (
            "KAFKA_PASSWORD",
            "wrong-password",
            "(authentication): the broker rejects the user name or the password",
        ),
        (
            "KAFKA_USERNAME",
            "unknown-user",
            "(authentication): the broker rejects the user name or the password",
        ),
        (
            "KAFKA_SASL_MECHANISM",
            "PLAIN",
            "(sasl_mechanism): the broker does not have the SASL mechanism PLAIN, only SCRAM-SHA-512",
        ),
        (
            "KAFKA_SSL_CA_LOCATION",
            "/etc/ssl/certs/ca-certificates.crt",
            "(broker_certificate): the broker's certificate does not verify",
        ),
    ] {
        let mut settings: Vec<_> = kafka.environment().collect();
        settings.retain(|(known, _)| *known != name);
        settings.extend([
            (name, value),
            ("KAFKA_TOPIC", "any"),
            ("PUBLISH_TIMEOUT", "4s"),
        ]);
        assert_reason(&settings, expected).await;
    }
}
