//! The librdkafka properties that `forward settings --kafka` prints.

use crate::{forward, text};

#[tokio::test]
async fn tls_trusts_the_system_authorities_unless_others_are_configured() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let others = file.path().to_str().unwrap();
    let authorities = async |variables: &[(&str, &str)]| {
        let mut command = forward(&["settings", "--kafka"]);
        command
            .env("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
            .envs(variables.iter().copied());
        let output = text(&command.output().await.unwrap().stdout);
        assert!(output.contains("security.protocol="), "{output}");
        let mut found = output
            .lines()
            .filter_map(|line| line.strip_prefix("ssl.ca.location="));
        found.next().map(str::to_owned)
    };
    let tls = ("KAFKA_SECURITY_PROTOCOL", "ssl");
    let system = authorities(&[tls])
        .await
        .expect("the system has certificate authorities");
    assert!(std::path::Path::new(&system).exists());
    // OpenSSL reads `SSL_CERT_FILE` itself.
    assert_eq!(authorities(&[tls, ("SSL_CERT_FILE", others)]).await, None);
    assert_eq!(
        authorities(&[tls, ("KAFKA_SSL_CA_LOCATION", others)])
            .await
            .as_deref(),
        Some(others)
    );
    assert_eq!(authorities(&[]).await, None);
}

#[tokio::test]
async fn kafka_settings_are_printed_with_librdkafka_names() {
    let mut command = forward(&["settings", "--kafka"]);
    command
        .env(
            "KAFKA_BOOTSTRAP_SERVERS",
            "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092",
        )
        .env("KAFKA_USERNAME", "tenancy/user/pool")
        .env("KAFKA_PASSWORD", "canary");
    let output = text(&command.output().await.unwrap().stdout);
    for line in [
        "# reader; other properties have librdkafka's defaults",
        "security.protocol=sasl_ssl",
        "sasl.password=[redacted]",
        "enable.idempotence=false",
        "group.protocol=classic",
    ] {
        assert!(
            output.lines().any(|known| known == line),
            "{line}: {output}"
        );
    }
    assert!(!output.contains("canary"));
}
