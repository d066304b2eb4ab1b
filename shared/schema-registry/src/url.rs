//! The text of `SCHEMA_REGISTRY_URL`. Pure.

use reqwest::Url;
use runtime::secret::Secret;

/// User name and password.
pub(crate) type Credentials = (String, Secret);

/// The URLs without credentials, and the credentials that they contained. Errors do not repeat a URL, whose password may
/// be the reason that it is malformed.
pub(crate) fn parse_urls(text: &str) -> Result<(Vec<Url>, Option<Credentials>), String> {
    let (mut urls, mut found) = (Vec::new(), Vec::new());
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    for (index, part) in parts.iter().enumerate() {
        let place = match parts.len() {
            1 => "SCHEMA_REGISTRY_URL".to_owned(),
            _ => format!("URL {} of SCHEMA_REGISTRY_URL", index + 1),
        };
        let mut url = http_url(part).ok_or_else(|| {
            format!(
                "{place} is malformed, expected https://HOST, https://HOST:PORT or either with a path; percent-encode \
                 special characters of a password"
            )
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            let decode = |text: &str| {
                percent_decode(text)
                    .ok_or_else(|| format!("{place}: user or password is not UTF-8"))
            };
            let credentials = (
                decode(url.username())?,
                decode(url.password().unwrap_or_default())?,
            );
            // Both succeed for a URL with a host.
            let _ = (url.set_username(""), url.set_password(None));
            found.push(credentials);
        }
        urls.push(url);
    }
    let first = found.first().cloned();
    if found.iter().any(|other| Some(other) != first.as_ref()) {
        return Err(
            "the URLs of SCHEMA_REGISTRY_URL have different credentials: they must be one registry"
                .to_owned(),
        );
    }
    Ok((
        urls,
        first.map(|(user, password)| (user, Secret::new(password))),
    ))
}

/// A URL of HTTP with a host and without query and fragment.
pub(crate) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.has_host() && url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && is_plain).then_some(url)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        match (byte, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                bytes = rest;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_accepted_or_rejected(text in ".*") {
            if let Ok((urls, _)) = parse_urls(&text) {
                let is_bare = |url: &Url| url.username().is_empty() && url.password().is_none();
                prop_assert!(!urls.is_empty() && urls.iter().all(is_bare));
            }
        }

        #[test]
        fn an_encoded_password_is_decoded(password in any::<String>()) {
            let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(percent_decode(&encoded), Some(password.clone()));
            if !password.is_empty() {
                let (_, found) = parse_urls(&format!("https://user:{encoded}@host")).unwrap();
                let (_, found) = found.unwrap();
                prop_assert_eq!(found.reveal(), password);
            }
        }

        #[test]
        fn an_error_does_not_contain_the_password(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            if let Err(error) = parse_urls(&format!("https://user:{before}hunter2{after}@host")) {
                prop_assert!(!error.contains("hunter2"), "{}", error);
            }
        }
    }

    #[test]
    fn incomplete_escapes_are_kept() {
        assert_eq!(percent_decode("%"), Some("%".to_owned()));
        assert_eq!(percent_decode("a%4"), Some("a%4".to_owned()));
        assert_eq!(percent_decode("%4g%41"), Some("%4gA".to_owned()));
        assert_eq!(percent_decode("%ff"), None);
    }
}
