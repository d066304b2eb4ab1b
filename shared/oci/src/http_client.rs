//! Settings that all HTTP clients of this crate share.

use std::time::Duration;

use reqwest::ClientBuilder;

use crate::error::OciError;

/// A builder that follows no redirect: a redirect would send the signature to another host.
pub(crate) fn builder() -> Result<ClientBuilder, OciError> {
    let builder = http_proxy::client_builder()
        .map_err(|error| OciError::Setup(format!("building the HTTP client: {error}")))?;
    Ok(builder
        .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5)))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;
    use runtime::text::percent_encode as encode;

    #[test]
    fn encodes_names_as_the_cli_does() {
        assert_eq!(
            encode("a b/ü+c&d=e?.txt"),
            "a%20b%2F%C3%BC%2Bc%26d%3De%3F.txt"
        );
        assert_eq!(encode("user-1_2.~avsc"), "user-1_2.~avsc");
        // A parsed URL keeps them unchanged.
        let url = Url::parse(&format!("http://h/o/{}", encode("a/../b%2F'\"<>`{}|\\^"))).unwrap();
        assert_eq!(
            url.path(),
            format!("/o/{}", encode("a/../b%2F'\"<>`{}|\\^"))
        );
    }
}
