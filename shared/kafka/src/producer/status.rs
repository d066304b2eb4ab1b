//! The result of publishing one message. Pure.

use rdkafka::error::RDKafkaErrorCode as Code;

/// Where the broker stored a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970; `None` if the broker returned none.
    pub timestamp: Option<i64>,
}

/// Why a message was not acknowledged. Ordered: the greater the error, the less a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishError {
    /// The broker is unreachable, or did not acknowledge the message in time.
    NotAcknowledged,
    /// The broker rejected the message permanently, for another reason than those below.
    Rejected,
    /// The client's user has no WRITE on the topic.
    Unauthorized,
    /// The topic does not exist.
    UnknownTopic,
    /// The message's timestamp is further from the broker's time than the topic permits.
    InvalidTimestamp,
    /// The message exceeds the broker's size limit.
    TooLarge,
}

impl PublishError {
    pub(crate) fn from_code(code: Code) -> Self {
        match code {
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::TooLarge
            }
            Code::InvalidTimestamp => Self::InvalidTimestamp,
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidTopic => Self::UnknownTopic,
            // An idempotent producer without WRITE on any topic gets no producer id: the broker reports that about the cluster.
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Self::Unauthorized,
            Code::PolicyViolation
            | Code::InvalidRecord
            | Code::InvalidRequiredAcks
            | Code::UnsupportedForMessageFormat => Self::Rejected,
            _ => Self::NotAcknowledged,
        }
    }
}

/// Whether a message is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStatus {
    /// All in-sync replicas have stored the message.
    Stored(Receipt),
    /// The message is not stored, and never will be.
    NotStored(PublishError),
    /// The message may have been sent: it may be stored already, or later.
    PossiblyStored(PublishError),
}

impl PublishStatus {
    /// Where the message is stored, if it is.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Stored(receipt) => Some(receipt),
            Self::NotStored(_) | Self::PossiblyStored(_) => None,
        }
    }

    /// Why the message was not acknowledged.
    pub fn error(&self) -> Option<PublishError> {
        match self {
            Self::Stored(_) => None,
            Self::NotStored(error) | Self::PossiblyStored(error) => Some(*error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_errors_by_how_little_a_retry_helps() {
        assert!(PublishError::TooLarge > PublishError::UnknownTopic);
        assert!(PublishError::Rejected > PublishError::NotAcknowledged);
        assert_eq!(
            PublishError::from_code(Code::NotEnoughReplicas),
            PublishError::NotAcknowledged
        );
    }
}
