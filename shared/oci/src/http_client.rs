//! Settings that all HTTP clients of this crate share, and the encoding of names in URLs.

use std::fmt::Write;
use std::time::Duration;

use reqwest::ClientBuilder;

/// A builder that follows no redirect: a redirect would send the signature to another host.
pub(crate) fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
}

/// Percent-encodes everything except the unreserved characters of RFC 3986. Slashes are encoded too, as in Oracle's
/// Python SDK and CLI: a name is one path segment.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;

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
