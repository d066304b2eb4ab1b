//! The names of types and fields.
//!
//! Source: Avro specification 1.12, "Names".

/// The full name of a type: `name` itself if it has a namespace, otherwise `name` in `namespace`. A leading dot stands for
/// the null namespace, as in Java.
pub(super) fn full_name(name: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if !name.contains('.') && !namespace.is_empty() => {
            format!("{namespace}.{name}")
        }
        _ => name.trim_start_matches('.').to_owned(),
    }
}

/// The namespace of a full name. `None` is the null namespace.
pub(super) fn namespace(full_name: &str) -> Option<&str> {
    full_name.rsplit_once('.').map(|(namespace, _)| namespace)
}

/// The part of a full name after the namespace.
pub(super) fn unqualified(full_name: &str) -> &str {
    full_name
        .rsplit_once('.')
        .map_or(full_name, |(_, name)| name)
}

/// Whether the specification allows the name of a field, a symbol, or one part of a full name.
pub(super) fn is_valid(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_first)
        && name
            .bytes()
            .all(|byte| is_first(byte) || byte.is_ascii_digit())
}

/// The first character that no name has. `None` if each is allowed somewhere, as a digit is.
pub(super) fn first_invalid(full_name: &str) -> Option<char> {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    full_name.chars().find(|letter| !is_allowed(*letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_namespace_is_in_the_enclosing_one() {
        assert_eq!(full_name("A", Some("x.y")), "x.y.A");
        assert_eq!(full_name("A", Some("")), "A");
        assert_eq!(full_name("A", None), "A");
        assert_eq!(full_name("z.A", Some("x.y")), "z.A");
        assert_eq!(full_name(".A", Some("x.y")), "A");
        assert_eq!(
            (namespace("x.y.A"), unqualified("x.y.A")),
            (Some("x.y"), "A")
        );
        assert_eq!((namespace("A"), unqualified("A")), (None, "A"));
    }

    #[test]
    fn a_valid_name_has_letters_digits_and_underscores() {
        for name in ["a", "_", "A9_z"] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "9a", "a-b", "a$b", "a.b", "é"] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
