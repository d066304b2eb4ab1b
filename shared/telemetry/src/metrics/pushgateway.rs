//! Pushes metrics to a Prometheus Pushgateway (<https://github.com/prometheus/pushgateway/blob/master/README.md>).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use reqwest::{Client, Url};
use runtime::redact;
use runtime::secret::Secret;

use super::CONTENT_TYPE;

/// The maximum length of the response that an error quotes.
const MAX_QUOTE: usize = 300;

/// A Pushgateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushgateway {
    /// Its URL.
    pub url: PushgatewayUrl,
    /// User and password (HTTP Basic, RFC 7617), if it needs any.
    pub credentials: Option<(String, Secret)>,
    /// The maximum duration of one push.
    pub timeout: Duration,
}

/// The URL of a Pushgateway, without `/metrics`, user and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushgatewayUrl(Url);

impl PushgatewayUrl {
    /// Checks a URL.
    ///
    /// # Errors
    /// What is wrong, without the URL: it completes a sentence that begins with the setting's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url: Url = text.parse().map_err(|_| "is not a URL")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("begins with neither http:// nor https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "has credentials: set METRICS_PUSHGATEWAY_USERNAME and METRICS_PUSHGATEWAY_PASSWORD",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment");
        }
        Ok(Self(url))
    }
}

/// A push failed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The client cannot be built: the proxy of the environment is invalid.
    #[error("building the HTTP client: {0}")]
    Client(String),
    /// There was no response in time.
    #[error("PUT {url}: {message}")]
    Request {
        /// The URL.
        url: String,
        /// Why.
        message: String,
    },
    /// The response is not 2xx.
    #[error("PUT {url}: {status}: {message}")]
    Refused {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        message: String,
    },
}

impl Pushgateway {
    /// Replaces all metrics of a group by this text. `grouping` starts with the label `job`.
    ///
    /// The group is exactly these metrics afterwards: a POST would keep those of an earlier push whose names are missing
    /// in this one, such as the age of a record that is not deferred any more.
    ///
    /// # Errors
    /// There is no response in time, or another than 2xx.
    pub async fn replace(&self, grouping: &[(&str, &str)], text: String) -> Result<(), PushError> {
        let mut url = self.url.0.clone();
        push_path(&mut url, grouping);
        let client = http_proxy::client_builder().map_err(|error| client_error(&error))?;
        // A redirect would send the credentials to another host.
        let client = client
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| client_error(&error))?;
        let failed = |message| PushError::Request {
            url: url.to_string(),
            message,
        };
        match tokio::time::timeout(self.timeout, self.put(&client, url.clone(), text)).await {
            Err(_) => Err(failed(format!("no response within {:?}", self.timeout))),
            Ok(Err(error)) => Err(failed(runtime::text::cause(&error.without_url()))),
            Ok(Ok((200..=299, _))) => Ok(()),
            Ok(Ok((status, message))) => Err(PushError::Refused {
                url: url.to_string(),
                status,
                message,
            }),
        }
    }

    /// The status and the beginning of the body.
    async fn put(&self, client: &Client, url: Url, text: String) -> reqwest::Result<(u16, String)> {
        let mut request = client.put(url).header("content-type", CONTENT_TYPE);
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        let mut response = request.body(text).send().await?;
        let mut body = Vec::new();
        while body.len() < MAX_QUOTE
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        let is_truncated = body.len() > MAX_QUOTE;
        body.truncate(MAX_QUOTE);
        let body = redact::line(&redact::excerpt(&body, is_truncated), MAX_QUOTE);
        Ok((response.status().as_u16(), body))
    }
}

fn client_error(error: &dyn std::error::Error) -> PushError {
    PushError::Client(runtime::text::cause(error))
}

/// Appends `/metrics/job/forward/topic/orders`. A value that is empty or has a slash is encoded with Base64.
fn push_path(url: &mut Url, grouping: &[(&str, &str)]) {
    // Only a URL without a host cannot have a path.
    let Ok(mut path) = url.path_segments_mut() else {
        return;
    };
    path.pop_if_empty().push("metrics");
    for (name, value) in grouping {
        // `.` and `..` are not path segments of a URL.
        if value.is_empty() || value.contains('/') || value.chars().all(|c| c == '.') {
            path.push(&format!("{name}@base64"));
            match value.is_empty() {
                true => path.push("="),
                false => path.push(&URL_SAFE.encode(value)),
            };
        } else {
            path.push(name).push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use testkit::endpoint::{Answer, Endpoint};

    use super::*;

    fn gateway(url: &str) -> Pushgateway {
        Pushgateway {
            url: PushgatewayUrl::parse(url).unwrap(),
            credentials: Some(("prometheus".to_owned(), Secret::new("hunter2"))),
            timeout: Duration::from_millis(300),
        }
    }

    #[test]
    fn each_value_is_one_segment_of_the_path() {
        for (value, segments) in [
            ("orders", "group/orders"),
            ("a b?#%ü", "group/a%20b%3F%23%25%C3%BC"),
            ("a/b", "group@base64/YS9i"),
            ("..", "group@base64/Li4="),
            ("", "group@base64/="),
        ] {
            for base in [
                "http://push:9091",
                "http://push:9091/",
                "http://push:9091/sub/",
            ] {
                let mut url: Url = base.parse().unwrap();
                push_path(&mut url, &[("job", "forward"), ("group", value)]);
                let base = base.trim_end_matches('/');
                assert_eq!(
                    url.as_str(),
                    format!("{base}/metrics/job/forward/{segments}")
                );
            }
        }
    }

    #[tokio::test]
    async fn the_text_is_put_with_its_credentials() {
        let endpoint = Endpoint::always(Answer::status(202)).unwrap();
        let gateway = gateway(&endpoint.url());
        let pushed = gateway.replace(&[("job", "forward")], "a 1\n".to_owned());
        pushed.await.unwrap();
        let requests = endpoint.requests();
        let [request] = &requests[..] else {
            panic!("{requests:?}");
        };
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("PUT", "/metrics/job/forward")
        );
        assert_eq!(request.header("content-type"), Some(CONTENT_TYPE));
        assert_eq!(
            request.header("authorization"),
            Some("Basic cHJvbWV0aGV1czpodW50ZXIy")
        );
        assert_eq!(&request.body[..], b"a 1\n");
    }

    #[tokio::test]
    async fn a_failure_is_an_error_in_time() {
        let refusing = Endpoint::always(Answer::status(400).body("text format\nparsing error"));
        let refusing = refusing.unwrap();
        let redirecting = Endpoint::always(Answer::status(307)).unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_url = format!("http://{}", silent.local_addr().unwrap());
        for (url, message) in [
            (refusing.url(), "400: text format parsing error"),
            (redirecting.url(), "307: "),
            (format!("http://{closed}"), "Connection refused"),
            (silent_url, "no response within 300ms"),
        ] {
            let start = Instant::now();
            let pushed = gateway(&url)
                .replace(&[("job", "forward")], "a 1\n".to_owned())
                .await;
            let error = pushed.unwrap_err().to_string();
            assert!(
                error.contains(message) && error.starts_with("PUT http://127.0.0.1"),
                "{error}"
            );
            assert!(start.elapsed() < Duration::from_secs(2), "{error}");
        }
    }
}
