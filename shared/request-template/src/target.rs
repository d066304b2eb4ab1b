//! Path and query with values of a record.

use http::Uri;
use routes::{RecordValues, ValueScope};

use crate::path;
use crate::placeholder::{Piece, Placeholder};
use crate::template::Template;

/// The maximum length of path and query, in bytes.
const MAX_TARGET: usize = 8 << 10;

/// Path and query whose placeholders are compiled.
#[derive(Debug)]
pub(crate) struct Target {
    /// The segments of the path, after each `/`.
    segments: Vec<Vec<Piece>>,
    /// The query, if there is one.
    query: Option<Vec<Piece>>,
}

impl Target {
    /// Compiles path and query, which begin with a slash.
    ///
    /// # Errors
    /// A placeholder is invalid.
    pub(crate) fn compile(template: &Template, scope: &ValueScope) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut query = None;
        for piece in Piece::compile(template, scope)? {
            let Piece::Literal(mut text) = piece else {
                match &mut query {
                    Some(query) => query,
                    None => last(&mut segments),
                }
                .push(piece);
                continue;
            };
            if query.is_none() {
                let after = text.find('?').map(|at| text.split_off(at));
                // The first segment is that after the first slash, with which each target begins.
                for (index, segment) in text.split('/').enumerate() {
                    if index > 0 {
                        segments.push(Vec::new());
                    }
                    if !segment.is_empty() {
                        last(&mut segments).push(Piece::Literal(segment.to_owned()));
                    }
                }
                match after {
                    Some(after) => {
                        query = Some(Vec::new());
                        text = after[1..].to_owned();
                    }
                    None => continue,
                }
            }
            if let Some(query) = &mut query {
                query.push(Piece::Literal(text));
            }
        }
        Ok(Self { segments, query })
    }

    /// Path and query for a record.
    ///
    /// # Errors
    /// A value is null or too long, or a segment with a value is empty or a dot segment.
    pub(crate) fn uri(&self, values: &RecordValues<'_>) -> Result<Uri, String> {
        let mut target = String::new();
        for segment in &self.segments {
            target.push('/');
            let start = target.len();
            append(&mut target, segment, values)?;
            if segment.iter().any(|piece| piece.placeholder().is_some()) {
                path::check(&target[start..])?;
            }
        }
        if let Some(query) = &self.query {
            target.push('?');
            append(&mut target, query, values)?;
        }
        if target.len() > MAX_TARGET {
            return Err(format!(
                "its path and query have more than {MAX_TARGET} bytes"
            ));
        }
        Uri::try_from(target).map_err(|error| format!("its path and query are invalid: {error}"))
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        let pieces = self.segments.iter().chain(&self.query).flatten();
        pieces.filter_map(Piece::placeholder)
    }
}

fn append(target: &mut String, pieces: &[Piece], values: &RecordValues<'_>) -> Result<(), String> {
    for piece in pieces {
        match piece {
            Piece::Literal(text) => target.push_str(text),
            Piece::Placeholder(placeholder) => {
                target.push_str(&path::encode(&placeholder.value(values, MAX_TARGET)?));
            }
        }
    }
    Ok(())
}

/// The segment that is continued.
fn last(segments: &mut Vec<Vec<Piece>>) -> &mut Vec<Piece> {
    if segments.is_empty() {
        segments.push(Vec::new());
    }
    let index = segments.len() - 1;
    &mut segments[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn target(text: &str, key: &[u8]) -> Result<String, String> {
        let scope = ValueScope::of_tombstones();
        let kafka = fixtures::kafka(key);
        let template = fixtures::template(text);
        let compiled = Target::compile(&template, &scope)?;
        Ok(compiled.uri(&scope.values(&[], kafka))?.to_string())
    }

    #[test]
    fn values_are_encoded_in_path_and_query() {
        for (text, key, expected) in [
            ("/u/{kafka.key}", "a/b?c#d", "/u/a%2Fb%3Fc%23d"),
            (
                "/u-{kafka.key}.json?p={kafka.partition}",
                "é",
                "/u-%C3%A9.json?p=1",
            ),
            ("/{kafka.key}/{kafka.offset}/", "x", "/x/2/"),
            (
                "/?q={kafka.key}&r=/",
                "a&b=c+d #",
                "/?q=a%26b%3Dc%2Bd%20%23&r=/",
            ),
            ("//a?b?{kafka.key}", "", "//a?b?"),
            ("/u/{kafka.key}", "%2e%2e", "/u/%252e%252e"),
        ] {
            assert_eq!(
                target(text, key.as_bytes()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_value_that_does_not_fit_into_the_url_is_an_error() {
        let long = "a".repeat(9_000);
        let encoded = "é".repeat(2_000);
        for (text, key, expected) in [
            ("/u/{kafka.key}", "", "a segment of its path is empty"),
            ("/u/{kafka.key}", "..", "a segment of its path is . or .."),
            ("/u/.{kafka.key}", ".", "a segment of its path is . or .."),
            (
                "/u/%2e{kafka.key}/x",
                ".",
                "a segment of its path is . or ..",
            ),
            (
                "/u/{kafka.key}",
                &long,
                "{kafka.key}: the value has more than 8192 bytes",
            ),
            (
                "/u?{kafka.key}",
                &encoded,
                "its path and query have more than 8192 bytes",
            ),
        ] {
            let error = target(text, key.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
