//! The properties of the Kafka clients of a run.

use std::time::Duration;

use kafka::listing::ListedProperty;
use kafka::tokens::ClientProperties;
use rdkafka::error::KafkaResult;

use super::Config;
use crate::route_config::RouteConfig;

impl Config {
    /// The configuration of the dead-letter producer. At least five seconds, since a short shutdown timeout is meant for
    /// hanging requests and not for the broker.
    pub fn dead_letter_producer(&self) -> ClientProperties {
        let timeout = self.shutdown_timeout.max(Duration::from_secs(5));
        self.kafka.dead_letter_producer(timeout)
    }

    /// The properties of each Kafka client of a run, by librdkafka's names, with secrets redacted.
    ///
    /// # Errors
    /// librdkafka rejects a value.
    pub fn kafka_listing(&self, routes: &[RouteConfig]) -> KafkaResult<String> {
        let kafka = &self.kafka;
        let protocol = self
            .group_protocol
            .unwrap_or_else(|| kafka.best_group_protocol());
        let clients = [
            ("reader", kafka.reader(&self.group)),
            (
                "group member",
                kafka.member(&self.group, protocol, self.settling(routes)),
            ),
            ("dead-letter producer", self.dead_letter_producer()),
        ];
        let mut text = String::new();
        for (name, config) in clients {
            text.push_str(&format!(
                "# {name}; other properties have librdkafka's defaults\n"
            ));
            for property in kafka.listing(&config)? {
                let ListedProperty {
                    name,
                    value,
                    source,
                } = property;
                text.push_str(&format!("{name}={value} ({source})\n"));
            }
            text.push('\n');
        }
        Ok(text)
    }
}
