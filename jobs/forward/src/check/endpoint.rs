//! Sends one probe request to an endpoint, through the client that a run delivers with.

use std::time::Duration;

use delivery::{ConnectionError, EndpointClient, ProbeError};

use super::CheckError;
use crate::route_config::RouteConfig;

/// The endpoint's URL without its query, and the status of its response.
pub(super) async fn ask(
    route: &RouteConfig,
    timeout: Duration,
) -> (String, Result<String, CheckError>) {
    let client = match route
        .endpoint()
        .and_then(|endpoint| EndpointClient::new(&endpoint))
    {
        Ok(client) => client,
        Err(error) => return (String::new(), Err(CheckError::new(error))),
    };
    (client.url().to_string(), probe(&client, timeout).await)
}

async fn probe(client: &EndpointClient, timeout: Duration) -> Result<String, CheckError> {
    let status = client
        .probe(timeout)
        .await
        .map_err(|error| unreachable(&error))?;
    match status.as_u16() {
        401 | 403 => Err(CheckError {
            detail: format!("responds {status}"),
            advice: Some(
                "check the route's token (API_TYPE_A_TOKEN, API_TYPE_B_TOKEN, or token in ROUTES)",
            ),
        }),
        500.. => Err(CheckError {
            detail: format!("responds {status}"),
            advice: Some("see the log of the endpoint"),
        }),
        _ => Ok(format!("responds {status} to GET")),
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
