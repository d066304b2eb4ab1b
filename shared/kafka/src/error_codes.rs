//! Classifies librdkafka's error codes: what to do about them, and whether a retry can help. Pure functions.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The remedy for an unreachable broker.
pub(crate) const UNREACHABLE: &str = "check that the broker is running, and check KAFKA_BOOTSTRAP_SERVERS and \
                                      KAFKA_SECURITY_PROTOCOL";

/// The remedy for an error, if there is a common one.
pub fn remedy(code: Code) -> Option<&'static str> {
    match code {
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => {
            Some(UNREACHABLE)
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Some("check KAFKA_USERNAME and KAFKA_PASSWORD")
        }
        Code::SSL => {
            Some("check KAFKA_SSL_CA_LOCATION, and that the certificate contains the broker's name")
        }
        Code::TopicAuthorizationFailed => Some("grant the user READ on the topic"),
        Code::GroupAuthorizationFailed => Some("grant the user READ on the group"),
        Code::Resolve => Some("check KAFKA_BOOTSTRAP_SERVERS, and this machine's name servers"),
        _ => None,
    }
}

/// What follows the text of an error in a sentence: `; ` and its remedy, or nothing.
pub fn suffix(error: &KafkaError) -> String {
    let remedy = error.rdkafka_error_code().and_then(remedy);
    remedy.map_or_else(String::new, |remedy| format!("; {remedy}"))
}

/// True for connection errors that do not pass without a change of settings, so that a retry is useless.
pub(crate) fn is_permanent(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL | Code::Resolve
    )
}

/// True for errors of a request that a retry can correct: a coordinator or leader is being elected, moves, or loads its
/// log. The first group of a new cluster receives them too.
pub(crate) fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::UnstableOffsetCommit
            | Code::BrokerTransportFailure
            | Code::WaitingForCoordinator
    )
}

/// True for errors of a request that was not answered.
pub(crate) fn is_connection_error(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        is_permanent(code)
            || matches!(
                code,
                Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::OperationTimedOut
                    | Code::RequestTimedOut
                    | Code::WaitingForCoordinator
                    | Code::WaitCache
                    | Code::CoordinatorNotAvailable
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permanent_error_has_a_remedy() {
        for code in [
            Code::Authentication,
            Code::SaslAuthenticationFailed,
            Code::SSL,
            Code::Resolve,
        ] {
            assert!(is_permanent(code) && remedy(code).is_some(), "{code:?}");
        }
    }
}
