//! A service with an untrusted certificate.

use std::net::TcpListener;
use std::time::Duration;

use oci::Oci;
use oci::principal::Auth;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;

use testkit::oci_standin::Environment;

use super::config;

fn self_signed() -> SslAcceptor {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&builder.build()).unwrap();
    acceptor.build()
}

#[tokio::test]
async fn does_not_retry_an_untrusted_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = self_signed();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // The client closes the connection, as the test expects.
        let _ = acceptor.accept(stream);
        listener.set_nonblocking(true).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        listener.accept().is_ok()
    });
    let environment = Environment::start().await.unwrap();
    let mut config = config(&environment, Auth::Resource);
    config.endpoint = Some(format!("https://127.0.0.1:{port}"));
    let oci = Oci::sign_in(&config).await.unwrap();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.contains("the certificate of 127.0.0.1 is not trusted: "),
        "{error}"
    );
    assert!(
        error.contains("SSL_CERT_FILE may name other authorities"),
        "{error}"
    );
    assert!(!server.join().unwrap(), "connected twice");
}
