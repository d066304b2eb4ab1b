//! `config.properties`: lines of `name=value` and `name_vaultOCID=<secret>`. Pure.

use std::borrow::Cow;

use oci::SecretLocation;

use crate::{Setting, names, trim};

/// The suffix of a name whose value is the OCID of a secret. Case is ignored.
const VAULT: &str = "_vaultocid";

/// One line of the file.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The setting, or `None` if it is another program's.
    pub(crate) setting: Option<&'static Setting>,
    /// The name of the setting or property, or the name in the file if it is another program's.
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: LineValue,
}

/// The value of a line.
#[derive(Clone, Debug)]
pub(crate) enum LineValue {
    /// The value itself. Empty means unset.
    Text(String),
    /// The location of the secret that contains the value.
    Secret(SecretLocation),
}

/// The lines of a file's text for a program with these settings, or the number (from 1) of an invalid line and the
/// reason. The reason never contains a value, which may be a password.
///
/// The name of a property may have a client's own spelling: `kafka.client.socket.timeout.ms`.
///
/// Blank lines and lines that begin with `#` or `!` are skipped, as in Java's format. Values are trimmed by
/// [`trim::value`].
pub(crate) fn parse(
    settings: &[&'static Setting],
    text: &str,
) -> Result<Vec<Line>, (usize, String)> {
    let mut lines: Vec<Line> = Vec::new();
    // Some editors start a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let line = read(settings, line).map_err(|reason| (index + 1, reason))?;
        if lines.iter().any(|known| known.name == line.name) {
            let reason = format!("{} is set twice", line.name);
            return Err((index + 1, reason));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn read(settings: &[&'static Setting], line: &str) -> Result<Line, String> {
    let (name, value) = line
        .split_once('=')
        .ok_or("expected name=value, found no \"=\"")?;
    let (name, value) = (name.trim(), trim::value(value));
    let plain = name
        .len()
        .checked_sub(VAULT.len())
        .filter(|at| name.is_char_boundary(*at) && name[*at..].eq_ignore_ascii_case(VAULT))
        .map(|at| &name[..at]);
    let key = plain.unwrap_or(name);
    let normalized = names::normalized(key);
    let single = |setting: &&&Setting| setting.names().any(|known| known == key);
    let family = |setting: &&&Setting| setting.property(&normalized).is_some();
    let single = settings.iter().find(single);
    let setting = single.or_else(|| settings.iter().find(family)).copied();
    let is_property = single.is_none() && names::is_property(&normalized);
    if setting.is_none() && !names::is_listed(key) && !is_property {
        // Text that cannot be a name may be a secret without its name: it is not shown.
        let is_name = |c: char| c.is_ascii_alphabetic() || c == '_';
        let shown = match name.chars().all(is_name) {
            true => format!("unknown setting {name:?}"),
            false => "unknown setting before the first \"=\"".to_owned(),
        };
        return Err(format!("{shown}; --help lists the settings"));
    }
    let known = match setting {
        _ if is_property => normalized.into(),
        Some(setting) => setting.name.into(),
        None => key.to_owned().into(),
    };
    let value = match plain {
        None => LineValue::Text(value.to_owned()),
        Some(_) => {
            let location = value.parse::<SecretLocation>();
            // The text may be the secret itself instead of its OCID: it is not shown.
            LineValue::Secret(location.map_err(|reason| format!("the value of {name} {reason}"))?)
        }
    };
    Ok(Line {
        setting,
        name: known,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::GROUPS;
    use crate::setting;

    fn parse(text: &str) -> Result<Vec<Line>, (usize, String)> {
        super::parse(&setting::all(&GROUPS), text)
    }

    fn read(text: &str) -> Vec<(&'static str, String)> {
        let line = |line: Line| match line.value {
            LineValue::Text(text) => (line.setting.unwrap().name, text),
            LineValue::Secret(location) => {
                (line.setting.unwrap().name, format!("secret {location}"))
            }
        };
        parse(text).unwrap().into_iter().map(line).collect()
    }

    #[test]
    fn accepts_a_line_of_another_program() {
        let lines =
            parse("api_title=A\nmax_attempts_vaultOCID=ocid1.vaultsecret.oc1..a\n").unwrap();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.setting.is_none()));
        assert_eq!(
            parse("api_title=A\napi_title=B").unwrap_err(),
            (2, "api_title is set twice".to_owned())
        );
    }

    #[test]
    fn reads_names_and_values_and_skips_comments() {
        let text = "# broker\n\nkafka_bootstrap_servers = localhost:9092\r\n! old style\nkafka_topic=\"orders\"\n";
        assert_eq!(
            read(text),
            [
                ("kafka_bootstrap_servers", "localhost:9092".to_owned()),
                ("kafka_topic", "orders".to_owned())
            ]
        );
    }

    #[test]
    fn reads_the_six_lines_of_the_tutorial() {
        let text = "kafka_bootstrapserver_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aaa\n\
                    kafka_topic_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aab\n\
                    kafka_username_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aac\n\
                    auth_token_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aad\n\
                    api_type_a_url_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aae\n\
                    api_type_b_url_vaultOCID=ocid1.vaultsecret.oc1.sa-saopaulo-1.aaf\n";
        let names = [
            "kafka_bootstrap_servers",
            "kafka_topic",
            "kafka_username",
            "kafka_password",
            "api_type_a_url",
            "api_type_b_url",
        ];
        let expected: Vec<(&str, String)> = names
            .iter()
            .zip(["aaa", "aab", "aac", "aad", "aae", "aaf"])
            .map(|(name, end)| {
                (
                    *name,
                    format!("secret ocid1.vaultsecret.oc1.sa-saopaulo-1.{end}"),
                )
            })
            .collect();
        assert_eq!(read(text), expected);
    }

    #[test]
    fn rejects_a_name_and_its_alias_together() {
        let (line, reason) = parse("auth_token=a\nkafka_password=b\n").unwrap_err();
        assert_eq!(line, 2);
        assert_eq!(reason, "kafka_password is set twice");
    }

    #[test]
    fn a_value_may_contain_equals_signs() {
        assert_eq!(
            read("kafka_password=a=b=="),
            [("kafka_password", "a=b==".to_owned())]
        );
    }

    #[test]
    fn reports_the_invalid_line_without_its_value() {
        for (text, number, reason) in [
            (
                "kafka_topic=a\nkafka_topc=b",
                2,
                "unknown setting \"kafka_topc\"; --help lists the settings",
            ),
            (
                "hunter2==",
                1,
                "unknown setting before the first \"=\"; --help lists the settings",
            ),
            ("\n\nkafka_topic", 3, "expected name=value, found no \"=\""),
            (
                "kafka_topic=a\nkafka_topic=b",
                2,
                "kafka_topic is set twice",
            ),
            (
                "kafka_topic_vaultOCID=ocid1.vaultsecret.oc1..a\nkafka_topic=b",
                2,
                "kafka_topic is set twice",
            ),
            (
                "x_vaultOCID=ocid1.vaultsecret.oc1..a",
                1,
                "unknown setting \"x_vaultOCID\"; --help lists the settings",
            ),
            (
                "_vaultOCID=a",
                1,
                "unknown setting \"_vaultOCID\"; --help lists the settings",
            ),
            (
                "kafka_password_vaultOCID=hunter2",
                1,
                "the value of kafka_password_vaultOCID is not an OCID; expected ocid1.vaultsecret.<realm>.<region>.<unique id>",
            ),
        ] {
            assert_eq!(
                parse(text).map(|_| ()).unwrap_err(),
                (number, reason.to_owned())
            );
        }
        assert!(!parse("hunter2").unwrap_err().1.contains("hunter2"));
        assert!(parse("é_vaultOCID=a").is_err());
        assert!(parse("ééééé=a").is_err());
    }
}
