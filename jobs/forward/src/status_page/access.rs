//! Who may read the page.

use std::sync::{Arc, Mutex, PoisonError};

use caller_auth::{TokenList, people};
use http::request::Parts;
use http_server::problem::Problem;
use runtime::secret::Secret;

/// The token that requests must have. It is replaced when the settings change.
pub(super) struct Access {
    tokens: Mutex<Option<Arc<TokenList>>>,
}

impl Access {
    /// Without a token, each request is permitted.
    pub(super) fn new(token: Option<&Secret>) -> Self {
        Self {
            tokens: Mutex::new(list(token)),
        }
    }

    pub(super) fn replace(&self, token: Option<&Secret>) {
        let new = list(token);
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Checks the credentials of a request. The token may also be the password of `Basic`, because a browser can prompt
    /// for it.
    ///
    /// # Errors
    /// The request has no valid token.
    pub(super) fn check(&self, head: &Parts) -> Result<(), Problem> {
        let tokens = {
            let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.clone()
        };
        match tokens {
            None => Ok(()),
            Some(tokens) => {
                let admitted = tokens.admit(&people::with_bearer(head).headers);
                admitted.map_err(people::problem)
            }
        }
    }
}

fn list(token: Option<&Secret>) -> Option<Arc<TokenList>> {
    token
        .and_then(|token| TokenList::parse(token.reveal()))
        .map(Arc::new)
}
