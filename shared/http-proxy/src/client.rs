//! `reqwest` clients with the proxies of the process.

use reqwest::{Client, ClientBuilder, NoProxy, Proxy};

use crate::proxies::{Proxies, ProxyError};

/// A builder of clients that use the proxies of the process's environment, by the rules of [`Proxies`] instead of those of
/// `reqwest`.
///
/// # Errors
/// As [`Proxies::from_environment`].
pub fn client_builder() -> Result<ClientBuilder, ProxyError> {
    let proxies = Proxies::from_environment(|name| std::env::var(name).ok())?;
    configure(Client::builder(), &proxies)
}

fn configure(builder: ClientBuilder, proxies: &Proxies) -> Result<ClientBuilder, ProxyError> {
    let mut builder = builder.no_proxy();
    let bypassed = NoProxy::from_string(&proxies.bypassed);
    for (variable, proxy) in [
        (&proxies.http, Proxy::http as fn(String) -> _),
        (&proxies.https, Proxy::https),
    ] {
        if let Some(variable) = variable {
            let url = format!("http://{}", variable.address.reveal());
            let proxy = proxy(url).map_err(|_| ProxyError(variable.name))?;
            builder = builder.proxy(proxy.no_proxy(bypassed.clone()));
        }
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::endpoint::{Answer, Endpoint};

    #[tokio::test]
    async fn a_client_sends_its_requests_to_the_proxy() {
        let proxy = Endpoint::always(Answer::ok()).expect("endpoint");
        let direct = Endpoint::always(Answer::ok()).expect("endpoint");
        let address = proxy.url().replace("http://", "http://user:hunter2@");
        let proxies =
            Proxies::from_environment(|name| (name == "ALL_PROXY").then(|| address.clone()));
        let client = configure(Client::builder(), &proxies.expect("valid"));
        let client = client.expect("valid").build().expect("client");
        for url in ["http://a.example/x", &direct.url()] {
            let response = client.get(url).send().await.expect("a response");
            assert_eq!(response.status(), 200, "{url}");
        }
        let requests = proxy.requests();
        assert_eq!((requests.len(), direct.count()), (1, 1));
        assert_eq!(requests[0].target, "http://a.example/x");
        let credentials = requests[0].header("proxy-authorization");
        assert_eq!(credentials, Some("Basic dXNlcjpodW50ZXIy"));
    }
}
