//! Decides which records of a request are new and which are duplicates, and records the result.
//!
//! Keys work as in draft-ietf-httpapi-idempotency-key-header-06, section 2.6. A request with the same key and the same
//! payload is a duplicate and is not counted again. With another payload it is rejected (422), and while the first
//! request with its key is in progress it is rejected too (409).

use std::collections::HashMap;

use http_server::problem::Problem;

use super::api::ApiState;
use super::decode::{BodyFormat, DecodedBody};
use super::key_history::{Digest, KeyStatus};
use super::problems::{KEY_IN_USE, KEY_REUSED};

/// Accepts all records of a body or none. Returns for each record whether it is a duplicate.
///
/// `request_key` is the request's key, `payload` the digest of its body, `now_ms` the time in milliseconds since 1970.
///
/// # Errors
/// A key is in use, or was used with another payload. Then nothing is recorded.
pub(super) fn accept(
    state: &mut ApiState,
    request_key: Option<&str>,
    payload: Digest,
    body: &DecodedBody,
    now_ms: u64,
) -> Result<Vec<bool>, Problem> {
    let ApiState { keys, log } = state;
    let request_digest = request_key.map(|key| Digest::of(key.as_bytes()));
    // The key of a datum is the key of its record, which may be repeated within a container. The key of a container is
    // in a scope of its own: it may equal the key of one of its records.
    let request = request_digest.map(|key| match body.format {
        BodyFormat::Datum => key,
        BodyFormat::Container => key.scoped(b"container"),
    });
    if let Some(key) = &request
        && is_duplicate(keys.status(key, &payload), "The Idempotency-Key")?
    {
        body.records.iter().for_each(|_| log.count_repeated());
        return Ok(vec![true; body.records.len()]);
    }
    // All records are checked before the first is recorded.
    let digests: Vec<Option<Digest>> = body
        .records
        .iter()
        .map(|record| Some(Digest::of(record.key.as_ref()?.as_bytes())))
        .collect();
    let mut payloads = HashMap::new();
    for (index, (record, key)) in body.records.iter().zip(&digests).enumerate() {
        let Some(key) = key else { continue };
        let name = format!("The idempotency key of record {index}");
        if keys.is_locked(key) && request_digest.as_ref() != Some(key) {
            return Err(in_use(&name));
        }
        let status = match payloads.insert(key, record.payload) {
            Some(other) if other != record.payload => KeyStatus::Reused,
            _ => keys.status(key, &record.payload),
        };
        is_duplicate(status, &name)?;
    }
    if let Some(key) = request {
        keys.insert(key, payload);
    }
    let mut duplicates = Vec::with_capacity(body.records.len());
    for (record, key) in body.records.iter().zip(digests) {
        let duplicate = key.is_some_and(|key| !keys.insert(key, record.payload));
        if duplicate {
            log.count_repeated();
        } else {
            let key = match body.format {
                BodyFormat::Datum => request_key,
                BodyFormat::Container => record.key.as_deref(),
            };
            log.push(record, key, body.format, now_ms);
        }
        duplicates.push(duplicate);
    }
    Ok(duplicates)
}

fn is_duplicate(status: KeyStatus, name: &str) -> Result<bool, Problem> {
    match status {
        KeyStatus::New => Ok(false),
        KeyStatus::Duplicate => Ok(true),
        KeyStatus::Reused => Err(Problem::new(
            &KEY_REUSED,
            format!("{name} was used with another payload."),
        )),
    }
}

/// The problem of a key whose first request is in progress.
pub(super) fn in_use(name: &str) -> Problem {
    Problem::new(
        &KEY_IN_USE,
        format!("{name} belongs to a request in progress. Send the request again later."),
    )
}
