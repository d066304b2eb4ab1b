//! The expected outcome of a record.

use testkit::records::StoredRecord;
use testkit::user::User;

use crate::framed::{self, Writer};

/// The fingerprint of `schemas/user.avsc`: CRC-64-AVRO of its Parsing Canonical Form.
pub(crate) const FINGERPRINT: &str = "51d528be20c8a6cc";

/// The expected outcome of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Delivered(&'static str),
    Rejected,
    NeverAccepted,
    Undecodable,
    UnknownSchema,
    Skipped,
}

impl Expected {
    /// The name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered("A") => "for A",
            Self::Delivered(_) => "for B",
            Self::Rejected => "rejected by the endpoint",
            Self::NeverAccepted => "never accepted by the endpoint",
            Self::Undecodable => "invalid",
            Self::UnknownSchema => "of an unknown schema",
            Self::Skipped => "without a route",
        }
    }

    /// The cause of its dead letter. A record for an endpoint may become one if the endpoint rejects it.
    pub(super) fn cause(self) -> Option<&'static str> {
        match self {
            Self::Delivered(_) | Self::Rejected => Some("refused"),
            Self::NeverAccepted => Some("undeliverable"),
            Self::Undecodable => Some("undecodable"),
            Self::UnknownSchema => Some("unknown-schema"),
            Self::Skipped => None,
        }
    }
}

/// The route of a valid record.
pub(super) fn route_of(user: &User) -> Option<&'static str> {
    match user.id {
        1010 => Some("A"),
        1020 => Some("B"),
        _ => None,
    }
}

/// The writer's schema and the datum of a framed record; `None` if the record is not framed.
pub(super) fn split(record: &StoredRecord) -> Option<(Writer, &[u8])> {
    framed::split(record.value.as_deref()?)
}

/// The user of a record; `None` if its value is not a valid datum.
pub(super) fn user(record: &StoredRecord) -> Option<User> {
    match split(record) {
        Some((writer, datum)) => writer.decode(datum),
        None => User::decode(record.value.as_deref()?),
    }
}

/// The datum that an endpoint receives: of the job's schema. For a record that must not be delivered, its bytes without
/// the frame.
pub(super) fn datum(record: &StoredRecord) -> Vec<u8> {
    match split(record) {
        Some((_, datum)) => user(record).map_or_else(|| datum.to_vec(), |user| user.encode()),
        None => record.value.clone().unwrap_or_default(),
    }
}

/// The expected outcome of a record.
pub(super) fn expected(record: &StoredRecord) -> Expected {
    if record.value.is_none() {
        return Expected::Skipped;
    }
    let fingerprint = record.header("avro-schema-fingerprint");
    // The id in the value takes precedence over the header.
    let is_unknown = match split(record) {
        Some((writer, _)) => writer == Writer::Unknown,
        None => fingerprint.is_some_and(|fingerprint| fingerprint != FINGERPRINT),
    };
    if is_unknown {
        return Expected::UnknownSchema;
    }
    let Some(user) = user(record) else {
        return Expected::Undecodable;
    };
    match route_of(&user) {
        None => Expected::Skipped,
        Some(_) if user.name.starts_with("rejected") => Expected::Rejected,
        Some(_) if user.name.starts_with("never") => Expected::NeverAccepted,
        Some(route) => Expected::Delivered(route),
    }
}
