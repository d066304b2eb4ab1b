//! The request headers that become Kafka headers: those that the operator lists.

use std::borrow::Cow;

use avro::FINGERPRINT_HEADER;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http_server::problem::Problem;
use kafka::producer::MessageHeader;
use record::{baggage, idempotency, traceparent, tracestate};

use crate::ingest::problems::HEADER_FIELDS_TOO_LARGE;

/// The most names in the list.
const MAX_NAMES: usize = 16;
/// The most header fields of one request that are copied. A field may occur repeatedly.
const MAX_FIELDS: usize = 32;
/// The most bytes of their names and values together.
const MAX_BYTES: usize = 8 << 10;

/// Headers that the function sets, or that belong to them.
const OWN: [&str; 7] = [
    "content-type",
    FINGERPRINT_HEADER,
    idempotency::HEADER,
    traceparent::HEADER,
    tracestate::HEADER,
    baggage::HEADER,
    "call-id",
];
/// Prefixes of headers with another meaning: CloudEvents in both bindings, dead letters, Confluent's serializers.
const OWN_PREFIXES: [&str; 5] = ["ce-", "ce_", "frontdoor.", "frontdoor-", "__"];
/// Headers of one connection (RFC 9110, 7.6.1), and of the body as it was transferred.
const HOP_BY_HOP: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-transfer-encoding",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What the names of headers with credentials or signatures contain.
const CREDENTIALS: [&str; 9] = [
    "apikey",
    "api-key",
    "authorization",
    "cookie",
    "credential",
    "password",
    "secret",
    "signature",
    "token",
];

/// The list of headers.
#[derive(Debug, Default)]
pub(in crate::ingest) struct CallerHeaders(Vec<HeaderName>);

impl CallerHeaders {
    /// Parses a list of names, separated by commas.
    ///
    /// # Errors
    /// A name is malformed, occurs twice or must not be copied, or there are too many.
    pub(in crate::ingest) fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        for text in text.split(',').map(str::trim) {
            let name = HeaderName::from_bytes(text.as_bytes())
                .map_err(|_| format!("{text:?} is not the name of a header"))?;
            if let Some(reason) = refusal(name.as_str()) {
                return Err(format!("{name} cannot be copied: {reason}"));
            }
            if names.contains(&name) {
                return Err(format!("{name} occurs twice"));
            }
            names.push(name);
        }
        if names.len() > MAX_NAMES {
            let count = names.len();
            return Err(format!(
                "it has {count} names; at most {MAX_NAMES} are allowed"
            ));
        }
        Ok(Self(names))
    }

    /// The listed headers of a request, in the order of the list, with the values as they are. A field that occurs
    /// repeatedly is a Kafka header each time.
    ///
    /// # Errors
    /// There are more than 32, or they have more than 8 KiB.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<Vec<MessageHeader>, Problem> {
        let mut found: Vec<MessageHeader> = Vec::new();
        let mut bytes = 0;
        for name in &self.0 {
            for value in headers.get_all(name) {
                bytes += name.as_str().len() + value.len();
                if found.len() == MAX_FIELDS || bytes > MAX_BYTES {
                    let detail = format!(
                        "The header fields that are stored with the record (KAFKA_HEADERS) are more than {MAX_FIELDS} \
                         or have more than {MAX_BYTES} bytes. Nothing was published."
                    );
                    return Err(Problem::new(&HEADER_FIELDS_TOO_LARGE, detail));
                }
                let name = Cow::Owned(name.as_str().to_owned());
                found.push((name, Bytes::copy_from_slice(value.as_bytes())));
            }
        }
        Ok(found)
    }
}

/// Why a header must not be copied. The name is in lower case.
fn refusal(name: &str) -> Option<&'static str> {
    let has_own_prefix = || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if OWN.contains(&name) || has_own_prefix() {
        Some("messages have headers of this name with a meaning of their own")
    } else if HOP_BY_HOP.contains(&name) {
        Some("it describes the connection or the transfer of the body")
    } else if CREDENTIALS.iter().any(|part| name.contains(part)) {
        Some("headers of this name have credentials or signatures")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn refuses_own_and_hop_by_hop_headers_and_credentials() {
        for name in [
            "Content-Type",
            "traceparent",
            "TraceState",
            "Baggage",
            "Idempotency-Key",
            "call-id",
            "ce-id",
            "frontdoor.version",
            "__value_schema_id",
            "Connection",
            "Transfer-Encoding",
            "Host",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "Signature",
            "Signature-Input",
            "webhook-signature",
            "X-Hub-Signature-256",
            "X-Api-Key",
            "X-Amz-Security-Token",
        ] {
            let error = CallerHeaders::parse(name).unwrap_err();
            assert!(error.contains("cannot be copied"), "{error}");
        }
        for (text, part) in [
            ("", "not the name"),
            ("a b", "not the name"),
            ("tenant,", "not the name"),
            ("tenant,Tenant", "twice"),
        ] {
            let error = CallerHeaders::parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let many: Vec<String> = (0..=MAX_NAMES)
            .map(|number| format!("x-{number}"))
            .collect();
        CallerHeaders::parse(&many.join(",")).unwrap_err();
    }

    #[test]
    fn copies_the_listed_headers_within_the_limits() {
        let list = CallerHeaders::parse("X-Request-Id, tenant").unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [("tenant", &b"a"[..]), ("tenant", b"\xff"), ("other", b"x")] {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers.append("x-request-id", HeaderValue::from_static("r-1"));
        let found = list.of(&headers).unwrap();
        let found: Vec<(&str, &[u8])> = found
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let expected: [(&str, &[u8]); 3] = [
            ("x-request-id", b"r-1"),
            ("tenant", b"a"),
            ("tenant", b"\xff"),
        ];
        assert_eq!(found, expected);
        for _ in 0..MAX_FIELDS {
            headers.append("tenant", HeaderValue::from_static("b"));
        }
        assert_eq!(list.of(&headers).unwrap_err().kind().status, 431);
        let mut headers = HeaderMap::new();
        let large = HeaderValue::from_bytes(&[b'x'; MAX_BYTES]).unwrap();
        headers.append("tenant", large);
        assert_eq!(list.of(&headers).unwrap_err().kind().status, 431);
    }
}
