//! The services: which path is whose, and what each answers.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use serde_json::{Value, json};

use super::answer::{self, Content, Trouble, error, set};
use super::verify::{Arrived, Wanted, signed, verify};
use super::world::{Inner, NAMESPACE, REGION, Secret, Seen, VAULT, World};
use super::{Never, control, identity};

/// Answers one request: control first, then any trouble, then the signature, then the service.
pub(super) async fn answer(
    world: &World,
    request: Request<Incoming>,
) -> Result<Response<Content>, Never> {
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(error(400, "InvalidRequest", "the body broke off")),
    };
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let request = Arrived {
        method: &parts.method,
        target: &target,
        headers: &parts.headers,
        body: &body,
    };
    if target.starts_with("/control/") {
        return Ok(control::answer(world, &request));
    }
    let trouble = world.lock().trouble_of(&target);
    let index = note(world, &request);
    match &trouble {
        Some(Trouble::Delay(delay)) => tokio::time::sleep(*delay).await,
        Some(Trouble::Hang) => tokio::time::sleep(Duration::from_secs(3600)).await,
        _ => {}
    }
    let mut response = match trouble.as_ref().and_then(answer::troubled) {
        Some(response) => response,
        None => real(world, &request),
    };
    if let Some(Trouble::Cut) = trouble {
        response = response.map(Content::cut);
    }
    let own_id = parts
        .headers
        .get("opc-request-id")
        .and_then(|id| id.to_str().ok());
    let mut inner = world.lock();
    let request_id = format!("{}/standin/{index}", own_id.unwrap_or("none"));
    answer::finish(&mut response, inner.now(), &request_id);
    if let Some(seen) = inner.seen.get_mut(index) {
        seen.status = response.status().as_u16();
    }
    Ok(response)
}

fn note(world: &World, request: &Arrived<'_>) -> usize {
    let mut inner = world.lock();
    inner.seen.push(Seen {
        method: request.method.to_string(),
        target: request.target.to_owned(),
        signed: signed(request.headers),
        status: 0,
    });
    inner.seen.len() - 1
}

fn real(world: &World, request: &Arrived<'_>) -> Response<Content> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    if let Some(path) = path.strip_prefix("/opc/v2/") {
        return metadata(world, path, request.headers);
    }
    let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let wanted = match (request.method, segments.as_slice()) {
        (_, ["v1", "x509"]) => Wanted::Federation,
        (&Method::PUT, ["n", _, "b", _, "o", ..]) => Wanted::Upload,
        _ => Wanted::Usual,
    };
    if let Err(reason) = verify(world, request, wanted) {
        tracing::info!(target = request.target, %reason, "refused a signature");
        return error(
            401,
            "NotAuthenticated",
            "The required information to complete authentication was not provided or was incorrect.",
        );
    }
    match (request.method, segments.as_slice()) {
        (&Method::POST, ["v1", "x509"]) => federation(world, request.body),
        (&Method::GET, ["n"] | ["n", ""]) => answer::json(StatusCode::OK, &json!(NAMESPACE)),
        (_, ["n", namespace, ..]) if *namespace != NAMESPACE => error(
            404,
            "NamespaceNotFound",
            "You do not have authorization to perform this request, or the requested resource could not be found.",
        ),
        (&Method::POST, ["n", _, "b", ..]) => make_bucket(world, request.body),
        (method, ["n", _, "b", bucket, "o", object @ ..]) if !object.is_empty() => object_storage(
            &mut world.lock(),
            method,
            bucket,
            &object.join("/"),
            request,
        ),
        (&Method::GET, ["20190301", "secretbundles", id]) => {
            let inner = world.lock();
            bundle(
                inner.secrets.iter().find(|(_, secret)| secret.ocid == *id),
                query,
            )
        }
        (&Method::POST, ["20190301", "secretbundles", "actions", "getByName"]) => {
            let inner = world.lock();
            let is_here = parameter(query, "vaultId").as_deref() == Some(VAULT);
            let name = parameter(query, "secretName").filter(|_| is_here);
            let found = inner
                .secrets
                .iter()
                .find(|(known, _)| Some(*known) == name.as_ref());
            bundle(found, query)
        }
        _ => error(404, "NotFound", "no such service"),
    }
}

fn object_storage(
    inner: &mut Inner,
    method: &Method,
    bucket: &str,
    name: &str,
    request: &Arrived<'_>,
) -> Response<Content> {
    let text = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if !inner.has_bucket(bucket) {
        let message = format!(
            "Either the bucket named '{bucket}' does not exist in the namespace '{NAMESPACE}' or you are not authorized to access it"
        );
        return error(404, "BucketNotFound", &message);
    }
    if *method == Method::PUT {
        if text("if-none-match") == Some("*") && inner.stored(bucket, name).is_some() {
            return error(412, "IfNoneMatchFailed", "The object exists");
        }
        let own = md5(request.body);
        if text("content-md5").is_some_and(|stated| stated != own) {
            return error(
                400,
                "UnmatchedContentMD5",
                "The computed MD5 does not match",
            );
        }
        let content_type = text("content-type").unwrap_or("application/octet-stream");
        let stored = inner.store(bucket, name, request.body.to_vec(), content_type);
        let mut response = answer::bytes(Vec::new());
        set(&mut response, "etag", &stored.etag);
        set(&mut response, "opc-content-md5", &own);
        set(
            &mut response,
            "last-modified",
            &httpdate::fmt_http_date(inner.now()),
        );
        return response;
    }
    let Some(object) = inner.stored(bucket, name) else {
        let message = format!(
            "The object '{name}' does not exist in bucket '{bucket}' with namespace '{NAMESPACE}'"
        );
        return error(404, "ObjectNotFound", &message);
    };
    if text("if-none-match") == Some(&object.etag) {
        let mut response = answer::bytes(Vec::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        set(&mut response, "etag", &object.etag);
        return response;
    }
    let mut response = answer::bytes(object.bytes.clone());
    set(&mut response, "etag", &object.etag);
    set(&mut response, "content-md5", &md5(&object.bytes));
    set(&mut response, "content-type", &object.content_type);
    set(
        &mut response,
        "last-modified",
        &httpdate::fmt_http_date(inner.now()),
    );
    response
}

fn make_bucket(world: &World, body: &[u8]) -> Response<Content> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(name) = body["name"].as_str() else {
        return error(400, "InvalidParameter", "name is missing");
    };
    world.lock().make_bucket(name);
    answer::json(
        StatusCode::OK,
        &json!({"namespace": NAMESPACE, "name": name}),
    )
}

fn bundle(found: Option<(&String, &Secret)>, query: &str) -> Response<Content> {
    let refused = || {
        error(
            404,
            "NotAuthorizedOrNotFound",
            "Authorization failed or requested resource not found.",
        )
    };
    let Some((_, secret)) = found else {
        return refused();
    };
    let newest = secret.versions.len();
    let version = match (
        parameter(query, "versionNumber"),
        parameter(query, "stage").as_deref(),
    ) {
        (Some(number), _) => number.parse().unwrap_or(0),
        (None, None | Some("CURRENT" | "LATEST")) => newest,
        (None, Some("PREVIOUS")) => newest - 1,
        (None, Some(_)) => 0,
    };
    let Some(bytes) = version
        .checked_sub(1)
        .and_then(|index| secret.versions.get(index))
    else {
        return refused();
    };
    let expiry = if secret.is_expired {
        json!("2020-01-01T00:00:00.000Z")
    } else {
        Value::Null
    };
    let stages = if version == newest {
        json!(["CURRENT", "LATEST"])
    } else {
        json!(["PREVIOUS"])
    };
    answer::json(
        StatusCode::OK,
        &json!({
            "secretId": secret.ocid, "timeCreated": "2026-01-01T00:00:00.000Z", "versionNumber": version,
            "versionName": null, "timeOfDeletion": null, "timeOfExpiry": expiry, "metadata": null,
            "stages": stages,
            "secretBundleContent": {"contentType": "BASE64", "content": STANDARD.encode(bytes)},
        }),
    )
}

fn metadata(world: &World, path: &str, headers: &HeaderMap) -> Response<Content> {
    if headers
        .get("authorization")
        .is_none_or(|value| value != "Bearer Oracle")
    {
        return error(
            401,
            "NotAuthenticated",
            "Authorization: Bearer Oracle is missing",
        );
    }
    let machine = &world.authority.machine;
    let pem = match path {
        "instance/region" => Ok(REGION.as_bytes().to_vec()),
        "identity/cert.pem" => machine.certificate.to_pem(),
        "identity/key.pem" => machine.key.private_key_to_pem_pkcs8(),
        "identity/intermediate.pem" => machine.intermediate.to_pem(),
        _ => return error(404, "NotFound", path),
    };
    answer::bytes(pem.unwrap_or_default())
}

/// Grants a session of twenty minutes for the public key in the body.
fn federation(world: &World, body: &[u8]) -> Response<Content> {
    let granted = || -> anyhow::Result<String> {
        let body: Value = serde_json::from_slice(body)?;
        let der = STANDARD.decode(body["publicKey"].as_str().unwrap_or_default())?;
        identity::issue(
            world,
            &PKey::public_key_from_der(&der)?,
            Duration::from_secs(1200),
        )
    };
    match granted() {
        Ok(token) => answer::json(StatusCode::OK, &json!({"token": token})),
        Err(reason) => error(400, "InvalidParameter", &reason.to_string()),
    }
}

fn md5(bytes: &[u8]) -> String {
    hash(MessageDigest::md5(), bytes)
        .map_or_else(|_| String::new(), |digest| STANDARD.encode(digest))
}

/// A query parameter, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| decode(value))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
