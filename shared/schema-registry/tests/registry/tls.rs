//! A registry with a certificate of a private CA that requires a client certificate.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use runtime::secret::Secret;
use schema_registry::{ClientCertificate, RegistryClient, RegistryConfig, RegistryError};

struct Issued {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate for 127.0.0.1 with this name, signed by `issuer` or by itself as a CA.
fn issue(name: &str, issuer: Option<&Issued>) -> Issued {
    let rsa = Rsa::generate(2048).unwrap();
    let key = PKey::from_rsa(rsa).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(fastrand::u32(1..)).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder
        .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name()))
        .unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    if issuer.is_none() {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
    }
    let address = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .build(&builder.x509v3_context(None, None));
    builder.append_extension(address.unwrap()).unwrap();
    builder
        .sign(
            issuer.map_or(&key, |issuer| &issuer.key),
            MessageDigest::sha256(),
        )
        .unwrap();
    Issued {
        certificate: builder.build(),
        key,
    }
}

/// Answers every request with a schema. Returns the port.
fn serve(ca: &Issued) -> u16 {
    let server = issue("server", Some(ca));
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&server.key).unwrap();
    acceptor.set_certificate(&server.certificate).unwrap();
    acceptor
        .cert_store_mut()
        .add_cert(ca.certificate.clone())
        .unwrap();
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else {
                continue;
            };
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                let body = r#"{"schema":"\"string\""}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    port
}

fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

fn client_certificate(issued: &Issued) -> ClientCertificate {
    // PKCS #1, which native-tls alone does not accept.
    let key = issued.key.rsa().unwrap().private_key_to_pem().unwrap();
    ClientCertificate {
        certificate: pem(&issued.certificate),
        key: Secret::new(String::from_utf8(key).unwrap()),
    }
}

#[tokio::test]
async fn a_private_ca_and_a_client_certificate_are_used() {
    let (ca, other) = (issue("CA", None), issue("other CA", None));
    let url = format!("https://127.0.0.1:{}", serve(&ca)).parse().unwrap();
    let mut config = RegistryConfig::new(vec![url], Duration::from_secs(10));
    config.ca = Some(format!(
        "{}{}",
        pem(&other.certificate),
        pem(&ca.certificate)
    ));
    config.client_certificate = Some(client_certificate(&issue("client", Some(&ca))));
    let schema = RegistryClient::new(&config)
        .unwrap()
        .schema_by_id(1)
        .await
        .unwrap();
    assert_eq!(schema.json, "\"string\"");

    // Without or with another authority: not retried.
    for ca in [None, Some(pem(&other.certificate))] {
        let config = RegistryConfig {
            ca,
            ..config.clone()
        };
        let error = RegistryClient::new(&config)
            .unwrap()
            .schema_by_id(1)
            .await
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::Unavailable { attempts: 1, .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("SCHEMA_REGISTRY_SSL_CA_LOCATION"),
            "{error}"
        );
    }
    for certificate in [
        None,
        Some(client_certificate(&issue("client", Some(&other)))),
    ] {
        let config = RegistryConfig {
            client_certificate: certificate,
            ..config.clone()
        };
        let error = RegistryClient::new(&config)
            .unwrap()
            .schema_by_id(1)
            .await
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::Unavailable { attempts: 1, .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("SCHEMA_REGISTRY_SSL_CERTIFICATE"),
            "{error}"
        );
    }
}

#[test]
fn malformed_certificates_and_keys_are_reported_without_their_text() {
    let issued = issue("client", None);
    let url = "https://127.0.0.1:1".parse().unwrap();
    let config = RegistryConfig::new(vec![url], Duration::from_secs(1));
    for ca in [
        "",
        "hunter2",
        "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
    ] {
        let config = RegistryConfig {
            ca: Some(ca.to_owned()),
            ..config.clone()
        };
        let error = RegistryClient::new(&config).unwrap_err().to_string();
        assert!(
            error.contains("SCHEMA_REGISTRY_SSL_CA_LOCATION") && !error.contains("hunter2"),
            "{error}"
        );
    }
    let valid = client_certificate(&issued);
    let encrypted = issued
        .key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"hunter2");
    let encrypted = String::from_utf8(encrypted.unwrap()).unwrap();
    for (certificate, key, name) in [
        (
            valid.certificate.as_str(),
            "hunter2",
            "SCHEMA_REGISTRY_SSL_KEY",
        ),
        (&valid.certificate, &encrypted, "SCHEMA_REGISTRY_SSL_KEY"),
        (
            "hunter2",
            valid.key.reveal(),
            "SCHEMA_REGISTRY_SSL_CERTIFICATE",
        ),
    ] {
        let client_certificate = Some(ClientCertificate {
            certificate: certificate.to_owned(),
            key: Secret::new(key),
        });
        let error = RegistryClient::new(&RegistryConfig {
            client_certificate,
            ..config.clone()
        });
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains(name) && !error.contains("hunter2"),
            "{error}"
        );
    }
}
