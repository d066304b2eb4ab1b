//! `POST /`: takes records and answers with what it understood.
//!
//! A repeated Idempotency-Key is answered as before: the answer is a function of the payload alone, so that this
//! needs no memory of it. Headers tell what was a repetition.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use record::idempotency::MAX_LENGTH;
use runtime::redact;
use serde_json::json;
use tracing::{debug, info};

use super::Api;
use super::access::{self, Wish};
use super::answer::{json, now_ms};
use super::intake::{self, Intake, Understood};
use super::keys::Digest;
use super::problem::Problem;
use super::settle::{settle, under_way};
use http_server::idempotency;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How much of a refused body is still read, and for how long, so that the client gets to see the answer: a
/// connection closed on unread bytes is reset, and the reset can overtake the answer.
const LINGER_BYTES: usize = 16 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);
/// The most records that an answer repeats.
const ECHOED: usize = 100;
/// The most bytes of a record in a log line.
const LOGGED: usize = 2048;

/// Takes the records of one request.
pub(super) async fn receive(
    api: &Api,
    headers: &HeaderMap,
    mut body: Incoming,
) -> Result<Response<Full<Bytes>>, Problem> {
    let claim = match admit(api, headers) {
        Ok(claim) => claim,
        Err(problem) => {
            linger(&mut body).await;
            return Err(problem.and_close());
        }
    };
    let bytes = read(api, &mut body).await?;
    let payload = Digest::of(&bytes);
    let intake = intake::understand(&api.config, &bytes)?;
    let own = claim.as_ref().map(|claim| claim.key.as_str());
    let repeated = settle(&mut api.state(), own, payload, &intake, now_ms())?;
    for (record, again) in intake.records.iter().zip(&repeated) {
        log(api, record, *again);
    }
    Ok(answer(
        api,
        &intake,
        repeated.iter().filter(|again| **again).count(),
    ))
}

/// What can be judged before the body: the caller, the encoding, the size it announces, the key.
fn admit<'a>(api: &'a Api, headers: &HeaderMap) -> Result<Option<Claim<'a>>, Problem> {
    access::check(api.token().as_ref(), Wish::Deliver, headers)?;
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this endpoint takes no Content-Encoding",
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > api.config.max_body as u64) {
        return Err(too_large(api));
    }
    idempotency::key(headers, MAX_LENGTH)
        .map_err(|reason| {
            let detail = format!("the Idempotency-Key header is not one string: {reason}");
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?
        .map(|key| Claim::take(api, key))
        .transpose()
}

async fn read(api: &Api, body: &mut Incoming) -> Result<Bytes, Problem> {
    let collected = Limited::new(&mut *body, api.config.max_body).collect();
    match tokio::time::timeout(BODY_TIME, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            linger(body).await;
            Err(too_large(api).and_close())
        }
        Ok(Err(error)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body broke off: {error}"),
        )
        .and_close()),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not arrive within {BODY_TIME:?}"),
        )
        .and_close()),
    }
}

async fn linger(body: &mut Incoming) {
    let discard = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, discard).await;
}

fn too_large(api: &Api) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "the body is larger than {} bytes (MAX_BODY)",
            api.config.max_body
        ),
    )
}

fn log(api: &Api, record: &Understood, again: bool) {
    let title = &api.config.title;
    let end = (record.text.char_indices())
        .map(|(at, _)| at)
        .find(|at| *at >= LOGGED);
    let shown = &record.text.as_bytes()[..end.unwrap_or(record.text.len())];
    let text = redact::excerpt(shown, end.is_some());
    if again {
        debug!(%title, record = %text, "received again");
    } else {
        info!(%title, record = %text, "received");
    }
}

fn answer(api: &Api, intake: &Intake, repeated: usize) -> Response<Full<Bytes>> {
    let records: Vec<_> = intake
        .records
        .iter()
        .take(ECHOED)
        .map(|record| &record.record)
        .collect();
    let mut response = json(
        &json!({
            "title": api.config.title,
            "understood": intake.records.len(),
            "records": records,
        })
        .to_string(),
    );
    if repeated > 0 {
        let headers = response.headers_mut();
        headers.insert("frontdoor-records-repeated", HeaderValue::from(repeated));
        if repeated == intake.records.len() {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
    }
    response
}

/// A request's hold on its key: nobody else's request with that key is taken until this one is over.
struct Claim<'a> {
    api: &'a Api,
    key: String,
}

impl<'a> Claim<'a> {
    fn take(api: &'a Api, key: String) -> Result<Self, Problem> {
        if api.state().keys.begin(Digest::of(key.as_bytes())) {
            Ok(Self { api, key })
        } else {
            Err(under_way("the Idempotency-Key"))
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let key = Digest::of(self.key.as_bytes());
        self.api.state().keys.end(&key);
    }
}
