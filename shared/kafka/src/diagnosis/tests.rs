//! Servers that a client cannot use, and the fault that is found.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use offsets::window::{WindowEnd, WindowStart};
use openssl::ssl::{HandshakeError, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use rdkafka::ClientConfig;
use testkit::black_hole::BlackHole;
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::silent_broker;

use super::fault::Fault;
use super::*;
use crate::list_offsets::Wait;
use crate::reader::Reader;

/// Serves each connection in a thread until the test ends; returns the port.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream));
        }
    });
    port
}

/// A Kafka listener with TLS that answers one ApiVersions request.
fn serve_tls(certificate: &Certificate, client_authority: Option<&CertificateAuthority>) -> u16 {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&certificate.certificate).unwrap();
    builder.set_private_key(&certificate.key).unwrap();
    if let Some(authority) = client_authority {
        let pem = authority.pem().unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        let authority = openssl::x509::X509::from_pem(pem.as_bytes()).unwrap();
        store.add_cert(authority).unwrap();
        builder.set_verify_cert_store(store.build()).unwrap();
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    let acceptor = builder.build();
    serve(move |stream| {
        let mut stream = match acceptor.accept(stream) {
            Ok(stream) => stream,
            Err(HandshakeError::Failure(failed)) => {
                // Unread bytes at the close would reset the connection, and the client would not read the alert.
                let _ = failed.get_ref().shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut failed.get_ref(), &mut std::io::sink());
                return;
            }
            Err(_) => return,
        };
        let mut request = [0; 23];
        if stream.read_exact(&mut request).is_ok() {
            let _ = stream.write_all(&[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        }
    })
}

fn fault(options: &[(&str, &str)], host: &str, port: u16) -> Option<Fault> {
    let mut config = ClientConfig::new();
    for (name, value) in options {
        config.set(*name, *value);
    }
    config.set("bootstrap.servers", format!("{host}:{port}"));
    let servers = Servers::of(&ClientProperties::from(config));
    let mut diagnosis = servers.diagnose_bootstrap(Duration::from_secs(1));
    diagnosis.wait(Instant::now() + Duration::from_secs(10));
    let faults = diagnosis.faults();
    faults.first().map(|(_, fault)| (*fault).clone())
}

#[test]
fn tells_apart_why_a_server_without_tls_cannot_be_used() {
    let plaintext = [("security.protocol", "plaintext")];
    let on = |port| fault(&plaintext, "127.0.0.1", port);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    assert_eq!(on(port), Some(Fault::Refused));
    let silent = serve(|_stream| thread::sleep(Duration::from_secs(20)));
    assert_eq!(on(silent), Some(Fault::Silent));
    let http = serve(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    assert_eq!(on(http), Some(Fault::NotKafka("HTTP/1.1".to_owned())));
    assert_eq!(on(serve(drop)), Some(Fault::NotKafka(String::new())));
    let found = fault(&plaintext, "no-such-host.invalid", 9092);
    assert!(matches!(found, Some(Fault::Unresolved(_))), "{found:?}");
    let family = [("broker.address.family", "v6")];
    let found = fault(&family, "127.0.0.1", port);
    assert_eq!(found, Some(Fault::Unresolved("no IPv6 address".to_owned())));
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_told_apart_from_a_closed_port() {
    let hole = BlackHole::start().await.unwrap();
    let found = fault(&[], "127.0.0.1", hole.address.port());
    assert_eq!(found, Some(Fault::TimedOut));
}

#[test]
fn tells_apart_why_tls_fails() {
    let authority = CertificateAuthority::new("broker").unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), authority.pem().unwrap()).unwrap();
    let tls = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", ca.path().to_str().unwrap()),
    ];
    let on = |port| fault(&tls, "127.0.0.1", port);
    let certificate = |reason: &str| Some(Fault::Certificate(reason.to_owned()));
    let good = authority.server("b").unwrap();
    let port = serve_tls(&good, None);
    assert_eq!(on(port), None);
    assert_eq!(
        fault(&[("security.protocol", "plaintext")], "127.0.0.1", port),
        Some(Fault::NeedsTls)
    );
    let expired = authority.expired_server().unwrap();
    assert_eq!(
        on(serve_tls(&expired, None)),
        certificate("certificate has expired")
    );
    let other = authority.other_server("other.example").unwrap();
    assert_eq!(
        on(serve_tls(&other, None)),
        certificate("IP address mismatch")
    );
    let stranger = CertificateAuthority::new("unknown").unwrap();
    let unknown = stranger.server("b").unwrap();
    assert_eq!(
        on(serve_tls(&unknown, None)),
        certificate("unable to get local issuer certificate")
    );
    assert_eq!(
        on(serve_tls(&good, Some(&stranger))),
        Some(Fault::ClientCertificate)
    );
    let broker = silent_broker::start("orders").unwrap();
    let (_, port) = broker.address.rsplit_once(':').unwrap();
    assert_eq!(on(port.parse().unwrap()), Some(Fault::NoTls));
}

#[test]
fn names_the_advertised_addresses_that_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let advertised = closed.local_addr().unwrap();
    drop(closed);
    let address = format!("broker 1 has the advertised address {advertised}: connection refused");
    // The first Metadata request ends after 250 ms: with the delay, librdkafka has the broker's address before one is answered.
    for delay in [0, 300] {
        let delay = Duration::from_millis(delay);
        let broker = silent_broker::start_advertising("orders", Some(advertised), delay).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &broker.address)
            .set("group.id", "group");
        let properties = ClientProperties::from(config);
        let found = diagnose(&properties, Duration::from_secs(5)).unwrap();
        assert_eq!(found.cause, Some("advertised_address"));
        assert!(found.reason.contains(&address), "{found:?}");
        let reader = Reader::new(&properties, "orders").unwrap();
        let timeout = Duration::from_secs(2);
        let wait = Wait {
            timeout,
            request_timeout: timeout,
            shutdown: &AtomicBool::new(false),
        };
        let listed = reader.list_offsets(&WindowStart::Committed, &WindowEnd::Now, &wait);
        let error = listed.unwrap_err().to_string();
        assert!(error.contains(&address), "{error}");
    }
}

#[test]
fn every_fault_has_one_of_the_causes_and_a_remedy() {
    let text = String::new;
    let faults = [
        Fault::Unresolved(text()),
        Fault::Refused,
        Fault::Unreachable(text()),
        Fault::TimedOut,
        Fault::Silent,
        Fault::NotKafka(text()),
        Fault::NeedsTls,
        Fault::NoTls,
        Fault::Certificate(text()),
        Fault::ClientCertificate,
        Fault::RejectedCertificate(text()),
        Fault::Tls(text()),
        Fault::NeedsSasl,
        Fault::NoSasl,
        Fault::Mechanism {
            used: text(),
            offered: text(),
        },
        Fault::NoToken(text()),
        Fault::Credentials(text()),
        Fault::RejectedToken(text()),
    ];
    let mut named: Vec<_> = faults.iter().map(Fault::name).collect();
    named.dedup();
    assert_eq!([&named[..], &["advertised_address"]].concat(), CAUSES);
    assert!(faults.iter().all(|fault| !fault.remedy().is_empty()));
}
