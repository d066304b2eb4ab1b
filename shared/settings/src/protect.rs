//! Registers secret values with [`runtime::redact`], which masks them in text from other programs.

use runtime::redact;

use crate::value::{Value, Values};
use crate::{Setting, Source};

/// Registers secret settings, user names from a vault, and user and query of every URL. Addresses and topics from a
/// vault are not masked: logs name them.
pub(crate) fn values(settings: &[&'static Setting], values: &Values) {
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
