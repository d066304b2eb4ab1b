//! Connections through a proxy: the tunnel to an `https` endpoint (RFC 9110, section 9.3.6), and the absolute form of
//! requests to an `http` endpoint (RFC 9112, section 3.2.2).

use std::fmt::Display;
use std::io;

use bytes::Bytes;
use http::{Request, header};
use http_proxy::Proxy;
use runtime::redact;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endpoint_url::EndpointUrl;
use crate::outcome::ConnectionError;
use crate::policy::status::{self, StatusClass};

/// The most bytes of a proxy's response to CONNECT.
const MAX_HEAD: usize = 16 * 1024;

/// Connects to the proxy; for an `https` endpoint, opens a tunnel to it.
pub(super) async fn connect(
    proxy: &Proxy,
    url: &EndpointUrl,
) -> Result<TcpStream, ConnectionError> {
    let failed = |error: io::Error| failure(proxy, error);
    let stream = TcpStream::connect((proxy.host.as_str(), proxy.port));
    let mut stream = stream.await.map_err(failed)?;
    if url.tls {
        let head = request_tunnel(&mut stream, proxy, url).await;
        check_response(proxy, &head.map_err(failed)?)?;
    }
    Ok(stream)
}

/// Gives a request the form in which a proxy receives one without a tunnel.
pub(super) fn address_to(proxy: &Proxy, url: &EndpointUrl, request: &mut Request<Bytes>) {
    if let Some(uri) = url.absolute(request.uri()) {
        *request.uri_mut() = uri;
    }
    if let Some(value) = &proxy.authorization {
        let headers = request.headers_mut();
        headers.insert(header::PROXY_AUTHORIZATION, value.clone());
    }
}

/// Sends CONNECT and returns the response up to the end of its head; that of a rejection can be incomplete.
async fn request_tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    url: &EndpointUrl,
) -> io::Result<Vec<u8>> {
    let target = match url.host.contains(':') {
        true => format!("[{}]:{}", url.host, url.port),
        false => format!("{}:{}", url.host, url.port),
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(value) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    // Bytes after the head would be of the endpoint, which sends nothing before TLS begins.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return Err(io::Error::other("its response to CONNECT is too long"));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::Error::other("it closed the connection after CONNECT"));
        }
        // A body may follow the head of a rejection.
        if status_line(&head).is_some_and(|line| !is_success(line)) {
            break;
        }
    }
    Ok(head)
}

fn check_response(proxy: &Proxy, head: &[u8]) -> Result<(), ConnectionError> {
    let line = status_line(head).unwrap_or_default();
    if is_success(line) {
        return Ok(());
    }
    let line = String::from_utf8_lossy(line);
    let text = redact::mask(&line).escape_debug().to_string();
    let reason = format!("the proxy {proxy} rejected CONNECT: {text}");
    let status = status(line.as_bytes()).unwrap_or_default();
    // A status that is no final response, and one that is not about the time: another attempt has the same response.
    match status::classify(status) {
        StatusClass::Retryable => Err(ConnectionError::Connect(reason)),
        _ => Err(ConnectionError::ProxyRejected(reason)),
    }
}

fn failure(proxy: &Proxy, error: impl Display) -> ConnectionError {
    ConnectionError::Connect(format!("the proxy {proxy}: {error}"))
}

/// The first line, if it is complete.
fn status_line(head: &[u8]) -> Option<&[u8]> {
    let end = head.iter().position(|byte| *byte == b'\r')?;
    head.get(..end)
}

fn is_success(line: &[u8]) -> bool {
    status(line).is_some_and(|status| (200..300).contains(&status))
}

/// The status of a status line of HTTP/1.
fn status(line: &[u8]) -> Option<u16> {
    let mut parts = line.split(|byte| *byte == b' ');
    let version = parts.next()?;
    let status = parts.next().filter(|status| status.len() == 3)?;
    let status = std::str::from_utf8(status).ok()?;
    match version.starts_with(b"HTTP/1.") {
        true => status.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_opens_a_tunnel_and_a_rule_of_the_proxy_is_not_retried() {
        let proxy = Proxy {
            host: "proxy".to_owned(),
            port: 3128,
            authorization: None,
        };
        let check = |line: &str| check_response(&proxy, format!("{line}\r\n\r\n").as_bytes());
        for line in ["HTTP/1.1 200 Connection established", "HTTP/1.0 200"] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
        for line in ["HTTP/1.1 503 x", "HTTP/1.1 500", "HTTP/1.0 408 x"] {
            let result = check(line);
            let is_retried = matches!(result, Err(ConnectionError::Connect(_)));
            assert!(is_retried, "{line}: {result:?}");
        }
        for line in [
            "",
            "200",
            "HTTP/1.1 407 Authentication",
            "HTTP/1.1 403",
            "HTTP/2 200",
            "HTTP/1.1  200",
            "HTTP/1.1 +20",
            "HTTP/1.1 2000",
        ] {
            let result = check(line);
            let expected = format!("the proxy proxy:3128 rejected CONNECT: {line}");
            assert_eq!(
                result,
                Err(ConnectionError::ProxyRejected(expected)),
                "{line}"
            );
        }
    }
}
