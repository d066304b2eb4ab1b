//! A part of the settings: one file, secret or document, and the result of reading it.

use runtime::secret::Secret;

use crate::content::{Content, ContentError};
use crate::{Setting, SettingError, location};

/// One thing that was read for the settings, and the result.
#[derive(Clone, Debug)]
pub struct Part {
    /// The setting that names it.
    pub setting: &'static Setting,
    /// Its location: a path, an object, a secret.
    pub location: String,
    /// Its size or version, or the error.
    pub outcome: Result<String, SettingError>,
    /// What to do about the error.
    pub advice: Option<&'static str>,
    /// Whether it was not read because the settings are read offline. The outcome is then the reason, and no error.
    pub is_unread: bool,
}

/// A part and, if it could be read, its text.
pub(crate) type Read = (Part, Option<Secret>);

pub(crate) fn read(
    setting: &'static Setting,
    location: String,
    result: Result<Content, SettingError>,
    advice: Option<&'static str>,
) -> Read {
    let (outcome, text) = match result {
        Ok(content) => (Ok(content.note), Some(content.text)),
        Err(error) => (Err(error), None),
    };
    let part = Part {
        setting,
        location,
        outcome,
        advice,
        is_unread: false,
    };
    (part, text)
}

/// A secret that is not read offline.
pub(crate) fn unread(setting: &'static Setting, location: String, reason: &str) -> Read {
    let part = Part {
        setting,
        location,
        outcome: Ok(format!("not read offline{reason}")),
        advice: None,
        is_unread: true,
    };
    (part, None)
}

pub(crate) fn malformed(setting: &Setting, text: &str) -> SettingError {
    SettingError::Malformed {
        variable: setting.variable(),
        value: text.to_owned(),
        expected: match setting.documents {
            true => location::LIST_EXPECTED,
            false => location::EXPECTED,
        },
    }
}

pub(crate) fn unreadable(setting: &Setting, location: &str, error: ContentError) -> SettingError {
    SettingError::Unreadable {
        variable: setting.variable(),
        location: location.to_owned(),
        reason: error.reason,
    }
}

pub(crate) fn unfetched(setting: &Setting, error: &ContentError) -> SettingError {
    SettingError::Unfetched {
        variable: setting.variable(),
        reason: error.reason.clone(),
    }
}
