//! The topics of the routes' answers: no run creates them, and none is a topic that the job uses otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::describe::Permission;
use kafka::reader::Reader;

use crate::route_config::RouteConfig;

/// A topic of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerTopic<'r> {
    /// Its name.
    pub(crate) topic: &'r str,
    /// The first route that writes to it.
    pub(crate) route: &'r str,
    /// The member of `answers` that names it there.
    pub(crate) member: &'static str,
}

/// Why the job cannot write to a topic of answers.
#[derive(Debug)]
pub(crate) struct UnusableTopic {
    /// [`Permission::NoTopic`] or [`Permission::Denied`].
    pub(crate) permission: Permission,
    /// What is wrong.
    pub(crate) detail: String,
    /// The remedy.
    pub(crate) advice: &'static str,
}

/// The topics of all routes, each once.
pub(crate) fn all(routes: &[RouteConfig]) -> Vec<AnswerTopic<'_>> {
    let mut topics = BTreeMap::new();
    for route in routes {
        for (member, topic) in route.answers.iter().flat_map(|answers| answers.topics()) {
            topics.entry(topic).or_insert(AnswerTopic {
                topic,
                route: &route.name,
                member,
            });
        }
    }
    topics.into_values().collect()
}

/// Whether the user may write to the topic, as the broker reports it within `timeout`.
///
/// # Errors
/// It does not exist, or WRITE is denied.
pub(crate) fn check(
    reader: &Reader,
    topic: &AnswerTopic<'_>,
    timeout: Duration,
) -> Result<Permission, UnusableTopic> {
    let AnswerTopic {
        topic,
        route,
        member,
    } = topic;
    let permission = reader.write_permission(topic, timeout);
    let (detail, advice) = match permission {
        Permission::NoTopic => (
            format!("{topic}, the {member} of route {route:?}, does not exist"),
            "create it: the job creates no topic for answers",
        ),
        Permission::Denied => (
            format!("{topic}, the {member} of route {route:?}: WRITE is denied"),
            "grant the user WRITE on the topic",
        ),
        permission => return Ok(permission),
    };
    Err(UnusableTopic {
        permission,
        detail,
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Settings;

    #[test]
    fn each_topic_is_listed_once() {
        let text = r"
version: 1
routes:
- {name: A, when: id == 1, url: 'http://a', answers: {success_topic: x, error_topic: y}}
- {name: B, when: id == 2, url: 'http://b'}
- {name: C, when: id == 3, url: 'http://c', answers: {error_topic: x}}
";
        let routes = RouteConfig::parse(text, &Settings::default()).unwrap();
        let found: Vec<_> = all(&routes)
            .iter()
            .map(|topic| (topic.topic, topic.route, topic.member))
            .collect();
        assert_eq!(
            found,
            [("x", "A", "success_topic"), ("y", "A", "error_topic")]
        );
    }
}
