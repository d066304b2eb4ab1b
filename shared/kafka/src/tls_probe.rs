//! Why the certificate of a broker is rejected: librdkafka's text is the same for each cause.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use openssl::ssl::{HandshakeError, SslConnector, SslMethod};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use rdkafka::ClientConfig;

/// The timeout of the connection and of each read.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The authorities that a client trusts.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    location: Option<String>,
    pem: Option<String>,
    /// Whether the client has a certificate of its own.
    pub(crate) has_client_certificate: bool,
}

impl Trust {
    pub(crate) fn of(config: &ClientConfig) -> Self {
        let get = |name| config.get(name).map(str::to_owned);
        Self {
            location: get("ssl.ca.location"),
            pem: get("ssl.ca.pem"),
            has_client_certificate: config.get("ssl.certificate.pem").is_some(),
        }
    }

    /// Opens a TLS connection to the broker that a reason of librdkafka begins with (`ssl://host:port/…`), and returns why
    /// its certificate is rejected. `None` if it is not, or cannot be had.
    pub(crate) fn rejection(&self, reason: &str) -> Option<&'static str> {
        let (_, rest) = reason.split_once("ssl://")?;
        let (address, _) = rest.split_once('/')?;
        let (host, _) = address.rsplit_once(':')?;
        let address = address.to_socket_addrs().ok()?.next()?;
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).ok()?;
        let mut builder = SslConnector::builder(SslMethod::tls_client()).ok()?;
        match (&self.pem, &self.location) {
            (Some(pem), _) => {
                let mut store = X509StoreBuilder::new().ok()?;
                for certificate in X509::stack_from_pem(pem.as_bytes()).ok()? {
                    store.add_cert(certificate).ok()?;
                }
                builder.set_verify_cert_store(store.build()).ok()?;
            }
            (None, Some(location)) if Path::new(location).is_dir() => {
                builder
                    .load_verify_locations(None, Some(location.as_ref()))
                    .ok()?;
            }
            (None, Some(location)) => builder.set_ca_file(location).ok()?,
            (None, None) => {}
        }
        match builder.build().connect(host, stream) {
            Err(HandshakeError::Failure(failed)) => match failed.ssl().verify_result() {
                X509VerifyResult::OK => None,
                result => Some(result.error_string()),
            },
            _ => None,
        }
    }
}
