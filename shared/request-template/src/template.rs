//! A text with placeholders.

use crate::TemplateError;

/// A text with placeholders, `{expression}`. `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(crate) Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    /// The text between the braces.
    Expression(String),
}

impl Template {
    /// Divides a text into literal parts and expressions. `expand` replaces the references `${…}` in a literal part, in which
    /// `$${` is the text `${`. What it returns is literal text, and not searched for placeholders.
    ///
    /// # Errors
    /// A brace is not closed or not opened, a placeholder is empty, or `expand` failed.
    pub fn parse(
        text: &str,
        mut expand: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut parts = Parts::default();
        // A literal part that is not expanded yet.
        let mut raw = String::new();
        let mut rest = text;
        // After `$${`, a single closing brace is a character.
        let mut is_escaped = false;
        while let Some(next) = rest.chars().next() {
            let mut flush = |raw: &mut String, parts: &mut Parts| {
                let literal = expand(&std::mem::take(raw)).map_err(TemplateError)?;
                parts.push_literal(&literal);
                Ok(())
            };
            let taken = if rest.starts_with("$${") {
                is_escaped = true;
                raw.push_str("$${");
                3
            } else if rest.starts_with("${") {
                let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                raw.push_str(&rest[..end]);
                end
            } else if rest.starts_with("{{") || rest.starts_with("}}") {
                flush(&mut raw, &mut parts)?;
                parts.push_literal(&rest[..1]);
                2
            } else if next == '}' {
                if !std::mem::take(&mut is_escaped) {
                    return Err(at(text, rest, "a } without {: write }} for the character"));
                }
                raw.push('}');
                1
            } else if next == '{' {
                flush(&mut raw, &mut parts)?;
                let length = expression_length(&rest[1..])
                    .ok_or_else(|| at(text, rest, "a { without }: write {{ for the character"))?;
                let expression = &rest[1..=length];
                if expression.trim().is_empty() {
                    return Err(at(text, rest, "a placeholder without an expression"));
                }
                parts.0.push(Part::Expression(expression.to_owned()));
                length + 2
            } else {
                raw.push(next);
                next.len_utf8()
            };
            rest = &rest[taken..];
        }
        parts.push_literal(&expand(&raw).map_err(TemplateError)?);
        Ok(Self(parts.0))
    }

    /// The text of a template without placeholders; `None` if it has some.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// The parts so far. Literal parts next to each other are one.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn push_literal(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Literal(last)) => last.push_str(text),
            _ => self.0.push(Part::Literal(text.to_owned())),
        }
    }
}

fn at(text: &str, rest: &str, message: &str) -> TemplateError {
    let before = &text[..text.len() - rest.len()];
    TemplateError(format!(
        "{message} (at character {})",
        before.chars().count() + 1
    ))
}

/// The length of the expression up to the brace that closes the placeholder. Braces of objects and in strings do not.
fn expression_length(text: &str) -> Option<usize> {
    let (mut depth, mut position) = (0_usize, 0);
    let mut is_raw = false;
    while let Some(next) = text[position..].chars().next() {
        match next {
            '\'' | '"' => {
                position = string_end(text, position, is_raw)?;
                is_raw = false;
                continue;
            }
            '{' => depth += 1,
            '}' if depth == 0 => return Some(position),
            '}' => depth -= 1,
            _ => {}
        }
        // `r'…'`, `br"…"`: a backslash is a character.
        is_raw = matches!(next, 'r' | 'R') || (is_raw && matches!(next, 'b' | 'B'));
        position += next.len_utf8();
    }
    None
}

/// The position after a string literal that begins at `start`.
fn string_end(text: &str, start: usize, is_raw: bool) -> Option<usize> {
    let quote = &text[start..=start];
    let triple = quote.repeat(3);
    let quote = match text[start..].starts_with(&triple) {
        true => triple.as_str(),
        false => quote,
    };
    let mut position = start + quote.len();
    loop {
        if text.get(position..)?.starts_with(quote) {
            return Some(position + quote.len());
        }
        let next = text[position..].chars().next()?;
        position += next.len_utf8();
        if next == '\\' && !is_raw {
            position += text[position..].chars().next()?.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.to_owned())
    }

    fn expression(text: &str) -> Part {
        Part::Expression(text.to_owned())
    }

    /// Replaces `${A}` by a text with braces.
    fn expand(text: &str) -> Result<String, String> {
        Ok(text
            .replace("$${", "\0")
            .replace("${A}", "<{id}>")
            .replace('\0', "${"))
    }

    #[test]
    fn a_text_is_divided_into_literal_parts_and_expressions() {
        for (text, expected) in [
            ("", vec![]),
            ("a", vec![literal("a")]),
            ("a{id}b", vec![literal("a"), expression("id"), literal("b")]),
            ("{a}{b}", vec![expression("a"), expression("b")]),
            ("{{id}}", vec![literal("{id}")]),
            (
                "{{{id}}}",
                vec![literal("{"), expression("id"), literal("}")],
            ),
            ("${A}{x}", vec![literal("<{id}>"), expression("x")]),
            ("$${A}{x}", vec![literal("${A}"), expression("x")]),
            ("{{${A}", vec![literal("{<{id}>")]),
            ("{ {'a': 1}['a'] }", vec![expression(" {'a': 1}['a'] ")]),
            ("{'}' + \"}\"}", vec![expression("'}' + \"}\"")]),
            (r"{'\'}'}", vec![expression(r"'\'}'")]),
            (r"{r'\'}", vec![expression(r"r'\'")]),
            (r#"{'''a'}'''}"#, vec![expression(r#"'''a'}'''"#)]),
            ("é{ö}ü", vec![literal("é"), expression("ö"), literal("ü")]),
        ] {
            assert_eq!(
                Template::parse(text, expand),
                Ok(Template(expected)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_brace_without_its_counterpart_is_an_error_with_its_position() {
        for (text, expected) in [
            (
                "a{id",
                "a { without }: write {{ for the character (at character 2)",
            ),
            (
                "é}",
                "a } without {: write }} for the character (at character 2)",
            ),
            ("{}", "a placeholder without an expression (at character 1)"),
            (
                "{ }",
                "a placeholder without an expression (at character 1)",
            ),
            (
                "{'}",
                "a { without }: write {{ for the character (at character 1)",
            ),
            ("$${A} }", "a } without {"),
            ("{{'a': 1}['a']}", "a } without {"),
        ] {
            let error = Template::parse(text, expand).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = Template::parse("${B}", |_| Err("no B".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "no B");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "[{}$'\"\\\\réa]{0,40}") {
            let _ = Template::parse(&text, |text| Ok(text.to_owned()));
        }

        #[test]
        fn a_text_without_braces_is_constant(text in "[^{}$]{0,40}") {
            let template = Template::parse(&text, |text| Ok(text.to_owned())).unwrap();
            prop_assert_eq!(template.constant(), Some(&*text));
        }
    }
}
