//! Bodies of responses, within bounds, and errors of connections.

use reqwest::Response;
use runtime::redact;
use runtime::text::cause;

/// Reads at most `limit` bytes; true if the body is longer.
///
/// # Errors
/// The connection ended before the body did.
pub(crate) async fn beginning(
    mut response: Response,
    limit: usize,
) -> Result<(Vec<u8>, bool), String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
            Ok(Some(chunk)) => {
                body.extend(chunk.iter().take(limit - body.len()));
                return Ok((body, true));
            }
            Ok(None) => return Ok((body, false)),
            Err(error) => {
                let reason = format!(
                    "the response ended after {} bytes: {}",
                    body.len(),
                    cause(&error)
                );
                return Err(redact::mask(&reason).into_owned());
            }
        }
    }
}

/// Why there is no response.
pub(crate) fn connection_error(error: &reqwest::Error) -> String {
    format!("no connection: {}", redact::mask(&cause(error)))
}

/// The setting to check, if a connection failed because of TLS. Another attempt fails too.
pub(crate) fn tls_advice(reason: &str) -> Option<&'static str> {
    if reason.contains("certificate verify failed") {
        Some("SCHEMA_REGISTRY_SSL_CA_LOCATION names the trusted authorities")
    } else if reason.contains("SSL alert number") {
        Some(
            "the registry rejected the TLS handshake: check SCHEMA_REGISTRY_SSL_CERTIFICATE, the client certificate",
        )
    } else {
        None
    }
}
