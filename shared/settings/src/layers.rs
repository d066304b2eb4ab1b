//! The layers of settings, one above the other. Pure, but for the settings file of this machine.

use std::collections::BTreeMap;

use super::cloud::MAX_DOCUMENT;
use super::common::CONFIG_LOCATION;
use super::properties::{self, Given, Line};
use super::{Location, Setting, SettingError, Source, Value, location, pasted};
use runtime::files;
use runtime::redact;
use runtime::secret::Secret;

/// Values by name.
pub(super) type Values = BTreeMap<&'static str, Value>;

/// What flags and environment say.
pub(super) fn given(
    settings: &[&'static Setting],
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Values {
    let flag = |setting: &Setting| {
        let (_, text) = flags.iter().find(|(name, _)| *name == setting.name)?;
        Some(value(text, Source::Flag))
    };
    let variable = |setting: &Setting| {
        let text = setting
            .names()
            .filter_map(|name| environment(&name.to_ascii_uppercase()))
            .find(|text| !text.is_empty())?;
        Some(value(pasted::trimmed(&text), Source::Environment))
    };
    let values = settings
        .iter()
        .filter_map(|setting| Some((setting.name, flag(setting).or_else(|| variable(setting))?)))
        .filter(|(_, value)| !value.text.reveal().is_empty())
        .collect();
    protect(settings, &values);
    values
}

/// Masks from now on what is secret in these values: secret settings, and user and query of every URL. Of what came
/// out of a vault, the user name is masked too; addresses and topics are named in logs wherever they came from.
pub(super) fn protect(settings: &[&'static Setting], values: &Values) {
    for setting in settings {
        let Some(Value { text, source }) = values.get(setting.name) else {
            continue;
        };
        let is_hidden_user = setting.user && *source == Source::Vault;
        if setting.secret || is_hidden_user {
            redact::protect(setting.name, [text.clone()]);
        } else if text.reveal().contains("://") && !text.reveal().starts_with("oci://") {
            redact::protect(setting.name, redact::secrets_in_url(text.reveal()));
        }
    }
}

/// The lines of a settings file of this machine; none if it lies elsewhere.
pub(super) fn local_lines(
    settings: &[&'static Setting],
    given: &Values,
) -> Result<Vec<Line>, SettingError> {
    let Some(location) = given.get(CONFIG_LOCATION.name) else {
        return Ok(Vec::new());
    };
    let location = location.text.reveal();
    match location.parse() {
        Ok(Location::File(path)) => {
            let text = files::read_text(&path, MAX_DOCUMENT).map_err(|reason| {
                SettingError::Unreadable {
                    variable: CONFIG_LOCATION.variable(),
                    location: location.to_owned(),
                    reason,
                }
            })?;
            parsed(settings, location, &text)
        }
        Ok(Location::Object(_)) => Ok(Vec::new()),
        Err(()) => Err(malformed(&CONFIG_LOCATION, location)),
    }
}

pub(super) fn parsed(
    settings: &[&'static Setting],
    location: &str,
    text: &str,
) -> Result<Vec<Line>, SettingError> {
    properties::parse(settings, text).map_err(|(line, reason)| SettingError::Line {
        location: location.to_owned(),
        line,
        reason,
    })
}

/// Adds the plain lines that nothing above them sets.
pub(super) fn merge(settings: &[&'static Setting], values: &mut Values, lines: &[Line]) {
    for line in lines {
        if let (Some(setting), Given::Plain(text)) = (line.setting, &line.value)
            && !text.is_empty()
        {
            values
                .entry(setting.name)
                .or_insert_with(|| value(text, Source::File));
        }
    }
    protect(settings, values);
}

pub(super) fn defaults(settings: &[&'static Setting], values: &mut Values) {
    for setting in settings {
        if let Some(default) = setting.default {
            values
                .entry(setting.name)
                .or_insert_with(|| value(default, Source::Default));
        }
    }
}

pub(super) fn value(text: impl Into<String>, source: Source) -> Value {
    Value {
        text: Secret::new(text),
        source,
    }
}

pub(super) fn malformed(setting: &Setting, location: &str) -> SettingError {
    SettingError::Malformed {
        variable: setting.variable(),
        value: location.to_owned(),
        expected: location::EXPECTED,
    }
}
