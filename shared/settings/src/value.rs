//! A setting's value and its source.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use runtime::secret::Secret;
use serde::{Deserialize, Serialize};

/// The source of a value; printed next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A line of `config.properties`.
    File,
    /// A secret that a line of `config.properties` names.
    Vault,
    /// The built-in default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "config.properties",
            Self::Vault => "vault",
            Self::Default => "default",
        })
    }
}

/// A value and its source.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: Secret,
    pub(crate) source: Source,
}

/// Values by the name of their setting or property.
pub(crate) type Values = BTreeMap<Cow<'static, str>, Value>;

impl Value {
    pub(crate) fn new(text: impl Into<String>, source: Source) -> Self {
        Self {
            text: Secret::new(text),
            source,
        }
    }
}
