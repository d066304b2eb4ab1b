//! Connects to one server as the client would, with an ApiVersions request, to find out why the client cannot use it.
//!
//! librdkafka's errors do not name why a certificate does not verify, and it reports nothing if a listener closes the
//! connection, as one with TLS does after a request without.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use rdkafka::ClientConfig;

use super::fault::Fault;

/// How the client connects; read from its librdkafka options.
#[derive(Clone, Default)]
pub(crate) struct ProbeConfig {
    pub(super) uses_tls: bool,
    pub(super) uses_sasl: bool,
    /// `v4` or `v6`; any other value selects both.
    address_family: String,
    ca_location: Option<String>,
    ca_pem: Option<String>,
    certificate_pem: Option<String>,
    key_pem: String,
    key_password: String,
    has_client_certificate: bool,
    verifies_certificate: bool,
    verifies_name: bool,
}

impl ProbeConfig {
    pub(crate) fn of(config: &ClientConfig) -> Self {
        let get = |name| config.get(name).map(str::to_owned);
        let protocol = get("security.protocol").unwrap_or_default().to_lowercase();
        let options = config.config_map();
        Self {
            uses_tls: protocol.ends_with("ssl"),
            uses_sasl: protocol.starts_with("sasl"),
            address_family: get("broker.address.family").unwrap_or_default(),
            ca_location: get("ssl.ca.location"),
            ca_pem: get("ssl.ca.pem"),
            certificate_pem: get("ssl.certificate.pem"),
            key_pem: get("ssl.key.pem").unwrap_or_default(),
            key_password: get("ssl.key.password").unwrap_or_default(),
            has_client_certificate: options.keys().any(|name| {
                name.starts_with("ssl.certificate") || name.starts_with("ssl.keystore")
            }),
            verifies_certificate: config.get("enable.ssl.certificate.verification")
                != Some("false"),
            verifies_name: config.get("ssl.endpoint.identification.algorithm") != Some("none"),
        }
    }
}

/// What answers an ApiVersions request.
enum Answer {
    Kafka,
    /// A TLS alert.
    Tls,
    /// The first printable characters.
    Other(String),
    Closed,
    Silent,
    /// The text of a TLS error.
    Failed(String),
}

/// Whether a client with this configuration can use the server, as far as the server shows it before authentication.
/// Blocks for `timeout`, and for the time that the resolver takes.
pub(super) fn probe(
    config: &ProbeConfig,
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<(), Fault> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| Fault::Unresolved(resolver_text(&error.to_string())))?;
    let family = config.address_family.as_str();
    let addresses: Vec<SocketAddr> = addresses
        .filter(|address| match family {
            "v4" => address.is_ipv4(),
            "v6" => address.is_ipv6(),
            _ => true,
        })
        .collect();
    if addresses.is_empty() {
        let family = family.trim_start_matches('v');
        return Err(Fault::Unresolved(format!("no IPv{family} address")));
    }
    let end = Instant::now() + timeout;
    let (stream, address) = connect(&addresses, end)?;
    match config.uses_tls {
        true => with_tls(config, host, stream, address, end),
        false => without_tls(config, stream, address, end),
    }
}

/// The first address that accepts a connection, otherwise the fault of the last.
fn connect(addresses: &[SocketAddr], end: Instant) -> Result<(TcpStream, SocketAddr), Fault> {
    let mut fault = Fault::TimedOut;
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(1) + 1;
        match open(*address, remaining(end) / left, end) {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => {
                fault = match error.kind() {
                    ErrorKind::ConnectionRefused => Fault::Refused,
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => Fault::TimedOut,
                    _ => Fault::Unreachable(error.to_string()),
                }
            }
        }
    }
    Err(fault)
}

fn open(address: SocketAddr, timeout: Duration, end: Instant) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout.max(Duration::from_millis(1)))?;
    // A server that does not answer has half of the time: the rest is for a second connection.
    let timeout = Some((remaining(end) / 2).max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    Ok(stream)
}

fn remaining(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn without_tls(
    config: &ProbeConfig,
    mut stream: TcpStream,
    address: SocketAddr,
    end: Instant,
) -> Result<(), Fault> {
    match api_versions(&mut stream) {
        Answer::Kafka if config.uses_sasl => Ok(()),
        // The answer to ApiVersions needs no authentication, that to Metadata does.
        Answer::Kafka => match ask(&mut stream, &METADATA) {
            Answer::Closed => Err(Fault::NeedsSasl),
            _ => Ok(()),
        },
        Answer::Tls => Err(Fault::NeedsTls),
        Answer::Silent => Err(Fault::Silent),
        Answer::Other(start) => Err(Fault::NotKafka(start)),
        Answer::Closed | Answer::Failed(_) => {
            let unverified = ProbeConfig::default();
            let is_kafka = open(address, remaining(end), end)
                .ok()
                .and_then(|stream| handshake(&unverified, "localhost", stream).ok())
                .is_some_and(|mut stream| speaks_kafka(&mut stream));
            Err(match is_kafka {
                true => Fault::NeedsTls,
                false => Fault::NotKafka(String::new()),
            })
        }
    }
}

fn with_tls(
    config: &ProbeConfig,
    host: &str,
    stream: TcpStream,
    address: SocketAddr,
    end: Instant,
) -> Result<(), Fault> {
    let mut stream = match handshake(config, host, stream) {
        Ok(stream) => stream,
        Err(Fault::Tls(reason)) if is_alert(&reason) => {
            return Err(rejected(config, reason));
        }
        Err(fault @ Fault::Tls(_)) => {
            let is_plaintext = open(address, remaining(end), end)
                .is_ok_and(|mut stream| speaks_kafka(&mut stream));
            return Err(match is_plaintext {
                true => Fault::NoTls,
                false => fault,
            });
        }
        Err(fault) => return Err(fault),
    };
    match api_versions(&mut stream) {
        Answer::Kafka => Ok(()),
        Answer::Silent => Err(Fault::Silent),
        // TLS 1.3: the client has completed the handshake before the broker rejects its certificate.
        Answer::Failed(reason) if is_alert(&reason) => Err(rejected(config, reason)),
        Answer::Failed(reason) => Err(Fault::Tls(reason)),
        Answer::Other(start) => Err(Fault::NotKafka(start)),
        Answer::Tls | Answer::Closed => Err(Fault::NotKafka(String::new())),
    }
}

fn is_alert(reason: &str) -> bool {
    reason.contains("alert")
}

/// The fault if the broker ends the handshake with an alert.
fn rejected(config: &ProbeConfig, reason: String) -> Fault {
    let alerts = [
        "certificate required",
        "bad certificate",
        "handshake failure",
        "certificate expired",
        "certificate revoked",
        "certificate unknown",
        "unknown ca",
    ];
    let is_about_certificate = alerts.iter().any(|alert| reason.contains(alert));
    match (is_about_certificate, config.has_client_certificate) {
        (true, true) => Fault::RejectedCertificate(reason),
        (true, false) => Fault::ClientCertificate,
        (false, _) => Fault::Tls(reason),
    }
}

fn handshake(
    config: &ProbeConfig,
    host: &str,
    stream: TcpStream,
) -> Result<SslStream<TcpStream>, Fault> {
    let connector = connector(config).map_err(|error| Fault::Tls(error.to_string()))?;
    let configured = connector.configure().map(|configuration| {
        configuration.verify_hostname(config.verifies_certificate && config.verifies_name)
    });
    let configured = configured.map_err(|error| Fault::Tls(error.to_string()))?;
    configured
        .connect(host, stream)
        .map_err(|error| match error {
            HandshakeError::SetupFailure(error) => Fault::Tls(error.to_string()),
            HandshakeError::WouldBlock(_) => Fault::Silent,
            HandshakeError::Failure(failed) => match failed.ssl().verify_result() {
                X509VerifyResult::OK => Fault::Tls(failed.error().to_string()),
                result => Fault::Certificate(result.error_string().to_owned()),
            },
        })
}

fn connector(config: &ProbeConfig) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if !config.verifies_certificate {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if let Some(pem) = &config.ca_pem {
        let mut store = X509StoreBuilder::new()?;
        for certificate in X509::stack_from_pem(pem.as_bytes())? {
            store.add_cert(certificate)?;
        }
        builder.set_verify_cert_store(store.build())?;
    } else if let Some(location) = &config.ca_location {
        let path = Path::new(location);
        match path.is_dir() {
            true => builder.load_verify_locations(None, Some(path))?,
            false => builder.load_verify_locations(Some(path), None)?,
        }
    }
    if let Some(pem) = &config.certificate_pem {
        let chain = X509::stack_from_pem(pem.as_bytes())?;
        let mut chain = chain.into_iter();
        if let Some(leaf) = chain.next() {
            builder.set_certificate(&leaf)?;
        }
        for certificate in chain {
            builder.add_extra_chain_cert(certificate)?;
        }
        let password = config.key_password.as_bytes();
        let key = PKey::private_key_from_pem_passphrase(config.key_pem.as_bytes(), password)?;
        builder.set_private_key(&key)?;
    }
    Ok(builder.build())
}

/// A request with an empty body: size, API key, version, correlation id 1, client id `frontdoor`.
const fn request<const N: usize>(api: u8, version: u8) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[3] = N as u8 - 4;
    bytes[5] = api;
    bytes[7] = version;
    bytes[11] = 1;
    bytes[13] = CLIENT.len() as u8;
    let mut index = 0;
    while index < CLIENT.len() {
        bytes[14 + index] = CLIENT[index];
        index += 1;
    }
    bytes
}

const CLIENT: &[u8; 9] = b"frontdoor";

/// ApiVersions, version 0.
const API_VERSIONS: [u8; 23] = request(18, 0);

/// Metadata, version 1, with an array of no topics.
const METADATA: [u8; 27] = request(3, 1);

fn speaks_kafka(stream: &mut (impl Read + Write)) -> bool {
    matches!(api_versions(stream), Answer::Kafka)
}

fn api_versions(stream: &mut (impl Read + Write)) -> Answer {
    ask(stream, &API_VERSIONS)
}

/// Sends a request, and reads its whole response.
fn ask(stream: &mut (impl Read + Write), request: &[u8]) -> Answer {
    /// The largest response that is read.
    const MAX_RESPONSE: u32 = 1 << 20;
    if let Err(error) = stream.write_all(request).and_then(|()| stream.flush()) {
        return failed(&error);
    }
    let mut start = [0; 8];
    let mut filled = 0;
    while filled < start.len() {
        match stream.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if filled == 0 => return failed(&error),
            Err(_) => break,
        }
    }
    let [size @ .., c0, c1, c2, c3] = start;
    let size = u32::from_be_bytes(size);
    if filled == start.len()
        && (4..=MAX_RESPONSE).contains(&size)
        && [c0, c1, c2, c3] == [0, 0, 0, 1]
    {
        let mut rest = vec![0; size as usize - 4];
        return match stream.read_exact(&mut rest) {
            Ok(()) => Answer::Kafka,
            Err(error) => failed(&error),
        };
    }
    match (filled, &start) {
        (0, _) => Answer::Closed,
        (_, [0x15, 0x03, ..]) => Answer::Tls,
        (_, start) => {
            let printable = start[..filled]
                .iter()
                .filter(|byte| (b' '..=b'~').contains(byte));
            Answer::Other(printable.map(|byte| char::from(*byte)).collect())
        }
    }
}

fn failed(error: &std::io::Error) -> Answer {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Answer::Silent,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Answer::Closed,
        _ => Answer::Failed(error.to_string()),
    }
}

/// The text of `getaddrinfo`, without the prefix of the standard library.
fn resolver_text(text: &str) -> String {
    let prefix = "failed to lookup address information: ";
    text.strip_prefix(prefix).unwrap_or(text).to_owned()
}
