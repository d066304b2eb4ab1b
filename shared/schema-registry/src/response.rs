//! What a response means. Pure.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use reqwest::Url;
use runtime::redact;
use runtime::retry::retry_after;
use serde::Deserialize;

use crate::retry;

/// The maximum number of characters of the registry's message in an error.
const MAX_MESSAGE: usize = 400;

/// A response with a status other than 2xx.
pub(crate) struct ErrorResponse<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub(crate) body: &'a [u8],
    /// Whether `body` is only the beginning.
    pub(crate) is_cut: bool,
}

/// What an error response means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A later attempt may succeed, after the wait that the registry requests.
    Transient(Option<Duration>),
    /// The schema, subject or version does not exist.
    Unknown,
    /// The credentials are missing, wrong or insufficient.
    Refused,
    /// Anything else.
    Invalid,
}

#[derive(Deserialize)]
struct ErrorBody {
    error_code: Option<u32>,
    message: Option<String>,
}

impl ErrorResponse<'_> {
    /// What the response means at the time `now`, and its text.
    ///
    /// A 404 without one of the registry's error codes is not [`ErrorKind::Unknown`]: it is the answer of any HTTP server
    /// to a wrong URL.
    pub(crate) fn classify(&self, now: SystemTime) -> (ErrorKind, String) {
        let body = serde_json::from_slice::<ErrorBody>(self.body).ok();
        let code = body.as_ref().and_then(|body| body.error_code);
        let message = body.and_then(|body| body.message);
        let message = message.unwrap_or_else(|| redact::excerpt(self.body, self.is_cut));
        let message = line(&match code {
            Some(code) => format!("{code} {message}"),
            None => message,
        });
        match (self.status.as_u16(), code) {
            (404, Some(40401..=40403)) => (ErrorKind::Unknown, format!("404 {message}")),
            (status, _) if retry::is_transient(status) => {
                let wait = self.text("retry-after");
                let wait = wait.and_then(|value| retry_after(value, self.text("date"), now));
                (ErrorKind::Transient(wait), self.with_status(&message))
            }
            (401 | 403, _) => (ErrorKind::Refused, self.with_status(&message)),
            (404, None) => (
                ErrorKind::Invalid,
                self.with_status(
                    "without an error code of a schema registry: check the path in SCHEMA_REGISTRY_URL",
                ),
            ),
            (300..=399, _) => (ErrorKind::Invalid, self.redirect()),
            _ => (ErrorKind::Invalid, self.with_status(&message)),
        }
    }

    fn with_status(&self, message: &str) -> String {
        format!("{} {message}", self.status).trim_end().to_owned()
    }

    fn redirect(&self) -> String {
        let target = self.text("location").and_then(|text| Url::parse(text).ok());
        // Without path and query, which may contain a key.
        let target = target.map_or_else(String::new, |url| {
            format!(" to {}", url.origin().ascii_serialization())
        });
        format!(
            "{}{target}: redirects are not followed; set SCHEMA_REGISTRY_URL to the registry itself",
            self.status
        )
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// One line of text of another program, without secrets and not too long.
pub(crate) fn line(text: &str) -> String {
    redact::line(text, MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classify(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &[u8],
    ) -> (ErrorKind, String) {
        let headers = headers.iter().map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        });
        ErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers.collect(),
            body,
            is_cut: false,
        }
        .classify(SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn only_the_error_codes_of_a_registry_mean_unknown() {
        for code in [40401, 40402, 40403] {
            let body = format!(r#"{{"error_code":{code},"message":"not found"}}"#);
            let expected = (ErrorKind::Unknown, format!("404 {code} not found"));
            assert_eq!(classify(404, &[], body.as_bytes()), expected);
        }
        for body in [
            &b""[..],
            b"<html>404</html>",
            b"{}",
            br#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
        ] {
            assert_eq!(classify(404, &[], body).0, ErrorKind::Invalid);
        }
        assert!(
            classify(404, &[], b"")
                .1
                .contains("check the path in SCHEMA_REGISTRY_URL")
        );
    }

    #[test]
    fn overload_is_transient_with_the_requested_wait() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(classify(503, &[], b"").0, ErrorKind::Transient(None));
        assert_eq!(
            classify(429, &[("retry-after", "3")], b"").0,
            ErrorKind::Transient(seconds(3))
        );
        let (kind, text) = classify(500, &[], br#"{"error_code":50002,"message":"timed\nout"}"#);
        assert_eq!(
            (kind, text.as_str()),
            (
                ErrorKind::Transient(None),
                "500 Internal Server Error 50002 timed out"
            )
        );
    }

    #[test]
    fn a_redirect_names_only_the_host() {
        let (kind, text) = classify(
            307,
            &[("location", "https://user:pw@login/x?key=hunter2")],
            b"",
        );
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(
            text.starts_with("307 Temporary Redirect to https://login: "),
            "{text}"
        );
        assert!(
            classify(302, &[("location", "/x")], b"")
                .1
                .starts_with("302 Found: ")
        );
    }

    #[test]
    fn other_statuses_keep_the_registrys_message() {
        assert_eq!(classify(401, &[], b"").1, "401 Unauthorized");
        let body = br#"{"error_code":409,"message":"incompatible"}"#;
        assert_eq!(
            classify(409, &[], body),
            (
                ErrorKind::Invalid,
                "409 Conflict 409 incompatible".to_owned()
            )
        );
    }

    proptest! {
        #[test]
        fn any_body_gives_one_short_line(status in 300u16..600, body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let (_, text) = classify(status, &[], &body);
            prop_assert!(text.chars().count() <= MAX_MESSAGE + 150);
            prop_assert!(!text.contains('\n'));
        }
    }
}
