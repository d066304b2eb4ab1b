//! Sends one probe request to an endpoint, through the client that a run delivers with.

use std::time::Duration;

use delivery::{ConnectionError, EndpointClient, ProbeError};

use super::{CheckError, Finding};
use crate::route_config::RouteConfig;

/// The endpoint's URL without its query, and the status of its response.
pub(super) async fn ask(
    route: &RouteConfig,
    timeout: Duration,
) -> (String, Result<Finding, CheckError>) {
    let client = match route
        .endpoint()
        .and_then(|endpoint| EndpointClient::new(&endpoint))
    {
        Ok(client) => client,
        Err(error) => return (String::new(), Err(CheckError::new(error))),
    };
    let result = match client.probe(timeout).await {
        Ok(status) => judge(status.as_u16(), format!("responds {status} to GET")),
        Err(error) => Err(unreachable(&error)),
    };
    (client.url().to_string(), result)
}

/// What the status of a GET says about POST. 405 and 501 say that the endpoint is there, and a status about the content
/// says so too.
fn judge(status: u16, detail: String) -> Result<Finding, CheckError> {
    match status {
        401 | 403 => Ok(Finding::warning(
            detail,
            "check the credentials (API_TYPE_A_TOKEN, API_TYPE_B_TOKEN, or auth in ROUTES)",
        )),
        404 | 410 => Ok(Finding::warning(
            detail,
            "the path does not exist, unless it exists for POST only: check the route's URL",
        )),
        300..=399 => Ok(Finding::warning(
            detail,
            "a run does not follow redirects: check the route's URL",
        )),
        501 => Ok(Finding::ok(detail)),
        500.. => Err(CheckError {
            detail,
            advice: Some("see the log of the endpoint"),
        }),
        _ => Ok(Finding::ok(detail)),
    }
}

fn unreachable(error: &ProbeError) -> CheckError {
    let detail = match error {
        ProbeError::TimedOut(timeout) => format!("no response within {timeout:?}"),
        ProbeError::Connection(ConnectionError::Connect(cause)) => {
            format!("no connection: {cause}")
        }
        ProbeError::Connection(error) => format!("no connection: {error}"),
    };
    let advice = if detail.contains("certificate") {
        "its certificate authority is unknown: name a CA file in SSL_CERT_FILE"
    } else {
        "check that it is running, its URL, and the network between"
    };
    CheckError {
        detail,
        advice: Some(advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckResult;
    use super::*;

    #[test]
    fn a_status_is_wrong_only_if_it_says_something_about_post() {
        for (status, expected) in [
            (200, Some(CheckResult::Ok)),
            (400, Some(CheckResult::Ok)),
            (405, Some(CheckResult::Ok)),
            (415, Some(CheckResult::Ok)),
            (501, Some(CheckResult::Ok)),
            (301, Some(CheckResult::Warning)),
            (401, Some(CheckResult::Warning)),
            (403, Some(CheckResult::Warning)),
            (404, Some(CheckResult::Warning)),
            (500, None),
            (503, None),
        ] {
            let result = judge(status, String::new());
            assert_eq!(
                result.ok().map(|finding| finding.result),
                expected,
                "{status}"
            );
        }
    }
}
