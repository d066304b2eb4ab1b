//! Proves that a request is signed as Oracle Cloud wants it: the right headers, by a known key, of these very bytes,
//! within five minutes.
//!
//! Written from "Request Signatures" of Oracle's documentation and from what its CLI sends, apart from the code that
//! it checks.

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
use super::world::{TENANCY, World};

/// One request, whole.
pub(super) struct Arrived<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What a service wants signed beyond date and target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The host, and the body of POST, PUT and PATCH.
    Usual,
    /// The host alone: uploads to Object Storage.
    Upload,
    /// The body alone: federation.
    Federation,
}

/// Checks everything.
///
/// # Errors
/// The first rule that is broken.
pub(super) fn verify(world: &World, request: &Arrived<'_>, wanted: Wanted) -> Result<()> {
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
    for name in required(request.method, wanted) {
        ensure!(names.contains(&name), "{name} is not signed");
    }
    let now = world.lock().now();
    check_date(request.header("date")?, now)?;
    check_body(request, &names)?;
    let key = key(world, parameter("keyId")?, request, wanted, now)?;
    let text = signing_string(request, &names)?;
    let signature = STANDARD
        .decode(parameter("signature")?)
        .context("signature is not base64")?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key)?;
    ensure!(
        verifier.verify_oneshot(&signature, text.as_bytes())?,
        "the signature is not that of {text:?}"
    );
    Ok(())
}

/// The names of the headers that the request says are signed.
pub(super) fn signed(headers: &HeaderMap) -> String {
    let text = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let named = text.and_then(|text| parameters(text).ok()?.get("headers").copied());
    named.unwrap_or_default().to_owned()
}

impl<'a> Arrived<'a> {
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

fn required(method: &Method, wanted: Wanted) -> Vec<&'static str> {
    let mut names = vec!["date", "(request-target)"];
    if wanted != Wanted::Federation {
        names.push("host");
    }
    let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if has_body && wanted != Wanted::Upload {
        names.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    names
}

fn check_date(date: &str, now: SystemTime) -> Result<()> {
    let date = httpdate::parse_http_date(date).context("date is no date")?;
    let apart = now
        .duration_since(date)
        .unwrap_or_else(|error| error.duration());
    ensure!(
        apart <= Duration::from_secs(300),
        "date is off by {apart:?}"
    );
    Ok(())
}

fn check_body(request: &Arrived<'_>, names: &[&str]) -> Result<()> {
    if names.contains(&"x-content-sha256") {
        let own = STANDARD.encode(hash(MessageDigest::sha256(), request.body)?);
        ensure!(
            request.header("x-content-sha256")? == own,
            "x-content-sha256 is not that of the body"
        );
    }
    if names.contains(&"content-length") {
        let length = request.body.len().to_string();
        ensure!(
            request.header("content-length")? == length,
            "content-length is not that of the body"
        );
    }
    Ok(())
}

fn signing_string(request: &Arrived<'_>, names: &[&str]) -> Result<String> {
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
    world: &World,
    key_id: &str,
    request: &Arrived<'_>,
    wanted: Wanted,
    now: SystemTime,
) -> Result<PKey<Public>> {
    if wanted == Wanted::Federation {
        return machine_key(world, key_id, request.body);
    }
    if let Some(token) = key_id.strip_prefix("ST$") {
        let first_valid = world.lock().first_valid;
        return world.authority.session_key(token, first_valid, now);
    }
    let known = world.lock().api_max_keys.get(key_id).cloned();
    known.with_context(|| format!("no such key: {key_id}"))
}

/// The key of the certificate in the body, which must be our machine's; either form of fingerprint that Oracle's SDKs
/// use will do.
fn machine_key(world: &World, key_id: &str, body: &[u8]) -> Result<PKey<Public>> {
    let body: Value = serde_json::from_slice(body).context("the body is not JSON")?;
    let der = |value: &Value| -> Result<Vec<u8>> {
        Ok(STANDARD.decode(value.as_str().context("a certificate is missing")?)?)
    };
    let certificate = X509::from_der(&der(&body["certificate"])?)?;
    let machine = &world.authority.machine;
    ensure!(
        certificate.to_der()? == machine.certificate.to_der()?,
        "not our machine's certificate"
    );
    let intermediate = X509::from_der(&der(&body["intermediateCertificates"][0])?)?;
    ensure!(
        certificate.verify(&*intermediate.public_key()?)?,
        "not issued by the intermediate"
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
