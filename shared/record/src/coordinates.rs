//! The coordinates of a record, and their text form.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most characters of a topic's name (`org.apache.kafka.common.internals.Topic`).
const MAX_TOPIC: usize = 249;

/// The topic, partition and offset of a record. Prints as `orders/3@1042`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinates {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A text is not the coordinates of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected TOPIC/PARTITION@OFFSET, such as orders/3@1042")]
pub struct InvalidCoordinates;

impl Coordinates {
    /// Parses the form that [`Coordinates`] prints. Without a topic (`3@1042`) it is `default_topic`.
    ///
    /// # Errors
    /// The text has another form, or no topic and there is no default.
    pub fn parse(text: &str, default_topic: Option<&str>) -> Result<Self, InvalidCoordinates> {
        let (rest, offset) = text.split_once('@').ok_or(InvalidCoordinates)?;
        let (topic, partition) = match rest.split_once('/') {
            Some((topic, partition)) if is_topic(topic) => (topic, partition),
            Some(_) => return Err(InvalidCoordinates),
            None => (default_topic.ok_or(InvalidCoordinates)?, rest),
        };
        Ok(Self {
            topic: Arc::from(topic),
            partition: number(partition)?,
            offset: number(offset)?,
        })
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// Decimal digits without a sign.
fn number<T: FromStr>(text: &str) -> Result<T, InvalidCoordinates> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.ok_or(InvalidCoordinates)
}

fn is_topic(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_TOPIC).contains(&text.len())
        && text.chars().all(is_allowed)
        && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(topic: &str, partition: i32, offset: i64) -> Coordinates {
        Coordinates {
            topic: topic.into(),
            partition,
            offset,
        }
    }

    #[test]
    fn the_topic_may_be_left_out() {
        let parse = |text| Coordinates::parse(text, Some("orders"));
        assert_eq!(parse("a.b_c-9/3@1042"), Ok(at("a.b_c-9", 3, 1042)));
        assert_eq!(parse("0@42"), Ok(at("orders", 0, 42)));
        assert_eq!(Coordinates::parse("0@42", None), Err(InvalidCoordinates));
        let largest = "t/2147483647@9223372036854775807";
        assert_eq!(parse(largest), Ok(at("t", i32::MAX, i64::MAX)));
    }

    #[test]
    fn other_forms_are_rejected() {
        let long = format!("{}/0@1", "x".repeat(MAX_TOPIC + 1));
        for text in [
            "",
            "@",
            "0",
            "0@",
            "@1",
            "/0@1",
            "t/@1",
            "t/0@",
            "t/0@-1",
            "t/+0@1",
            "t/0@+1",
            "t/0@ 1",
            "t/0@1 ",
            "t/0@1@2",
            "t/0/0@1",
            "a b/0@1",
            "../0@1",
            "t/2147483648@1",
            "t/0@9223372036854775808",
            "t/0@\u{661}",
            "t:0:1",
            &long,
        ] {
            let parsed = Coordinates::parse(text, Some("orders"));
            assert_eq!(parsed, Err(InvalidCoordinates), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(
            topic in "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}",
            partition in 0..=i32::MAX,
            offset in 0..=i64::MAX,
            text in "\\PC{0,20}",
        ) {
            let one = at(&topic, partition, offset);
            prop_assert_eq!(Coordinates::parse(&one.to_string(), None), Ok(one));
            if let Ok(parsed) = Coordinates::parse(&text, None) {
                let printed = parsed.to_string();
                prop_assert_eq!(Coordinates::parse(&printed, None), Ok(parsed));
            }
        }
    }
}
