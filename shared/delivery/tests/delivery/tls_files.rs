//! Endpoints that require a client certificate, and the errors of a handshake.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use delivery::transport::{Pem, TlsFiles};
use openssl::nid::Nid;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use runtime::secret::Secret;
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message, reason, word};

/// A server that answers one request on each connection and requires a certificate of the authority `clients`.
struct Server {
    port: u16,
    /// The common names of the clients, in order.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(certificate: &Certificate, clients: Option<&CertificateAuthority>) -> Self {
        Self::start_with(certificate, clients, None)
    }

    fn start_with(
        certificate: &Certificate,
        clients: Option<&CertificateAuthority>,
        newest: Option<SslVersion>,
    ) -> Self {
        let mut builder =
            SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("acceptor");
        builder
            .set_certificate(&certificate.certificate)
            .expect("certificate");
        builder.set_private_key(&certificate.key).expect("key");
        builder.set_max_proto_version(newest).expect("a version");
        if let Some(clients) = clients {
            let pem = clients.pem().expect("pem");
            let authority = X509::from_pem(pem.as_bytes()).expect("pem");
            let mut store = X509StoreBuilder::new().expect("store");
            store.add_cert(authority).expect("store");
            builder.set_verify_cert_store(store.build()).expect("store");
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        let acceptor = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let names = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = acceptor.accept(stream.expect("a connection")) else {
                    continue;
                };
                if let Some(client) = stream.ssl().peer_certificate() {
                    let name = client.subject_name().entries_by_nid(Nid::COMMONNAME).next();
                    let name = name.expect("a name").data().to_string().expect("text");
                    names.lock().expect("lock").push(name);
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
                let _ = stream.shutdown();
            }
        });
        Self { port, seen }
    }
}

fn client(authority: &CertificateAuthority, name: &str) -> Certificate {
    authority
        .client(name, "client", "urn:client")
        .expect("client")
}

fn text(pem: String) -> Pem {
    Pem::Text(Secret::new(pem))
}

/// Delivers one record for each step to `https://HOST` with this configuration; returns the outcomes as text.
fn deliver(host: &str, port: u16, tls: TlsFiles, steps: &[&dyn Fn()]) -> Vec<String> {
    let unused = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&unused, |config| {
        config.endpoints[0].url = format!("https://{host}:{port}/in");
        config.endpoints[0].tls = Arc::new(tls);
        config.endpoints[0].limits.max_attempts = 1;
        config.endpoints[0].limits.max_in_flight = 1;
    });
    let outcomes = steps.iter().zip(0..).map(|(step, offset)| {
        step();
        harness.offer([message(0, offset)]);
        let outcome = harness.outcome();
        format!("{} {}", word(&outcome), reason(&outcome))
    });
    outcomes.collect()
}

#[test]
fn a_client_certificate_that_is_replaced_on_disk_is_used_for_the_next_connection() {
    let authority = CertificateAuthority::new("authority").expect("authority");
    let server = Server::start(
        &authority.server("server").expect("server"),
        Some(&authority),
    );
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let write = |certificate: &Certificate| {
        std::fs::write(path("cert.pem"), certificate.pem().expect("pem")).expect("written");
        std::fs::write(path("key.pem"), certificate.key_pem().expect("pem")).expect("written");
    };
    std::fs::write(path("ca.pem"), authority.pem().expect("pem")).expect("written");
    let (first, second) = (client(&authority, "first"), client(&authority, "second"));
    write(&first);
    let file = |name: &str| Pem::File(path(name));
    let tls = TlsFiles::new(
        Some(file("ca.pem")),
        Some((file("cert.pem"), file("key.pem"))),
    );
    let outcomes = deliver(
        "localhost",
        server.port,
        tls,
        &[
            &|| (),
            // The certificate is replaced before its key: the first one stays in use.
            &|| std::fs::write(path("cert.pem"), second.pem().expect("pem")).expect("written"),
            &|| write(&second),
            &|| std::fs::remove_file(path("key.pem")).expect("removed"),
        ],
    );
    assert!(
        outcomes.iter().all(|outcome| outcome == "delivered "),
        "{outcomes:?}"
    );
    let seen = server.seen.lock().expect("lock");
    assert_eq!(*seen, ["first", "first", "second", "second"]);
}

#[test]
fn the_error_of_a_handshake_names_its_cause() {
    let authority = CertificateAuthority::new("authority").expect("authority");
    let other = CertificateAuthority::new("other").expect("authority");
    let trusting = |authority: &CertificateAuthority| {
        TlsFiles::new(Some(text(authority.pem().expect("pem"))), None)
    };
    let server = |certificate: &Certificate| Server::start(certificate, None).port;
    let valid = authority.server("server").expect("server");
    let expired = authority.expired_server().expect("server");
    let elsewhere = authority.other_server("elsewhere.example").expect("server");
    for (certificate, host, tls, expected) in [
        (&valid, "localhost", trusting(&authority), "delivered"),
        (&valid, "127.0.0.1", trusting(&authority), "delivered"),
        (
            &valid,
            "localhost",
            trusting(&other),
            "certificate verify failed",
        ),
        (
            &expired,
            "localhost",
            trusting(&authority),
            "certificate has expired",
        ),
        (
            &elsewhere,
            "localhost",
            trusting(&authority),
            "hostname mismatch",
        ),
        (
            &elsewhere,
            "127.0.0.1",
            trusting(&authority),
            "IP address mismatch",
        ),
        // The authority is not one of the system's.
        (
            &valid,
            "localhost",
            TlsFiles::new(None, None),
            "certificate verify failed",
        ),
    ] {
        let outcomes = deliver(host, server(certificate), tls, &[&|| ()]);
        assert!(outcomes[0].contains(expected), "{expected}: {outcomes:?}");
    }
}

#[test]
fn a_missing_or_foreign_client_certificate_is_an_error_of_the_connection() {
    let authority = CertificateAuthority::new("authority").expect("authority");
    let other = CertificateAuthority::new("other").expect("authority");
    let server = authority.server("server").expect("server");
    // In TLS 1.3 the client may be writing its request when the alert arrives: then the connection's end is the reason.
    let server = |newest| Server::start_with(&server, Some(&authority), newest);
    let (tls12, tls13) = (server(Some(SslVersion::TLS1_2)), server(None));
    let ca = || Some(text(authority.pem().expect("pem")));
    let foreign = client(&other, "foreign");
    let identity = (
        text(foreign.pem().expect("pem")),
        text(foreign.key_pem().expect("pem")),
    );
    for (identity, expected) in [(None, "handshake failure"), (Some(identity), "unknown ca")] {
        let outcome = |server: &Server| {
            let tls = TlsFiles::new(ca(), identity.clone());
            deliver("localhost", server.port, tls, &[&|| ()]).remove(0)
        };
        let outcomes = [outcome(&tls12), outcome(&tls13)];
        assert!(outcomes[0].contains(expected), "{expected}: {outcomes:?}");
        for outcome in outcomes {
            assert!(outcome.starts_with("deferred"), "{outcome}");
        }
    }
    for server in [tls12, tls13] {
        assert!(server.seen.lock().expect("lock").is_empty());
    }
}

#[test]
fn each_form_of_an_unencrypted_key_is_accepted() {
    let authority = CertificateAuthority::new("authority").expect("authority");
    let certificate = client(&authority, "client");
    let key = &certificate.key;
    let pem = certificate.pem().expect("pem");
    let ec = key.ec_key().expect("an EC key");
    let sec1 = ec.private_key_to_pem().expect("pem");
    let encrypted = key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"hunter2")
        .expect("pem");
    let check = |certificate: &str, key: Vec<u8>| {
        let key = String::from_utf8(key).expect("text");
        TlsFiles::new(None, Some((text(certificate.to_owned()), text(key)))).check()
    };
    assert_eq!(
        check(&pem, key.private_key_to_pem_pkcs8().expect("pem")),
        Ok(())
    );
    assert_eq!(check(&pem, sec1), Ok(()));
    let rsa = openssl::rsa::Rsa::generate(2048).expect("key");
    let pkcs1 = rsa.private_key_to_pem().expect("pem");
    assert!(String::from_utf8_lossy(&pkcs1).starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    // It is read, and is not the key of the certificate.
    for (certificate, key, expected) in [
        (&*pem, pkcs1, "key: it is not the key of the certificate"),
        (
            &pem,
            encrypted,
            "key: it is not an unencrypted private key in PEM",
        ),
        (
            "",
            key.private_key_to_pem_pkcs8().expect("pem"),
            "certificate: it has no certificate in PEM (-----BEGIN CERTIFICATE-----)",
        ),
    ] {
        assert_eq!(check(certificate, key).expect_err("invalid"), expected);
    }
    let missing = TlsFiles::new(Some(Pem::File(Path::new("/nowhere/ca.pem").into())), None);
    let error = missing.check().expect_err("missing");
    assert!(
        error.starts_with("ca: /nowhere/ca.pem: No such file"),
        "{error}"
    );
}
