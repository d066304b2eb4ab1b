//! The variable `kafka` of value expressions: what Kafka stores beside the value of a record.

use cel::common::types::{CelInt, CelNull, CelString};
use cel::common::value::CowVal;

use crate::logical::{self, TimeUnit};
use crate::types::{Kind, Type};

/// What Kafka stores beside the value of a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct KafkaFields<'r> {
    /// The record's key.
    pub key: Option<&'r [u8]>,
    /// The topic.
    pub topic: &'r str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The record's idempotency key.
    pub idempotency_key: &'r str,
}

/// One of the members of `kafka`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KafkaField {
    Key,
    Topic,
    Partition,
    Offset,
    Timestamp,
    IdempotencyKey,
}

impl KafkaField {
    const ALL: [(&str, Self); 6] = [
        ("key", Self::Key),
        ("topic", Self::Topic),
        ("partition", Self::Partition),
        ("offset", Self::Offset),
        ("timestamp", Self::Timestamp),
        ("idempotency_key", Self::IdempotencyKey),
    ];

    /// The member with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, field)| *field)
    }

    /// The members' names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }

    pub(super) fn kind(self) -> Type {
        let (kind, nullable) = match self {
            Self::Key => (Kind::Str, true),
            Self::Timestamp => (Kind::Timestamp(TimeUnit::Millis), true),
            Self::Topic | Self::IdempotencyKey => (Kind::Str, false),
            Self::Partition | Self::Offset => (Kind::Int, false),
        };
        Type { kind, nullable }
    }

    /// The value as a variable of the interpreter.
    ///
    /// # Errors
    /// The key is not text, or the timestamp is outside CEL's range.
    pub(super) fn variable<'v>(self, of: &KafkaFields<'v>) -> Result<CowVal<'v, 'v>, String> {
        Ok(match self {
            Self::Key => match of.key {
                Some(key) => CowVal::owned(CelString::from(text(key)?)),
                None => CowVal::owned(CelNull),
            },
            Self::Topic => CowVal::owned(CelString::from(of.topic)),
            Self::IdempotencyKey => CowVal::owned(CelString::from(of.idempotency_key)),
            Self::Partition => CowVal::owned(CelInt::from(i64::from(of.partition))),
            Self::Offset => CowVal::owned(CelInt::from(of.offset)),
            Self::Timestamp => match of.timestamp {
                Some(millis) => CowVal::owned(
                    logical::timestamp(millis, TimeUnit::Millis)
                        .ok_or("the record's timestamp is outside the years 1 to 9999")?,
                ),
                None => CowVal::owned(CelNull),
            },
        })
    }
}

fn text(key: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(key).map_err(|_| "the record's key is not UTF-8".to_owned())
}
