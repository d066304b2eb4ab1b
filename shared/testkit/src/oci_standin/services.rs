//! The services: routes each request by its path and answers it.

use std::convert::Infallible;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use serde_json::{Value, json};

use super::names::{NAMESPACE, REGION, VAULT};
use super::response::{self, Fault, FaultyBody, error, set};
use super::state::{RecordedRequest, Secret, State, StateInner};
use super::url::{decode, parameter};
use super::verify::{ReceivedRequest, SigningRule, signed, verify};
use super::{control, identity, listing};

/// Answers one request, in this order: control requests, injected faults, signature, service.
pub(super) async fn answer(
    state: &State,
    request: Request<Incoming>,
) -> Result<Response<FaultyBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(error(400, "InvalidRequest", "the body is incomplete")),
    };
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let request = ReceivedRequest {
        method: &parts.method,
        target: &target,
        headers: &parts.headers,
        body: &body,
    };
    if target.starts_with("/control/") {
        return Ok(control::answer(state, &request));
    }
    let fault = state.lock().take_fault(&target);
    let index = record(state, &request);
    match &fault {
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        Some(Fault::Hang) => tokio::time::sleep(Duration::from_secs(3600)).await,
        _ => {}
    }
    let mut response = match fault.as_ref().and_then(response::faulty) {
        Some(response) => response,
        None => route(state, &request),
    };
    if let Some(Fault::Cut) = fault {
        response = response.map(FaultyBody::cut);
    }
    let client_id = parts
        .headers
        .get("opc-request-id")
        .and_then(|id| id.to_str().ok());
    let mut inner = state.lock();
    let request_id = format!("{}/standin/{index}", client_id.unwrap_or("none"));
    response::finish(&mut response, inner.now(), &request_id);
    if let Some(seen) = inner.requests.get_mut(index) {
        seen.status = response.status().as_u16();
    }
    Ok(response)
}

/// Adds the request to the recorded requests and returns its index.
fn record(state: &State, request: &ReceivedRequest<'_>) -> usize {
    let mut inner = state.lock();
    inner.requests.push(RecordedRequest {
        method: request.method.to_string(),
        target: request.target.to_owned(),
        signed: signed(request.headers),
        status: 0,
    });
    inner.requests.len() - 1
}

/// Verifies the signature and calls the service.
fn route(state: &State, request: &ReceivedRequest<'_>) -> Response<FaultyBody> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    if let Some(path) = path.strip_prefix("/opc/v2/") {
        return metadata(state, path, request.headers);
    }
    let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let rule = match (request.method, segments.as_slice()) {
        (_, ["v1", "x509"]) => SigningRule::Body,
        (&Method::PUT, ["n", _, "b", _, "o", ..]) => SigningRule::Host,
        _ => SigningRule::HostAndBody,
    };
    if let Err(reason) = verify(state, request, rule) {
        tracing::info!(target = request.target, %reason, "signature rejected");
        return error(
            401,
            "NotAuthenticated",
            "The required information to complete authentication was not provided or was incorrect.",
        );
    }
    match (request.method, segments.as_slice()) {
        (&Method::POST, ["v1", "x509"]) => federation(state, request.body),
        (&Method::GET, ["n"] | ["n", ""]) => response::json(StatusCode::OK, &json!(NAMESPACE)),
        (_, ["n", namespace, ..]) if *namespace != NAMESPACE => error(
            404,
            "NamespaceNotFound",
            "You do not have authorization to perform this request, or the requested resource could not be found.",
        ),
        (&Method::POST, ["20181201", "functions", _, "actions", "invoke"]) => {
            response::json(StatusCode::OK, &json!({}))
        }
        (&Method::POST, ["n", _, "b", ..]) => make_bucket(state, request.body),
        (&Method::GET, ["n", _, "b", bucket, "o"]) => {
            let inner = state.lock();
            match inner.has_bucket(bucket) {
                true => listing::answer(&inner, bucket, query),
                false => no_bucket(bucket),
            }
        }
        (method, ["n", _, "b", bucket, "o", object @ ..]) if !object.is_empty() => object_storage(
            &mut state.lock(),
            method,
            bucket,
            &object.join("/"),
            request,
        ),
        (&Method::GET, ["20190301", "secretbundles", id]) => {
            let inner = state.lock();
            bundle(
                inner.secrets.iter().find(|(_, secret)| secret.ocid == *id),
                query,
            )
        }
        (&Method::POST, ["20190301", "secretbundles", "actions", "getByName"]) => {
            let inner = state.lock();
            let is_known_vault = parameter(query, "vaultId").as_deref() == Some(VAULT);
            let name = parameter(query, "secretName").filter(|_| is_known_vault);
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
    inner: &mut StateInner,
    method: &Method,
    bucket: &str,
    name: &str,
    request: &ReceivedRequest<'_>,
) -> Response<FaultyBody> {
    let text = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if !inner.has_bucket(bucket) {
        return no_bucket(bucket);
    }
    if *method == Method::PUT {
        if text("if-none-match") == Some("*") && inner.stored(bucket, name).is_some() {
            return error(412, "IfNoneMatchFailed", "The object exists");
        }
        let digest = md5(request.body);
        if text("content-md5").is_some_and(|stated| stated != digest) {
            return error(
                400,
                "UnmatchedContentMD5",
                "The computed MD5 does not match",
            );
        }
        let content_type = text("content-type").unwrap_or("application/octet-stream");
        let stored = inner.store(bucket, name, request.body.to_vec(), content_type);
        let mut response = response::bytes(Vec::new());
        set(&mut response, "etag", &stored.etag);
        set(&mut response, "opc-content-md5", &digest);
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
        let mut response = response::bytes(Vec::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        set(&mut response, "etag", &object.etag);
        return response;
    }
    let mut response = response::bytes(object.bytes.clone());
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

fn no_bucket(bucket: &str) -> Response<FaultyBody> {
    let message = format!(
        "Either the bucket named '{bucket}' does not exist in the namespace '{NAMESPACE}' or you are not authorized to access it"
    );
    error(404, "BucketNotFound", &message)
}

fn make_bucket(state: &State, body: &[u8]) -> Response<FaultyBody> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(name) = body["name"].as_str() else {
        return error(400, "InvalidParameter", "name is missing");
    };
    state.lock().make_bucket(name);
    response::json(
        StatusCode::OK,
        &json!({"namespace": NAMESPACE, "name": name}),
    )
}

fn bundle(found: Option<(&String, &Secret)>, query: &str) -> Response<FaultyBody> {
    let not_found = || {
        error(
            404,
            "NotAuthorizedOrNotFound",
            "Authorization failed or requested resource not found.",
        )
    };
    let Some((_, secret)) = found else {
        return not_found();
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
        return not_found();
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
    response::json(
        StatusCode::OK,
        &json!({
            "secretId": secret.ocid, "timeCreated": "2026-01-01T00:00:00.000Z", "versionNumber": version,
            "versionName": null, "timeOfDeletion": null, "timeOfExpiry": expiry, "metadata": null,
            "stages": stages,
            "secretBundleContent": {"contentType": "BASE64", "content": STANDARD.encode(bytes)},
        }),
    )
}

fn metadata(state: &State, path: &str, headers: &HeaderMap) -> Response<FaultyBody> {
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
    let machine = &state.authority.machine;
    let pem = match path {
        "instance/region" => Ok(REGION.as_bytes().to_vec()),
        "identity/cert.pem" => machine.certificate.to_pem(),
        "identity/key.pem" => machine.key.private_key_to_pem_pkcs8(),
        "identity/intermediate.pem" => machine.intermediate.to_pem(),
        _ => return error(404, "NotFound", path),
    };
    response::bytes(pem.unwrap_or_default())
}

/// Issues a token of twenty minutes for the session key in the body.
fn federation(state: &State, body: &[u8]) -> Response<FaultyBody> {
    let issue = || -> anyhow::Result<String> {
        let body: Value = serde_json::from_slice(body)?;
        let der = STANDARD.decode(body["publicKey"].as_str().unwrap_or_default())?;
        identity::issue(
            state,
            &PKey::public_key_from_der(&der)?,
            Duration::from_secs(1200),
        )
    };
    match issue() {
        Ok(token) => response::json(StatusCode::OK, &json!({"token": token})),
        Err(reason) => error(400, "InvalidParameter", &reason.to_string()),
    }
}

fn md5(bytes: &[u8]) -> String {
    hash(MessageDigest::md5(), bytes)
        .map_or_else(|_| String::new(), |digest| STANDARD.encode(digest))
}
