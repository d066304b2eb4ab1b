//! OTLP over gRPC: an HTTP/2 channel with OpenSSL instead of tonic's TLS library, and with the proxies of all programs.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use http::Uri;
use http_proxy::{Proxies, Proxy};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tonic::transport::{Channel, Endpoint};
use tower::{Service, ServiceExt, service_fn};

use super::signal::SignalConfig;
use super::thread::ExportThread;

/// The protocol of the connection (RFC 7301, RFC 9113).
const ALPN_H2: &[u8] = b"\x02h2";

/// A channel to the collector. It connects when there is something to send, and again after a failure.
///
/// # Errors
/// The variable of a proxy is malformed, or OpenSSL cannot use the certificates.
pub(super) fn channel(config: &SignalConfig, thread: &ExportThread) -> Result<Channel, String> {
    let proxies = Proxies::from_environment(|name| std::env::var(name).ok());
    let proxies = proxies.map_err(|error| error.to_string())?;
    let connector = Connector {
        proxy: proxies.for_url(&config.endpoint),
        tls: match config.endpoint.scheme_str() {
            Some("https") => Some(tls(config).map_err(|error| error.to_string())?),
            _ => None,
        },
    };
    let endpoint = Endpoint::new(config.endpoint.clone()).map_err(|error| error.to_string())?;
    let endpoint = endpoint
        .timeout(config.timeout)
        .connect_timeout(config.timeout);
    // The channel starts a task.
    let _entered = thread.handle().enter();
    let connect = service_fn(move |url: Uri| connect(connector.clone(), url));
    Ok(endpoint.connect_with_connector_lazy(connect))
}

#[derive(Clone)]
struct Connector {
    proxy: Option<Proxy>,
    tls: Option<SslConnector>,
}

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(
    connector: Connector,
    url: Uri,
) -> Result<TokioIo<Box<dyn Stream>>, Box<dyn Error + Send + Sync>> {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = open(connector.proxy.as_ref(), &url, host).await?;
    let Some(tls) = connector.tls else {
        return Ok(TokioIo::new(Box::new(stream)));
    };
    let mut stream = SslStream::new(tls.configure()?.into_ssl(host)?, stream)?;
    Pin::new(&mut stream).connect().await?;
    if stream.ssl().selected_alpn_protocol() != Some(b"h2") {
        return Err("the collector does not support HTTP/2".into());
    }
    Ok(TokioIo::new(Box::new(stream)))
}

/// A TCP connection: direct, or a tunnel through the proxy.
async fn open(
    proxy: Option<&Proxy>,
    url: &Uri,
    host: &str,
) -> Result<TcpStream, Box<dyn Error + Send + Sync>> {
    let port = url.port_u16().unwrap_or(match url.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    let Some(proxy) = proxy else {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        return Ok(stream);
    };
    let address = format!("http://{proxy}").parse()?;
    let mut tunnel = Tunnel::new(address, HttpConnector::new());
    if let Some(authorization) = &proxy.authorization {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let failed = |error| io::Error::other(format!("the proxy {proxy}: {error}"));
    let tunnel = tunnel.ready().await.map_err(failed)?;
    let stream = tunnel.call(url.clone()).await.map_err(failed)?;
    Ok(stream.into_inner())
}

fn tls(config: &SignalConfig) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_alpn_protos(ALPN_H2)?;
    if let Some(pem) = &config.authorities {
        let mut store = X509StoreBuilder::new()?;
        for certificate in X509::stack_from_pem(pem.as_bytes())? {
            store.add_cert(certificate)?;
        }
        builder.set_cert_store(store.build());
    } else if !openssl_probe::has_ssl_cert_env_vars() {
        // The paths that are compiled into a bundled OpenSSL exist on no system. It reads the variables itself.
        let found = openssl_probe::probe();
        let folder = found.cert_dir.first().map(PathBuf::as_path);
        if found.cert_file.is_some() || folder.is_some() {
            builder.load_verify_locations(found.cert_file.as_deref(), folder)?;
        }
    }
    Ok(builder.build())
}
