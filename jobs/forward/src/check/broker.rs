//! Checks the broker, the topic, the window, the committed offsets of the group, and the permissions of the user.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Check, CheckError, CheckResult, Finding};
use crate::answer_topics::{self, AnswerTopic, UnusableTopic};
use crate::config::Config;
use crate::exit::RunOutcome;
use crate::plan;
use crate::recreation;
use crate::route_config::RouteConfig;
use kafka::describe::Permission;
use kafka::list_offsets::{TopicOffsets, Wait};
use kafka::permissions::Permissions;
use kafka::reader::{Reader, SourceError};
use offsets::window::WindowStart;
use rdkafka::error::RDKafkaErrorCode;

/// The time for the requests about permissions: a broker may not answer them.
const PERMISSIONS_TIMEOUT: Duration = Duration::from_secs(5);

/// Broker, topic, window, group, dead-letter topic, topics of answers and of reports; checks that depend on a failed one are
/// left out.
pub(super) fn ask(config: &Config, routes: &[RouteConfig]) -> Vec<Check> {
    let check = |name, result| {
        let target = &config.kafka.bootstrap;
        Check::new(name, target, result, RunOutcome::Source)
    };
    let timeout = PERMISSIONS_TIMEOUT.min(config.start_timeout);
    let created = Reader::new(&config.kafka.reader(&config.group), &config.kafka.topic);
    let reader = match created.map_err(|error| SourceError::client(&config.kafka, error)) {
        Ok(reader) => reader,
        Err(error) => return vec![check("broker", Err(CheckError::new(error)))],
    };
    let wait = wait(config.start_timeout);
    let listed = reader.list_offsets(&config.window_start, &config.window_end, &wait);
    let offsets = match listed {
        Ok(listed) => listed,
        Err(SourceError::Connection {
            cause,
            reason,
            remedy,
            ..
        }) => {
            let wrong = CheckError {
                detail: reason,
                advice: Some(remedy),
            };
            return vec![check("broker", Err(wrong)).with_cause(cause)];
        }
        Err(error @ SourceError::NoTopic { .. }) => {
            return vec![
                broker(&reader, "reachable", timeout, &check),
                check("topic", Err(CheckError::new(error))).with_cause(cause(Permission::NoTopic)),
            ];
        }
        Err(error) => {
            return match denied(config, &error, &check) {
                Some(denied) => vec![broker(&reader, "reachable", timeout, &check), denied],
                None => vec![check("broker", Err(CheckError::new(error)))],
            };
        }
    };
    let permissions = reader.permissions(&config.group, &config.dead_letter_topic, timeout);
    let mut checks = vec![
        broker(
            &reader,
            &format!("cluster {}", offsets.stream.cluster),
            timeout,
            &check,
        ),
        check(
            "topic",
            topic(config, &reader, &offsets, permissions.read_topic),
        )
        .with_cause(cause(permissions.read_topic)),
    ];
    checks.extend(window(config, &offsets));
    let letters = dead_letter_topic(config, &permissions);
    let letters_cause = match (cause(permissions.write_dead_letters), &letters) {
        (None, Ok(finding)) if finding.result != CheckResult::Ok => {
            cause(permissions.read_dead_letters)
        }
        (cause, _) => cause,
    };
    checks.extend([
        check("group", group(config, &offsets, permissions.read_group))
            .with_cause(cause(permissions.read_group).filter(|_| moves_commits(config))),
        check("dead_letter_topic", letters).with_cause(letters_cause),
    ]);
    for topic in answer_topics::all(routes) {
        checks.push(answers(&reader, &topic, timeout, &check));
    }
    if let Some(topic) = &config.report_topic {
        let permission = reader.write_permission(topic, timeout);
        let checked = check("report_topic", Ok(report_topic(topic, permission)));
        checks.push(checked.with_cause(cause(permission)));
    }
    checks
}

/// The cause that a permission is.
fn cause(permission: Permission) -> Option<&'static str> {
    match permission {
        Permission::Denied => Some("authorization"),
        Permission::NoTopic => Some("no_topic"),
        Permission::Granted | Permission::NotReported => None,
    }
}

/// A replay neither joins the group nor commits.
fn moves_commits(config: &Config) -> bool {
    config.window_start == WindowStart::Committed
}

/// The check that failed if the broker rejected a request for lack of a permission.
fn denied(
    config: &Config,
    error: &SourceError,
    check: &impl Fn(&'static str, Result<Finding, CheckError>) -> Check,
) -> Option<Check> {
    let SourceError::Broker { error, .. } = error else {
        return None;
    };
    let (name, object, advice) = match error.rdkafka_error_code()? {
        RDKafkaErrorCode::TopicAuthorizationFailed => (
            "topic",
            &config.kafka.topic,
            "grant the user READ on the topic",
        ),
        RDKafkaErrorCode::GroupAuthorizationFailed => {
            ("group", &config.group, "grant the user READ on the group")
        }
        _ => return None,
    };
    let wrong = permitted(object, "READ", Permission::Denied, advice);
    Some(check(name, wrong).with_cause(cause(Permission::Denied)))
}

/// A warning if a broker cannot be reached at its advertised address. `found` is what is known otherwise.
fn broker(
    reader: &Reader,
    found: &str,
    timeout: Duration,
    check: &impl Fn(&'static str, Result<Finding, CheckError>) -> Check,
) -> Check {
    match reader.unreachable_brokers(timeout) {
        Some(SourceError::Connection {
            cause,
            reason,
            remedy,
            ..
        }) => {
            let finding = Finding::warning(format!("{found}: {reason}"), remedy);
            check("broker", Ok(finding)).with_cause(cause)
        }
        _ => check("broker", Ok(Finding::ok(found))),
    }
}

fn wait(timeout: Duration) -> Wait<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Wait {
        timeout,
        request_timeout: timeout,
        shutdown: &NEVER,
    }
}

fn topic(
    config: &Config,
    reader: &Reader,
    offsets: &TopicOffsets,
    read: Permission,
) -> Result<Finding, CheckError> {
    let partitions = offsets.partition_offsets.len();
    let detail = format!("{}, {partitions} partitions", config.kafka.topic);
    let finding = permitted(&detail, "READ", read, "grant the user READ on the topic")?;
    Ok(recreated(config, reader, offsets).unwrap_or(finding))
}

/// A warning if the topic was deleted and created again.
fn recreated(config: &Config, reader: &Reader, offsets: &TopicOffsets) -> Option<Finding> {
    if !recreation::needs_record(config, offsets) {
        return None;
    }
    let wait = wait(PERMISSIONS_TIMEOUT.min(config.start_timeout));
    let record = reader
        .topic_record(&config.dead_letter_topic, &wait)
        .ok()??;
    let detail = recreation::describe(offsets.topic_id.as_deref(), Some(&record))?;
    let advice = "a run stops with exit code 76, and with ON_DATA_LOSS=continue goes on";
    Some(Finding::warning(detail, advice))
}

/// A line only if the bounds of the window do not fit the topic.
fn window(config: &Config, offsets: &TopicOffsets) -> Option<Check> {
    let result = match plan::check_bounds(config, &offsets.partition_offsets) {
        Ok(None) => return None,
        Ok(Some(early_end)) => Ok(Finding::warning(early_end, "check WINDOW_END")),
        Err(error) => Err(CheckError::new(error)),
    };
    Some(Check::new("window", "", result, RunOutcome::Configuration))
}

fn group(config: &Config, offsets: &TopicOffsets, read: Permission) -> Result<Finding, CheckError> {
    let partitions = &offsets.partition_offsets;
    let committed = partitions.iter().filter(|known| known.committed.is_some());
    let detail = format!(
        "{}, offsets committed for {} of {} partitions",
        config.group,
        committed.count(),
        partitions.len()
    );
    if !moves_commits(config) {
        return Ok(Finding::ok(detail));
    }
    permitted(&detail, "READ", read, "grant the user READ on the group")
}

fn dead_letter_topic(config: &Config, permissions: &Permissions) -> Result<Finding, CheckError> {
    let topic = &config.dead_letter_topic;
    let write = permissions.write_dead_letters;
    if write == Permission::NoTopic {
        return Ok(Finding::warning(
            format!("{topic} does not exist"),
            "create it: a run creates it with its first dead letter only where the broker and the user's permissions \
             allow that",
        ));
    }
    let finding = permitted(topic, "WRITE", write, "grant the user WRITE on the topic")?;
    if moves_commits(config) && permissions.read_dead_letters == Permission::Denied {
        return Ok(Finding::warning(
            format!("{}, READ is denied", finding.detail),
            "grant the user READ on the topic: otherwise a run does not notice that KAFKA_TOPIC was deleted and created \
             again",
        ));
    }
    Ok(finding)
}

fn answers(
    reader: &Reader,
    topic: &AnswerTopic<'_>,
    timeout: Duration,
    check: &impl Fn(&'static str, Result<Finding, CheckError>) -> Check,
) -> Check {
    match answer_topics::check(reader, topic, timeout) {
        Ok(permission) => check("answers", permitted(topic.topic, "WRITE", permission, "")),
        Err(UnusableTopic {
            permission,
            detail,
            advice,
        }) => {
            let wrong = CheckError {
                detail,
                advice: Some(advice),
            };
            check("answers", Err(wrong)).with_cause(cause(permission))
        }
    }
}

/// A run goes on without writing its report.
fn report_topic(topic: &str, permission: Permission) -> Finding {
    match permission {
        Permission::NoTopic => Finding::warning(
            format!("{topic} does not exist"),
            "create it with cleanup.policy=compact: no run creates it",
        ),
        Permission::Denied => Finding::warning(
            format!("{topic}, WRITE is denied"),
            "grant the user WRITE on the topic: otherwise no report is written",
        ),
        Permission::Granted => Finding::ok(format!("{topic}, WRITE is granted")),
        Permission::NotReported => {
            Finding::ok(format!("{topic}, permission for WRITE: not reported"))
        }
    }
}

fn permitted(
    detail: &str,
    operation: &str,
    permission: Permission,
    advice: &'static str,
) -> Result<Finding, CheckError> {
    match permission {
        Permission::Granted => Ok(Finding::ok(format!("{detail}, {operation} is granted"))),
        Permission::Denied => Err(CheckError {
            detail: format!("{detail}, {operation} is denied"),
            advice: Some(advice),
        }),
        Permission::NotReported | Permission::NoTopic => Ok(Finding::ok(format!(
            "{detail}, permission for {operation}: not reported"
        ))),
    }
}
