//! The layers of values: flags over environment over settings file over defaults. Pure.

use crate::properties::{self, Line, LineValue};
use crate::value::{Value, Values};
use crate::{Setting, SettingError, Source, names, trim};

/// The values of flags and environment. An empty value counts as unset. `properties` are the variables of properties.
pub(crate) fn explicit(
    settings: &[&'static Setting],
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
    properties: &[String],
) -> Values {
    let flag = |setting: &Setting| {
        let (_, text) = flags.iter().find(|(name, _)| *name == setting.name)?;
        Some(Value::new(text, Source::Flag))
    };
    let variable = |setting: &Setting| {
        let text = setting
            .names()
            .filter_map(|name| environment(&name.to_ascii_uppercase()))
            .find(|text| !text.is_empty())?;
        Some(Value::new(trim::value(&text), Source::Environment))
    };
    let single = settings.iter().filter_map(|setting| {
        let value = flag(setting).or_else(|| variable(setting))?;
        Some((setting.name.into(), value))
    });
    let properties = properties.iter().filter_map(|variable| {
        let name = names::normalized(variable);
        let is_known = settings
            .iter()
            .any(|setting| setting.property(&name).is_some());
        let text = environment(variable).filter(|_| is_known)?;
        Some((
            name.into(),
            Value::new(trim::value(&text), Source::Environment),
        ))
    });
    single
        .chain(properties)
        .filter(|(_, value)| !value.text.reveal().is_empty())
        .collect()
}

/// The lines of a settings file.
pub(crate) fn parse(
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

/// Adds the values of lines, for settings that no higher layer sets. Secrets are not read here.
pub(crate) fn merge(values: &mut Values, lines: &[Line]) {
    for line in lines {
        if let (Some(_), LineValue::Text(text)) = (line.setting, &line.value)
            && !text.is_empty()
        {
            values
                .entry(line.name.clone())
                .or_insert_with(|| Value::new(text, Source::File));
        }
    }
}

/// Adds the defaults, for settings that no other layer sets.
pub(crate) fn defaults(settings: &[&'static Setting], values: &mut Values) {
    for setting in settings {
        if let Some(default) = setting.default {
            values
                .entry(setting.name.into())
                .or_insert_with(|| Value::new(default, Source::Default));
        }
    }
}
