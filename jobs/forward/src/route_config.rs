//! The table of routes as its owner writes it. Pure: text and settings in, routes out.

use std::net::IpAddr;

use crate::settings::{API_TYPE_A_URL, API_TYPE_B_URL, ROUTES, ROUTING};
use runtime::redact;
use runtime::secret::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use settings::{Setting, SettingError, Settings};

use delivery::{DeliveryError, EndpointConfig, EndpointUrl};
use routes::RouteDefinition;

/// The routes without the setting `routes`.
const BUILT_IN_ROUTES: &str = include_str!("routes.json");

/// The most records of one request.
const LARGEST_BATCH: usize = 10_000;

const MOST_ROUTES: usize = 1_000;
const LONGEST_NAME: usize = 64;

/// One route: which records go where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name in logs and reports.
    pub name: String,
    /// The condition, in CEL, over the record's fields.
    pub when: String,
    /// Where matching records are posted.
    pub url: String,
    /// The bearer token of the endpoint, if it requires one.
    #[serde(default, deserialize_with = "secret")]
    pub token: Option<Secret>,
    /// How many records one request may hold; 1 posts each record's own datum.
    #[serde(default = "one")]
    pub batch: usize,
}

impl RouteConfig {
    /// The routes of the file that the setting `routes` names; without the setting, those of the built-in
    /// `routes.json`, whose `${SETTING}` references are replaced by the settings' values.
    ///
    /// # Errors
    /// The file is malformed (the error names the route and the reason), or the URL of a built-in route is not set.
    pub fn all_from(settings: &Settings) -> Result<Vec<Self>, SettingError> {
        let Some(text) = settings.document(&ROUTES) else {
            return built_in(settings);
        };
        for setting in [&API_TYPE_A_URL, &API_TYPE_B_URL] {
            if settings.optional(setting).is_some() {
                return Err(SettingError::Contradiction(format!(
                    "ROUTES replaces the built-in routes, yet {} is set: unset one of them",
                    setting.variable()
                )));
            }
        }
        let location = settings.optional(&ROUTES).unwrap_or_default();
        let routes = Self::parse(text).map_err(|reason| unreadable(location, reason))?;
        // An endpoint may repeat what it was sent. Secrets in settings are masked where those are read.
        let secrets = routes.iter().flat_map(|route| {
            let token = route.token.iter().cloned();
            token.chain(redact::secrets_in_url(&route.url))
        });
        redact::protect(ROUTES.name, secrets);
        Ok(routes)
    }

    /// The routes of a JSON text: an array of objects with `name`, `when`, `url` and optionally `token` and `batch`.
    ///
    /// # Errors
    /// Which route is wrong, and how.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        // Editors on Windows write a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let values: Vec<Value> = serde_json::from_str(text)
            .map_err(|error| format!("expected a JSON array of routes: {error}"))?;
        if values.is_empty() || values.len() > MOST_ROUTES {
            return Err(format!(
                "it has {} routes, expected 1 to {MOST_ROUTES}",
                values.len()
            ));
        }
        let named = |index: usize, value: &Value| match value.get("name").and_then(Value::as_str) {
            Some(name) => format!("route {name:?}"),
            None => format!("route number {}", index + 1),
        };
        // Read again from the text, because its errors contain the line.
        let routes: Vec<Self> = serde_json::from_str(text).map_err(|error| {
            let mut values = values.iter().enumerate();
            match values.find(|(_, value)| Self::deserialize(*value).is_err()) {
                Some((index, value)) => format!("{}: {error}", named(index, value)),
                None => error.to_string(),
            }
        })?;
        let routes = routes.into_iter().zip(values.iter().enumerate());
        let routes = routes.map(|(route, (index, value))| {
            let checked = route.checked();
            checked.map_err(|reason| format!("{}: {reason}", named(index, value)))
        });
        routes.collect()
    }

    /// The part that decides which records the route takes.
    pub fn definition(&self) -> RouteDefinition {
        RouteDefinition {
            name: self.name.clone(),
            when: self.when.clone(),
        }
    }

    /// The route's endpoint, with its token. It receives one datum a request.
    ///
    /// # Errors
    /// The token has characters that are not allowed in a header.
    pub fn endpoint(&self) -> Result<EndpointConfig, DeliveryError> {
        let endpoint = EndpointConfig::new(&self.name, &self.url);
        match &self.token {
            Some(token) => endpoint.with_bearer_token(token),
            None => Ok(endpoint),
        }
    }

    /// What is allowed but hardly meant; for the log, once.
    pub fn warning(&self) -> Option<String> {
        self.shows_its_token().then(|| {
            format!(
                "route {:?} sends its token unencrypted: its url should begin with https://",
                self.name
            )
        })
    }

    /// True if the token would travel unencrypted to another machine.
    fn shows_its_token(&self) -> bool {
        let in_the_open = |to: EndpointUrl| {
            let address: Result<IpAddr, _> = to.host.parse();
            let here = to.host == "localhost" || address.is_ok_and(|address| address.is_loopback());
            !to.tls && !here
        };
        self.token.is_some() && EndpointUrl::parse(&self.url).is_ok_and(in_the_open)
    }

    fn checked(self) -> Result<Self, String> {
        let printable = |c: char| !c.is_control();
        if self.name.is_empty()
            || self.name.len() > LONGEST_NAME
            || !self.name.chars().all(printable)
        {
            return Err(format!(
                "its name must have 1 to {LONGEST_NAME} printable characters"
            ));
        }
        EndpointUrl::parse(&self.url).map_err(|error| format!("its url {error}"))?;
        if !(1..=LARGEST_BATCH).contains(&self.batch) {
            return Err(format!(
                "batch is {}, expected 1 to {LARGEST_BATCH}",
                self.batch
            ));
        }
        let visible = |c: char| c.is_ascii_graphic();
        if let Some(token) = &self.token
            && (token.reveal().is_empty() || !token.reveal().chars().all(visible))
        {
            return Err("token must be visible ASCII characters without spaces".to_owned());
        }
        Ok(self)
    }
}

/// The routes of the built-in file: A and B of the tutorial.
fn built_in(settings: &Settings) -> Result<Vec<RouteConfig>, SettingError> {
    let wrong = |reason: String| unreadable("the built-in routes.json", reason);
    let routes: Vec<RouteConfig> =
        serde_json::from_str(BUILT_IN_ROUTES).map_err(|error| wrong(error.to_string()))?;
    let resolved = routes.into_iter().map(|route| {
        let token = route.token.as_ref().map(Secret::reveal).unwrap_or_default();
        let (Some(url), Some(token)) = (referenced(&route.url), referenced(token)) else {
            return Err(wrong(format!(
                "route {:?}: expected ${{SETTING}}",
                route.name
            )));
        };
        let route = RouteConfig {
            url: settings.required(url)?.to_owned(),
            token: settings.secret(token),
            ..route
        };
        route.checked().map_err(|reason| {
            SettingError::Contradiction(format!(
                "{} and {}: {reason}",
                url.variable(),
                token.variable()
            ))
        })
    });
    resolved.collect()
}

/// The setting that `${API_TYPE_A_URL}` refers to.
fn referenced(text: &str) -> Option<&'static Setting> {
    let variable = text.strip_prefix("${")?.strip_suffix('}')?;
    let mut settings = ROUTING.settings.iter().copied();
    settings.find(|setting| setting.variable() == variable)
}

fn unreadable(location: &str, reason: String) -> SettingError {
    SettingError::Unreadable {
        variable: ROUTES.variable(),
        location: location.to_owned(),
        reason,
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn settings(environment: &[(&str, &str)]) -> Settings {
        let lookup = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::gather(&crate::settings::GROUPS, &[], lookup)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_built_in_routes_need_their_urls() {
        let error = RouteConfig::all_from(&settings(&[("API_TYPE_A_URL", "http://a/")]).await);
        assert_eq!(
            error.unwrap_err().to_string(),
            "API_TYPE_B_URL is not set: The URL for records with id 1020."
        );
        let routes = RouteConfig::all_from(
            &settings(&[
                ("API_TYPE_A_URL", "http://a/"),
                ("API_TYPE_B_URL", "https://b:8443/in"),
                ("API_TYPE_B_TOKEN", "t0ken"),
            ])
            .await,
        )
        .unwrap();
        assert_eq!(
            (routes[0].name.as_str(), routes[0].when.as_str()),
            ("A", "id == 1010")
        );
        assert_eq!(
            (routes[1].name.as_str(), routes[1].when.as_str()),
            ("B", "id == 1020")
        );
        assert_eq!(routes[1].token.as_ref().unwrap().reveal(), "t0ken");
    }

    #[tokio::test]
    async fn a_file_replaces_the_built_in_routes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            &file,
            r#"[{"name":"big","when":"id > 5","url":"http://big/","batch":100,"token":"hunter2"}]"#,
        )
        .unwrap();
        let path = file.path().to_str().unwrap();
        let routes = RouteConfig::all_from(&settings(&[("ROUTES", path)]).await).unwrap();
        assert_eq!((routes.len(), routes[0].batch), (1, 100));
        assert!(!format!("{routes:?}").contains("hunter2"));
        let both = settings(&[("ROUTES", path), ("API_TYPE_A_URL", "http://a/")]).await;
        let error = RouteConfig::all_from(&both).unwrap_err().to_string();
        assert!(error.contains("API_TYPE_A_URL is set"), "{error}");
    }

    #[test]
    fn an_error_names_the_route_and_what_is_wrong() {
        for (text, expected) in [
            ("", "expected a JSON array of routes: EOF"),
            ("{}", "expected a JSON array of routes: invalid type: map"),
            ("[]", "it has 0 routes"),
            (
                r#"[{"name":"A","when":"true","url":"http://a","ulr":1}]"#,
                r#"route "A": unknown field `ulr`, expected one of `name`, `when`, `url`, `token`, `batch` at line 1 column"#,
            ),
            (
                r#"[{"when":"true","url":"http://a"}]"#,
                "route number 1: missing field `name`",
            ),
            (
                r#"[{"name":"A","when":"true"}]"#,
                r#"route "A": missing field `url`"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"a:80/x y"}]"#,
                r#"route "A": its url is not a URL"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"ftp://a"}]"#,
                r#"its url has the scheme "ftp": expected http or https"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"/path"}]"#,
                r#"route "A": its url is not a URL"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a:99999/"}]"#,
                r#"route "A": its url is not a URL"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a:0/"}]"#,
                r#"route "A": its url is not a URL"#,
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a/#x"}]"#,
                "its url contains a fragment",
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://u:p@a"}]"#,
                "a user name or a password",
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a","batch":0}]"#,
                "batch is 0, expected 1 to 10000",
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a","batch":-1}]"#,
                "invalid value: integer `-1`",
            ),
            (
                r#"[{"name":"A","when":"true","url":"http://a","token":"a b"}]"#,
                "token must be visible",
            ),
            (
                r#"[{"name":"a\nb","when":"true","url":"http://a"}]"#,
                "printable characters",
            ),
        ] {
            let error = RouteConfig::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn skips_a_byte_order_mark() {
        let text = "\u{feff}[{\"name\":\"A\",\"when\":\"true\",\"url\":\"http://a\"}]";
        assert_eq!(RouteConfig::parse(text).unwrap().len(), 1);
    }

    #[test]
    fn an_error_tells_the_line() {
        let text = "[\n {\"name\":\"A\",\"when\":\"true\",\"url\":\"http://a\"},\n {\"name\":\"B\",\n  \"when\":1}\n]";
        let error = RouteConfig::parse(text).unwrap_err();
        assert!(
            error.starts_with(r#"route "B": invalid type: integer `1`"#),
            "{error}"
        );
        assert!(error.contains("at line 4 column"), "{error}");
    }

    #[test]
    fn a_token_that_leaves_the_machine_in_the_open_is_noticed() {
        for (url, shown) in [
            ("http://api.example/", true),
            ("https://api.example/", false),
            ("http://localhost:8080/", false),
            ("http://127.0.0.1/", false),
            ("http://127.0.0.1.example/", true),
            ("http://[::1]:8080/", false),
        ] {
            let text = format!(r#"[{{"name":"A","when":"true","url":"{url}","token":"t"}}]"#);
            assert_eq!(
                RouteConfig::parse(&text).unwrap()[0].shows_its_token(),
                shown,
                "{url}"
            );
        }
    }

    #[test]
    fn a_wrong_token_is_not_repeated_in_the_error() {
        let error = RouteConfig::parse(
            r#"[{"name":"A","when":"true","url":"http://a","token":"hunter2 "}]"#,
        );
        assert!(!error.unwrap_err().contains("hunter2"));
    }
}
