//! The routes of a job: the routes file with its references replaced, checked. Pure: text and settings in, routes out.

mod answers;
mod auth;
mod file;
mod format;
mod limits;
mod parse;
mod problem;
mod recovery;
mod reserved;
mod shape;
mod sources;
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
use request_template::{CompiledRequest, RequestTemplate, UrlTemplate};
use routes::RouteDefinition;
use runtime::secret::Secret;

use crate::authorization::{Preview, Sequence, StandardWebhooks};

use answers::AnswersText;
pub use answers::RouteAnswers;
pub use auth::Auth;
use auth::Secrets;
pub use file::RouteFile;
pub use format::Format;
pub use limits::{MAX_IN_FLIGHT, RouteLimits};
pub use problem::RouteProblem;
use shape::HeadersText;
pub use shape::RouteShape;
use sources::Sources;
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
    /// Which answers are kept, and where; `None`: none.
    pub answers: Option<RouteAnswers>,
    /// Whether the file contains a secret itself instead of a reference.
    pub has_inline_secret: bool,
    /// The references to secrets whose values are not known, because the settings were read offline.
    pub unknown: Vec<String>,
    /// The secrets that requests contain or are signed with.
    secrets: Vec<Secret>,
}

impl RouteConfig {
    /// The routes of the file that the setting `routes` names; without the setting, the two built-in ones.
    ///
    /// # Errors
    /// The file is malformed (the error names the route and the reason), or the URL of a built-in route is not set.
    pub fn all_from(settings: &Settings) -> Result<Vec<Self>, SettingError> {
        let found = Self::inspect(settings)?;
        let location = settings.optional(&ROUTES).unwrap_or_default();
        match found.problems.first() {
            Some(problem) => Err(unreadable(location, problem.to_string())),
            None => Ok(found.routes),
        }
    }

    /// As [`RouteConfig::all_from`], with everything that is wrong with the file.
    ///
    /// # Errors
    /// `ROUTES` contradicts another setting; or, without it, a built-in route is invalid.
    pub fn inspect(settings: &Settings) -> Result<RouteFile, SettingError> {
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
        let found = RouteFile::parse(text, settings);
        // An endpoint may repeat what it was sent.
        let secrets = found.routes.iter().flat_map(|route| {
            let secrets = route.secrets.iter().cloned();
            secrets.chain(route.literal_urls().flat_map(redact::secrets_in_url))
        });
        redact::protect(ROUTES.name, secrets);
        Ok(found)
    }

    /// The routes of a text in YAML or JSON (`docs/schemas/routes.schema.json`). References have the values of `settings`.
    ///
    /// # Errors
    /// The first problem. The error does not repeat secrets.
    pub fn parse(text: &str, settings: &Settings) -> Result<Vec<Self>, String> {
        let found = RouteFile::parse(text, settings);
        match found.problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(found.routes),
        }
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
            answers: self.answers.as_ref().map(RouteAnswers::config),
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

    /// The authorization of requests that are shown and not sent: without a connection, with stand-ins for what is obtained or
    /// computed for each attempt.
    pub fn preview_authorization(&self) -> Arc<dyn RequestAuthorization> {
        let mut all = vec![match &self.auth {
            Auth::OAuth2 { .. } => Arc::new(Preview::AccessToken),
            Auth::Oci(_) => Arc::new(Preview::OciSignature),
            _ => Arc::clone(&self.authorization),
        }];
        if self.sign.is_some() {
            all.push(Arc::new(Preview::StandardWebhooks));
        }
        Arc::new(Sequence(all))
    }

    /// Whether requests of both routes have the same credentials and TLS configuration, so that an endpoint treats them
    /// alike.
    pub(crate) fn has_access_of(&self, other: &Self) -> bool {
        let is_same_tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
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

    /// The URL without its query, which can hold a key; empty for a route without an endpoint.
    pub(crate) fn printed_url(&self) -> String {
        EndpointUrl::parse(&self.url).map_or_else(|_| String::new(), |url| url.to_string())
    }

    /// Whether credentials travel unencrypted to another machine.
    fn exposes_secret(&self) -> bool {
        let is_exposed = |url: EndpointUrl| !url.tls && !url.is_loopback();
        self.auth.has_credentials() && EndpointUrl::parse(&self.url).is_ok_and(is_exposed)
    }

    /// # Errors
    /// Everything that is wrong with the route: at least one reason.
    fn resolve(
        text: RouteText,
        settings: &Settings,
        sources: &mut Sources,
    ) -> Result<Self, Vec<String>> {
        let mut faults = Faults::default();
        let is_printable = |c: char| !c.is_control();
        if text.name.is_empty()
            || text.name.len() > MAX_NAME
            || !text.name.chars().all(is_printable)
        {
            faults.add(format!(
                "its name must have 1 to {MAX_NAME} printable characters"
            ));
        }
        let statuses = faults.take(statuses::of_route(&text));
        let url = faults.take(url(&text, settings));
        let tombstones = url
            .as_ref()
            .map(|url| template::tombstones(text.tombstones.as_ref(), url, settings));
        let tombstones = tombstones.and_then(|tombstones| faults.take(tombstones));
        if !(1..=MAX_BATCH).contains(&text.batch) {
            faults.add(format!(
                "batch is {}, expected 1 to {MAX_BATCH}",
                text.batch
            ));
        }
        faults.take(text.limits.validate());
        let mut secrets = Secrets::new(settings);
        let auth = faults.take(Auth::resolve(text.auth, &mut secrets, sources));
        let authorization = auth
            .as_ref()
            .and_then(|auth| faults.take(auth.authorization()));
        let sign = text.sign.map(|sign| sign.resolve(&mut secrets));
        let sign = faults.take(sign.transpose());
        let tls = text.tls.map(|tls| tls.resolve(&mut secrets));
        let tls = faults.take(tls.transpose());
        let answers = text.answers.map(AnswersText::resolve);
        let answers = faults.take(answers.transpose());
        let format = faults.take(Format::resolve(text.format, text.batch));
        if let Some(format) = &format {
            faults.take(template::check_body(text.body.as_ref(), format));
        }
        let headers = HeadersText {
            headers: &text.headers,
            kafka_headers: &text.kafka_headers,
        };
        let shape = RouteShape::resolve(text.method, &headers, text.batch, settings);
        let shape = faults.take(shape);
        let (
            Some(url),
            Some(auth),
            Some(authorization),
            Some(sign),
            Some(tls),
            Some(format),
            Some((shape, headers)),
            Some(tombstones),
            Some(answers),
            Some(statuses),
            [],
        ) = (
            url,
            auth,
            authorization,
            sign,
            tls,
            format,
            shape,
            tombstones,
            answers,
            statuses,
            faults.0.as_slice(),
        )
        else {
            return Err(faults.0);
        };
        let (sign, keys) = sign.unzip();
        let mut known = auth.secrets();
        known.extend(keys.into_iter().flatten());
        Ok(Self {
            authorization,
            auth,
            sign,
            tls: tls.flatten(),
            has_inline_secret: secrets.has_inline,
            unknown: secrets.unknown,
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
            answers,
            statuses,
        })
    }
}

/// The faults of one route.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, reason: String) {
        self.0.push(reason);
    }

    fn take<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.add(reason)).ok()
    }
}

/// The route's URL, with its references replaced.
fn url(text: &RouteText, settings: &Settings) -> Result<UrlTemplate, String> {
    let url = template::url(&text.url, text.batch, settings)?;
    let is_tls = EndpointUrl::parse(url.endpoint())
        .map_err(|error| format!("its url {error}"))?
        .tls;
    if text.tls.is_some() && !is_tls {
        return Err("it has tls, and its url does not begin with https://".to_owned());
    }
    Ok(url)
}

/// The routes of the built-in file: A and B of the tutorial.
fn built_in(settings: &Settings) -> Result<RouteFile, SettingError> {
    let (texts, problems) = parse::parse(BUILT_IN);
    if let Some(problem) = problems.first() {
        return Err(unreadable("the built-in routes", problem.to_string()));
    }
    let built_in = [
        (&API_TYPE_A_URL, &API_TYPE_A_TOKEN),
        (&API_TYPE_B_URL, &API_TYPE_B_TOKEN),
    ];
    let mut found = RouteFile::default();
    for ((url, token), (line, mut text)) in built_in.into_iter().zip(texts) {
        settings.required(url)?;
        let has_token = settings.optional(token).is_some() || settings.is_unread(token);
        text.auth = text.auth.filter(|_| has_token);
        let route = RouteConfig::resolve(text, settings, &mut Sources::default());
        let route = route.map_err(|reasons| {
            SettingError::Contradiction(format!(
                "{} and {}: {}",
                url.variable(),
                token.variable(),
                reasons.join("; ")
            ))
        })?;
        found.definitions.push((line, route.definition()));
        found.routes.push(route);
    }
    Ok(found)
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
