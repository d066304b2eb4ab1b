//! `config.properties`: lines of `name=value`. Pure: text in, settings out.

use super::catalog::CATALOG;

/// The settings of a file's text, or the line (from 1) that is wrong and why.
///
/// Blank lines and lines that begin with `#` or `!` are passed over, as in Java's format. White space around
/// names and values is dropped, and so is one pair of double quotes round a value.
pub(super) fn parse(text: &str) -> Result<Vec<(&'static str, String)>, (usize, String)> {
    let mut settings: Vec<(&'static str, String)> = Vec::new();
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let number = index + 1;
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| (number, "expected name=value, found no \"=\"".to_owned()))?;
        let name = name.trim();
        let setting = CATALOG
            .iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| {
                (
                    number,
                    format!("{name:?} is no setting; see --help for their names"),
                )
            })?;
        if settings.iter().any(|(known, _)| *known == setting.name) {
            return Err((number, format!("{name} is set a second time")));
        }
        settings.push((setting.name, unquote(value.trim()).to_owned()));
    }
    Ok(settings)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_values_and_passes_over_comments() {
        let text = "# broker\n\nkafka_bootstrapserver = localhost:9092\r\n! old style\nkafka_topic=\"orders\"\n";
        let read = parse(text).unwrap();
        assert_eq!(
            read,
            [
                ("kafka_bootstrapserver", "localhost:9092".to_owned()),
                ("kafka_topic", "orders".to_owned())
            ]
        );
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(
            parse("auth_token=a=b==").unwrap(),
            [("auth_token", "a=b==".to_owned())]
        );
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        assert_eq!(parse("kafka_topic=a\nkafka_topc=b").unwrap_err().0, 2);
        assert_eq!(parse("\n\nkafka_topic").unwrap_err().0, 3);
        assert_eq!(
            parse("kafka_topic=a\nkafka_topic=b").unwrap_err(),
            (2, "kafka_topic is set a second time".to_owned())
        );
    }
}
