//! An endpoint's address: a URL, checked once.

use std::fmt;

use http::Uri;
use http::header::HeaderValue;

/// Where requests go. Prints as scheme, host and path: a query may hold a key and is not shown.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name or address to connect to, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// Path and query, as the request line has them.
    pub path: Uri,
    /// The value of the `Host` header.
    pub authority: HeaderValue,
}

/// Why a URL cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No URL at all.
    #[error("is no URL: expected http://host:port/path or https://…")]
    Malformed,
    /// Not HTTP.
    #[error("has the scheme {0:?}: expected http or https")]
    Scheme(String),
    /// `user:password@host`.
    #[error("holds a user or a password: send a bearer token instead, as the route's token")]
    UserInfo,
    /// `#…`.
    #[error("has a fragment (#…), which is never sent")]
    Fragment,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none that a request can be sent to. The error never repeats the URL, which may hold a secret.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.contains('#') {
            return Err(TargetError::Fragment);
        }
        let uri: Uri = url.trim().parse().map_err(|_| TargetError::Malformed)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(TargetError::Scheme(other.to_owned())),
            None => return Err(TargetError::Malformed),
        };
        let authority = uri.authority().ok_or(TargetError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // `http://host:/` and `http://host:99999/` pass as URIs.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => None,
            Some(rest) => Some(
                rest.strip_prefix(':')
                    .and_then(|port| port.parse::<u16>().ok())
                    .filter(|port| *port != 0)
                    .ok_or(TargetError::Malformed)?,
            ),
            None => return Err(TargetError::Malformed),
        };
        if bare.is_empty() {
            return Err(TargetError::Malformed);
        }
        let default = if tls { 443 } else { 80 };
        let named = match port {
            Some(port) if port != default => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Self {
            host: bare.to_owned(),
            port: port.unwrap_or(default),
            tls,
            path: path.parse().map_err(|_| TargetError::Malformed)?,
            authority: HeaderValue::from_str(&named).map_err(|_| TargetError::Malformed)?,
        })
    }
}

impl fmt::Display for Target {
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
            let target = Target::parse(url).expect(url);
            assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
            assert_eq!(target.path.to_string(), path, "{url}");
            assert_eq!(target.authority, authority, "{url}");
            assert_eq!(target.tls, url.starts_with("https"), "{url}");
        }
    }

    #[test]
    fn what_no_request_can_be_sent_to_is_refused() {
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
                Target::parse(url).expect_err(url),
                TargetError::Malformed,
                "{url}"
            );
        }
        assert_eq!(
            Target::parse("http://h/#x").expect_err("#"),
            TargetError::Fragment
        );
        assert_eq!(
            Target::parse("ftp://h/").expect_err("ftp"),
            TargetError::Scheme("ftp".into())
        );
    }

    #[test]
    fn neither_a_password_nor_a_query_is_ever_shown() {
        let error = Target::parse("http://user:hunter2@h/").expect_err("user");
        assert_eq!(error, TargetError::UserInfo);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let target = Target::parse("https://h:1/p?code=hunter2").expect("url");
        assert_eq!(target.to_string(), "https://h:1/p");
    }
}
