//! The routes of a job: the routes file with its references replaced, checked. Pure: text and settings in, routes out.

mod auth;
mod format;
mod limits;
mod reserved;
mod shape;
mod start;
mod statuses;
mod template;
mod text;
mod tls;

use std::sync::Arc;

use crate::settings::{API_TYPE_A_TOKEN, API_TYPE_A_URL, API_TYPE_B_TOKEN, API_TYPE_B_URL, ROUTES};
use runtime::redact;
use settings::{SettingError, Settings};

use delivery::request::{RequestAuthorization, RequestShape};
use delivery::transport::TlsFiles;
use delivery::{EndpointConfig, EndpointUrl, Order, StatusRules};
use request_template::{CompiledRequest, RequestTemplate};
use routes::RouteDefinition;
use runtime::secret::Secret;

use crate::authorization::{Sequence, StandardWebhooks};

pub use auth::Auth;
use auth::{Secrets, Sources};
pub use format::Format;
pub use limits::{MAX_IN_FLIGHT, RouteLimits};
use shape::HeadersText;
pub use shape::RouteShape;
pub(crate) use template::tombstone_scope;
use text::RouteText;

/// The routes without the setting `routes`.
const BUILT_IN: &str = include_str!("built_in.yaml");

/// The most records of one request.
const MAX_BATCH: usize = 10_000;

const MAX_NAME: usize = 64;

/// One route: which records go where.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// Its name in logs and reports.
    pub name: String,
    /// The condition, in CEL, over the record's fields.
    pub when: String,
    /// Where matching records are posted. If that depends on the record: the constant beginning.
    pub url: String,
    /// How requests are authorized.
    pub auth: Auth,
    /// The same, for requests.
    authorization: Arc<dyn RequestAuthorization>,
    /// How requests are signed, in addition.
    pub sign: Option<Arc<StandardWebhooks>>,
    /// The TLS configuration; `None`: that of the system.
    pub tls: Option<Arc<TlsFiles>>,
    /// How many records one request may hold.
    pub batch: usize,
    /// The format of request bodies.
    pub format: Format,
    /// The method and headers of requests.
    pub shape: RouteShape,
    /// What in requests depends on the record.
    template: RequestTemplate,
    /// The order of its deliveries; `None`: that of the settings.
    pub order: Option<Order>,
    /// Its limits, where they differ from the settings.
    pub limits: RouteLimits,
    /// Its own meaning of status codes.
    pub statuses: StatusRules,
    /// Whether the file contains a secret itself instead of a reference.
    pub has_inline_secret: bool,
    /// The secrets that requests contain or are signed with.
    secrets: Vec<Secret>,
}

impl RouteConfig {
    /// The routes of the file that the setting `routes` names; without the setting, the two built-in ones.
    ///
    /// # Errors
    /// The file is malformed (the error names the route and the reason), or the URL of a built-in route is not set.
    pub fn all_from(settings: &Settings) -> Result<Vec<Self>, SettingError> {
        let Some(text) = settings.document(&ROUTES) else {
            return built_in(settings);
        };
        for setting in [&API_TYPE_A_URL, &API_TYPE_B_URL] {
            if settings.optional(setting).is_some()
                && !text.contains(&format!("${{{}}}", setting.variable()))
            {
                return Err(SettingError::Contradiction(format!(
                    "ROUTES replaces the built-in routes, yet {} is set: unset one of them",
                    setting.variable()
                )));
            }
        }
        let location = settings.optional(&ROUTES).unwrap_or_default();
        let routes = Self::parse(text, settings).map_err(|reason| unreadable(location, reason))?;
        // An endpoint may repeat what it was sent.
        let secrets = routes.iter().flat_map(|route| {
            let secrets = route.secrets.iter().cloned();
            secrets.chain(route.literal_urls().flat_map(redact::secrets_in_url))
        });
        redact::protect(ROUTES.name, secrets);
        Ok(routes)
    }

    /// The routes of a text in YAML or JSON (`docs/schemas/routes.schema.json`). References have the values of `settings`.
    ///
    /// # Errors
    /// Which route is wrong, and how. The error does not repeat secrets.
    pub fn parse(text: &str, settings: &Settings) -> Result<Vec<Self>, String> {
        let mut sources = Sources::default();
        let routes = text::parse(text)?.into_iter();
        let routes = routes.map(|(line, route)| {
            let name = route.name.clone();
            Self::resolve(route, settings, &mut sources)
                .map_err(|reason| format!("line {line}, route {name:?}: {reason}"))
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

    /// The route's endpoint, with method, headers, authorization and TLS configuration. It receives one datum a request.
    /// `request`: the route's [compiled](Self::compile) requests; `None` for probes.
    pub fn endpoint(&self, request: Option<&CompiledRequest>) -> EndpointConfig {
        let shape: Arc<dyn RequestShape> = Arc::new(self.shape.clone());
        let mut endpoint = EndpointConfig {
            shape: match request {
                Some(request) => request.shape(shape),
                None => shape,
            },
            statuses: self.statuses.clone(),
            ..EndpointConfig::new(&self.name, &self.url)
        };
        endpoint.authorization = match &self.sign {
            None => Arc::clone(&self.authorization),
            Some(sign) => {
                let sign = Arc::<StandardWebhooks>::clone(sign);
                Arc::new(Sequence(vec![Arc::clone(&self.authorization), sign]))
            }
        };
        if let Some(tls) = &self.tls {
            endpoint.tls = Arc::<TlsFiles>::clone(tls);
        }
        endpoint
    }

    /// Whether requests of both routes have the same credentials and TLS configuration, so that an endpoint treats them
    /// alike.
    pub(crate) fn has_access_of(&self, other: &Self) -> bool {
        let is_same_tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        is_same_tls && self.auth.is_same(&other.auth) && self.secrets == other.secrets
    }

    /// What is allowed but probably not intended; for the log, once.
    pub fn warning(&self) -> Option<String> {
        if let Auth::OAuth2 { credentials, .. } = &self.auth
            && credentials.is_cleartext()
        {
            return Some(format!(
                "route {:?} sends its client secret unencrypted: its token_url should begin with https://",
                self.name
            ));
        }
        self.exposes_secret().then(|| {
            format!(
                "route {:?} sends its credentials unencrypted: its url should begin with https://",
                self.name
            )
        })
    }

    /// Whether credentials travel unencrypted to another machine.
    fn exposes_secret(&self) -> bool {
        let is_exposed = |url: EndpointUrl| !url.tls && !url.is_loopback();
        self.auth.has_credentials() && EndpointUrl::parse(&self.url).is_ok_and(is_exposed)
    }

    fn resolve(
        text: RouteText,
        settings: &Settings,
        sources: &mut Sources,
    ) -> Result<Self, String> {
        let is_printable = |c: char| !c.is_control();
        if text.name.is_empty()
            || text.name.len() > MAX_NAME
            || !text.name.chars().all(is_printable)
        {
            return Err(format!(
                "its name must have 1 to {MAX_NAME} printable characters"
            ));
        }
        let url = template::url(&text.url, text.batch, settings)?;
        let tombstones = template::tombstones(text.tombstones.as_ref(), &url, settings)?;
        let is_tls = EndpointUrl::parse(url.endpoint())
            .map_err(|error| format!("its url {error}"))?
            .tls;
        if text.tls.is_some() && !is_tls {
            return Err("it has tls, and its url does not begin with https://".to_owned());
        }
        if !(1..=MAX_BATCH).contains(&text.batch) {
            return Err(format!(
                "batch is {}, expected 1 to {MAX_BATCH}",
                text.batch
            ));
        }
        text.limits.validate()?;
        let mut secrets = Secrets::new(settings);
        let auth = Auth::resolve(text.auth, &mut secrets, sources)?;
        let mut known = auth.secrets();
        let sign = match text.sign {
            Some(sign) => {
                let (sign, keys) = sign.resolve(&mut secrets)?;
                known.extend(keys);
                Some(sign)
            }
            None => None,
        };
        let tls = text.tls.map(|tls| tls.resolve(&mut secrets)).transpose()?;
        let format = Format::resolve(text.format, text.batch)?;
        template::check_body(text.body.as_ref(), &format)?;
        let headers = HeadersText {
            headers: &text.headers,
            kafka_headers: &text.kafka_headers,
        };
        let (shape, headers) = RouteShape::resolve(text.method, &headers, text.batch, settings)?;
        Ok(Self {
            authorization: auth.authorization()?,
            auth,
            sign,
            tls,
            has_inline_secret: secrets.has_inline,
            secrets: known,
            name: text.name,
            when: text.when,
            url: url.endpoint().to_owned(),
            format,
            shape,
            template: RequestTemplate {
                url: (!url.is_constant()).then_some(url),
                headers,
                body: text.body,
                tombstones,
            },
            batch: text.batch,
            order: text.order.map(Order::from),
            limits: text.limits,
            statuses: statuses::rules(&text.success_on, &text.retry_on, &text.drop_on)?,
        })
    }
}

/// The routes of the built-in file: A and B of the tutorial.
fn built_in(settings: &Settings) -> Result<Vec<RouteConfig>, SettingError> {
    let mut texts =
        text::parse(BUILT_IN).map_err(|reason| unreadable("the built-in routes", reason))?;
    let built_in = [
        (&API_TYPE_A_URL, &API_TYPE_A_TOKEN),
        (&API_TYPE_B_URL, &API_TYPE_B_TOKEN),
    ];
    let mut routes = Vec::new();
    for ((url, token), (_, mut text)) in built_in.into_iter().zip(texts.drain(..)) {
        settings.required(url)?;
        text.auth = text.auth.filter(|_| settings.optional(token).is_some());
        routes.push(
            RouteConfig::resolve(text, settings, &mut Sources::default()).map_err(|reason| {
                SettingError::Contradiction(format!(
                    "{} and {}: {reason}",
                    url.variable(),
                    token.variable()
                ))
            })?,
        );
    }
    Ok(routes)
}

fn unreadable(location: &str, reason: String) -> SettingError {
    SettingError::Unreadable {
        variable: ROUTES.variable(),
        location: location.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
