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
            .filter_map(|line| line.strip_prefix("ssl.ca.location="))
            .filter_map(|line| line.strip_suffix(" (KAFKA_SSL_CA_LOCATION)"));
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
        "security.protocol=sasl_ssl (KAFKA_SECURITY_PROTOCOL)",
        "sasl.password=[redacted] (KAFKA_PASSWORD)",
        "enable.idempotence=false (profile oci-streaming)",
        "group.protocol=classic (KAFKA_GROUP_PROTOCOL)",
    ] {
        assert!(
            output.lines().any(|known| known == line),
            "{line}: {output}"
        );
    }
    assert!(!output.contains("canary"));
}

#[tokio::test]
async fn a_property_of_librdkafka_is_listed_or_refused_with_exit_code_78() {
    let run = async |name: &str, value: &str| {
        let mut command = forward(&["settings", "--kafka"]);
        command
            .env("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
            .env(name, value);
        let output = command.output().await.unwrap();
        let code = output.status.code().unwrap();
        (code, text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = run("KAFKA_CLIENT_SOCKET_TIMEOUT_MS", "12345").await;
    assert_eq!(code, 0, "{err}");
    let line = "socket.timeout.ms=12345 (KAFKA_CLIENT_SOCKET_TIMEOUT_MS)\n";
    assert_eq!(out.matches(line).count(), 3, "{out}");
    for (name, value, reason) in [
        (
            "KAFKA_CLIENT_SOCKET_TIMOUT_MS",
            "1",
            "No such configuration property",
        ),
        (
            "KAFKA_CLIENT_SOCKET_TIMEOUT_MS",
            "soon",
            "socket.timeout.ms",
        ),
        (
            "KAFKA_CLIENT_SSL_KEYSTORE_PASSWORD",
            "hunter2",
            "is refused: set KAFKA_SSL_KEYSTORE_LOCATION",
        ),
        (
            "KAFKA_CLIENT_ACKS",
            "1",
            "is refused: a message is stored when",
        ),
        (
            "KAFKA_CLIENT_SESSION_TIMEOUT_MS",
            "3600000",
            "max.poll.interval.ms",
        ),
    ] {
        let (code, _, err) = run(name, value).await;
        assert_eq!(code, 78, "{name}");
        assert!(err.contains(name) && err.contains(reason), "{err}");
    }
}
