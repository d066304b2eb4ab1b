//! Connections to the collector with TLS.

use testkit::certificates::CertificateAuthority;
use testkit::collector::Collector;
use testkit::endpoint::{Answer, Endpoint};

use crate::stage::Stage;

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn only_a_collector_with_a_certificate_of_the_authority_receives_telemetry() {
    let authority = CertificateAuthority::new("collectors").unwrap();
    let other = CertificateAuthority::new("others").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start_tls(&authority).await.unwrap();
        let url = collector.url(protocol);
        for (authority, is_trusted) in [(&other, false), (&authority, true)] {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, authority.pem().unwrap()).unwrap();
            let stage = Stage::new(
                Endpoint::always(Answer::ok()).unwrap(),
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_EXPORTER_OTLP_CERTIFICATE", path.to_str().unwrap()),
                    ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
                ],
            );
            stage.post(&[&[]]).await;
            let ended = stage.run(&[]).await;
            assert_eq!(ended.code, Some(0), "{}", ended.log);
            let has_failed = ended.log.contains("certificate verify failed");
            assert_eq!(has_failed, !is_trusted, "{protocol} {}", ended.log);
            if is_trusted {
                collector.wait_for_spans(4).await.unwrap();
            }
            assert_eq!(collector.spans().unwrap().is_empty(), !is_trusted);
        }
    }
}
