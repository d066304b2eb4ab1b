//! The process's own environment.

use super::SettingError;
use super::names::NAMES;

/// How the variables of this process are looked up.
///
/// # Errors
/// A variable that is a setting holds bytes that are no text. Taken for unset, it would leave a door without its token.
pub fn environment() -> Result<impl Fn(&str) -> Option<String> + Copy, SettingError> {
    for variable in NAMES.iter().map(|name| name.to_ascii_uppercase()) {
        if std::env::var_os(&variable).is_some_and(|value| value.to_str().is_none()) {
            return Err(SettingError::NotText { variable });
        }
    }
    Ok(|name: &str| std::env::var(name).ok())
}
