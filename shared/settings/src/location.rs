//! The location of a document: a file of this machine, or an object in Object Storage. Pure.
//!
//! An object is `oci://BUCKET/OBJECT` or `oci://BUCKET@NAMESPACE/OBJECT`, the form of Oracle's HDFS connector and Data
//! Flow. Without a namespace, the tenancy's own is used. Everything after the slash that follows the bucket is the
//! object's name; it is not decoded.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use oci::{ObjectLocation, ObjectPrefix};

/// The forms of a location, for error messages.
pub(crate) const EXPECTED: &str =
    "a path, or an object as oci://BUCKET/OBJECT or oci://BUCKET@NAMESPACE/OBJECT";

/// The forms of a list of locations, for error messages.
pub(crate) const LIST_EXPECTED: &str = "a comma-separated list of files, directories, objects as oci://BUCKET/OBJECT and \
     prefixes as oci://BUCKET/PREFIX/";

/// The location of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A file of this machine.
    File(PathBuf),
    /// An object in Object Storage.
    Object(ObjectLocation),
}

impl FromStr for Location {
    type Err = ();

    /// Schemes other than `oci` are rejected: a URL with a typing error must not become a file name.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(rest) = text.strip_prefix("oci://") {
            return object(rest).map(Self::Object).ok_or(());
        }
        if text.is_empty() || text.contains("://") || text.contains('\0') {
            return Err(());
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

/// A location in a list of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListedLocation {
    /// One document; a path may also be that of a directory.
    One(Location),
    /// All objects below a prefix, `oci://BUCKET/PREFIX/`; without `PREFIX/`, all of the bucket.
    Prefix(ObjectPrefix),
}

impl FromStr for ListedLocation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("oci://") {
            Some(rest) if rest.ends_with('/') => in_bucket(rest)
                .map(|location| Self::Prefix(ObjectPrefix(location)))
                .ok_or(()),
            _ => text.parse().map(Self::One),
        }
    }
}

/// Bucket names hold letters, digits, `-`, `_` and `.`; an object's name has 1 to 1024 bytes without line breaks
/// or NUL (Object Storage documentation, "Managing Buckets" and "Object Names").
fn object(text: &str) -> Option<ObjectLocation> {
    let location = in_bucket(text)?;
    // URL parsers remove these segments.
    let is_segment = [".", ".."].contains(&&*location.object);
    (!location.object.is_empty() && !is_segment).then_some(location)
}

/// The bucket and the text after it, which is the name of an object or, also empty, its beginning.
fn in_bucket(text: &str) -> Option<ObjectLocation> {
    let (bucket, object) = text.split_once('/')?;
    let (bucket, namespace) = match bucket.split_once('@') {
        Some((bucket, namespace)) => (bucket, Some(namespace)),
        None => (bucket, None),
    };
    let is_name = |name: &str| {
        (1..=256).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let is_object = object.len() <= 1024 && !object.contains(['\0', '\r', '\n']);
    (is_name(bucket) && namespace.is_none_or(is_name) && is_object).then(|| ObjectLocation {
        namespace: namespace.map(str::to_owned),
        bucket: bucket.to_owned(),
        object: object.to_owned(),
    })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_an_optional_namespace() {
        for text in [
            "oci://config/config.properties",
            "oci://avro-schema-bucket@idabc/dir/user v2?#%41.avsc",
        ] {
            let location: Location = text.parse().unwrap();
            assert!(matches!(location, Location::Object(_)), "{location:?}");
            assert_eq!(location.to_string(), text);
        }
        let Ok(Location::Object(object)) = "oci://b@n/a@b/c".parse() else {
            panic!()
        };
        assert_eq!(object.namespace.as_deref(), Some("n"));
        assert_eq!((&*object.bucket, &*object.object), ("b", "a@b/c"));
    }

    #[test]
    fn text_without_a_scheme_is_a_path() {
        for path in ["config.properties", "/etc/a b.properties", "oci:/x", "@"] {
            assert_eq!(path.parse(), Ok(Location::File(PathBuf::from(path))));
        }
    }

    #[test]
    fn a_location_that_ends_with_a_slash_is_a_prefix() {
        for text in ["oci://b@n/schemas/v 1/", "oci://b/", "oci://b/../"] {
            let Ok(ListedLocation::Prefix(prefix)) = text.parse() else {
                panic!("{text}")
            };
            assert_eq!(prefix.to_string(), text);
        }
        for text in ["oci://b/schemas", "schemas/", "schemas"] {
            let one = text.parse().map(ListedLocation::One);
            assert!(one.is_ok(), "{text}");
            assert_eq!(text.parse(), one, "{text}");
        }
        let long = format!("oci://b/{}/", "x".repeat(1024));
        for wrong in [
            "",
            "oci:///",
            "oci://b c/x/",
            "oci://b/a\nb/",
            "s3://b/x/",
            &long,
        ] {
            assert_eq!(wrong.parse::<ListedLocation>(), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn rejects_malformed_locations() {
        let long = format!("oci://b/{}", "x".repeat(1025));
        for wrong in [
            "",
            "oci://",
            "oci://b",
            "oci://b/",
            "oci://b/..",
            "oci:///o",
            "oci://@n/o",
            "oci://b@/o",
            "oci://b c/o",
            "oci://b@n@m/o",
            "oci://b/a\nb",
            "s3://b/o",
            "https://host/x",
            "a\0b",
            &long,
        ] {
            assert_eq!(wrong.parse::<Location>(), Err(()), "{wrong:?}");
        }
    }
}
