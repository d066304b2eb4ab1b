//! The proxies of an environment.

use std::fmt;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;
use runtime::redact;
use runtime::secret::Secret;

/// Hosts that are never reached through a proxy: the proxy would connect to its own machine.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of an environment. `Debug` prints no credentials.
///
/// `HTTPS_PROXY` applies to `https` URLs, `HTTP_PROXY` to `http` URLs, `ALL_PROXY` to those without one of their own. Hosts
/// in `NO_PROXY` are reached directly: it is a list of domains, with their subdomains, of addresses and of networks
/// (`10.0.0.0/8`), or `*`. Each name can be in lower case, too.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    pub(crate) http: Option<Variable>,
    pub(crate) https: Option<Variable>,
    /// The hosts that are reached directly, as a list in the format of `NO_PROXY`.
    pub(crate) bypassed: String,
}

/// A variable that names a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// `host:port` or `user:password@host:port`.
    pub(crate) address: Secret,
}

/// An HTTP proxy. `Display` prints its host and port, and neither it nor `Debug` the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The value of `Proxy-Authorization`, marked as sensitive.
    pub authorization: Option<HeaderValue>,
}

/// An environment variable that names no proxy. The text does not repeat its value, which can hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not the URL of a proxy: expected http://host:port or http://user:password@host:port"
)]
pub struct ProxyError(pub &'static str);

impl Proxies {
    /// The proxies of an environment. `lookup` returns the value of a variable. From now on the credentials are masked in text
    /// from other programs.
    ///
    /// # Errors
    /// A variable is not the URL of an HTTP proxy. It is not ignored: the connection would be direct.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let value = |name: &str| {
            let names = [name.to_owned(), name.to_ascii_lowercase()];
            let mut values = names.iter().filter_map(|name| lookup(name));
            values.find(|value| !value.trim().is_empty())
        };
        let variable = |name: &'static str| {
            let value = value(name);
            value.map(|text| Variable::parse(name, &text)).transpose()
        };
        let all = variable("ALL_PROXY")?;
        let http = variable("HTTP_PROXY")?.or_else(|| all.clone());
        let https = variable("HTTPS_PROXY")?.or(all);
        let bypassed = value("NO_PROXY").unwrap_or_default();
        // A list with `*` among other entries would not match all hosts.
        let is_all = |entry: &str| entry.trim() == "*";
        let bypassed = match bypassed.split(',').any(is_all) {
            true => "*".to_owned(),
            false => format!("{THIS_MACHINE},{bypassed}"),
        };
        Ok(Self {
            http,
            https,
            bypassed,
        })
    }

    /// The proxy for a URL; `None`: a direct connection.
    pub fn for_url(&self, url: &Uri) -> Option<Proxy> {
        let variable = match url.scheme_str() {
            Some("http") => self.http.as_ref(),
            Some("https") => self.https.as_ref(),
            _ => None,
        };
        variable?.proxy(url, &self.bypassed)
    }
}

impl Variable {
    fn parse(name: &'static str, text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        redact::protect(name, redact::secrets_in_url(text));
        let address = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ProxyError(name)),
            None => text,
        };
        let address = address.strip_suffix('/').unwrap_or(address);
        // In a password, these characters must be encoded: otherwise a part of it is taken for the host.
        if address.contains(['/', '?', '#']) || address.matches('@').count() > 1 {
            return Err(ProxyError(name));
        }
        let variable = Self {
            name,
            address: Secret::new(address),
        };
        let other = Uri::from_static("http://other.example/");
        let proxy = variable.proxy(&other, "").ok_or(ProxyError(name))?;
        if let Some(value) = &proxy.authorization {
            let encoded = value.to_str().unwrap_or_default();
            let encoded = encoded.trim_start_matches("Basic ");
            redact::protect(&format!("credentials of {name}"), [Secret::new(encoded)]);
        }
        Ok(variable)
    }

    fn proxy(&self, url: &Uri, bypassed: &str) -> Option<Proxy> {
        let found = Matcher::builder()
            .all(format!("http://{}", self.address.reveal()))
            .no(bypassed)
            .build()
            .intercept(url)?;
        let host = found.uri().host().filter(|host| !host.is_empty())?;
        // `http::Uri` accepts a port that is not a number.
        let port = match found.uri().authority()?.as_str().strip_prefix(host)? {
            "" => 80,
            rest => rest
                .strip_prefix(':')?
                .parse()
                .ok()
                .filter(|port| *port != 0)?,
        };
        let mut authorization = found.basic_auth().cloned();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Some(Proxy {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authorization,
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(environment: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        Proxies::from_environment(|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy_for(environment: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(environment).expect("valid");
        let proxy = proxies.for_url(&url.parse().expect("url"));
        proxy.map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_environment_selects_the_proxy() {
        let environment = [
            ("HTTPS_PROXY", "http://user:hunter2@secure:3128"),
            ("HTTP_PROXY", ""),
            ("http_proxy", "plain:8080"),
            ("NO_PROXY", "direct.example, .internal,10.0.0.0/8,::2"),
        ];
        for (url, expected) in [
            ("https://a.example", Some("secure:3128")),
            ("http://a.example", Some("plain:8080")),
            ("https://direct.example:8443", None),
            ("https://x.direct.example", None),
            ("https://notdirect.example", Some("secure:3128")),
            ("http://host.internal", None),
            ("http://10.1.2.3:80", None),
            ("http://[::2]:80", None),
            ("http://11.1.2.3", Some("plain:8080")),
        ] {
            assert_eq!(proxy_for(&environment, url).as_deref(), expected, "{url}");
        }
        assert_eq!(proxy_for(&[], "https://a.example"), None);
    }

    #[test]
    fn one_variable_applies_to_all_urls_and_another_disables_it() {
        let all = [("ALL_PROXY", "http://[::5]")];
        for url in ["https://a", "http://a"] {
            assert_eq!(proxy_for(&all, url).as_deref(), Some("[::5]:80"));
            for none in ["*", "b, *"] {
                let environment = [all[0], ("NO_PROXY", none)];
                assert_eq!(proxy_for(&environment, url), None, "{none}");
            }
        }
    }

    #[test]
    fn this_machine_is_reached_directly() {
        let environment = [("ALL_PROXY", "http://all:1"), ("NO_PROXY", "a.example")];
        for host in [
            "localhost",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:80",
            "a.example",
        ] {
            let url = format!("http://{host}/");
            assert_eq!(proxy_for(&environment, &url), None, "{host}");
        }
    }

    #[test]
    fn an_unusable_value_is_an_error_that_does_not_repeat_it() {
        for value in [
            "socks5://hunter2@h",
            "https://hunter2@h",
            "http://",
            "http://hunter2@h:x",
            "http://hunter2@h:0",
            "http://user:1/hunter2@h",
            "http://user:p@hunter2@h",
            "hunter2 h",
        ] {
            let error = proxies(&[("HTTPS_PROXY", value)]);
            let error = error.expect_err(value).to_string();
            assert!(error.starts_with("HTTPS_PROXY is not"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn credentials_are_not_printed_and_are_masked() {
        let proxies = proxies(&[("HTTPS_PROXY", "http://user:p%40ssw0rd@h")]).expect("valid");
        let proxy = proxies.for_url(&Uri::from_static("https://a"));
        let proxy = proxy.expect("a proxy");
        let value = proxy.authorization.as_ref().expect("credentials");
        assert_eq!(value, "Basic dXNlcjpwQHNzdzByZA==");
        let printed = format!("{proxies:?} {proxy:?} {proxy}");
        assert!(
            !printed.contains("ssw0rd") && !printed.contains("dXNl"),
            "{printed}"
        );
        for text in ["p%40ssw0rd", "p@ssw0rd", "dXNlcjpwQHNzdzByZA=="] {
            assert!(!redact::mask(text).contains(text), "{text}");
        }
    }
}
