//! The meaning of a status code for a record: one table, with its reasons.
//!
//! The rule behind it: **a record is rejected for good only if the response is about that record.** A response that
//! every record would get (token, URL, method, headers) means that the route or the endpoint is misconfigured. Moving a
//! whole window to the dead-letter topic because a token has expired would be a disaster: such a record is deferred to
//! the next run without another attempt, and the failure counts towards the circuit breaker.

/// What follows from a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// The endpoint has the record (2xx: "successfully received, understood, and accepted", RFC 9110, section 15.3).
    Accepted,
    /// The same request may succeed later.
    Retryable,
    /// The endpoint never accepts this record: it belongs in the dead-letter topic.
    RecordRejected,
    /// The cause is not the record, and a retry within seconds cannot help: the next run sends it.
    Deferred,
    /// The endpoint accepts no more requests in this run (410, as in Standard Webhooks 1.0).
    RouteGone,
}

/// Classifies a status code. A change here is a change of the table in the test below.
pub fn classify(status: u16) -> StatusClass {
    match status {
        200..=299 => StatusClass::Accepted,

        // A redirect is never followed: it leads to a login page, or turns the request into a GET.
        300..=399 => StatusClass::Deferred,

        // About the record: malformed, too large, unprocessable.
        400 | 413 | 422 => StatusClass::RecordRejected,

        // About the time: timeout; the first request with this key is still in progress (Idempotency-Key draft); too
        // early; too many requests.
        408 | 409 | 425 | 429 => StatusClass::Retryable,

        410 => StatusClass::RouteGone,

        // About the client: credentials (401, 402, 403, 407), URL (404, 421), method and headers (405, 406, 411, 412,
        // 414, 415, 416, 417, 426, 428, 431). Every record is sent to the same URL with the same method and headers.
        401..=407 | 411 | 412 | 414..=417 | 421 | 426 | 428 | 431 => StatusClass::Deferred,
        // About the endpoint's state (locked, failed dependency), or legal reasons.
        423 | 424 | 451 => StatusClass::Deferred,
        // Unregistered codes in wide use, about the client or the connection: throttled (420), login expired (440),
        // nginx (444, 494 to 497, 499), load balancers (460, 463, 464), invalid token (498).
        420 | 440 | 444 | 460 | 463 | 464 | 494..=499 => StatusClass::Deferred,
        // "equivalent to the x00 status code of that class" (RFC 9110, section 15).
        400..=499 => StatusClass::RecordRejected,

        // The server does not support the method (RFC 9110, section 15.6.2): a retry cannot help.
        501 => StatusClass::Deferred,
        500..=599 => StatusClass::Retryable,

        // 101 without an upgrade request, and numbers that are not status codes.
        _ => StatusClass::Deferred,
    }
}

/// Whether the circuit breaker counts this status, of this class, as a failure of the endpoint. An endpoint that rejects
/// one record, or delays one request (409, 425), works.
pub(super) fn is_failure(status: u16, class: StatusClass) -> bool {
    match class {
        StatusClass::Accepted | StatusClass::RecordRejected => false,
        StatusClass::Retryable => !matches!(status, 409 | 425),
        StatusClass::Deferred | StatusClass::RouteGone => true,
    }
}

/// Whether `Retry-After` applies to all requests of the route. With 429 it is "how long to wait before making a new
/// request" (RFC 6585, section 4), with 503 "how long the service is expected to be unavailable" (RFC 9110, section
/// 10.2.3). With other statuses it applies to the one request.
pub fn is_route_pause(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// The remedy for an operator, for statuses that defer a record; empty for all others.
pub fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: correct the route's url",
        401 | 403 | 498 => "check the route's auth, sign or tls",
        404 => "check the route's url, or list 404 in drop_on if resources may be missing",
        407 => "check the user and the password of the proxy (HTTP_PROXY or ALL_PROXY)",
        421 => "check the route's url",
        405 | 501 => "the url does not accept the route's method",
        406 | 415 => "the url does not accept this content type",
        410 => "the endpoint accepts no more requests",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class() {
        let table: &[(StatusClass, &[u16])] = &[
            (
                StatusClass::Accepted,
                &[200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299],
            ),
            (
                StatusClass::Retryable,
                &[
                    408, 409, 425, 429, 500, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 529,
                    599,
                ],
            ),
            (
                StatusClass::RecordRejected,
                &[400, 413, 418, 422, 430, 450, 489],
            ),
            (
                StatusClass::Deferred,
                &[
                    100, 101, 199, 300, 301, 302, 303, 304, 305, 307, 308, 399, 401, 402, 403, 404,
                    405, 406, 407, 411, 412, 414, 415, 416, 417, 420, 421, 423, 424, 426, 428, 431,
                    440, 444, 451, 460, 463, 464, 494, 495, 496, 497, 498, 499, 501, 600, 999,
                ],
            ),
            (StatusClass::RouteGone, &[410]),
        ];
        for (expected, statuses) in table {
            for status in *statuses {
                assert_eq!(classify(*status), *expected, "{status}");
            }
        }
    }

    #[test]
    fn only_2xx_is_a_delivery() {
        for status in (0..=999).filter(|status| !(200..300).contains(status)) {
            assert_ne!(classify(status), StatusClass::Accepted, "{status}");
        }
    }

    #[test]
    fn rejecting_a_record_is_not_an_endpoint_failure() {
        let is_failure = |status| is_failure(status, classify(status));
        for status in [200, 204, 400, 409, 413, 422, 425] {
            assert!(!is_failure(status), "{status}");
        }
        for status in [302, 401, 404, 408, 410, 429, 500, 501, 503] {
            assert!(is_failure(status), "{status}");
        }
    }

    #[test]
    fn the_advice_holds_for_every_method_and_authorization() {
        for status in 100..600 {
            let advice = advice(status);
            assert!(
                !advice.contains("POST") && !advice.contains("token"),
                "{status}"
            );
            let is_deferred = matches!(
                classify(status),
                StatusClass::Deferred | StatusClass::RouteGone
            );
            assert!(advice.is_empty() || is_deferred, "{status}");
        }
        assert!(advice(407).contains("proxy"));
        assert!(advice(404).starts_with("check the route's url"));
    }
}
