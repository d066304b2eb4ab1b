//! The responses of endpoints with injected faults.

use std::time::Duration;

use serde_json::Value;
use testkit::container::Batch;
use testkit::endpoint::{Answer, Request};
use testkit::user::User;

use crate::canary::Encoding;
use crate::checker::FINGERPRINT;
use crate::faults::Fault;
use crate::rng::Rng;

/// The status of responses that are cut short; no other response has it.
pub(crate) const CUT_SHORT: u16 = 299;

/// The records and keys of a batch request; `None` if the request is not a batch.
pub(crate) fn batch_of(request: &Request) -> Option<(Vec<Vec<u8>>, Vec<String>)> {
    if request.header("content-type") != Some("application/vnd.apache.avro") {
        return None;
    }
    let read = Batch::read(&request.body);
    let batch = read.and_then(|batch| Some((batch.data(User::length)?, batch.keys())));
    Some(batch.unwrap_or_default())
}

/// Whether the request names the schema of the job: a batch contains it, another request has its fingerprint.
pub(crate) fn names_schema(request: &Request) -> bool {
    if request.header("content-type") != Some("application/vnd.apache.avro") {
        return request.header("avro-schema-fingerprint") == Some(FINGERPRINT);
    }
    let batch = Batch::read(&request.body);
    let json = batch.and_then(|batch| batch.metadata.get("avro.schema").cloned());
    let schema = json.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let fields = schema.and_then(|schema| schema["fields"].as_array().cloned());
    let names = fields.unwrap_or_default();
    names
        .iter()
        .map(|field| &field["name"])
        .eq(&["id", "name", "email"])
}

/// The response to a request.
pub(crate) fn answer(request: &Request, fault: Fault, rng: &mut Rng) -> Answer {
    let data = match batch_of(request) {
        Some((data, _)) => data,
        None => vec![request.body.to_vec()],
    };
    let has = |name: &str| {
        let named =
            |datum: &Vec<u8>| User::decode(datum).filter(|user| user.name.starts_with(name));
        data.iter().find_map(named)
    };
    if let Some(never) = has("never") {
        return match never.name.starts_with("never-answered") {
            true => Answer::hang(),
            false => Answer::status(500),
        };
    }
    let is_rejected = has("rejected").is_some();
    let regular = if is_rejected {
        Answer::status(422).body("rejected")
    } else {
        Answer::ok()
    };
    if rng.percent(30) {
        return regular;
    }
    match fault {
        Fault::None | Fault::Refuse => regular,
        Fault::Slow => regular.after(Duration::from_millis(rng.below(60))),
        Fault::VerySlow => regular.after(Duration::from_millis(100 + rng.below(400))),
        Fault::EchoToken => echo(request, rng),
        Fault::Hang => Answer::hang(),
        Fault::Reset if rng.percent(50) => Answer::ok().reset_in_head(),
        Fault::Reset => Answer::reset(),
        // Only accepted records: a rejection that is cut short is still a rejection.
        Fault::CutShort if !is_rejected => Answer::status(CUT_SHORT)
            .body(vec![b'x'; 4096])
            .reset_in_body(),
        Fault::CutShort => regular,
        Fault::Redirect if rng.percent(5) => Answer::status(302).header("location", "/login"),
        Fault::Redirect => regular,
        Fault::ClientError if rng.percent(10) => {
            const STATUSES: [u16; 10] = [400, 401, 403, 404, 408, 409, 410, 413, 415, 425];
            Answer::status(STATUSES[rng.below(STATUSES.len() as u64) as usize])
        }
        Fault::ClientError => regular,
        Fault::Throttle => Answer::status(429).header("retry-after", "1"),
        Fault::ServerError => {
            let status = [500, 502, 503, 504][rng.below(4) as usize];
            let date = "Sun, 06 Nov 1994 08:49:37 GMT";
            Answer::status(status).header("retry-after", date)
        }
    }
}

/// A failure that repeats the request's token, encoded at random, in its headers and its body.
fn echo(request: &Request, rng: &mut Rng) -> Answer {
    // Most are rejections of the record, so that many dead letters quote the response.
    const STATUSES: [u16; 10] = [400, 422, 422, 422, 302, 401, 403, 429, 500, 503];
    let status = STATUSES[rng.below(STATUSES.len() as u64) as usize];
    let header = request.header("authorization").unwrap_or_default();
    let encoding = Encoding::ALL[rng.below(Encoding::ALL.len() as u64) as usize];
    let body = match rng.percent(50) {
        true => format!("request failed, authorization: {}", encoding.encode(header)),
        false => format!(
            r#"{{"detail":"failed","received":"{}"}}"#,
            encoding.encode(header)
        ),
    };
    let token = header.strip_prefix("Bearer ").unwrap_or(header);
    let location = format!("/login?token={}", Encoding::Percent.encode(token));
    Answer::status(status)
        .header("location", &location)
        .header("retry-after", "0")
        .header("x-received", &encoding.encode(header))
        .body(body)
}
