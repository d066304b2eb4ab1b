//! `POST /`: accepts records and answers with the decoded records.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use caller_auth::Admission;
use http::header::{CONNECTION, CONTENT_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Response};
use http_server::problem::{Problem, UNSUPPORTED_ENCODING};
use http_server::{body, idempotency};
use hyper::body::Incoming;
use record::idempotency::MAX_LENGTH;
use runtime::redact;
use tokio::time::Instant;
use tracing::{debug, info};

use super::accept::{accept, in_use};
use super::api::Api;
use super::clock::now_ms;
use super::decode::{self, DecodedRecord};
use super::key_history::Digest;
use super::respond;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of a rejected body are read and dropped, and for how long.
const MAX_DISCARD: u64 = 16 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// The most bytes of a record in a log line.
const MAX_LOGGED: usize = 2048;

/// Handles one request.
pub(super) async fn receive(
    api: &Api,
    head: &Parts,
    mut body: Incoming,
) -> Result<Response<Bytes>, Problem> {
    let (lock, bytes) = match read(api, head, &mut body).await {
        Ok(received) => received,
        Err(problem) => {
            let deadline = Instant::now() + DISCARD_TIMEOUT;
            body::discard(&mut body, MAX_DISCARD, Some(deadline)).await;
            // The rest of the body is unread, so the connection cannot be used again.
            return Err(problem.with_header(CONNECTION, "close"));
        }
    };
    let decoded = decode::body(&api.config, &bytes)?;
    let key = lock.as_ref().map(|lock| lock.key.as_str());
    let payload = Digest::of(&bytes);
    let duplicates = accept(&mut api.state(), key, payload, &decoded, now_ms())?;
    for (record, duplicate) in decoded.records.iter().zip(&duplicates) {
        log(api, record, *duplicate);
    }
    let count = duplicates.iter().filter(|duplicate| **duplicate).count();
    Ok(respond::accepted(
        &api.config.title,
        &decoded.records,
        count,
    ))
}

/// Checks the caller and the headers, locks the request's key, and reads the body. The body of a signed request is read
/// first: its signature covers the body.
async fn read<'a>(
    api: &'a Api,
    head: &Parts,
    body: &mut Incoming,
) -> Result<(Option<KeyLock<'a>>, Bytes), Problem> {
    let deadline = Some(Instant::now() + BODY_TIMEOUT);
    let headers = &head.headers;
    let max = api.config.max_body;
    match api.callers().admit(head, SystemTime::now()).await? {
        Admission::Admitted => {
            let lock = check(api, headers)?;
            Ok((lock, body::read(body, headers, max, deadline).await?))
        }
        Admission::Signed(request) => {
            let bytes = body::read(body, headers, max, deadline).await?;
            request.verify(&bytes)?;
            Ok((check(api, headers)?, bytes))
        }
    }
}

/// Checks everything that does not need the body, and locks the request's key.
fn check<'a>(api: &'a Api, headers: &HeaderMap) -> Result<Option<KeyLock<'a>>, Problem> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Problem::new(
            &UNSUPPORTED_ENCODING,
            "This endpoint does not support a Content-Encoding.",
        ));
    }
    idempotency::parse_key(headers, MAX_LENGTH)?
        .map(|key| KeyLock::acquire(api, key))
        .transpose()
}

fn log(api: &Api, record: &DecodedRecord, duplicate: bool) {
    let title = &api.config.title;
    let end = record.text.len().min(MAX_LOGGED);
    let text = redact::excerpt(&record.text.as_bytes()[..end], end < record.text.len());
    if duplicate {
        debug!(%title, record = %text, "record repeated");
    } else {
        info!(%title, record = %text, "record received");
    }
}

/// Locks a key until the request ends: other requests with the key are rejected.
struct KeyLock<'a> {
    api: &'a Api,
    key: String,
}

impl<'a> KeyLock<'a> {
    fn acquire(api: &'a Api, key: String) -> Result<Self, Problem> {
        if api.state().keys.lock(Digest::of(key.as_bytes())) {
            Ok(Self { api, key })
        } else {
            Err(in_use("The Idempotency-Key"))
        }
    }
}

impl Drop for KeyLock<'_> {
    fn drop(&mut self) {
        let key = Digest::of(self.key.as_bytes());
        self.api.state().keys.unlock(&key);
    }
}
