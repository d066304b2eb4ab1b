//! The environment of this process.

use crate::SettingError;
use crate::names::NAMES;

/// A function that looks up the environment variables of this process.
///
/// # Errors
/// The variable of a setting is not UTF-8. Ignoring it could, for example, leave an endpoint without its token.
pub fn environment() -> Result<impl Fn(&str) -> Option<String> + Copy, SettingError> {
    for variable in NAMES.iter().map(|name| name.to_ascii_uppercase()) {
        if std::env::var_os(&variable).is_some_and(|value| value.to_str().is_none()) {
            return Err(SettingError::NotText { variable });
        }
    }
    Ok(|name: &str| std::env::var(name).ok())
}
