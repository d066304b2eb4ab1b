//! Settings printed with their sources, without secrets.

use std::borrow::Cow;
use std::fmt;

use runtime::secret::Secret;

use crate::{Settings, Source, names};

impl Settings {
    /// Name, printable value (secrets as `[redacted]`) and source of every setting and property that has a value, in name order.
    pub fn listing(&self) -> Vec<(Cow<'static, str>, String, Source)> {
        let mut listing: Vec<_> = self
            .settings
            .iter()
            .filter_map(|setting| {
                let value = self.values.get(setting.name)?;
                let text = value.text.reveal();
                let shown = if self.is_secret(setting) {
                    value.text.to_string()
                } else {
                    let parts = setting.parts(text);
                    let shown = parts.map(|part| redacted_url(part, &value.text));
                    shown.collect::<Vec<_>>().join(",")
                };
                Some((Cow::from(setting.name), shown, value.source))
            })
            .collect();
        let properties = self.values.iter();
        let properties = properties.filter(|(name, _)| names::is_property(name));
        listing.extend(properties.map(|(name, value)| {
            let is_secret = names::is_secret_property(name) || value.source == Source::Vault;
            let shown = match is_secret {
                true => value.text.to_string(),
                false => value.text.reveal().to_owned(),
            };
            (name.clone(), shown, value.source)
        }));
        listing.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        listing
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.listing()
                    .into_iter()
                    .map(|(name, value, source)| (name, (value, source))),
            )
            .finish()
    }
}

/// A text with `redacted` in place of user, password and query if it is a URL: they may contain a key. A password may
/// contain characters that should have been encoded, so everything before the last `@` counts as user and password.
fn redacted_url(url: &str, redacted: &Secret) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (user, rest) = match rest.rsplit_once('@') {
        // In the location of an object, `@` separates bucket and namespace.
        Some((_, rest)) if scheme != "oci" => (format!("{redacted}@"), rest),
        _ => (String::new(), rest),
    };
    match rest.split_once('?') {
        Some((shown, _)) => format!("{scheme}://{user}{shown}?{redacted}"),
        None => format!("{scheme}://{user}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacts_user_and_query_of_a_url() {
        let redacted = Secret::new("");
        for (url, shown) in [
            ("a@b?c", "a@b?c"),
            ("http://h:1/p", "http://h:1/p"),
            ("http://h/p?key=hunter2", "http://h/p?[redacted]"),
            ("http://u:hunter2@h:1/p", "http://[redacted]@h:1/p"),
            (
                "http://u:hunter2@h?hunter2",
                "http://[redacted]@h?[redacted]",
            ),
            ("http://u:hun/ter?2@h/p", "http://[redacted]@h/p"),
            ("http://h/a@b", "http://[redacted]@b"),
            (
                "oci://bucket@namespace/object",
                "oci://bucket@namespace/object",
            ),
        ] {
            assert_eq!(redacted_url(url, &redacted), shown, "{url}");
        }
    }
}
