//! `config.properties`: lines of `name=value` and `name_vaultOCID=<secret>`. Pure: text in, settings out.

use super::names;
use super::{Setting, pasted};
use oci::SecretLocation;

/// Behind a setting's name: the value is the OCID of the secret that holds it. Any case will do.
const VAULT: &str = "_vaultocid";

/// One setting of the file.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The setting, or `None` if it is another program's.
    pub(super) setting: Option<&'static Setting>,
    name: String,
    pub(super) value: Given,
}

/// How a line gives the value.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// As it is. Empty means unset.
    Plain(String),
    /// In a secret of Vault.
    Secret(SecretLocation),
}

/// The lines of a file's text for a program with these settings, or the line (from 1) that is wrong and why. The reason never holds a value: it may
/// be a password.
///
/// Blank lines and lines that begin with `#` or `!` are skipped, as in Java's format. Names and values are
/// trimmed as [`pasted`] says.
pub(super) fn parse(
    settings: &[&'static Setting],
    text: &str,
) -> Result<Vec<Line>, (usize, String)> {
    let mut lines: Vec<Line> = Vec::new();
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let line = read(settings, line).map_err(|reason| (index + 1, reason))?;
        if lines.iter().any(|known| known.name == line.name) {
            let reason = format!("{} is set a second time", line.name);
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
    let (name, value) = (name.trim(), pasted::trimmed(value));
    let plain = name
        .len()
        .checked_sub(VAULT.len())
        .filter(|at| name.is_char_boundary(*at) && name[*at..].eq_ignore_ascii_case(VAULT))
        .map(|at| &name[..at]);
    let key = plain.unwrap_or(name);
    let mut settings = settings.iter().copied();
    let setting = settings.find(|setting| setting.names().any(|known| known == key));
    if setting.is_none() && !names::is_listed(key) {
        // What is not shaped like a name may be a secret that lost its own: it is not shown.
        let is_name = |c: char| c.is_ascii_alphabetic() || c == '_';
        let shown = match name.chars().all(is_name) {
            true => format!("{name:?}"),
            false => "what stands before the first \"=\"".to_owned(),
        };
        return Err(format!("{shown} is no setting; see --help for their names"));
    }
    let known = setting.map_or(key, |setting| setting.name).to_owned();
    let value = match plain {
        None => Given::Plain(value.to_owned()),
        Some(_) => {
            let location = value.parse::<SecretLocation>();
            // What is not an OCID may be the secret itself, put here by mistake: it is not shown.
            Given::Secret(location.map_err(|reason| format!("the value of {name} {reason}"))?)
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
            Given::Plain(text) => (line.setting.unwrap().name, text),
            Given::Secret(location) => (line.setting.unwrap().name, format!("secret {location}")),
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
            (2, "api_title is set a second time".to_owned())
        );
    }

    #[test]
    fn reads_names_and_values_and_passes_over_comments() {
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
    fn reads_the_tutorials_six_lines_as_they_are() {
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
    fn a_name_and_its_alias_are_one_setting() {
        let (line, reason) = parse("auth_token=a\nkafka_password=b\n").unwrap_err();
        assert_eq!(line, 2);
        assert_eq!(reason, "kafka_password is set a second time");
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(
            read("kafka_password=a=b=="),
            [("kafka_password", "a=b==".to_owned())]
        );
    }

    #[test]
    fn names_the_line_that_is_wrong_and_never_its_value() {
        for (text, number, reason) in [
            (
                "kafka_topic=a\nkafka_topc=b",
                2,
                "\"kafka_topc\" is no setting; see --help for their names",
            ),
            (
                "hunter2==",
                1,
                "what stands before the first \"=\" is no setting; see --help for their names",
            ),
            ("\n\nkafka_topic", 3, "expected name=value, found no \"=\""),
            (
                "kafka_topic=a\nkafka_topic=b",
                2,
                "kafka_topic is set a second time",
            ),
            (
                "kafka_topic_vaultOCID=ocid1.vaultsecret.oc1..a\nkafka_topic=b",
                2,
                "kafka_topic is set a second time",
            ),
            (
                "x_vaultOCID=ocid1.vaultsecret.oc1..a",
                1,
                "\"x_vaultOCID\" is no setting; see --help for their names",
            ),
            (
                "_vaultOCID=a",
                1,
                "\"_vaultOCID\" is no setting; see --help for their names",
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
