//! The parts of a route's requests that depend on the record.

use avro::Schema;
use request_template::{CompiledRequest, Template, UrlTemplate};
use settings::Settings;

use super::RouteConfig;
use super::format::Format;
use super::text::TombstonesText;

impl RouteConfig {
    /// Compiles the expressions in the route's requests.
    ///
    /// # Errors
    /// An expression is invalid; with its place and the position.
    pub fn compile(&self, schema: &Schema) -> Result<CompiledRequest, String> {
        let compiled = self.template.compile(schema);
        compiled.map_err(|error| format!("route {:?}: {error}", self.name))
    }

    /// What is allowed in the requests of the routes but probably not intended.
    ///
    /// # Errors
    /// As [`RouteConfig::compile`].
    pub fn request_warnings(routes: &[Self], schema: &Schema) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for route in routes {
            let compiled = route.compile(schema)?;
            let texts = compiled.warnings().iter();
            warnings.extend(texts.map(|text| format!("route {:?}: {text}", route.name)));
        }
        let mut takers = routes
            .iter()
            .filter(|route| route.template.tombstones.is_some());
        if let (Some(first), Some(other)) = (takers.next(), takers.next()) {
            warnings.push(format!(
                "route {:?}: its tombstones are never used: route {:?} takes every tombstone",
                other.name, first.name
            ));
        }
        Ok(warnings)
    }

    /// The route that takes records without a value; `None`: the setting `tombstones` decides.
    pub fn tombstone_route(routes: &[Self]) -> Option<usize> {
        let takes = |route: &Self| route.template.tombstones.is_some();
        routes.iter().position(takes)
    }

    /// Whether the path or the query of requests depends on the record.
    pub(crate) fn has_url_template(&self) -> bool {
        self.template.url.is_some()
    }

    /// Whether requests depend on the fields of records.
    pub(crate) fn reads_records(&self) -> bool {
        self.template.reads_records()
    }

    /// The URLs of requests, without their placeholders.
    pub(super) fn literal_urls(&self) -> impl Iterator<Item = &str> {
        let templates = self.template.url.iter().chain(&self.template.tombstones);
        std::iter::once(self.url.as_str()).chain(templates.map(UrlTemplate::literal))
    }
}

/// A number that differs from one route for tombstones to another. 0 without such a route.
pub(crate) fn tombstone_scope(route: Option<usize>) -> u64 {
    // Any odd number: the products are all different.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    route.map_or(0, |route| (route as u64 + 1).wrapping_mul(FACTOR))
}

/// Divides a text into literal parts, with its references replaced, and expressions.
///
/// # Errors
/// A brace or a reference is malformed, or the text contains a secret.
pub(super) fn parse(text: &str, settings: &Settings) -> Result<Template, String> {
    let template = Template::parse(text, |literal| {
        let expanded = settings.expand(literal)?;
        match expanded.has_secret {
            true => Err("a reference to a secret, which logs would show: use auth".to_owned()),
            false => Ok(expanded.text.reveal().to_owned()),
        }
    });
    template.map_err(|error| error.to_string())
}

/// Reads the URL of a route that has requests of up to `batch` records.
///
/// # Errors
/// It is not a URL, or its placeholders need a batch of one record.
pub(super) fn url(text: &str, batch: usize, settings: &Settings) -> Result<UrlTemplate, String> {
    let template = parse(text, settings).map_err(|reason| format!("its url: {reason}"))?;
    let url = UrlTemplate::new(template).map_err(|error| format!("its url {error}"))?;
    match batch > 1 && !url.is_constant() {
        true => Err(format!(
            "batch is {batch}, and its url has values of one record: set batch to 1"
        )),
        false => Ok(url),
    }
}

/// Reads the URL for tombstones of a route with this `url`.
///
/// # Errors
/// It is not a URL, or one of another endpoint.
pub(super) fn tombstones(
    text: Option<&TombstonesText>,
    url: &UrlTemplate,
    settings: &Settings,
) -> Result<Option<UrlTemplate>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    let invalid = |reason: String| format!("the url of tombstones {reason}");
    let template = parse(&text.url, settings).map_err(|reason| invalid(format!(": {reason}")))?;
    let tombstones = UrlTemplate::new(template).map_err(|error| invalid(error.to_string()))?;
    match tombstones.has_endpoint_of(url) {
        true => Ok(Some(tombstones)),
        false => Err(invalid(
            "must have the scheme, host and port of the url".to_owned(),
        )),
    }
}

/// Checks that a format has JSON, if there is an expression for it.
///
/// # Errors
/// It has none.
pub(super) fn check_body(body: Option<&String>, format: &Format) -> Result<(), String> {
    match (body, format) {
        (Some(_), Format::Avro) => Err(
            "it has a body, and the format avro: set format to json, ndjson or cloudevents"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}
