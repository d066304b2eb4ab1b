//! Brokers that cannot be used: what `forward check` and a run say, and that both end within `START_TIMEOUT`.

use std::time::{Duration, Instant};

use crate::endpoints::accepting;
use crate::permissions;
use crate::stage::Stage;

pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(4);

/// Asserts the cause and parts of the text of a check, and of a run, which exits with 74.
pub(crate) fn assert_fails(stage: &Stage, cause: &str, parts: &[&str]) {
    let start = Instant::now();
    let (code, checks) = stage.check();
    let broker = &checks["broker"];
    assert!(start.elapsed() < START_TIMEOUT * 2, "{:?}", start.elapsed());
    assert_eq!(
        (code, broker["cause"].as_str()),
        (74, Some(cause)),
        "{broker}"
    );
    let run = stage.run().expect(74);
    assert!(run.elapsed < START_TIMEOUT * 2, "{:?}", run.elapsed);
    for text in [broker.to_string(), run.report["notes"].to_string()] {
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_listener_with_other_tls_or_sasl_settings_is_named() {
    let kafka = permissions::start();
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "listeners", 1, &[]).await.to(&a, &b);
    stage.set("START_TIMEOUT", "4s");
    let secure: Vec<(String, String)> = kafka
        .environment()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let value = |name: &str| {
        let (_, value) = secure.iter().find(|(known, _)| known == name).unwrap();
        value.clone()
    };
    stage.set("KAFKA_BOOTSTRAP_SERVERS", value("KAFKA_BOOTSTRAP_SERVERS"));
    assert_fails(&stage, "tls_required", &["requires TLS", "sasl_ssl"]);
    for (name, value) in &secure {
        stage.set(name, value);
    }
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        stage.set("KAFKA_SASL_MECHANISM", mechanism);
        let offered = format!("mechanism {mechanism}, only SCRAM-SHA-512");
        let parts = [&*offered, "set KAFKA_SASL_MECHANISM"];
        assert_fails(&stage, "sasl_mechanism", &parts);
    }
    // The mechanism of the profile.
    stage.set("KAFKA_SASL_MECHANISM", "auto");
    stage.set("KAFKA_PROFILE", "oci-kafka");
    let rejected = [
        "rejects the user name or the password",
        "check KAFKA_USERNAME and KAFKA_PASSWORD",
    ];
    stage.set("KAFKA_PASSWORD", "wrong-password");
    assert_fails(&stage, "authentication", &rejected);
    stage.set("KAFKA_PASSWORD", value("KAFKA_PASSWORD"));
    stage.set("KAFKA_USERNAME", "unknown-user");
    assert_fails(&stage, "authentication", &rejected);
    stage.set("KAFKA_USERNAME", value("KAFKA_USERNAME"));
    stage.set(
        "KAFKA_SSL_CA_LOCATION",
        "/etc/ssl/certs/ca-certificates.crt",
    );
    assert_fails(
        &stage,
        "broker_certificate",
        &["does not verify: ", "KAFKA_SSL_CA_LOCATION"],
    );
    stage.set("KAFKA_SSL_CA_LOCATION", value("KAFKA_SSL_CA_LOCATION"));
    stage.set("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap());
    assert_fails(&stage, "tls_not_supported", &["has no TLS"]);
    stage.set("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
    assert_fails(&stage, "sasl_not_supported", &["has no SASL"]);
}
