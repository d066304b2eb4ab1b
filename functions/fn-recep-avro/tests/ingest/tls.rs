//! TLS on the plain host: certificates of clients, and replacement of the server's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use openssl::ssl::SslStream;
use tempfile::TempDir;
use testkit::certificates::{Certificate, CertificateAuthority};

use super::avro_bytes::paul;
use super::fixture::{Fixture, Plain};

/// The files of a server, and the authority that has signed its certificate.
struct Files {
    folder: TempDir,
    authority: CertificateAuthority,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            authority: CertificateAuthority::new("server authority").unwrap(),
        };
        files.write_certificate("first");
        files
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn write_certificate(&self, name: &str) {
        let certificate = self.authority.server(name).unwrap();
        self.write("certificate.pem", &certificate.pem().unwrap());
        self.write("key.pem", &certificate.key_pem().unwrap());
    }
}

fn connect(
    address: &str,
    trusted: &CertificateAuthority,
    client: Option<&Certificate>,
) -> Result<SslStream<TcpStream>, String> {
    let connected = trusted.connect(address, client);
    connected.map_err(|error| format!("{error:#}"))
}

/// The status of one request, or why there is none. The connection stays open.
fn request(stream: &mut SslStream<TcpStream>, line: &str, body: &[u8]) -> Result<u16, String> {
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    let mut answer = [0; 4096];
    let read = stream
        .write_all(&[head.as_bytes(), body].concat())
        .and_then(|()| stream.read(&mut answer))
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    status.ok_or_else(|| format!("no response: {text:?}"))
}

fn post(
    address: &str,
    trusted: &CertificateAuthority,
    client: Option<&Certificate>,
) -> Result<u16, String> {
    request(&mut connect(address, trusted, client)?, "POST /", &paul())
}

async fn start(fixture: &Fixture, files: &Files, more: &[(&str, &str)]) -> Plain {
    let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
    let tls = [
        ("LISTEN_SSL_CERTIFICATE", &*certificate),
        ("LISTEN_SSL_KEY", &*key),
    ];
    Plain::start(&[&fixture.settings("ingest")[..], &tls, more].concat()).await
}

#[tokio::test]
async fn a_client_certificate_authenticates_its_caller() {
    let (fixture, files) = (Fixture::new(), Files::new());
    let clients = CertificateAuthority::new("client authority").unwrap();
    files.write("clients.pem", &clients.pem().unwrap());
    let ca = files.path("clients.pem");
    let ca = ("LISTEN_SSL_CA_LOCATION", &*ca);
    let names = (
        "CALLER_SSL_NAMES",
        "orders.example, spiffe://example/invoices, common name",
    );
    let plain = start(&fixture, &files, &[ca, names]).await;
    let post = |client: &Certificate| post(&plain.address, &files.authority, Some(client));
    for (common, dns, uri) in [
        ("x", "orders.example", "spiffe://example/x"),
        ("x", "x.example", "spiffe://example/invoices"),
        ("common name", "x.example", "spiffe://example/x"),
    ] {
        let client = clients.client(common, dns, uri).unwrap();
        assert_eq!(post(&client), Ok(202), "{common} {dns} {uri}");
    }
    for dns in ["x.example", "orders.example.org", "a.orders.example"] {
        let client = clients.client("x", dns, "spiffe://example/x").unwrap();
        assert_eq!(post(&client), Ok(403), "{dns}");
    }
    // A certificate of another authority, or of a server, ends the handshake.
    let others = CertificateAuthority::new("client authority").unwrap();
    let forged = others
        .client("common name", "orders.example", "spiffe://example/x")
        .unwrap();
    assert!(post(&forged).is_err());
    assert!(post(&clients.server("common name").unwrap()).is_err());
    let mut anonymous = connect(&plain.address, &files.authority, None).unwrap();
    assert_eq!(request(&mut anonymous, "GET /health", b""), Ok(200));
    assert_eq!(request(&mut anonymous, "POST /", &paul()), Ok(401));
    assert_eq!(fixture.stored().len(), 3);

    let any = start(&fixture, &files, &[ca]).await;
    let client = clients
        .client("x", "x.example", "spiffe://example/x")
        .unwrap();
    let accepted = self::post(&any.address, &files.authority, Some(&client));
    assert_eq!(accepted, Ok(202));
    assert_eq!(self::post(&any.address, &files.authority, None), Ok(401));
}

#[tokio::test]
async fn a_changed_certificate_is_used_by_new_connections() {
    let (fixture, files) = (Fixture::new(), Files::new());
    let plain = start(&fixture, &files, &[]).await;
    let served = || {
        let stream = connect(&plain.address, &files.authority, None).unwrap();
        let certificate = stream.ssl().peer_certificate().unwrap();
        format!("{:?}", certificate.subject_name())
    };
    let mut open = connect(&plain.address, &files.authority, None).unwrap();
    assert_eq!(request(&mut open, "POST /", &paul()), Ok(202));
    assert!(served().contains("first"));
    // A key without its certificate, as during a replacement: the previous pair stays.
    files.write(
        "key.pem",
        &files.authority.server("x").unwrap().key_pem().unwrap(),
    );
    let end = Instant::now() + Duration::from_secs(20);
    while !plain.log().contains("reloading the TLS certificate failed") {
        assert!(Instant::now() < end, "{}", plain.log());
        assert!(served().contains("first"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    files.write_certificate("second");
    while !served().contains("second") {
        assert!(Instant::now() < end, "{}", plain.log());
        // The server closes a connection that is idle for ten seconds.
        assert_eq!(request(&mut open, "GET /health", b""), Ok(200));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(request(&mut open, "POST /", &paul()), Ok(202));
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
async fn clients_without_tls_and_silent_ones_do_not_block_others() {
    let (fixture, files) = (Fixture::new(), Files::new());
    let plain = start(&fixture, &files, &[]).await;
    let mut silent: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(&plain.address).unwrap())
        .collect();
    let mut clear = TcpStream::connect(&plain.address).unwrap();
    clear
        .write_all(b"POST / HTTP/1.1\r\nhost: h\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(post(&plain.address, &files.authority, None), Ok(202));
    // A handshake that does not proceed ends.
    silent[0]
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(silent[0].read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn invalid_tls_settings_are_reported_in_one_sentence() {
    let (fixture, files) = (Fixture::new(), Files::new());
    files.write("text.pem", "no PEM");
    let other = files.authority.server("x").unwrap().key_pem().unwrap();
    let path = |name: &str| files.path(name);
    for (settings, expected) in [
        (
            vec![("LISTEN_SSL_CERTIFICATE", path("certificate.pem"))],
            "LISTEN_SSL_CERTIFICATE and LISTEN_SSL_KEY go together",
        ),
        (
            vec![("LISTEN_SSL_CA_LOCATION", path("certificate.pem"))],
            "LISTEN_SSL_CA_LOCATION is set, but LISTEN_SSL_CERTIFICATE is not",
        ),
        (
            vec![("CALLER_SSL_NAMES", "x".to_owned())],
            "CALLER_SSL_NAMES is set, but LISTEN_SSL_CA_LOCATION is not",
        ),
        (
            vec![
                ("LISTEN_SSL_CERTIFICATE", path("certificate.pem")),
                ("LISTEN_SSL_KEY", other),
            ],
            "LISTEN_SSL_KEY is not the key of LISTEN_SSL_CERTIFICATE",
        ),
        (
            vec![
                ("LISTEN_SSL_CERTIFICATE", path("text.pem")),
                ("LISTEN_SSL_KEY", path("key.pem")),
            ],
            "LISTEN_SSL_CERTIFICATE is not a certificate in PEM",
        ),
        (
            vec![
                ("LISTEN_SSL_CERTIFICATE", path("certificate.pem")),
                ("LISTEN_SSL_KEY", path("no")),
            ],
            "reading LISTEN_SSL_KEY from the file that it names",
        ),
        (
            vec![("CALLER_TOKENS", ",".to_owned())],
            "CALLER_TOKENS is \"[redacted]\"",
        ),
        (
            vec![("CALLER_WEBHOOK_SECRETS", "whsec_canary".to_owned())],
            "CALLER_WEBHOOK_SECRETS is \"[redacted]\"",
        ),
        (
            vec![("CALLER_JWT_ISSUER", "x".to_owned())],
            "CALLER_JWT_ISSUER is set, but CALLER_JWT_JWKS_URL is not",
        ),
        (
            vec![
                ("CALLER_JWT_JWKS_URL", "https://h/jwks.json".to_owned()),
                ("CALLER_JWT_ISSUER", "x".to_owned()),
            ],
            "CALLER_JWT_AUDIENCE is not set",
        ),
        (
            vec![("CALLER_JWT_JWKS_URL", "https://canary:canary@h/".to_owned())],
            "CALLER_JWT_JWKS_URL is not a URL",
        ),
    ] {
        let mut command = testkit::program::command(Path::new(super::fixture::binary()));
        command
            .envs(fixture.settings("ingest"))
            .env("LISTEN", "127.0.0.1:0")
            .envs(settings);
        let output = command.output().await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains(expected), "{expected}: {stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
}
