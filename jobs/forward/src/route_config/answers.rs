//! Which answers of a route's endpoint are kept, and where. Pure.

use delivery::AnswerConfig;
use http::HeaderName;
use http::header::SET_COOKIE;
use kafka::check;
use serde::Deserialize;

/// The default of `max_body`, in bytes.
const DEFAULT_MAX_BODY: usize = 16 << 10;

/// The largest `max_body`, in bytes: an envelope with such a body fits into Kafka's default limit of a record.
const MAX_BODY: usize = 256 << 10;

/// The most headers that are kept.
const MAX_HEADERS: usize = 32;

/// Which answers of a route's endpoint are kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAnswers {
    /// The topic of answers that count as delivered.
    pub success_topic: Option<String>,
    /// The topic of answers to records that become dead letters.
    pub error_topic: Option<String>,
    headers: Vec<HeaderName>,
    max_body: usize,
}

/// The member `answers`, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswersText {
    success_topic: Option<String>,
    error_topic: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default = "default_max_body")]
    max_body: usize,
}

fn default_max_body() -> usize {
    DEFAULT_MAX_BODY
}

impl AnswersText {
    /// Checks the members.
    ///
    /// # Errors
    /// Which member is invalid, and why.
    pub(super) fn resolve(self) -> Result<RouteAnswers, String> {
        if self.success_topic.is_none() && self.error_topic.is_none() {
            return Err("answers has neither success_topic nor error_topic".to_owned());
        }
        if self.max_body > MAX_BODY {
            return Err(format!(
                "max_body of answers is {}, expected 0 to {MAX_BODY}",
                self.max_body
            ));
        }
        if self.headers.len() > MAX_HEADERS {
            return Err(format!("answers has more than {MAX_HEADERS} headers"));
        }
        let header = |text: &String| match HeaderName::try_from(text.as_str()) {
            Ok(SET_COOKIE) => {
                Err("headers of answers has Set-Cookie, whose values are credentials".to_owned())
            }
            Ok(name) => Ok(name),
            Err(_) => Err(format!(
                "headers of answers has {text:?}, which is not the name of a header"
            )),
        };
        Ok(RouteAnswers {
            success_topic: topic("success_topic", self.success_topic)?,
            error_topic: topic("error_topic", self.error_topic)?,
            headers: self.headers.iter().map(header).collect::<Result<_, _>>()?,
            max_body: self.max_body,
        })
    }
}

fn topic(member: &str, text: Option<String>) -> Result<Option<String>, String> {
    let checked = text.map(|text| {
        check::topic(&text)
            .ok_or_else(|| format!("{member} of answers is {text:?}, expected {}", check::TOPIC))
    });
    checked.transpose()
}

impl RouteAnswers {
    /// What delivery keeps.
    pub(super) fn config(&self) -> AnswerConfig {
        AnswerConfig {
            keeps_success: self.success_topic.is_some(),
            keeps_error: self.error_topic.is_some(),
            headers: self.headers.clone(),
            max_body: self.max_body,
        }
    }

    /// Each topic with the name of its member.
    pub fn topics(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let topics = [
            ("success_topic", &self.success_topic),
            ("error_topic", &self.error_topic),
        ];
        topics
            .into_iter()
            .filter_map(|(member, topic)| Some((member, topic.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::RouteConfig;
    use super::*;
    use settings::Settings;

    fn answers(members: &str) -> Result<RouteAnswers, String> {
        let text = format!(
            "version: 1\nroutes:\n- {{name: A, when: 'true', url: 'http://a', answers: {{{members}}}}}\n"
        );
        let routes = RouteConfig::parse(&text, &Settings::default())?;
        routes[0].answers.clone().ok_or_else(String::new)
    }

    #[test]
    fn one_topic_is_enough() {
        let found = answers("success_topic: a").unwrap();
        assert_eq!(found.topics().collect::<Vec<_>>(), [("success_topic", "a")]);
        assert_eq!(found.config().max_body, 16_384);
        let found =
            answers("error_topic: b.c, headers: [Location, X-Request-Id], max_body: 0").unwrap();
        assert_eq!(found.topics().collect::<Vec<_>>(), [("error_topic", "b.c")]);
        let config = found.config();
        assert_eq!((config.keeps_success, config.keeps_error), (false, true));
        assert_eq!((config.headers.len(), config.max_body), (2, 0));
        assert_eq!(config.headers[1], "x-request-id");
    }

    #[test]
    fn invalid_members_are_errors_at_the_start() {
        for (members, expected) in [
            ("", "neither success_topic nor error_topic"),
            ("headers: [a]", "neither success_topic nor error_topic"),
            (
                "success_topic: 'a b'",
                "success_topic of answers is \"a b\"",
            ),
            ("error_topic: ''", "error_topic of answers is \"\""),
            ("success_topic: a, max_body: 262145", "expected 0 to 262144"),
            ("success_topic: a, max_body: -1", "line 3"),
            (
                "success_topic: a, headers: ['a b']",
                "not the name of a header",
            ),
            ("success_topic: a, headers: [Set-Cookie]", "credentials"),
            ("success_topic: a, topic: b", "unknown field `topic`"),
        ] {
            let error = answers(members).unwrap_err();
            assert!(error.contains(expected), "{members}: {error}");
        }
    }
}
