//! Why a request is refused, and the response. Pure.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http_server::problem::{Problem, ProblemType};

const UNAUTHORIZED: ProblemType = ProblemType {
    name: "unauthorized",
    status: StatusCode::UNAUTHORIZED,
    title: "The request is not authenticated",
};
/// The type of the problem of a caller who is known and may not send the request.
pub const FORBIDDEN: ProblemType = ProblemType {
    name: "forbidden",
    status: StatusCode::FORBIDDEN,
    title: "The caller may not send this request",
};
const CALLER_KEYS_UNAVAILABLE: ProblemType = ProblemType {
    name: "caller-keys-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The keys that verify the token are not available",
};

/// The methods that are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Methods {
    pub(crate) bearer: bool,
    pub(crate) webhook: bool,
    pub(crate) certificate: bool,
}

/// Why a request is refused. The response has only the status: the reason is for the log.
#[derive(Debug)]
pub struct Refusal {
    pub(crate) kind: RefusalKind,
    reason: Cow<'static, str>,
    methods: Methods,
}

/// What the response to a refused request says, the least significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusalKind {
    /// No credentials, or credentials that are not tokens: 401.
    Unauthenticated,
    /// A bearer token that is not accepted: 401 with `invalid_token`.
    InvalidToken,
    /// A caller that is known and may not send requests: 403.
    Forbidden,
    /// A valid token without the required scope: 403 with `insufficient_scope`.
    InsufficientScope,
    /// A token that cannot be verified now: 503.
    Unavailable,
}

impl Refusal {
    pub(crate) fn new(
        kind: RefusalKind,
        reason: impl Into<Cow<'static, str>>,
        methods: Methods,
    ) -> Self {
        Self {
            kind,
            reason: reason.into(),
            methods,
        }
    }

    pub(crate) fn unauthenticated(reason: &'static str, methods: Methods) -> Self {
        Self::new(RefusalKind::Unauthenticated, reason, methods)
    }

    /// The reason, for the log. It contains no credentials.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether a bearer token is one of the configured methods.
    pub fn accepts_bearer(&self) -> bool {
        self.methods.bearer
    }

    /// The values of `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3). A 401 must have one, so the
    /// methods without a registered scheme have names of their own.
    fn challenges(&self) -> impl Iterator<Item = &'static str> {
        let bearer = match self.kind {
            RefusalKind::InvalidToken => r#"Bearer realm="frontdoor", error="invalid_token""#,
            RefusalKind::InsufficientScope => {
                r#"Bearer realm="frontdoor", error="insufficient_scope""#
            }
            _ => r#"Bearer realm="frontdoor""#,
        };
        let Methods {
            bearer: has_bearer,
            webhook,
            certificate,
        } = self.methods;
        [
            has_bearer.then_some(bearer),
            webhook.then_some(r#"StandardWebhooks realm="frontdoor""#),
            certificate.then_some(r#"ClientCertificate realm="frontdoor""#),
        ]
        .into_iter()
        .flatten()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = match refusal.kind {
            RefusalKind::Unauthenticated | RefusalKind::InvalidToken => Self::new(
                &UNAUTHORIZED,
                "The request has no credentials that this service accepts.",
            ),
            RefusalKind::Forbidden | RefusalKind::InsufficientScope => Self::new(
                &FORBIDDEN,
                "The caller may not send requests to this service.",
            ),
            RefusalKind::Unavailable => Self::new(
                &CALLER_KEYS_UNAVAILABLE,
                "The token cannot be verified now, and the request was not processed: send it again.",
            )
            .with_header(RETRY_AFTER, "1"),
        };
        let challenges: Vec<_> = match refusal.kind {
            RefusalKind::Forbidden | RefusalKind::Unavailable => Vec::new(),
            RefusalKind::InsufficientScope => refusal.challenges().take(1).collect(),
            _ => refusal.challenges().collect(),
        };
        challenges
            .into_iter()
            .fold(problem, |problem, challenge| {
                problem.with_header(WWW_AUTHENTICATE, challenge)
            })
            .with_log_detail(refusal.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Methods = Methods {
        bearer: true,
        webhook: true,
        certificate: true,
    };

    fn response(kind: RefusalKind, methods: Methods) -> (u16, Vec<String>, String) {
        let problem = Problem::from(Refusal::new(kind, "the reason", methods));
        assert_eq!(problem.log_detail(), "the reason");
        let response = problem.into_response();
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        (
            response.status().as_u16(),
            challenges
                .map(|value| value.to_str().unwrap().to_owned())
                .collect(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    }

    #[test]
    fn the_response_names_the_schemes_and_no_reason() {
        let (status, challenges, body) = response(RefusalKind::Unauthenticated, ALL);
        assert_eq!((status, challenges.len()), (401, 3));
        assert_eq!(challenges[0], r#"Bearer realm="frontdoor""#);
        assert!(!body.contains("reason"), "{body}");
        let (status, challenges, same) = response(RefusalKind::InvalidToken, ALL);
        assert_eq!(status, 401);
        assert!(challenges[0].ends_with(r#"error="invalid_token""#));
        assert_eq!(body, same);
        let webhook = Methods {
            webhook: true,
            ..Methods::default()
        };
        let (_, challenges, _) = response(RefusalKind::Unauthenticated, webhook);
        assert_eq!(challenges, [r#"StandardWebhooks realm="frontdoor""#]);
    }

    #[test]
    fn only_a_missing_scope_is_named_with_403() {
        let (status, challenges, _) = response(RefusalKind::InsufficientScope, ALL);
        assert_eq!(status, 403);
        assert_eq!(
            challenges,
            [r#"Bearer realm="frontdoor", error="insufficient_scope""#]
        );
        assert_eq!(response(RefusalKind::Forbidden, ALL).1, [""; 0]);
        let (status, challenges, _) = response(RefusalKind::Unavailable, ALL);
        assert_eq!((status, challenges.len()), (503, 0));
    }
}
