//! Registers secret values with [`runtime::redact`], which masks them in text from other programs.

use runtime::redact;

use crate::value::{Value, Values};
use crate::{Setting, Source, names};

/// Registers secret settings and properties, user names from a vault, and user and query of every URL. Addresses and topics from a
/// vault are not masked: logs name them.
pub(crate) fn values(settings: &[&'static Setting], values: &Values) {
    for (name, value) in values.iter().filter(|(name, _)| names::is_property(name)) {
        if names::is_secret_property(name) || value.source == Source::Vault {
            redact::protect(name, [value.text.clone()]);
        }
    }
    for setting in settings {
        let Some(Value { text, source }) = values.get(setting.name) else {
            continue;
        };
        if setting.secret || (setting.user && *source == Source::Vault) {
            redact::protect(setting.name, [text.clone()]);
            continue;
        }
        let urls = setting
            .parts(text.reveal())
            .filter(|part| part.contains("://") && !part.starts_with("oci://"));
        redact::protect(setting.name, urls.flat_map(redact::secrets_in_url));
    }
}
