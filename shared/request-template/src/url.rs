//! URLs with placeholders in path and query.

use delivery::EndpointUrl;
use routes::ValueScope;

use crate::TemplateError;
use crate::target::Target;
use crate::template::{Part, Template};

/// A URL with placeholders in path and query. Scheme, host and port are the same for each record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate {
    endpoint: String,
    literal: String,
    is_constant: bool,
    target: Template,
}

impl UrlTemplate {
    /// Checks the form of a URL.
    ///
    /// # Errors
    /// It is not a URL that requests can be sent to, or has a placeholder outside path and query. The error does not repeat
    /// the URL, which can hold a secret.
    pub fn new(template: Template) -> Result<Self, TemplateError> {
        let error = |error: delivery::EndpointUrlError| TemplateError(error.to_string());
        if let Some(text) = template.constant() {
            let url = EndpointUrl::parse(text).map_err(error)?;
            return Ok(Self {
                endpoint: text.to_owned(),
                literal: text.to_owned(),
                is_constant: true,
                target: Template(vec![Part::Literal(url.path.to_string())]),
            });
        }
        let (origin, target) = split(template).ok_or_else(|| {
            TemplateError(
                "can have placeholders in the path and the query only, not in scheme, host or port"
                    .to_owned(),
            )
        })?;
        let sample: String = target
            .0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text,
                Part::Expression(_) => "x",
            })
            .collect();
        EndpointUrl::parse(&format!("{origin}{sample}")).map_err(error)?;
        // A value must not complete an escape.
        let is_open = |text: &str| text.bytes().rev().take(2).any(|byte| byte == b'%');
        let is_completed = |pair: &[Part]| match pair {
            [Part::Literal(text), Part::Expression(_)] => is_open(text),
            _ => false,
        };
        if target.0.windows(2).any(is_completed) {
            let reason = "has a placeholder directly after a % or a % and one digit";
            return Err(TemplateError(reason.to_owned()));
        }
        let literals = target.0.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Expression(_) => None,
        });
        let literal = format!("{origin}{}", literals.collect::<String>());
        // The constant beginning of the path, up to its last slash.
        let path = match target.0.first() {
            Some(Part::Literal(text)) => text.as_str(),
            _ => "/",
        };
        let path = match path.split_once('?') {
            Some((path, _)) => path,
            None => &path[..path.rfind('/').map_or(0, |slash| slash + 1)],
        };
        Ok(Self {
            endpoint: format!("{origin}{path}"),
            literal,
            is_constant: false,
            target,
        })
    }

    /// The URL without what depends on the record: up to the segment with the first placeholder.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL without its placeholders, in which secrets can be looked for.
    pub fn literal(&self) -> &str {
        &self.literal
    }

    /// Whether it has no placeholders.
    pub fn is_constant(&self) -> bool {
        self.is_constant
    }

    /// Whether scheme, host and port are those of another URL.
    pub fn has_endpoint_of(&self, other: &Self) -> bool {
        let origin = |url: &Self| {
            let url = EndpointUrl::parse(&url.endpoint).ok()?;
            Some((url.tls, url.host.to_ascii_lowercase(), url.port))
        };
        origin(self) == origin(other)
    }

    /// Compiles the placeholders of path and query.
    ///
    /// # Errors
    /// A placeholder is invalid.
    pub(crate) fn compile(&self, scope: &ValueScope) -> Result<Target, String> {
        Target::compile(&self.target, scope)
    }
}

/// Scheme, host and port as text, and the rest, which begins with a slash. `None` if a placeholder is before path and query.
fn split(template: Template) -> Option<(String, Template)> {
    let mut parts = template.0;
    let Some(Part::Literal(first)) = parts.first_mut() else {
        return None;
    };
    let first = std::mem::take(first);
    let first = first.trim_start();
    let authority = first.find("://")? + 3;
    let end = authority + first[authority..].find(['/', '?', '#'])?;
    let slash = if first[end..].starts_with('/') {
        ""
    } else {
        "/"
    };
    parts[0] = Part::Literal(format!("{slash}{}", &first[end..]));
    Some((first[..end].to_owned(), Template(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn url(text: &str) -> Result<UrlTemplate, TemplateError> {
        UrlTemplate::new(fixtures::template(text))
    }

    #[test]
    fn the_endpoint_is_the_constant_beginning() {
        for (text, endpoint) in [
            ("http://h/a/{x}/b", "http://h/a/"),
            ("http://h/a/b{x}", "http://h/a/"),
            ("https://h:1/a/b?x={x}", "https://h:1/a/b"),
            ("http://h?x={x}", "http://h/"),
            ("http://h/{x}?y=z", "http://h/"),
            ("http://h", "http://h"),
            ("http://h/a?b=c", "http://h/a?b=c"),
        ] {
            assert_eq!(url(text).unwrap().endpoint(), endpoint, "{text}");
        }
    }

    #[test]
    fn urls_of_one_endpoint_have_the_same_scheme_host_and_port() {
        let is_same = |other: &str| {
            url("http://h/a")
                .unwrap()
                .has_endpoint_of(&url(other).unwrap())
        };
        assert!(is_same("http://H:80/{x}?y"));
        for other in ["https://h/a", "http://h:81/a", "http://g/a"] {
            assert!(!is_same(other), "{other}");
        }
    }

    #[test]
    fn a_placeholder_before_the_path_is_an_error() {
        for text in [
            "{x}://h/",
            "http://{x}/",
            "http://h{x}/",
            "http://h:{x}/",
            "http://{x}@h/",
            "http://h{x}",
            "{x}",
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(
                error.contains("not in scheme, host or port"),
                "{text}: {error}"
            );
        }
        for (text, expected) in [
            ("http://u@h/{x}", "user name"),
            ("http://h/{x}#a", "fragment"),
            ("http://h#{x}", "fragment"),
            ("ftp://h/{x}", "scheme"),
            ("http://h/ ü{x}", "is not a URL"),
            ("http://h/%{x}", "directly after a %"),
            ("http://h/?%2{x}", "directly after a %"),
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
