//! The environment of this process.

use crate::SettingError;
use crate::names::{self, NAMES};

/// A function that looks up the environment variables of this process.
///
/// # Errors
/// The variable of a setting is not UTF-8. Ignoring it could, for example, leave an endpoint without its token.
pub fn environment() -> Result<impl Fn(&str) -> Option<String> + Copy, SettingError> {
    let settings = NAMES.iter().map(|name| name.to_ascii_uppercase());
    for variable in settings.chain(properties()) {
        if std::env::var_os(&variable).is_some_and(|value| value.to_str().is_none()) {
            return Err(SettingError::NotText { variable });
        }
    }
    Ok(|name: &str| std::env::var(name).ok())
}

/// The environment variables of this process that are properties of a family of settings.
pub(crate) fn properties() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names
        .filter(|name| *name == name.to_ascii_uppercase())
        .filter(|name| names::is_property(&names::normalized(name)))
        .collect()
}
