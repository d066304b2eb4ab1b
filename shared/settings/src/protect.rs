//! Registers secret values with [`runtime::redact`], which masks them in text from other programs.

use runtime::redact;

use crate::value::{Value, Values};
use crate::{Setting, Source};

/// The environment variables of proxies. Their names in lower case have the same meaning.
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

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

/// Registers the credentials of proxies: an error page of a proxy may repeat the request.
pub(crate) fn proxies(environment: impl Fn(&str) -> Option<String>) {
    for name in PROXIES {
        let urls = [environment(name), environment(&name.to_ascii_lowercase())];
        let secrets = urls
            .into_iter()
            .flatten()
            .flat_map(|url| redact::secrets_in_url(&url));
        redact::protect(name, secrets);
    }
}
