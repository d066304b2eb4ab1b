//! An endpoint with TLS and a self-signed certificate.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use native_tls::{Identity, TlsAcceptor};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use testkit::endpoint::Endpoint;

use crate::harness::{Harness, message, reason, word};

/// A certificate for `localhost` and its key, both as PEM.
pub(crate) fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("key")).expect("key");
    let mut name = X509NameBuilder::new().expect("name");
    name.append_entry_by_text("CN", "localhost").expect("name");
    let name = name.build();
    let mut builder = X509::builder().expect("certificate");
    let one = BigNum::from_u32(1)
        .and_then(|one| one.to_asn1_integer())
        .expect("number");
    builder.set_version(2).expect("version");
    builder.set_serial_number(&one).expect("number");
    builder.set_subject_name(&name).expect("name");
    builder.set_issuer_name(&name).expect("name");
    builder.set_pubkey(&key).expect("key");
    builder
        .set_not_before(&Asn1Time::days_from_now(0).expect("time"))
        .expect("time");
    builder
        .set_not_after(&Asn1Time::days_from_now(2).expect("time"))
        .expect("time");
    let constraints = BasicConstraints::new()
        .critical()
        .ca()
        .build()
        .expect("extension");
    builder.append_extension(constraints).expect("extension");
    let names = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .expect("extension");
    builder.append_extension(names).expect("extension");
    builder
        .sign(&key, MessageDigest::sha256())
        .expect("signature");
    let certificate = builder.build().to_pem().expect("pem");
    (certificate, key.private_key_to_pem_pkcs8().expect("pem"))
}

/// Accepts every request, one connection after the other. Returns the port, and the number of connections.
pub(crate) fn serve(certificate: &[u8], key: &[u8]) -> (u16, Arc<AtomicUsize>) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&accepted);
    let identity = Identity::from_pkcs8(certificate, key).expect("identity");
    let acceptor = TlsAcceptor::new(identity).expect("acceptor");
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.expect("a connection")) else {
                continue;
            };
            connections.fetch_add(1, Ordering::SeqCst);
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).expect("written");
            }
        }
    });
    (port, accepted)
}

/// Delivers records to `https://localhost` and checks their outcomes.
pub(crate) fn run() {
    let file = std::env::var("SSL_CERT_FILE").expect("set by the parent");
    let trusted = std::env::var("FRONTDOOR_TEST_TRUSTED").expect("set by the parent") == "true";
    let (certificate, key) = certificate();
    let authority = if trusted {
        &certificate
    } else {
        &self::certificate().0
    };
    std::fs::write(Path::new(&file), authority).expect("written");

    let (port, _) = serve(&certificate, &key);
    let unused = Endpoint::always(testkit::endpoint::Answer::ok()).expect("endpoint");
    let harness = Harness::to(&unused, |config| {
        config.endpoints[0].url = format!("https://localhost:{port}/in");
        config.endpoints[0].limits.max_attempts = 1;
        config.endpoints[0].limits.max_in_flight = 1;
    });
    for offset in 0..3 {
        harness.offer([message(0, offset)]);
        let outcome = harness.outcome();
        assert_eq!(word(&outcome) == "delivered", trusted, "{outcome:?}");
        assert_eq!(
            reason(&outcome).contains("certificate verify failed"),
            !trusted,
            "{outcome:?}"
        );
    }
}
