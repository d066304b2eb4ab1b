//! Verifies signatures by the rules of Oracle Cloud: the required headers are signed, by a known key, over the received
//! bytes, with a date within five minutes.
//!
//! Sources: "Request Signatures" in Oracle's documentation, and the requests of its CLI. This code shares nothing with the
//! code under test.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Public};
use openssl::sign::Verifier;
use openssl::x509::X509;
use serde_json::Value;

use super::identity::colons;
use super::names::TENANCY;
use super::state::State;

/// A received request.
pub(super) struct ReceivedRequest<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// The parts that a service requires to be signed, in addition to date and target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SigningRule {
    /// The host, and the body of POST, PUT and PATCH.
    HostAndBody,
    /// The host alone: uploads to Object Storage.
    Host,
    /// The body alone: federation.
    Body,
}

/// Verifies the signature of a request.
///
/// # Errors
/// The first violated rule.
pub(super) fn verify(
    state: &State,
    request: &ReceivedRequest<'_>,
    rule: SigningRule,
) -> Result<()> {
    let authorization = request.header("authorization")?;
    let parameters = parameters(authorization)?;
    let parameter = |name: &str| {
        parameters
            .get(name)
            .copied()
            .with_context(|| format!("no {name}"))
    };
    ensure!(parameter("algorithm")? == "rsa-sha256", "algorithm");
    ensure!(
        parameters
            .get("version")
            .is_none_or(|version| *version == "1"),
        "version"
    );
    let names: Vec<&str> = parameter("headers")?.split(' ').collect();
    for name in required(request.method, rule) {
        ensure!(names.contains(&name), "{name} is not signed");
    }
    let now = state.lock().now();
    check_date(request.header("date")?, now)?;
    check_body(request, &names)?;
    let key = key(state, parameter("keyId")?, request, rule, now)?;
    let text = signing_string(request, &names)?;
    let signature = STANDARD
        .decode(parameter("signature")?)
        .context("signature is not base64")?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key)?;
    ensure!(
        verifier.verify_oneshot(&signature, text.as_bytes())?,
        "the signature does not match {text:?}"
    );
    Ok(())
}

/// The names of the headers that the request states as signed.
pub(super) fn signed(headers: &HeaderMap) -> String {
    let text = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let named = text.and_then(|text| parameters(text).ok()?.get("headers").copied());
    named.unwrap_or_default().to_owned()
}

impl<'a> ReceivedRequest<'a> {
    fn header(&self, name: &str) -> Result<&'a str> {
        let value = self
            .headers
            .get(name)
            .with_context(|| format!("no {name}"))?;
        value
            .to_str()
            .with_context(|| format!("{name} is not text"))
    }
}

fn parameters(authorization: &str) -> Result<BTreeMap<&str, &str>> {
    let rest = authorization
        .strip_prefix("Signature ")
        .context("no Signature")?;
    rest.split(',')
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').context("a parameter without =")?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            Ok((name, value.context("a parameter without quotes")?))
        })
        .collect()
}

fn required(method: &Method, rule: SigningRule) -> Vec<&'static str> {
    let mut names = vec!["date", "(request-target)"];
    if rule != SigningRule::Body {
        names.push("host");
    }
    let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if has_body && rule != SigningRule::Host {
        names.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    names
}

fn check_date(date: &str, now: SystemTime) -> Result<()> {
    let date = httpdate::parse_http_date(date).context("date is malformed")?;
    let difference = now
        .duration_since(date)
        .unwrap_or_else(|error| error.duration());
    ensure!(
        difference <= Duration::from_secs(300),
        "date differs by {difference:?}"
    );
    Ok(())
}

fn check_body(request: &ReceivedRequest<'_>, names: &[&str]) -> Result<()> {
    if names.contains(&"x-content-sha256") {
        let digest = STANDARD.encode(hash(MessageDigest::sha256(), request.body)?);
        ensure!(
            request.header("x-content-sha256")? == digest,
            "x-content-sha256 does not match the body"
        );
    }
    if names.contains(&"content-length") {
        let length = request.body.len().to_string();
        ensure!(
            request.header("content-length")? == length,
            "content-length does not match the body"
        );
    }
    Ok(())
}

fn signing_string(request: &ReceivedRequest<'_>, names: &[&str]) -> Result<String> {
    let mut lines = Vec::new();
    for name in names {
        let value = match *name {
            "(request-target)" => {
                format!(
                    "{} {}",
                    request.method.as_str().to_lowercase(),
                    request.target
                )
            }
            name => request.header(name)?.to_owned(),
        };
        lines.push(format!("{name}: {value}"));
    }
    Ok(lines.join("\n"))
}

fn key(
    state: &State,
    key_id: &str,
    request: &ReceivedRequest<'_>,
    rule: SigningRule,
    now: SystemTime,
) -> Result<PKey<Public>> {
    if rule == SigningRule::Body {
        return machine_key(state, key_id, request.body);
    }
    if let Some(token) = key_id.strip_prefix("ST$") {
        let first_valid = state.lock().first_valid;
        return state.authority.session_key(token, first_valid, now);
    }
    let known = state.lock().api_keys.get(key_id).cloned();
    known.with_context(|| format!("unknown key: {key_id}"))
}

/// The key of the certificate in the body, which must be the machine's certificate. Oracle's SDKs use two forms of
/// fingerprint; both are accepted.
fn machine_key(state: &State, key_id: &str, body: &[u8]) -> Result<PKey<Public>> {
    let body: Value = serde_json::from_slice(body).context("the body is not JSON")?;
    let der = |value: &Value| -> Result<Vec<u8>> {
        Ok(STANDARD.decode(value.as_str().context("a certificate is missing")?)?)
    };
    let certificate = X509::from_der(&der(&body["certificate"])?)?;
    let machine = &state.authority.machine;
    ensure!(
        certificate.to_der()? == machine.certificate.to_der()?,
        "the certificate is not the machine's"
    );
    let intermediate = X509::from_der(&der(&body["intermediateCertificates"][0])?)?;
    ensure!(
        certificate.verify(&*intermediate.public_key()?)?,
        "the certificate was not issued by the intermediate"
    );
    let sha256 = colons(&certificate.digest(MessageDigest::sha256())?);
    let sha1 = colons(&certificate.digest(MessageDigest::sha1())?).to_uppercase();
    let accepted = [
        format!("{TENANCY}/fed-x509-sha256/{sha256}"),
        format!("{TENANCY}/fed-x509/{sha1}"),
    ];
    if !accepted.iter().any(|id| id == key_id) {
        bail!("keyId {key_id} is not one of {accepted:?}");
    }
    Ok(certificate.public_key()?)
}
