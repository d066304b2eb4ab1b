//! Headers that the owner of a route cannot set.

/// Whether the job, a signature or the connection decides about a header (RFC 9110, sections 6.6.2, 7.6.1 and 10.1.4). The
/// name is in lower case.
pub(super) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 26] = [
        avro::FINGERPRINT_HEADER,
        "baggage",
        "connection",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "digest",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    ];
    RESERVED.contains(&name) || name.starts_with("ce-")
}
