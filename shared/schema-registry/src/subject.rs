//! The names of subjects. Pure.

/// How the subject of a record's value is named (Confluent: "Subject name strategy").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectNameStrategy {
    /// `{topic}-value`: one schema and its versions for each topic. The default of Confluent's clients.
    #[default]
    Topic,
    /// The full name of the record: one schema and its versions in all topics.
    Record,
    /// `{topic}-{full name}`: several records in a topic, each with its versions.
    TopicRecord,
}

impl SubjectNameStrategy {
    /// The subject of values in `topic` whose schema has this full name (namespace and name).
    pub fn subject(self, topic: &str, full_name: &str) -> String {
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => full_name.to_owned(),
            Self::TopicRecord => format!("{topic}-{full_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_as_by_confluents_clients() {
        for (strategy, subject) in [
            (SubjectNameStrategy::Topic, "orders-value"),
            (SubjectNameStrategy::Record, "shop.Order"),
            (SubjectNameStrategy::TopicRecord, "orders-shop.Order"),
        ] {
            assert_eq!(strategy.subject("orders", "shop.Order"), subject);
        }
    }
}
