//! The configuration file of Oracle's tools: `[PROFILE]` headings over `key=value` lines. Pure.

use std::collections::BTreeMap;

/// Profiles by name. Each has its own keys and inherits the others of `[DEFAULT]`, as in the CLI and the Python SDK.
pub(super) type Profiles = BTreeMap<String, BTreeMap<String, String>>;

/// The profiles of a file's text, or the number (from 1) of an invalid line and the reason. The reason never contains a
/// value, which may be a pass phrase.
pub(super) fn parse(text: &str) -> Result<Profiles, (usize, &'static str)> {
    let mut profiles = Profiles::new();
    let mut current = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest
                .strip_suffix(']')
                .ok_or((index + 1, "expected a closing \"]\""))?
                .trim();
            profiles.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or((index + 1, "expected key=value, found no \"=\""))?;
        let profile = current
            .as_ref()
            .and_then(|name| profiles.get_mut(name))
            .ok_or((index + 1, "expected a [PROFILE] heading first"))?;
        profile.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    if let Some(defaults) = profiles.get("DEFAULT").cloned() {
        for profile in profiles.values_mut() {
            for (key, value) in &defaults {
                profile.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_inherits_from_default() {
        let text = "# mine\n[DEFAULT]\nUser = u\nregion=r\n\n; other\n[OTHER]\nregion = s\npass_phrase = a = b\n";
        let profiles = parse(text).unwrap();
        assert_eq!(profiles["OTHER"]["user"], "u");
        assert_eq!(profiles["OTHER"]["region"], "s");
        assert_eq!(profiles["OTHER"]["pass_phrase"], "a = b");
        assert_eq!(profiles["DEFAULT"]["region"], "r");
        assert!(!profiles["DEFAULT"].contains_key("pass_phrase"));
    }

    #[test]
    fn reports_the_invalid_line() {
        assert_eq!(parse("[A]\nb=c\n[D").unwrap_err().0, 3);
        assert_eq!(
            parse("[A]\n\nhunter2").unwrap_err(),
            (3, "expected key=value, found no \"=\"")
        );
        assert_eq!(
            parse("a=b").unwrap_err(),
            (1, "expected a [PROFILE] heading first")
        );
    }
}
