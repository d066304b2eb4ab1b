//! JSON documents with a version, which a person or another program may have changed.

use std::io::{self, Read};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::dead_letter::shortened;
use crate::request_preview::text::printable;

/// A kind of document.
pub(crate) struct DocumentKind {
    /// Its name in a message, with an article.
    pub(crate) name: &'static str,
    /// The version that this program reads.
    pub(crate) version: u32,
    /// The maximum size, in bytes.
    pub(crate) max_bytes: usize,
}

/// Why a document is invalid. The text completes a sentence that begins with its source; what it quotes is bounded and has no
/// control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// It is too large.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It is not one JSON document.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It has no version.
    #[error("it is not {0}: it has no version")]
    NoVersion(&'static str),
    /// It has another version.
    #[error("it has version {found}, and this program reads version {known}")]
    Version {
        /// The version of the document.
        found: String,
        /// The version that this program reads.
        known: u32,
    },
    /// A member is missing or has another type.
    #[error("it is not {kind}: {reason}")]
    Malformed {
        /// The kind of document.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl DocumentKind {
    /// Reads one byte more than a document may have, at most.
    ///
    /// # Errors
    /// Reading fails.
    pub(crate) fn read(&self, input: impl Read) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = self.max_bytes as u64 + 1;
        input.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Parses a document.
    ///
    /// # Errors
    /// It is not a document of this kind and version.
    pub(crate) fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, InvalidDocument> {
        /// What documents of all versions have.
        #[derive(Deserialize)]
        struct Head {
            version: Option<Value>,
        }
        if bytes.len() > self.max_bytes {
            return Err(InvalidDocument::TooLarge(self.max_bytes));
        }
        let head: Result<Head, _> = serde_json::from_slice(bytes);
        let version = match head {
            Ok(head) => head.version,
            Err(error) if error.is_data() => None,
            Err(error) => return Err(InvalidDocument::NotJson(shown(&error.to_string()))),
        };
        let version = version.ok_or(InvalidDocument::NoVersion(self.name))?;
        if version != self.version {
            return Err(InvalidDocument::Version {
                found: shown(&version.to_string()),
                known: self.version,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| InvalidDocument::Malformed {
            kind: self.name,
            reason: shown(&error.to_string()),
        })
    }
}

/// Text of a document in a message: its beginning, with escaped control characters.
pub(crate) fn shown(text: &str) -> String {
    printable(&shortened(text))
}
