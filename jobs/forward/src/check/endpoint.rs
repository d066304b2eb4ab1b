//! Asks an endpoint for its page: a GET changes nothing, and whatever answers it is there.

use std::time::Duration;

use runtime::secret::Secret;
use runtime::text::cause;

use super::CheckError;
use crate::route_config::RouteConfig;
use delivery::EndpointUrl;

/// The endpoint as it may be printed, and what it answers.
pub(super) async fn ask(
    route: &RouteConfig,
    timeout: Duration,
) -> (String, Result<String, CheckError>) {
    let target = match EndpointUrl::parse(&route.url) {
        Ok(target) => target.to_string(),
        Err(error) => {
            return (
                String::new(),
                Err(CheckError::new(format!("the URL {error}"))),
            );
        }
    };
    let result = get(&route.url, route.token.as_ref(), timeout).await;
    (target, result)
}

async fn get(url: &str, token: Option<&Secret>, timeout: Duration) -> Result<String, CheckError> {
    let unreachable = |error: &reqwest::Error| {
        let detail = if error.is_timeout() {
            format!("no answer within {timeout:?}")
        } else {
            format!("no connection: {}", cause(error))
        };
        let advice = if detail.contains("certificate") {
            "its authority is not known here: SSL_CERT_FILE may name others"
        } else {
            "is it up, its address right, and the way to it open?"
        };
        CheckError {
            detail,
            advice: Some(advice),
        }
    };
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        // Delivery connects directly, and what is asked here is whether delivery can.
        .no_proxy()
        .build()
        .map_err(|error| unreachable(&error))?;
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token.reveal());
    }
    let answer = request
        .send()
        .await
        .map_err(|error| unreachable(&error.without_url()))?;
    let status = answer.status();
    match status.as_u16() {
        401 | 403 => Err(CheckError {
            detail: format!("answers {status}"),
            advice: Some(
                "check the route's token (API_TYPE_A_TOKEN, API_TYPE_B_TOKEN, or token in ROUTES)",
            ),
        }),
        500.. => Err(CheckError {
            detail: format!("answers {status}"),
            advice: Some("it is there, but in trouble: see its log"),
        }),
        _ => Ok(format!("answers {status} to GET")),
    }
}
