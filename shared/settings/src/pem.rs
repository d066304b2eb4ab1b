//! PEM texts: in a setting itself, or in the file that it names.

use std::path::Path;

use runtime::files;

use crate::{Setting, SettingError};

/// The maximum size of a PEM file, in bytes.
const MAX_PEM: usize = 1 << 20;

/// The text itself, if it is PEM, or the content of the file that it names.
///
/// # Errors
/// The file cannot be read. The error does not repeat the value of a secret setting, which may be a key.
pub fn text_or_file(setting: &'static Setting, text: &str) -> Result<String, SettingError> {
    if text.trim_start().starts_with("-----BEGIN ") {
        return Ok(text.to_owned());
    }
    file(setting, text)
}

/// The content of the file that a setting names.
///
/// # Errors
/// As for [`text_or_file`].
pub fn file(setting: &'static Setting, path: &str) -> Result<String, SettingError> {
    files::read_text(Path::new(path), MAX_PEM).map_err(|reason| SettingError::Unreadable {
        variable: setting.variable(),
        location: match setting.secret {
            true => "the file that it names".to_owned(),
            false => path.to_owned(),
        },
        reason,
    })
}
