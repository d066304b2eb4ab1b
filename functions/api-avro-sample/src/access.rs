//! Checks that the caller of a request may send it.

use std::time::SystemTime;

use bytes::Bytes;
use caller_auth::{Admission, CallerAuth, people};
use http::request::Parts;
use http_server::problem::Problem;

/// Checks a request that reads records. `Basic` with a bearer token as the password is accepted too, because a browser
/// can prompt for it.
///
/// # Errors
/// The caller is refused.
pub(super) async fn check_read(callers: &CallerAuth, head: &Parts) -> Result<(), Problem> {
    let head = people::with_bearer(head);
    let result = async {
        match callers.admit(&head, SystemTime::now()).await? {
            Admission::Admitted => Ok(()),
            Admission::Signed(request) => request.verify(&Bytes::new()),
        }
    };
    result.await.map_err(people::problem)
}
