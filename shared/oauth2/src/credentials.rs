//! What a token is requested with.

use reqwest::Url;
use runtime::secret::Secret;

/// The credentials of a client, and what it requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// Where the request has id and secret.
    pub auth_method: AuthMethod,
    /// The requested scope.
    pub scope: Option<String>,
    /// The parameter `audience`, which some authorization servers require. It is not part of the RFC.
    pub audience: Option<String>,
}

/// How a client authenticates: `token_endpoint_auth_method` of RFC 7591, section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    /// `client_secret_basic`: in the header `Authorization`.
    #[default]
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

impl ClientCredentials {
    /// Whether the credentials travel unencrypted to another machine.
    pub fn is_cleartext(&self) -> bool {
        let is_loopback = self
            .token_url
            .host_str()
            .is_some_and(runtime::host::is_loopback);
        self.token_url.scheme() == "http" && !is_loopback
    }
}

/// A URL of HTTP with a host and without credentials, query and fragment.
pub fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && is_plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_url_is_a_token_url() {
        assert!(parse_url("https://idp.example:8443/oauth2/token").is_some());
        for wrong in [
            "",
            "/token",
            "ftp://h/",
            "https://u:hunter2@h/",
            "https://h/?a=b",
            "https://h/#a",
        ] {
            assert!(parse_url(wrong).is_none(), "{wrong}");
        }
    }
}
