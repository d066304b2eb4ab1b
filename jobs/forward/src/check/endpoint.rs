//! Sends one probe request to an endpoint, through the client that a run delivers with.

use std::time::Duration;

use delivery::{ConnectionError, EndpointClient, EndpointConfig, ProbeError};
use http_proxy::Proxies;

use super::{Check, CheckError, Finding};
use crate::exit::RunOutcome;
use crate::route_config::{Auth, RouteConfig};

/// Checks that a route has credentials, if it requests them elsewhere, and then its endpoint.
pub(super) async fn check(route: &RouteConfig, proxies: &Proxies, timeout: Duration) -> Vec<Check> {
    let endpoint = EndpointConfig {
        proxies: proxies.clone(),
        ..route.endpoint(None)
    };
    let name = format!("endpoint {}", route.name);
    let client = match EndpointClient::new(&endpoint) {
        Ok(client) => client,
        Err(error) => {
            let failed = Err::<Finding, _>(CheckError::new(error));
            return vec![Check::new(&name, "", failed, RunOutcome::Endpoint)];
        }
    };
    let mut checks = Vec::new();
    let url = client.url().to_string();
    if let Some((source, outcome)) = source(&route.auth) {
        let credentials = format!("credentials {}", route.name);
        let ready = client.ready(timeout).await;
        let is_ready = ready.is_ok();
        let found = match ready {
            Ok(()) => Ok(Finding::ok("obtained")),
            Err(error) => Err(without_credentials(&route.auth, &error)),
        };
        checks.push(Check::new(&credentials, &source, found, outcome));
        if !is_ready {
            let detail = format!("not checked: see {credentials}");
            let failed = Err::<Finding, _>(CheckError::new(detail));
            checks.push(Check::new(&name, &url, failed, outcome));
            return checks;
        }
    }
    let result = match client.probe(timeout).await {
        // The path of a record is longer.
        Ok(status) if route.has_url_template() && matches!(status.as_u16(), 404 | 410) => {
            Ok(Finding::ok(format!("responds {status} to GET")))
        }
        Ok(status) => judge(status.as_u16(), format!("responds {status} to GET")),
        Err(error) => Err(unreachable(&error)),
    };
    checks.push(Check::new(&name, &url, result, RunOutcome::Endpoint));
    checks
}

/// Where credentials come from that are not in the settings, and the outcome of a run without them.
fn source(auth: &Auth) -> Option<(String, RunOutcome)> {
    match auth {
        Auth::OAuth2 { credentials, .. } => {
            Some((credentials.token_url.to_string(), RunOutcome::Endpoint))
        }
        Auth::Oci(_) => Some((
            "the Oracle Cloud principal".to_owned(),
            RunOutcome::Configuration,
        )),
        Auth::None | Auth::Bearer(_) | Auth::Basic { .. } | Auth::Header { .. } => None,
    }
}

fn without_credentials(auth: &Auth, error: &ProbeError) -> CheckError {
    let detail = match error {
        ProbeError::Connection(ConnectionError::Authorization(reason)) => reason.clone(),
        ProbeError::TimedOut(timeout) => format!("no credentials within {timeout:?}"),
        ProbeError::Connection(error) => error.to_string(),
    };
    let advice = match auth {
        Auth::OAuth2 { .. } => {
            Some("check token_url, client_id, client_secret, scope and audience in ROUTES")
        }
        _ => None,
    };
    CheckError { detail, advice }
}

/// What the status of a GET says about the route's method. 405 and 501 say that the endpoint is there, and a status about the content
/// says so too.
fn judge(status: u16, detail: String) -> Result<Finding, CheckError> {
    match status {
        401 | 403 => Ok(Finding::warning(
            detail,
            "check the credentials (auth, sign or tls in ROUTES; API_TYPE_A_TOKEN, API_TYPE_B_TOKEN)",
        )),
        407 => Err(CheckError {
            detail,
            advice: Some("check the user and the password of the proxy in HTTP_PROXY or ALL_PROXY"),
        }),
        404 | 410 => Ok(Finding::warning(
            detail,
            "the path does not exist for GET: check the route's URL, unless it exists only for the route's method",
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
        ProbeError::Connection(
            ConnectionError::Connect(cause) | ConnectionError::ProxyRejected(cause),
        ) => {
            format!("no connection: {cause}")
        }
        ProbeError::Connection(error) => format!("no connection: {error}"),
    };
    let advice = advice(&detail);
    CheckError {
        detail,
        advice: Some(advice),
    }
}

/// The remedy for a failed connection; TLS errors have OpenSSL's texts.
fn advice(detail: &str) -> &'static str {
    if detail.contains("the proxy ") {
        "check the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or add the host to NO_PROXY"
    } else if detail.contains("certificate has expired") {
        "the endpoint's certificate must be renewed"
    } else if detail.contains("hostname mismatch") || detail.contains("IP address mismatch") {
        "its certificate is that of another host: check the host name in the URL"
    } else if detail.contains("SSL alert number") {
        "the endpoint rejected the TLS handshake: check the client certificate (tls in ROUTES)"
    } else if detail.contains("certificate") {
        "its certificate authority is unknown: name a CA file in SSL_CERT_FILE, or in the route's tls"
    } else {
        "check that it is running, its URL, and the network between"
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckResult;
    use super::*;

    #[test]
    fn a_status_is_wrong_only_if_it_is_about_the_routes_method_too() {
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
            (407, None),
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
