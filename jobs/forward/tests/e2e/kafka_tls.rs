//! A broker that requires client certificates.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::pkcs12::Pkcs12;
use testkit::agent::{Agent, Call};
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::program;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::stage::Stage;

/// A broker with a TLS listener for clients with a certificate of one authority, and the files of the certificates.
struct SecureKafka {
    kafka: Kafka,
    authority: CertificateAuthority,
    files: tempfile::TempDir,
}

impl SecureKafka {
    fn start(server: impl Fn(&CertificateAuthority) -> Certificate) -> Self {
        let authority = CertificateAuthority::new("authority").unwrap();
        Self::start_with(authority, server, "")
    }

    /// With these options of the broker's JVM.
    fn start_with(
        authority: CertificateAuthority,
        server: impl Fn(&CertificateAuthority) -> Certificate,
        java: &str,
    ) -> Self {
        let files = tempfile::tempdir().unwrap();
        let server = server(&authority);
        let chain = server.key_pem().unwrap() + &server.pem().unwrap();
        let (ca, keys) = (files.path().join("ca.pem"), files.path().join("server.pem"));
        std::fs::write(&ca, authority.pem().unwrap()).unwrap();
        std::fs::write(&keys, chain).unwrap();
        let (ca, keys) = (ca.display(), keys.display());
        let kafka = Kafka::start(&Options {
            sasl_ssl: true,
            fast_join: true,
            java: java.to_owned(),
            set: vec![
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SSL,CONTROLLER:PLAINTEXT"
                    .to_owned(),
                format!("listener.name.sasl_ssl.ssl.keystore.location={keys}"),
                "listener.name.sasl_ssl.ssl.truststore.type=PEM".to_owned(),
                format!("listener.name.sasl_ssl.ssl.truststore.location={ca}"),
                "listener.name.sasl_ssl.ssl.client.auth=required".to_owned(),
            ],
            ..Options::default()
        });
        Self {
            kafka: kafka.unwrap(),
            authority,
            files,
        }
    }

    fn bootstrap(&self) -> &str {
        let mut environment = self.kafka.environment();
        let (_, servers) = environment
            .find(|(name, _)| *name == "KAFKA_BOOTSTRAP_SERVERS")
            .unwrap();
        servers
    }

    fn path(&self, name: &str) -> String {
        let path = self.files.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Replaces the files of the client certificate, as an operator does: by renaming.
    fn install(&self, client: &Certificate) {
        for (name, text) in [
            ("client.key", client.key_pem().unwrap()),
            ("client.pem", client.pem().unwrap()),
        ] {
            let new = self.path("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, self.path(name)).unwrap();
        }
    }

    /// Writes a PKCS#12 file with the password `hunter2`, and returns its path.
    fn keystore(&self, client: &Certificate) -> String {
        let mut builder = Pkcs12::builder();
        builder.cert(&client.certificate).pkey(&client.key);
        let bytes = builder.build2("hunter2").unwrap().to_der().unwrap();
        let path = self.path("client.p12");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KAFKA_BOOTSTRAP_SERVERS", self.bootstrap().to_owned()),
            ("KAFKA_SSL_CA_LOCATION", self.path("ca.pem")),
            ("KAFKA_SSL_CERTIFICATE", self.path("client.pem")),
            ("KAFKA_SSL_KEY", self.path("client.key")),
        ]
    }

    fn client(&self) -> Certificate {
        self.authority.client("job", "job", "urn:job").unwrap()
    }

    async fn stage(&self, name: &str) -> Stage {
        let mut stage = Stage::on(&self.kafka, name, 1, &[]).await;
        for (name, value) in self.settings() {
            stage.set(name, value);
        }
        stage
    }
}

/// The detail and advice of the failed broker check.
fn rejected(stage: &Stage) -> (String, String) {
    let (code, checks) = stage.check();
    assert_eq!(code, 74, "{checks:?}");
    let broker = &checks["broker"];
    let text = |name: &str| broker[name].as_str().unwrap_or_default().to_owned();
    (text("detail"), text("advice"))
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_broker_that_requires_client_certificates_accepts_only_valid_ones() {
    let kafka = SecureKafka::start(|authority| authority.server("broker").unwrap());
    let (a, b) = (accepting(), accepting());
    let mut stage = kafka.stage("mutual-tls").await.to(&a, &b);
    stage.write_users(1, "a", 3, 1);
    kafka.install(&kafka.client());
    let (code, checks) = stage.check();
    assert_eq!(code, 0, "{checks:?}");
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(stage.committed_offset(0), 3);

    let other = CertificateAuthority::new("other").unwrap();
    let expired = kafka.authority.expired_client("job").unwrap();
    let stranger = other.client("job", "job", "urn:job").unwrap();
    for (client, cause, remedy) in [
        (&expired, "certificate unknown", "valid now"),
        (&stranger, "alert", "one of the broker's authorities"),
    ] {
        kafka.install(client);
        let (detail, advice) = rejected(&stage);
        assert!(
            detail.contains(cause) && advice.contains(remedy),
            "{detail}; {advice}"
        );
        let run = stage.run();
        assert_eq!(run.code, 74, "{}", run.log);
    }
    kafka.install(&kafka.client());
    stage.set("KAFKA_SSL_CERTIFICATE", "");
    stage.set("KAFKA_SSL_KEY", "");
    stage.set("KAFKA_SECURITY_PROTOCOL", "ssl");
    let (detail, advice) = rejected(&stage);
    assert!(
        detail.contains("requires a client certificate"),
        "{detail}; {advice}"
    );
    assert_eq!(stage.run().code, 74);
    stage.set(
        "KAFKA_SSL_KEYSTORE_LOCATION",
        kafka.keystore(&kafka.client()),
    );
    stage.set("KAFKA_SSL_KEYSTORE_PASSWORD", "hunter2");
    let (code, checks) = stage.check();
    assert_eq!(code, 0, "{checks:?}");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_broker_whose_certificate_has_another_name_is_rejected_unless_that_is_permitted() {
    let kafka =
        SecureKafka::start(|authority| authority.other_server("elsewhere.example").unwrap());
    let (a, b) = (accepting(), accepting());
    let mut stage = kafka.stage("other-name").await.to(&a, &b);
    kafka.install(&kafka.client());
    let (detail, advice) = rejected(&stage);
    assert!(
        detail.contains("IP address mismatch") && advice.contains("KAFKA_BOOTSTRAP_SERVERS"),
        "{detail}; {advice}"
    );
    assert_eq!(stage.run().code, 74);
    stage.set("KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "none");
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(run.log.contains("is not verified"), "{}", run.log);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_function_follows_a_replaced_client_certificate() {
    let kafka = SecureKafka::start(|authority| authority.server("broker").unwrap());
    let stage = kafka.stage("rotation").await;
    let expired = kafka.authority.expired_client("job").unwrap();
    kafka.install(&expired);
    program::build_all().await.unwrap();
    let function = program::built("fn-recep-avro").unwrap();
    let mut settings = kafka.settings();
    settings.push(("KAFKA_TOPIC", stage.topic.clone()));
    settings.push(("PUBLISH_TIMEOUT", "2s".to_owned()));
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut function = Agent::start(Path::new(&function), &settings).await.unwrap();
    let datum = User::new(1, "a").encode();
    let reply = function.call(Call::direct(datum.clone())).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}");
    kafka.install(&kafka.client());
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = function.call(Call::direct(datum.clone())).await.unwrap();
        if reply.status == 202 {
            break;
        }
        assert!(Instant::now() < end, "{reply:?}\n{}", function.log());
    }
    assert!(
        function.log().contains("settings reloaded"),
        "{}",
        function.log()
    );
}

/// Kafka has no setting for revocation lists. Java's trust manager verifies those that the certificates name.
#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_revoked_client_certificate_is_rejected_by_a_broker_that_verifies_revocation() {
    let authority = CertificateAuthority::new("authority").unwrap();
    let list = Arc::new(Mutex::new(Vec::new()));
    let served = Arc::clone(&list);
    let script = move |_: &Request| Answer::ok().body(served.lock().unwrap().clone());
    let lists = Endpoint::start(script).unwrap();
    let valid = authority.revocable_client("job", &lists.url()).unwrap();
    let revoked = authority.revocable_client("job", &lists.url()).unwrap();
    *list.lock().unwrap() = authority.revocation_list(&[&revoked]).unwrap();
    let kafka = SecureKafka::start_with(
        authority,
        |authority| authority.server("broker").unwrap(),
        "-Dcom.sun.net.ssl.checkRevocation=true -Dcom.sun.security.enableCRLDP=true",
    );
    let (a, b) = (accepting(), accepting());
    let stage = kafka.stage("revoked").await.to(&a, &b);
    kafka.install(&valid);
    let (code, checks) = stage.check();
    assert_eq!(code, 0, "{checks:?}");
    kafka.install(&revoked);
    let (detail, advice) = rejected(&stage);
    assert!(
        detail.contains("alert") && advice.contains("not revoked"),
        "{detail}; {advice}"
    );
    assert_eq!(stage.run().code, 74);
    assert!(lists.count() > 0);
}
