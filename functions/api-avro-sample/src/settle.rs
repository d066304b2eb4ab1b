//! Which records are new, and which were here before. Pure but for the ledger it keeps: records in, verdicts out.
//!
//! Keys work as in draft-ietf-httpapi-idempotency-key-header-06, section 2.6: the same key with the same payload is
//! a repetition and not counted again, with another payload it is refused (422), and while its first request is
//! under way it is refused too (409).

use std::collections::HashMap;

use http::StatusCode;

use super::State;
use super::intake::{Framing, Intake};
use super::keys::{Digest, Seen};
use super::problem::Problem;

/// Counts what is new, all or nothing; says for each record whether it was here before.
///
/// `own` is the request's key, `payload` the digest of its body, `now` in milliseconds since 1970.
pub(super) fn settle(
    state: &mut State,
    own: Option<&str>,
    payload: Digest,
    intake: &Intake,
    now: u64,
) -> Result<Vec<bool>, Problem> {
    let State { keys, ledger } = state;
    let own_digest = own.map(|key| Digest::of(key.as_bytes()));
    // A datum's key is its record's key, however the record comes next time. A container's key is of another kind:
    // it may well be spelt like the key of one of its records.
    let request = own_digest.map(|key| match intake.framing {
        Framing::Datum => (key, payload),
        Framing::Container => (key.within(b"container"), payload),
    });
    if let Some((key, payload)) = &request
        && judge(keys.seen(key, payload), "the Idempotency-Key")?
    {
        intake.records.iter().for_each(|_| ledger.repeated());
        return Ok(vec![true; intake.records.len()]);
    }
    // First every record is judged, then every record is counted: a refused container leaves nothing behind.
    let digests: Vec<Option<Digest>> = intake
        .records
        .iter()
        .map(|record| Some(Digest::of(record.key.as_ref()?.as_bytes())))
        .collect();
    let mut within = HashMap::new();
    for (index, (record, key)) in intake.records.iter().zip(&digests).enumerate() {
        let Some(key) = key else { continue };
        let whose = format!("the idempotency key of record {index}");
        if keys.is_running(key) && own_digest.as_ref() != Some(key) {
            return Err(under_way(&whose));
        }
        let seen = match within.insert(key, record.payload) {
            Some(other) if other != record.payload => Seen::Other,
            _ => keys.seen(key, &record.payload),
        };
        judge(seen, &whose)?;
    }
    if let Some((key, payload)) = request {
        keys.answered(key, payload);
    }
    let mut repeated = Vec::with_capacity(intake.records.len());
    for (record, key) in intake.records.iter().zip(digests) {
        let again = key.is_some_and(|key| !keys.answered(key, record.payload));
        if again {
            ledger.repeated();
        } else {
            let key = match intake.framing {
                Framing::Datum => own,
                Framing::Container => record.key.as_deref(),
            };
            ledger.received(record, key, intake.framing, now);
        }
        repeated.push(again);
    }
    Ok(repeated)
}

/// True for a repetition, false for something new.
fn judge(seen: Seen, whose: &str) -> Result<bool, Problem> {
    match seen {
        Seen::New => Ok(false),
        Seen::Same => Ok(true),
        Seen::Other => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("{whose} came before with another payload"),
        )),
    }
}

pub(super) fn under_way(whose: &str) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        format!("{whose} belongs to a request that is still under way; try again"),
    )
}
