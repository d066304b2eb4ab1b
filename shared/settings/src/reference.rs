//! References in a document, `${…}`: values that the document does not contain itself. Pure.
//!
//! `${NAME}` is a setting of the program, `${env:NAME}` an environment variable, `${file:PATH}` the content of a file and
//! `${vault:SECRET}` that of a secret in Oracle Cloud's Vault. `$${` is the text `${`.

use std::fmt;
use std::path::PathBuf;

use oci::SecretLocation;

/// The maximum number of different references in one document.
pub(crate) const MAX_REFERENCES: usize = 1000;

/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// The variable of a setting.
    Setting(String),
    /// An environment variable that is not a setting.
    Environment(String),
    /// A file of this machine.
    File(PathBuf),
    /// A secret, by the text of its location.
    Secret(String),
}

/// A part of a text with references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    Text(&'t str),
    Reference(Reference),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(name) => write!(f, "${{{name}}}"),
            Self::Environment(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{}}}", path.display()),
            Self::Secret(location) => write!(f, "${{vault:{location}}}"),
        }
    }
}

impl Reference {
    /// The reference between `${` and `}`.
    fn parse(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match text.split_once(':') {
            None if is_name(text) => Ok(Self::Setting(text.to_owned())),
            Some(("env", name)) if is_name(name) => Ok(Self::Environment(name.to_owned())),
            Some(("file", path)) if !path.is_empty() && !path.contains('\0') => {
                Ok(Self::File(path.into()))
            }
            Some(("vault", location)) => match location.parse::<SecretLocation>() {
                Ok(location) => Ok(Self::Secret(location.to_string())),
                Err(reason) => Err(format!("the secret of ${{vault:…}} {reason}")),
            },
            // The text may be a secret: it is not shown.
            _ => Err(
                "malformed reference: expected ${SETTING}, ${env:NAME}, ${file:PATH} or ${vault:OCID}; \
                 write $${ for the text ${"
                    .to_owned(),
            ),
        }
    }
}

/// Divides a text into its parts.
///
/// # Errors
/// A reference is malformed or not closed.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(escaped) = before.strip_suffix('$') {
            parts.push(Part::Text(escaped));
            parts.push(Part::Text("${"));
            rest = &reference[2..];
            continue;
        }
        let end = reference
            .find('}')
            .ok_or("a reference ${… has no closing brace")?;
        parts.push(Part::Text(before));
        parts.push(Part::Reference(Reference::parse(&reference[2..end])?));
        rest = &reference[end + 1..];
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| *part != Part::Text(""));
    Ok(parts)
}

/// The references in a document, each once. Lines that begin with `#` are comments. Malformed references are skipped:
/// they are reported where the document is parsed.
pub(crate) fn all_in(document: &str) -> Vec<Reference> {
    let lines = document
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut found: Vec<Reference> = lines
        .flat_map(|line| parts(line).unwrap_or_default())
        .filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Text(_) => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_divided_into_its_references_and_the_rest() {
        let setting = |name: &str| Part::Reference(Reference::Setting(name.to_owned()));
        for (text, expected) in [
            ("", vec![]),
            ("a", vec![Part::Text("a")]),
            ("${A_1}", vec![setting("A_1")]),
            (
                "x${A}y${B}",
                vec![Part::Text("x"), setting("A"), Part::Text("y"), setting("B")],
            ),
            (
                "$${A} $x {id}",
                vec![Part::Text("${"), Part::Text("A} $x {id}")],
            ),
            (
                "${file:/run/a b}",
                vec![Part::Reference(Reference::File("/run/a b".into()))],
            ),
            (
                "${env:HOME}",
                vec![Part::Reference(Reference::Environment("HOME".to_owned()))],
            ),
            (
                "${vault:ocid1.vaultsecret.oc1..a}",
                vec![Part::Reference(Reference::Secret(
                    "ocid1.vaultsecret.oc1..a".to_owned(),
                ))],
            ),
        ] {
            assert_eq!(parts(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_malformed_reference_is_an_error_that_does_not_repeat_it() {
        for text in [
            "${",
            "${hunter2",
            "${}",
            "${hunter 2}",
            "${file:}",
            "${env:}",
            "${env:a-b}",
            "${vault:hunter2}",
            "${hunter2:x}",
            "${é}",
        ] {
            let error = parts(text).unwrap_err();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn comments_have_no_references() {
        let text = "a: ${B}\n  # ${vault:ocid1.vaultsecret.oc1..a}\nb: ${A} ${B}\nc: ${\n";
        let names: Vec<_> = all_in(text).iter().map(Reference::to_string).collect();
        assert_eq!(names, ["${A}", "${B}"]);
    }
}
