//! Asks an endpoint for its page: a GET changes nothing, and whatever answers it is there.

use std::time::Duration;

use runtime::secret::Secret;
use runtime::text::cause;

use super::Wrong;
use crate::route_config::RouteConfig;
use delivery::target::Target;

/// The endpoint as it may be printed, and what it answers.
pub(super) async fn ask(
    route: &RouteConfig,
    patience: Duration,
) -> (String, Result<String, Wrong>) {
    let target = match Target::parse(&route.url) {
        Ok(target) => target.to_string(),
        Err(error) => return (String::new(), Err(Wrong::new(format!("the URL {error}")))),
    };
    let result = get(&route.url, route.token.as_ref(), patience).await;
    (target, result)
}

async fn get(url: &str, token: Option<&Secret>, patience: Duration) -> Result<String, Wrong> {
    let unreachable = |error: &reqwest::Error| {
        let detail = if error.is_timeout() {
            format!("no answer within {patience:?}")
        } else {
            format!("no connection: {}", cause(error))
        };
        let advice = if detail.contains("certificate") {
            "its authority is not known here: SSL_CERT_FILE may name others"
        } else {
            "is it up, its address right, and the way to it open?"
        };
        Wrong {
            detail,
            advice: Some(advice),
        }
    };
    let client = reqwest::Client::builder()
        .timeout(patience)
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
        401 | 403 => Err(Wrong {
            detail: format!("answers {status}"),
            advice: Some(
                "check the route's token (API_TYPE_A_TOKEN, API_TYPE_B_TOKEN, or token in ROUTES)",
            ),
        }),
        500.. => Err(Wrong {
            detail: format!("answers {status}"),
            advice: Some("it is there, but in trouble: see its log"),
        }),
        _ => Ok(format!("answers {status} to GET")),
    }
}
