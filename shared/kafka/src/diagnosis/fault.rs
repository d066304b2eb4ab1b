//! Why a server cannot be used, with one sentence and a remedy for each. Pure.

use std::fmt;

use crate::tokens::TEMPORARY;

/// Why a client cannot use one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host name has no address: the resolver's text.
    Unresolved(String),
    /// The host is reachable, and nothing listens on the port.
    Refused,
    /// The network rejected the connection: the system's text.
    Unreachable(String),
    /// The connection was not established in time.
    TimedOut,
    /// The connection was established, and no request was answered.
    Silent,
    /// Another protocol answers: its first characters, which may be none.
    NotKafka(String),
    /// The client uses no TLS, and the listener does.
    NeedsTls,
    /// The client uses TLS, and the listener does not.
    NoTls,
    /// The certificate of the broker does not verify: OpenSSL's text.
    Certificate(String),
    /// The broker requires a client certificate, and none is configured.
    ClientCertificate,
    /// The broker rejects the client certificate: the text of its alert.
    RejectedCertificate(String),
    /// The TLS handshake failed for another reason: OpenSSL's text.
    Tls(String),
    /// The client does not authenticate, and the listener requires SASL.
    NeedsSasl,
    /// The client authenticates, and the listener has no SASL.
    NoSasl,
    /// The listener does not have the SASL mechanism.
    Mechanism {
        /// The mechanism of the client.
        used: String,
        /// Those of the listener, separated by commas; empty if unknown.
        offered: String,
    },
    /// The broker rejected user name or password: its text.
    Credentials(String),
    /// The authorization server gave no access token: the reason.
    NoToken(String),
    /// The broker rejected the access token: its text.
    RejectedToken(String),
}

impl Fault {
    /// The name in the report of `forward check`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "name_resolution",
            Self::Refused => "connection_refused",
            Self::Unreachable(_) => "no_route",
            Self::TimedOut => "connection_timeout",
            Self::Silent => "no_answer",
            Self::NotKafka(_) => "not_kafka",
            Self::NeedsTls => "tls_required",
            Self::NoTls => "tls_not_supported",
            Self::Certificate(_) => "broker_certificate",
            Self::ClientCertificate => "client_certificate_required",
            Self::RejectedCertificate(_) => "client_certificate_rejected",
            Self::Tls(_) => "tls_handshake",
            Self::NeedsSasl => "sasl_required",
            Self::NoSasl => "sasl_not_supported",
            Self::Mechanism { .. } => "sasl_mechanism",
            Self::NoToken(_) => "access_token",
            Self::Credentials(_) | Self::RejectedToken(_) => "authentication",
        }
    }

    /// What to do.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "check KAFKA_BOOTSTRAP_SERVERS, and this machine's name servers",
            Self::Refused => {
                "check that the broker is running, and the port in KAFKA_BOOTSTRAP_SERVERS"
            }
            Self::Unreachable(_) | Self::TimedOut => {
                "check the host in KAFKA_BOOTSTRAP_SERVERS, and the routes, security lists and firewalls between"
            }
            Self::Silent => {
                "check that the broker is running, and any proxy or load balancer before it"
            }
            Self::NotKafka(_) => "check the port in KAFKA_BOOTSTRAP_SERVERS",
            Self::NeedsTls => {
                "set KAFKA_SECURITY_PROTOCOL to ssl or sasl_ssl, or use the port without TLS"
            }
            Self::NoTls => {
                "set KAFKA_SECURITY_PROTOCOL to plaintext or sasl_plaintext, or use the port with TLS"
            }
            Self::Certificate(reason) => certificate_remedy(reason),
            Self::ClientCertificate => "set KAFKA_SSL_CERTIFICATE and KAFKA_SSL_KEY",
            Self::RejectedCertificate(alert) if alert.contains("unknown ca") => {
                "use a KAFKA_SSL_CERTIFICATE that one of the broker's authorities signed"
            }
            Self::RejectedCertificate(_) => {
                "check that the certificate in KAFKA_SSL_CERTIFICATE is valid now, not revoked, for clients, and signed by one \
                 of the broker's authorities"
            }
            Self::Tls(_) => "check the TLS versions and certificates of broker and client",
            Self::NeedsSasl => {
                "set KAFKA_USERNAME and KAFKA_PASSWORD, and KAFKA_SECURITY_PROTOCOL to sasl_plaintext or sasl_ssl"
            }
            Self::NoSasl => {
                "set KAFKA_SECURITY_PROTOCOL to plaintext or ssl, or use the port with SASL"
            }
            Self::Mechanism { .. } => "set KAFKA_SASL_MECHANISM to a mechanism of the broker",
            Self::Credentials(_) => "check KAFKA_USERNAME and KAFKA_PASSWORD",
            Self::NoToken(reason) if reason.contains("AWS credentials") => {
                "check the role of this function, container or machine, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::NoToken(_) => {
                "check KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, KAFKA_SASL_OAUTHBEARER_CLIENT_ID and \
                 KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"
            }
            Self::RejectedToken(_) => {
                "check the audience, scope and issuer that the broker expects, and the clocks; with AWS_MSK_IAM the permission \
                 kafka-cluster:Connect, and KAFKA_AWS_REGION"
            }
        }
    }

    /// True if the server cannot be reached at its address, or another one answers there.
    pub(crate) fn is_about_the_address(&self) -> bool {
        matches!(
            self,
            Self::Unresolved(_)
                | Self::Refused
                | Self::Unreachable(_)
                | Self::TimedOut
                | Self::Silent
                | Self::NotKafka(_)
        )
    }

    /// True if no retry can help without a change of settings.
    pub(crate) fn is_permanent(&self) -> bool {
        !matches!(
            self,
            Self::Refused
                | Self::Unreachable(_)
                | Self::TimedOut
                | Self::Silent
                | Self::NotKafka(_)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(reason) => write!(f, "the host name does not resolve ({reason})"),
            Self::Refused => f.write_str("connection refused: nothing listens on this port"),
            Self::Unreachable(reason) => write!(f, "the network rejects the connection ({reason})"),
            Self::TimedOut => f.write_str("no connection: the host does not answer"),
            Self::Silent => {
                f.write_str("the port accepts connections, but answers no Kafka request")
            }
            Self::NotKafka(start) if start.is_empty() => {
                f.write_str("the port closes the connection: it is not a Kafka listener")
            }
            Self::NotKafka(start) => {
                write!(
                    f,
                    "the port is not a Kafka listener: its answer begins with {start:?}"
                )
            }
            Self::NeedsTls => f.write_str("the listener requires TLS, and the client uses none"),
            Self::NoTls => f.write_str("the listener has no TLS, and the client uses it"),
            Self::Certificate(reason) => {
                write!(f, "the broker's certificate does not verify: {reason}")
            }
            Self::ClientCertificate => {
                f.write_str("the broker requires a client certificate, and none is configured")
            }
            Self::RejectedCertificate(alert) => {
                write!(f, "the broker rejects the client certificate: {alert}")
            }
            Self::Tls(reason) => write!(f, "the TLS handshake failed: {reason}"),
            Self::NeedsSasl => {
                f.write_str("the listener requires SASL, and the client does not authenticate")
            }
            Self::NoSasl => f.write_str("the listener has no SASL, and the client authenticates"),
            Self::Mechanism { used, offered } if offered.is_empty() => {
                write!(f, "the broker does not have the SASL mechanism {used}")
            }
            Self::Mechanism { used, offered } => {
                write!(
                    f,
                    "the broker does not have the SASL mechanism {used}, only {offered}"
                )
            }
            Self::Credentials(reason) => {
                write!(
                    f,
                    "the broker rejects the user name or the password: {reason}"
                )
            }
            Self::NoToken(reason) => write!(f, "no access token: {reason}"),
            Self::RejectedToken(reason) => {
                write!(f, "the broker rejects the access token: {reason}")
            }
        }
    }
}

/// The remedy for a certificate; `reason` is a text of `X509_verify_cert_error_string`.
fn certificate_remedy(reason: &str) -> &'static str {
    if reason.contains("expired") {
        "the broker's certificate must be renewed"
    } else if reason.contains("mismatch") {
        "use a name of the certificate in KAFKA_BOOTSTRAP_SERVERS, or add this one to the certificate"
    } else if reason.contains("not yet valid") {
        "check this machine's clock"
    } else {
        "name the file with the broker's certificate authority in KAFKA_SSL_CA_LOCATION"
    }
}

/// The fault that a text of librdkafka about SASL names; `None` for other texts.
pub(crate) fn of_sasl(reason: &str) -> Option<Fault> {
    if let Some((_, rest)) = reason.split_once("Failed to acquire SASL OAUTHBEARER token: ") {
        let rest = rest.strip_prefix(TEMPORARY).unwrap_or(rest);
        return Some(Fault::NoToken(rest.to_owned()));
    }
    // `SASL OAUTHBEARER authentication failed (principal=job): {"status":"invalid_token"}`
    if let Some((_, rest)) = reason.split_once("SASL OAUTHBEARER authentication ") {
        return Some(Fault::RejectedToken(rest.to_owned()));
    }
    if let Some((_, rest)) = reason.split_once("SASL authentication error: ") {
        // RFC 7628, section 3.2.2.
        if rest.starts_with("{\"status\":") {
            return Some(Fault::RejectedToken(rest.to_owned()));
        }
        return Some(Fault::Credentials(rest.to_owned()));
    }
    // `SASL PLAIN mechanism handshake failed: <error>: broker's supported mechanisms: A,B`
    let (start, offered) = reason.split_once(": broker's supported mechanisms: ")?;
    if start.contains("SASL state") {
        return Some(Fault::NoSasl);
    }
    let (_, start) = start.split_once("SASL ")?;
    let (used, _) = start.split_once(" mechanism handshake failed")?;
    Some(Fault::Mechanism {
        used: used.to_owned(),
        offered: offered.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_sasl_errors_of_librdkafka() {
        let prefix = "sasl_ssl://b:1/bootstrap: SASL ";
        for (text, expected) in [
            (
                "authentication error: Authentication failed: Invalid username or password",
                Some(Fault::Credentials(
                    "Authentication failed: Invalid username or password".to_owned(),
                )),
            ),
            (
                "PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: \
                 SCRAM-SHA-256,SCRAM-SHA-512",
                Some(Fault::Mechanism {
                    used: "PLAIN".to_owned(),
                    offered: "SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
                }),
            ),
            (
                "PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported \
                 mechanisms: ",
                Some(Fault::NoSasl),
            ),
            (
                "OAUTHBEARER authentication failed (principal=job): {\"status\":\"invalid_token\"}",
                Some(Fault::RejectedToken(
                    "failed (principal=job): {\"status\":\"invalid_token\"}".to_owned(),
                )),
            ),
            (
                "authentication error: {\"status\":\"invalid_token\"}",
                Some(Fault::RejectedToken(
                    "{\"status\":\"invalid_token\"}".to_owned(),
                )),
            ),
            ("something else", None),
        ] {
            assert_eq!(of_sasl(&format!("{prefix}{text}")), expected);
        }
        assert_eq!(
            of_sasl("Failed to acquire SASL OAUTHBEARER token: status 401"),
            Some(Fault::NoToken("status 401".to_owned()))
        );
    }

    #[test]
    fn the_remedy_for_a_certificate_depends_on_the_reason() {
        for (reason, part) in [
            ("certificate has expired", "renewed"),
            ("hostname mismatch", "KAFKA_BOOTSTRAP_SERVERS"),
            ("IP address mismatch", "KAFKA_BOOTSTRAP_SERVERS"),
            (
                "unable to get local issuer certificate",
                "KAFKA_SSL_CA_LOCATION",
            ),
            (
                "self-signed certificate in certificate chain",
                "KAFKA_SSL_CA_LOCATION",
            ),
        ] {
            let remedy = Fault::Certificate(reason.to_owned()).remedy();
            assert!(remedy.contains(part), "{reason}: {remedy}");
        }
    }
}
