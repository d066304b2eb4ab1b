//! The templates of a route's requests.

use std::sync::Arc;

use avro::Schema;
use delivery::request::{JsonMapping, RequestShape};
use http::header::HeaderName;
use routes::ValueScope;

use crate::body::Body;
use crate::header::Header;
use crate::placeholder::{Piece, Placeholder};
use crate::shape::{Parts, TemplateShape};
use crate::{Template, TemplateError, UrlTemplate};

/// The parts of a route's requests that depend on the record. What is absent does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTemplate {
    /// The URL.
    pub url: Option<UrlTemplate>,
    /// Headers, each once.
    pub headers: Vec<(HeaderName, Template)>,
    /// The expression for the JSON value of a record.
    pub body: Option<String>,
    /// The URL for the DELETE of a record without a value. Only `kafka` can be used in it.
    pub tombstones: Option<UrlTemplate>,
}

/// Templates that are compiled for a schema.
#[derive(Clone, Debug)]
pub struct CompiledRequest {
    parts: Option<Arc<Parts>>,
    body: Option<Arc<Body>>,
    warnings: Vec<String>,
}

impl RequestTemplate {
    /// Whether requests of records with a value depend on the record's fields.
    pub fn reads_records(&self) -> bool {
        self.url.is_some() || !self.headers.is_empty() || self.body.is_some()
    }

    /// Checks and compiles all expressions. `schema` is the schema of all datums.
    ///
    /// # Errors
    /// An expression is invalid; with its place and the position.
    pub fn compile(&self, schema: &Schema) -> Result<CompiledRequest, TemplateError> {
        let scope = ValueScope::of_records(schema);
        let within = |place: &str| {
            let place = place.to_owned();
            move |reason: String| TemplateError(format!("{place}: {reason}"))
        };
        let mut warnings = Vec::new();
        let mut warn = |place: &str, placeholders: &mut dyn Iterator<Item = &Placeholder>| {
            let found = placeholders.flat_map(Placeholder::warnings);
            warnings.extend(found.map(|text| format!("{place}: {text}")));
        };
        let target = self.url.as_ref().map(|url| url.compile(&scope));
        let target = target.transpose().map_err(within("its url"))?;
        warn(
            "its url",
            &mut target.iter().flat_map(|target| target.placeholders()),
        );
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            let place = format!("the header {name}");
            let header = Header::compile(name.clone(), template, &scope).map_err(within(&place))?;
            warn(
                &place,
                &mut header.value.iter().filter_map(Piece::placeholder),
            );
            headers.push(header);
        }
        let tombstones = match &self.tombstones {
            Some(url) => {
                let scope = ValueScope::of_tombstones();
                let place = "the url of tombstones";
                let target = url.compile(&scope).map_err(within(place))?;
                warn(place, &mut target.placeholders());
                Some((scope, target))
            }
            None => None,
        };
        let body = match &self.body {
            Some(text) => {
                let compiled = scope.compile(text);
                let expression = compiled.map_err(|error| within("its body")(error.to_string()))?;
                let found = expression.warnings().iter();
                warnings.extend(found.map(|text| format!("its body: {text}")));
                Some(Arc::new(Body {
                    scope: scope.clone(),
                    expression,
                }))
            }
            None => None,
        };
        let has_parts = target.is_some() || !headers.is_empty() || tombstones.is_some();
        let parts = has_parts.then(|| {
            Arc::new(Parts {
                scope,
                target,
                headers,
                tombstones,
            })
        });
        Ok(CompiledRequest {
            parts,
            body,
            warnings,
        })
    }
}

impl CompiledRequest {
    /// The shape of requests: that of `base`, with what depends on the record. `base` itself if nothing does.
    pub fn shape(&self, base: Arc<dyn RequestShape>) -> Arc<dyn RequestShape> {
        match &self.parts {
            Some(parts) => Arc::new(TemplateShape {
                base,
                parts: Arc::clone(parts),
            }),
            None => base,
        }
    }

    /// The JSON value of a record; `None`: the record itself.
    pub fn body(&self) -> Option<Arc<dyn JsonMapping>> {
        let body = Arc::<Body>::clone(self.body.as_ref()?);
        Some(body)
    }

    /// Valid but suspicious parts, to be logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
