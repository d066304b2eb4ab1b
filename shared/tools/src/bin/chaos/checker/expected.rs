//! The expected outcome of a record.

use testkit::records::StoredRecord;
use testkit::user::User;

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
            Self::UnknownSchema => "of another schema",
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

/// The expected outcome of a record.
pub(super) fn expected(record: &StoredRecord) -> Expected {
    let Some(value) = record.value.as_deref() else {
        return Expected::Skipped;
    };
    let fingerprint = record.header("avro-schema-fingerprint");
    if fingerprint.is_some_and(|fingerprint| fingerprint != FINGERPRINT) {
        return Expected::UnknownSchema;
    }
    let Some(user) = User::decode(value) else {
        return Expected::Undecodable;
    };
    match route_of(&user) {
        None => Expected::Skipped,
        Some(_) if user.name.starts_with("rejected") => Expected::Rejected,
        Some(_) if user.name.starts_with("never") => Expected::NeverAccepted,
        Some(route) => Expected::Delivered(route),
    }
}
