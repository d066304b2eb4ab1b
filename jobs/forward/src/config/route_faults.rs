//! What contradicts the settings in the routes.

use settings::SettingError;

use super::{Config, DeliverySchema};
use crate::route_config::{RouteAnswers, RouteConfig};

impl Config {
    /// Checks the settings against the routes.
    ///
    /// # Errors
    /// The first of [`Config::route_faults`].
    pub fn check_routes(&self, routes: &[RouteConfig]) -> Result<(), SettingError> {
        let faults = self.route_faults(routes).into_iter();
        faults.take(1).try_for_each(|(_, error)| Err(error))
    }

    /// What contradicts the settings, with the index of the route. A container file has one schema, and JSON and values in
    /// requests are made with `AVRO_SCHEMA`, so with `DELIVERY_SCHEMA=writer` only single datums can be sent. The limits of
    /// a route may contradict each other together with the settings. Answers cannot be written to the topic, to the
    /// dead-letter topic or to the topic of reports.
    pub fn route_faults(&self, routes: &[RouteConfig]) -> Vec<(usize, SettingError)> {
        let mut faults = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let limits = self.limits_of(route);
            if limits.backoff_initial > limits.backoff_max {
                let error = format!(
                    "backoff_initial of route {:?} is longer than its backoff_max: \
                     each is the route's limit, or the setting",
                    route.name
                );
                faults.push((index, SettingError::Contradiction(error)));
            }
            for (member, topic) in route.answers.iter().flat_map(RouteAnswers::topics) {
                let used = if topic == self.kafka.topic {
                    "KAFKA_TOPIC: each answer would be read as a record"
                } else if topic == self.dead_letter_topic {
                    "DEAD_LETTER_TOPIC: each answer would be read as a dead letter"
                } else if Some(topic) == self.report_topic.as_deref() {
                    "REPORT_TOPIC: each answer would be read as a report"
                } else {
                    continue;
                };
                let error = format!("the {member} of route {:?} is {used}", route.name);
                faults.push((index, SettingError::Contradiction(error)));
            }
            if self.delivery_schema != DeliverySchema::Writer {
                continue;
            }
            let (has, remedy) = if !route.format.keeps_datums() {
                ("another format than avro".to_owned(), "format to avro")
            } else if route.reads_records() {
                let has = "values of the record in its url or headers".to_owned();
                (has, "url and headers to text without placeholders")
            } else if route.batch > 1 {
                (format!("a batch of {}", route.batch), "batch to 1")
            } else {
                continue;
            };
            let error = format!(
                "DELIVERY_SCHEMA is writer, and route {:?} has {has}: set DELIVERY_SCHEMA=reader, or {remedy}",
                route.name
            );
            faults.push((index, SettingError::Contradiction(error)));
        }
        faults
    }
}
