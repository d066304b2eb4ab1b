//! Federation of an instance principal: a certificate and a new session key in, a token for that key out.

use http::{Extensions, HeaderValue, Method, header};
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use reqwest::{Request, Url};
use serde::Deserialize;
use serde_json::json;

use super::super::exchange::Exchange;
use super::super::key::{PrivateKey, colons};
use super::super::signature::{self, Body, Signable};
use super::super::token::Token;
use super::Credentials;
use super::instance::Identity;

const MAX_ANSWER: usize = 64 << 10;

/// Asks federation at `endpoint` for a token, as Oracle's Go SDK does: `POST /v1/x509`, signed with the machine's
/// own key, without a `host`.
pub(super) async fn session(
    exchange: &Exchange,
    endpoint: &str,
    identity: &Identity,
) -> Result<Credentials, String> {
    let refused =
        |error: openssl::error::ErrorStack| format!("making the federation request: {error}");
    let key = PrivateKey::generate().map_err(|error| error.to_string())?;
    let public = key.public_pem().map_err(|error| error.to_string())?;
    let body = json!({
        "certificate": bare(&pem(&identity.certificate)?),
        "publicKey": bare(&public),
        "intermediateCertificates": [bare(&pem(&identity.intermediate)?)],
        "fingerprintAlgorithm": "SHA256",
    })
    .to_string();
    let fingerprint = identity
        .certificate
        .digest(MessageDigest::sha256())
        .map_err(refused)?;
    let key_id = format!(
        "{}/fed-x509-sha256/{}",
        identity.tenancy,
        colons(&fingerprint)
    );
    let request = request(exchange, endpoint, &key_id, &identity.key, body)?;
    let doing = format!("asking federation at {} for a token", request.url());
    let answer = exchange
        .ask(&doing, &request, &Extensions::new(), MAX_ANSWER)
        .await
        .map_err(|error| error.to_string())?;
    #[derive(Deserialize)]
    struct Granted {
        token: String,
    }
    let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| {
        format!(
            "{doing}: the answer holds no token (opc-request-id {})",
            answer.request_id
        )
    })?;
    let token = Token::parse(&granted.token).map_err(|error| format!("{doing}: {error}"))?;
    Ok(Credentials {
        key_id: token.key_id(),
        key,
        expires: token.expires(),
    })
}

fn request(
    exchange: &Exchange,
    endpoint: &str,
    key_id: &str,
    key: &PrivateKey,
    body: String,
) -> Result<Request, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("making the federation request: {error}");
    let url = Url::parse(&format!("{}/v1/x509", endpoint.trim_end_matches('/')))
        .map_err(|error| wrong(&error))?;
    let date = httpdate::fmt_http_date((exchange.clock)());
    let content_type = "application/json";
    let authorization = signature::authorization(
        &Signable {
            method: &Method::POST,
            target: url.path(),
            host: None,
            date: &date,
            body: Some(Body {
                content_type,
                bytes: body.as_bytes(),
            }),
        },
        key_id,
        key,
    )
    .map_err(|error| wrong(&error))?;
    let sha256 = signature::content_sha256(body.as_bytes());
    let mut request = Request::new(Method::POST, url);
    for (name, text) in [
        ("date", date.as_str()),
        (header::CONTENT_TYPE.as_str(), content_type),
        ("x-content-sha256", &sha256),
        (header::AUTHORIZATION.as_str(), &authorization),
    ] {
        let mut value = HeaderValue::try_from(text).map_err(|error| wrong(&error))?;
        value.set_sensitive(name == header::AUTHORIZATION.as_str());
        if let Ok(name) = header::HeaderName::try_from(name) {
            request.headers_mut().insert(name, value);
        }
    }
    *request.body_mut() = Some(body.into());
    Ok(request)
}

fn pem(certificate: &X509) -> Result<String, String> {
    let pem = certificate.to_pem().map_err(|error| error.to_string())?;
    String::from_utf8(pem).map_err(|error| error.to_string())
}

/// PEM without its first and last line and its line breaks.
fn bare(pem: &str) -> String {
    pem.lines()
        .filter(|line| !line.starts_with("-----"))
        .collect()
}
