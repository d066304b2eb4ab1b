//! The responses of the ingest function.

use bytes::Bytes;
use caller_auth::FORBIDDEN;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_server::problem::{Problem, ProblemType};
use kafka::diagnosis::Explanation;
use kafka::producer::{PublishError, PublishStatus, Receipt};
use runtime::redact;
use serde_json::{Value, json};
use telemetry::traces::TraceContext;
use tracing::{info, warn};

use super::call::Call;
use super::problems::{
    BUSY, CANNOT_START, INVALID_TIMESTAMP, NOT_ACKNOWLEDGED, NOT_READY, PUBLISH_REJECTED,
    RECORD_TOO_LARGE, STARTING, TOPIC_UNKNOWN,
};
use super::trace::ids;

/// 202 with the coordinates of the messages: one object for a datum, a list for a list of records. `topic_limit` is the
/// topic's limit of a message in bytes, if it is known.
///
/// # Errors
/// At least one message was not acknowledged. The problem says for each message whether it is stored.
pub(super) fn accepted(
    topic: &str,
    is_list: bool,
    statuses: &[PublishStatus],
    topic_limit: Option<usize>,
) -> Result<Response<Bytes>, Problem> {
    if let Some(error) = statuses.iter().filter_map(PublishStatus::error).max() {
        let problem = not_stored(topic, is_list, statuses, error);
        return Err(match (error, topic_limit) {
            (PublishError::TooLarge, Some(limit)) => problem.with_member("limit", limit),
            (PublishError::Unauthorized, _) => {
                let reason = "The user of KAFKA_USERNAME, or of the client certificate, has no WRITE on the topic";
                problem.with_log_detail(format!("{reason} {topic}: grant it."))
            }
            _ => problem,
        });
    }
    let mut messages = statuses
        .iter()
        .filter_map(PublishStatus::receipt)
        .map(|receipt| coordinates(topic, receipt));
    let body = if is_list {
        messages.collect()
    } else {
        messages.next().unwrap_or_default()
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Adds to the log line of a problem why the brokers do not acknowledge. The response does not name them.
pub(super) fn explained(problem: Problem, explanation: Option<&Explanation>) -> Problem {
    let Some(found) = explanation.filter(|_| *problem.kind() == NOT_ACKNOWLEDGED) else {
        return problem;
    };
    let detail = format!(
        "{} Kafka cannot be used ({}): {}; {}",
        problem.detail(),
        found.cause.unwrap_or("cause unknown"),
        found.reason,
        found.remedy
    );
    problem.with_log_detail(detail)
}

/// Logs the problem and makes its response. The call's id is a member, so that a client's report leads to the log line.
/// `context` is that of the request's span, if it has one.
pub(super) fn problem(
    problem: Problem,
    call: &Call,
    context: Option<&TraceContext>,
) -> Response<Bytes> {
    let ProblemType { name, status, .. } = problem.kind();
    let (status, id) = (status.as_u16(), call.id.as_deref().unwrap_or_default());
    // The response is not masked: otherwise a client could find out whether it guessed a secret.
    let detail = redact::mask(problem.log_detail());
    let (trace_id, span_id) = ids(context);
    let log = || {
        if status < 500 {
            info!(call = id, trace_id, span_id, status, problem = name, %detail, "request rejected");
        } else {
            warn!(call = id, trace_id, span_id, status, problem = name, %detail, "publishing failed");
        }
    };
    match context {
        Some(context) => context.in_scope(log),
        None => log(),
    }
    match &call.id {
        Some(id) => problem.with_member("call_id", id.as_str()),
        None => problem,
    }
    .into_response()
}

/// 503 to a readiness check. It is not logged: checks are frequent, and the Kafka client logs the reason.
pub(super) fn not_ready(call: &Call) -> Response<Bytes> {
    let detail = "No broker answers. The function's log has the reason.";
    let problem = Problem::new(&NOT_READY, detail).with_header(RETRY_AFTER, "1");
    match &call.id {
        Some(id) => problem.with_member("call_id", id.as_str()),
        None => problem,
    }
    .into_response()
}

/// 503 to a call whose deadline passed before the function was started.
pub fn starting(call: &Call) -> Response<Bytes> {
    let cause = "The function is loading its settings.";
    problem(unavailable(&STARTING, cause), call, None)
}

/// 500 to a call of a function that cannot start. The `reason` is a sentence without values of settings: the caller is not
/// authenticated, because the settings for that are not known.
pub fn cannot_start(call: &Call, reason: &str) -> Response<Bytes> {
    let detail = format!(
        "The function cannot start. {reason} The function's log has the details. Nothing was published."
    );
    problem(Problem::new(&CANNOT_START, detail), call, None)
}

/// 503 to a call that waited too long for calls in flight.
pub fn busy(call: &Call) -> Response<Bytes> {
    let cause = "Too many calls are in flight, or the broker acknowledges slowly.";
    problem(unavailable(&BUSY, cause), call, None)
}

/// 403 to a request for the metrics from another machine.
pub(super) fn no_metrics_token() -> Problem {
    Problem::new(
        &FORBIDDEN,
        "The metrics are not available to other machines.",
    )
    .with_log_detail("METRICS_TOKEN is not set, so only programs on this machine get the metrics.")
}

/// For each message the type of the problem if it was not acknowledged.
pub(super) fn outcomes(
    statuses: &[PublishStatus],
) -> impl Iterator<Item = Option<&'static ProblemType>> {
    let errors = statuses.iter().map(PublishStatus::error);
    errors.map(|error| error.map(|error| problem_type(error).0))
}

/// 503 to a call for whose body or messages there is no memory.
pub(super) fn out_of_memory() -> Problem {
    let cause = "The bodies of the calls in flight occupy the memory that this function may use.";
    unavailable(&BUSY, cause)
}

fn unavailable(kind: &'static ProblemType, cause: &str) -> Problem {
    let detail = format!("{cause} Nothing was published: send the request again.");
    Problem::new(kind, detail).with_header(RETRY_AFTER, "1")
}

fn not_stored(
    topic: &str,
    is_list: bool,
    statuses: &[PublishStatus],
    error: PublishError,
) -> Problem {
    let (kind, cause) = problem_type(error);
    let stored = if statuses
        .iter()
        .any(|status| matches!(status, PublishStatus::Stored(_)))
    {
        "partly"
    } else if statuses
        .iter()
        .any(|status| matches!(status, PublishStatus::PossiblyStored(_)))
    {
        "maybe"
    } else {
        "no"
    };
    let remedy = match (stored, is_list) {
        ("no", _) => "Nothing was stored.",
        ("maybe", false) => {
            "The message may be stored. Send the request again with the same Idempotency-Key."
        }
        _ => {
            "Some records are stored or may be stored: see \"records\". If the request had an Idempotency-Key, send the \
             whole file again with the same key: the key of each record is made of it and of the record's position. \
             Otherwise send only the other records."
        }
    };
    let mut problem = Problem::new(kind, format!("{cause} {remedy}")).with_member("stored", stored);
    if is_list && stored != "no" {
        let records: Vec<Value> = statuses
            .iter()
            .map(|status| record(topic, status))
            .collect();
        problem = problem.with_member("records", records);
    }
    if error == PublishError::NotAcknowledged {
        problem = problem.with_header(RETRY_AFTER, "1");
    }
    problem
}

/// The type of the problem of a message that is not acknowledged, and what happened.
fn problem_type(error: PublishError) -> (&'static ProblemType, &'static str) {
    match error {
        PublishError::TooLarge => (
            &RECORD_TOO_LARGE,
            "The broker rejects a message of this size: the topic's max.message.bytes is smaller.",
        ),
        PublishError::InvalidTimestamp => (
            &INVALID_TIMESTAMP,
            "The broker rejects a timestamp that is too far from its own time (message.timestamp.after.max.ms and \
             message.timestamp.before.max.ms of the topic).",
        ),
        PublishError::UnknownTopic => (
            &TOPIC_UNKNOWN,
            "The topic of this function does not exist: create it or correct KAFKA_TOPIC.",
        ),
        PublishError::Rejected | PublishError::Unauthorized => (
            &PUBLISH_REJECTED,
            "The broker rejected the message permanently. The function's log has the reason.",
        ),
        PublishError::NotAcknowledged => {
            (&NOT_ACKNOWLEDGED, "The broker did not acknowledge in time.")
        }
    }
}

fn record(topic: &str, status: &PublishStatus) -> Value {
    match status {
        PublishStatus::Stored(receipt) => {
            let mut record = json!({"stored": "yes"});
            if let (Value::Object(record), Value::Object(coordinates)) =
                (&mut record, coordinates(topic, receipt))
            {
                record.extend(coordinates);
            }
            record
        }
        PublishStatus::NotStored(_) => json!({"stored": "no"}),
        PublishStatus::PossiblyStored(_) => json!({"stored": "maybe"}),
    }
}

fn coordinates(topic: &str, receipt: &Receipt) -> Value {
    json!({
        "topic": topic,
        "partition": receipt.partition,
        "offset": receipt.offset,
        "timestamp": receipt.timestamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_carries_the_id_of_the_call() {
        let call = Call {
            id: Some("01F".into()),
            ..Call::default()
        };
        let response = busy(&call);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["type"], "urn:problem-type:frontdoor:busy");
        assert_eq!(body["call_id"], "01F");
    }
}
