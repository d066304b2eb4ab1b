//! The decision whether a request is admitted.

use std::time::SystemTime;

use http::request::Parts;
use http_server::tls::PeerCertificate;

use crate::authorization::Authorization;
use crate::certificate::CertificateNames;
use crate::jwt::{JwtError, JwtVerifier};
use crate::refusal::{Methods, Refusal, RefusalKind};
use crate::tokens::TokenList;
use crate::webhook::{SignedRequest, WebhookSecrets};

/// Who may send requests. Without a method, everyone.
#[derive(Default)]
pub struct CallerAuth {
    pub(crate) tokens: Option<TokenList>,
    pub(crate) jwt: Option<JwtVerifier>,
    pub(crate) webhook: Option<WebhookSecrets>,
    pub(crate) certificates: Option<CertificateNames>,
}

/// A request that is not refused by its head.
pub enum Admission {
    /// The request is admitted.
    Admitted,
    /// The request has a signature over its body. It is admitted if the signature is valid.
    Signed(SignedRequest),
}

impl CallerAuth {
    /// Whether a method is configured.
    pub fn is_configured(&self) -> bool {
        self.methods() != Methods::default()
    }

    /// Keeps the keys that `previous` has fetched, if they are from the same JWKS URL.
    pub fn keep_keys(&mut self, previous: &Self) {
        if let (Some(jwt), Some(previous)) = (&mut self.jwt, &previous.jwt) {
            jwt.keep_keys(previous);
        }
    }

    /// Decides by the head of a request: its header fields, and the [`PeerCertificate`] in its extensions. Any one of the
    /// configured methods is enough. It may wait for the JWKS URL, five seconds at most.
    ///
    /// # Errors
    /// No method is satisfied.
    pub async fn admit(&self, head: &Parts, now: SystemTime) -> Result<Admission, Refusal> {
        let methods = self.methods();
        if methods == Methods::default() {
            return Ok(Admission::Admitted);
        }
        let refusal = |kind, reason| Refusal::new(kind, reason, methods);
        let mut refused = refusal(RefusalKind::Unauthenticated, "no credentials");
        if let Some(names) = &self.certificates
            && let Some(certificate) = head.extensions.get::<PeerCertificate>()
        {
            if names.accepts(certificate) {
                return Ok(Admission::Admitted);
            }
            let reason = "the client certificate has none of the names in CALLER_SSL_NAMES";
            refused = refusal(RefusalKind::Forbidden, reason);
        }
        if methods.bearer {
            match self.check_authorization(head, methods).await {
                Ok(()) => return Ok(Admission::Admitted),
                Err(other) => refused = more_significant(refused, other),
            }
        }
        let signed = (self.webhook.as_ref())
            .and_then(|secrets| secrets.request(&head.headers, now, methods));
        match signed {
            Some(Ok(request)) => Ok(Admission::Signed(request)),
            Some(Err(reason)) => Err(more_significant(
                refused,
                refusal(RefusalKind::Unauthenticated, reason),
            )),
            None => Err(refused),
        }
    }

    async fn check_authorization(&self, head: &Parts, methods: Methods) -> Result<(), Refusal> {
        let refusal = |kind, reason| Refusal::new(kind, reason, methods);
        let token = Authorization::of(&head.headers)
            .token()
            .map_err(|reason| refusal(RefusalKind::Unauthenticated, reason))?;
        if self
            .tokens
            .as_ref()
            .is_some_and(|list| list.contains(token))
        {
            return Ok(());
        }
        let Some(jwt) = &self.jwt else {
            let reason = "the bearer token is none of the configured ones";
            return Err(refusal(RefusalKind::InvalidToken, reason));
        };
        jwt.verify(token).await.map_err(|error| match error {
            JwtError::Invalid(reason) => refusal(RefusalKind::InvalidToken, reason),
            JwtError::Scope => refusal(
                RefusalKind::InsufficientScope,
                "the token lacks a scope of CALLER_JWT_SCOPE",
            ),
            JwtError::Unavailable(reason) => {
                Refusal::new(RefusalKind::Unavailable, reason, methods)
            }
        })
    }

    pub(crate) fn methods(&self) -> Methods {
        Methods {
            bearer: self.tokens.is_some() || self.jwt.is_some(),
            webhook: self.webhook.is_some(),
            certificate: self.certificates.is_some(),
        }
    }
}

/// The refusal that says more. Of two that say the same, the second.
fn more_significant(first: Refusal, second: Refusal) -> Refusal {
    if first.kind > second.kind {
        first
    } else {
        second
    }
}
