//! What a setting is, and the macro that declares settings.

use std::sync::Arc;

/// A setting: its name, default and meaning.
#[derive(Debug)]
pub struct Setting {
    /// The name in `config.properties`, in lower case with underscores.
    pub name: &'static str,
    /// Other accepted names. The name itself takes precedence.
    pub aliases: &'static [&'static str],
    /// The default value; `None` means unset.
    pub default: Option<&'static str>,
    /// One sentence for `--help` and docs/CONFIGURATION.md.
    pub help: &'static str,
    /// The value must not be printed.
    pub secret: bool,
    /// The value is a user name. If it comes from a vault, it is masked in text from other programs.
    pub user: bool,
    /// The value is the [`Location`](crate::Location) of a document, which is read with the settings.
    pub document: bool,
    /// The value is a list of locations of documents, which are read with the settings.
    pub documents: bool,
    /// The document can contain references, `${…}`, whose values are read with it: see [`Settings::expand`](crate::Settings::expand).
    pub references: bool,
    /// A family: each name that begins with the setting's name and `_` is a property with a value of its own. See
    /// [`Settings::properties`](crate::Settings::properties).
    pub family: bool,
}

/// Settings that belong together, under one heading in `--help` and docs/CONFIGURATION.md.
#[derive(Debug)]
pub struct Group {
    /// The heading.
    pub heading: &'static str,
    /// The settings, in the order of docs/CONFIGURATION.md.
    pub settings: &'static [&'static Setting],
}

impl Setting {
    /// The name and its aliases, the name first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The environment variable: the name in upper case.
    pub fn variable(&self) -> String {
        let name = self.name.to_ascii_uppercase();
        match self.family {
            true => format!("{name}_<PROPERTY>"),
            false => name,
        }
    }

    /// Whether this is the name of the setting's value, or of a property of the family.
    pub fn has_value(&self, name: &str) -> bool {
        name == self.name || self.property(name).is_some()
    }

    /// The property that a name stands for, if the setting is a family: the name without the setting's, in lower case with
    /// underscores.
    pub(crate) fn property<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(self.name)?.strip_prefix('_')?;
        (self.family && !rest.is_empty()).then_some(rest)
    }

    /// The parts of a value: the locations in a list of documents, otherwise the value itself.
    pub(crate) fn parts<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let trim = |part: &'a str| if self.documents { part.trim() } else { part };
        text.split(|c| self.documents && c == ',').map(trim)
    }

    /// The command-line flag, without the leading dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// The settings of these groups, in their order.
pub(crate) fn all(groups: &[&'static Group]) -> Arc<[&'static Setting]> {
    groups
        .iter()
        .flat_map(|group| group.settings)
        .copied()
        .collect()
}

/// Declares groups of settings: a `pub static` [`Setting`] for each line, a `pub static` [`Group`] for each heading.
///
/// A line is `CONSTANT = "name", "Help.";`, with `alias "other_name"` and `or "default"` after the name where needed.
/// `#[secret]` marks a value that must not be printed, `#[user]` a user name, `#[document]` the location of a document,
/// `#[documents]` a list of such locations, `#[template]` the location of a document with references, `#[family]` a setting
/// for each property of a client.
/// Every name must be listed in [`names::NAMES`](crate::names::NAMES).
///
/// ```
/// settings::settings! {
///     [KAFKA = "Kafka"]
///     KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The topic.";
///     #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password.";
/// }
/// # fn main() {
/// assert_eq!(KAFKA.settings.len(), 2);
/// assert_eq!(KAFKA_TOPIC.default, Some("FrontDoorTopic"));
/// # }
/// ```
#[macro_export]
macro_rules! settings {
    ($([$group:ident = $heading:literal] $($(#[$kind:ident])? $constant:ident = $name:literal $(alias $alias:literal)? $(or $default:literal)?, $help:literal;)*)*) => {
        $($(
            #[doc = $help]
            pub static $constant: $crate::Setting = $crate::Setting {
                name: $name,
                aliases: &[$($alias)?],
                default: $crate::settings!(@default $($default)?),
                help: $help,
                secret: $crate::settings!(@is secret $($kind)?),
                user: $crate::settings!(@is user $($kind)?),
                document: $crate::settings!(@is document $($kind)?) || $crate::settings!(@is template $($kind)?),
                documents: $crate::settings!(@is documents $($kind)?),
                references: $crate::settings!(@is template $($kind)?),
                family: $crate::settings!(@is family $($kind)?),
            };
            const _: () = assert!(
                $crate::names::is_listed($name) $(&& $crate::names::is_listed($alias))?,
                "the name is missing in settings::names::NAMES"
            );
        )*)*
        $(
            #[doc = concat!("Settings under the heading “", $heading, "”.")]
            pub static $group: $crate::Group = $crate::Group { heading: $heading, settings: &[$(&$constant),*] };
        )*
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@is secret secret) => { true };
    (@is user user) => { true };
    (@is document document) => { true };
    (@is documents documents) => { true };
    (@is template template) => { true };
    (@is family family) => { true };
    (@is $($other:ident)+) => { false };
}
