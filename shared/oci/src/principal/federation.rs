//! Federation of an instance principal: exchanges a certificate for a token of a new session key.

use http::{Extensions, HeaderValue, Method, header};
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use reqwest::{Request, Url};
use serde::Deserialize;
use serde_json::json;

use super::credentials::Credentials;
use super::identity::Identity;
use crate::api::Api;
use crate::key::{PrivateKey, colon_hex};
use crate::signature::{self, Body, Signable};
use crate::token::Token;

const MAX_RESPONSE: usize = 64 << 10;

/// Gets a token from federation at `endpoint`, as Oracle's Go SDK does: `POST /v1/x509`, signed with the machine's key,
/// without a `host`.
pub(super) async fn session(
    api: &Api,
    endpoint: &str,
    identity: &Identity,
) -> Result<Credentials, String> {
    let failed =
        |error: openssl::error::ErrorStack| format!("building the federation request: {error}");
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
        .map_err(failed)?;
    let key_id = format!(
        "{}/fed-x509-sha256/{}",
        identity.tenancy,
        colon_hex(&fingerprint)
    );
    let request = request(api, endpoint, &key_id, &identity.key, body)?;
    let operation = format!("getting a token from federation at {}", request.url());
    let response = api
        .send(&operation, &request, &Extensions::new(), MAX_RESPONSE)
        .await
        .map_err(|error| error.to_string())?;
    #[derive(Deserialize)]
    struct Granted {
        token: String,
    }
    let granted: Granted = serde_json::from_slice(&response.body).map_err(|_| {
        format!(
            "{operation}: the response contains no token (opc-request-id {})",
            response.request_id
        )
    })?;
    let token = Token::parse(&granted.token).map_err(|error| format!("{operation}: {error}"))?;
    Ok(Credentials {
        key_id: token.key_id(),
        key,
        expires: token.expires(),
    })
}

fn request(
    api: &Api,
    endpoint: &str,
    key_id: &str,
    key: &PrivateKey,
    body: String,
) -> Result<Request, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("building the federation request: {error}");
    let url = Url::parse(&format!("{}/v1/x509", endpoint.trim_end_matches('/')))
        .map_err(|error| wrong(&error))?;
    let date = httpdate::fmt_http_date((api.clock)());
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

/// PEM without its first and last line and without line breaks.
fn bare(pem: &str) -> String {
    pem.lines()
        .filter(|line| !line.starts_with("-----"))
        .collect()
}
