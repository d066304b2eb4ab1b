//! The URL of an endpoint, parsed and checked once.

use std::fmt;

use http::Uri;
use http::header::HeaderValue;

/// The URL of an endpoint. `Display` prints scheme, host and path, but not the query, which can hold a key.
#[derive(Clone, Debug)]
pub struct EndpointUrl {
    /// The host name or address to connect to, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// Path and query, as they appear in the request line.
    pub path: Uri,
    /// The value of the `Host` header.
    pub authority: HeaderValue,
}

/// Why a URL is invalid. The text completes a sentence that begins with the URL's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointUrlError {
    /// Not an absolute URL.
    #[error("is not a URL: expected http://host:port/path or https://…")]
    Malformed,
    /// A scheme other than `http` and `https`.
    #[error("has the scheme {0:?}: expected http or https")]
    Scheme(String),
    /// `user:password@host`.
    #[error("contains a user name or a password: set the route's auth instead")]
    UserInfo,
    /// `#…`.
    #[error("contains a fragment (#…), which is never sent")]
    Fragment,
}

impl EndpointUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// The URL is not one that a request can be sent to. The error does not repeat the URL, which can hold a secret.
    pub fn parse(url: &str) -> Result<Self, EndpointUrlError> {
        if url.contains('#') {
            return Err(EndpointUrlError::Fragment);
        }
        let uri: Uri = url
            .trim()
            .parse()
            .map_err(|_| EndpointUrlError::Malformed)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(EndpointUrlError::Scheme(other.to_owned())),
            None => return Err(EndpointUrlError::Malformed),
        };
        let authority = uri.authority().ok_or(EndpointUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(EndpointUrlError::UserInfo);
        }
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        // `http::Uri` accepts `http://host:/` and `http://host:99999/`.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => None,
            Some(rest) => Some(
                rest.strip_prefix(':')
                    .and_then(|port| port.parse::<u16>().ok())
                    .filter(|port| *port != 0)
                    .ok_or(EndpointUrlError::Malformed)?,
            ),
            None => return Err(EndpointUrlError::Malformed),
        };
        if address.is_empty() {
            return Err(EndpointUrlError::Malformed);
        }
        let default = if tls { 443 } else { 80 };
        let host_header = match port {
            Some(port) if port != default => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Self {
            host: address.to_owned(),
            port: port.unwrap_or(default),
            tls,
            path: path.parse().map_err(|_| EndpointUrlError::Malformed)?,
            authority: HeaderValue::from_str(&host_header)
                .map_err(|_| EndpointUrlError::Malformed)?,
        })
    }

    /// The URL with this path and query, scheme and host, as a proxy receives it.
    pub(crate) fn absolute(&self, path: &Uri) -> Option<Uri> {
        Uri::builder()
            .scheme(if self.tls { "https" } else { "http" })
            .authority(self.authority.as_bytes())
            .path_and_query(path.path_and_query()?.clone())
            .build()
            .ok()
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        runtime::host::is_loopback(&self.host)
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let authority = self.authority.to_str().unwrap_or_default();
        write!(f, "{scheme}://{authority}{}", self.path.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_host_port_and_path() {
        for (url, host, port, path, authority) in [
            ("http://api.example", "api.example", 80, "/", "api.example"),
            (
                "http://api.example:80/",
                "api.example",
                80,
                "/",
                "api.example",
            ),
            (
                "https://api.example?x=1",
                "api.example",
                443,
                "/?x=1",
                "api.example",
            ),
            (
                "https://h:8443/a/b?c=%20d",
                "h",
                8443,
                "/a/b?c=%20d",
                "h:8443",
            ),
            ("http://[::1]:9000/x", "::1", 9000, "/x", "[::1]:9000"),
        ] {
            let parsed = EndpointUrl::parse(url).expect(url);
            assert_eq!((parsed.host.as_str(), parsed.port), (host, port), "{url}");
            assert_eq!(parsed.path.to_string(), path, "{url}");
            assert_eq!(parsed.authority, authority, "{url}");
            assert_eq!(parsed.tls, url.starts_with("https"), "{url}");
        }
    }

    #[test]
    fn rejects_urls_without_a_usable_address() {
        for url in [
            "",
            "/",
            "api.example",
            "api.example/x",
            "http://",
            "http:///x",
            "http://h:0/",
            "http://h:/",
            "http://h:99999/",
            "http://h:x/",
            "http://a b/",
            "http://h/ü x",
        ] {
            assert_eq!(
                EndpointUrl::parse(url).expect_err(url),
                EndpointUrlError::Malformed,
                "{url}"
            );
        }
        assert_eq!(
            EndpointUrl::parse("http://h/#x").expect_err("#"),
            EndpointUrlError::Fragment
        );
        assert_eq!(
            EndpointUrl::parse("ftp://h/").expect_err("ftp"),
            EndpointUrlError::Scheme("ftp".into())
        );
    }

    #[test]
    fn passwords_and_queries_are_not_printed() {
        let error = EndpointUrl::parse("http://user:hunter2@h/").expect_err("user");
        assert_eq!(error, EndpointUrlError::UserInfo);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let parsed = EndpointUrl::parse("https://h:1/p?code=hunter2").expect("url");
        assert_eq!(parsed.to_string(), "https://h:1/p");
    }
}
