//! What a status means for a record. Pure: one table, with its reasons.
//!
//! The rule beneath it: **a record is given up for good only when the answer speaks about that record.** An answer
//! that would be the same for every record (our token, our address, our method, our headers) says that something
//! between us and the endpoint is wrong; dead-lettering a window for an expired token would be a disaster. Such a
//! record is left for the next run, is not tried again in this one, and the failure counts towards the circuit.

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint has it (2xx: "successfully received, understood, and accepted", RFC 9110, 15.3).
    Delivered,
    /// The same request may succeed a little later.
    Retry,
    /// The endpoint will never take this record: it belongs in the dead-letter topic.
    Refused,
    /// Not the record's fault, and asking again at once is of no use: the next run sends it.
    Leave,
    /// The endpoint wants no more requests in this run (410, as in Standard Webhooks 1.0).
    Gone,
}

/// The table. Whoever changes a row changes the test below.
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,

        // A redirect is never followed: it leads to a login page, or turns the POST into a GET.
        300..=399 => Verdict::Leave,

        // The record: malformed, too large, not to be processed.
        400 | 413 | 422 => Verdict::Refused,

        // Time: too slow; the first request with this key still runs (Idempotency-Key draft); too early; too many.
        408 | 409 | 425 | 429 => Verdict::Retry,

        410 => Verdict::Gone,

        // Us: who we are (401, 402, 403, 407), where we knock (404, 421), how we ask (405, 406, 411, 412, 414, 415,
        // 416, 417, 426, 428, 431). Every record goes to the same address with the same method and headers.
        401..=407 | 411 | 412 | 414..=417 | 421 | 426 | 428 | 431 => Verdict::Leave,
        // The endpoint's own state (locked, a failed dependency), and the law.
        423 | 424 | 451 => Verdict::Leave,
        // Unregistered, but in wide use about the caller or the connection: throttled (420), login expired (440),
        // nginx (444, 494 to 497, 499), load balancers (460, 463, 464), invalid token (498).
        420 | 440 | 444 | 460 | 463 | 464 | 494..=499 => Verdict::Leave,
        // "equivalent to the x00 status code of that class" (RFC 9110, 15).
        400..=499 => Verdict::Refused,

        // It cannot POST there, and will not be able to in a minute.
        501 => Verdict::Leave,
        500..=599 => Verdict::Retry,

        // 101 without our asking, and what is no status at all.
        _ => Verdict::Leave,
    }
}

/// Whether the circuit counts this answer as a failure of the endpoint. An endpoint that refuses one record, or
/// asks for patience with one request (409, 425), is alive.
pub fn is_failure(status: u16) -> bool {
    match verdict(status) {
        Verdict::Delivered | Verdict::Refused => false,
        Verdict::Retry => !matches!(status, 409 | 425),
        Verdict::Leave | Verdict::Gone => true,
    }
}

/// Whether `Retry-After` speaks of the endpoint as a whole: then nobody knocks before. With 429 it is "how long to
/// wait before making a new request" (RFC 6585), with 503 "how long the service is expected to be unavailable"
/// (RFC 9110, 10.2.3); elsewhere it is about that one request.
pub fn asks_for_quiet(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// What the person on call should look at, for answers that leave a record; empty for all others.
pub fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: correct the route's url",
        401 | 403 | 407 | 498 => "check the route's token",
        404 | 421 => "check the route's url",
        405 | 501 => "the url does not take POST",
        406 | 415 => "the url does not take this content type",
        410 => "the endpoint wants no more requests",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_place() {
        let table: &[(Verdict, &[u16])] = &[
            (
                Verdict::Delivered,
                &[200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299],
            ),
            (
                Verdict::Retry,
                &[
                    408, 409, 425, 429, 500, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 529,
                    599,
                ],
            ),
            (Verdict::Refused, &[400, 413, 418, 422, 430, 450, 489]),
            (
                Verdict::Leave,
                &[
                    100, 101, 199, 300, 301, 302, 303, 304, 305, 307, 308, 399, 401, 402, 403, 404,
                    405, 406, 407, 411, 412, 414, 415, 416, 417, 420, 421, 423, 424, 426, 428, 431,
                    440, 444, 451, 460, 463, 464, 494, 495, 496, 497, 498, 499, 501, 600, 999,
                ],
            ),
            (Verdict::Gone, &[410]),
        ];
        for (expected, statuses) in table {
            for status in *statuses {
                assert_eq!(verdict(*status), *expected, "{status}");
            }
        }
    }

    #[test]
    fn nothing_but_2xx_is_a_delivery() {
        for status in (0..=999).filter(|status| !(200..300).contains(status)) {
            assert_ne!(verdict(status), Verdict::Delivered, "{status}");
        }
    }

    #[test]
    fn an_endpoint_that_refuses_a_record_is_alive() {
        for status in [200, 204, 400, 409, 413, 422, 425] {
            assert!(!is_failure(status), "{status}");
        }
        for status in [302, 401, 404, 408, 410, 429, 500, 501, 503] {
            assert!(is_failure(status), "{status}");
        }
    }
}
