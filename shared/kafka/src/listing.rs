//! The effective properties of a client, each with its source. Pure.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use runtime::secret::Secret;
use settings::names::is_secret_property;

use crate::config::KafkaSettings;
use crate::profile::Clients;
use crate::settings::KAFKA_SSL_KEYSTORE_LOCATION;

/// A property of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedProperty {
    /// librdkafka's name.
    pub name: String,
    /// The value as librdkafka spells it; a secret is `[redacted]`.
    pub value: String,
    /// A setting, a profile, or the program.
    pub source: String,
}

/// The properties that have a setting, and the setting.
const SETTINGS: [(&str, &str); 14] = [
    ("bootstrap.servers", "KAFKA_BOOTSTRAP_SERVERS"),
    ("compression.type", "KAFKA_COMPRESSION"),
    ("group.id", "KAFKA_GROUP_ID"),
    ("group.protocol", "KAFKA_GROUP_PROTOCOL"),
    ("sasl.mechanism", "KAFKA_SASL_MECHANISM"),
    ("sasl.password", "KAFKA_PASSWORD"),
    ("sasl.username", "KAFKA_USERNAME"),
    ("security.protocol", "KAFKA_SECURITY_PROTOCOL"),
    ("ssl.ca.location", "KAFKA_SSL_CA_LOCATION"),
    ("ssl.ca.pem", "KAFKA_SSL_CA_LOCATION"),
    ("ssl.certificate.pem", "KAFKA_SSL_CERTIFICATE"),
    (
        "ssl.endpoint.identification.algorithm",
        "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
    ),
    ("ssl.key.password", "KAFKA_SSL_KEY_PASSWORD"),
    ("ssl.key.pem", "KAFKA_SSL_KEY"),
];

impl KafkaSettings {
    /// The properties that a configuration sets, sorted by name. All others have librdkafka's defaults.
    ///
    /// # Errors
    /// librdkafka rejects a value.
    pub fn listing(&self, config: &ClientConfig) -> KafkaResult<Vec<ListedProperty>> {
        let native = config.create_native_config()?;
        let mut lines = Vec::new();
        for name in config.config_map().keys() {
            let property = self
                .properties
                .iter()
                .find(|property| property.name == *name);
            let is_secret = is_secret_property(name)
                || property.is_some_and(|property| property.is_secret)
                || (*name == "sasl.username" && self.hides_username);
            let value = match is_secret {
                true => Secret::new("").to_string(),
                false => native.get(name)?,
            };
            lines.push(ListedProperty {
                name: (*name).to_owned(),
                value,
                source: self.source_of(config, name),
            });
        }
        lines.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(lines)
    }

    fn source_of(&self, config: &ClientConfig, name: &str) -> String {
        let value = config.get(name);
        let property = self
            .properties
            .iter()
            .find(|property| property.name == name && value == Some(property.value.reveal()));
        if let Some(property) = property {
            return property.variable.clone();
        }
        let profile = self.profile;
        let mut of_profile = [Clients::Producers, Clients::Readers]
            .into_iter()
            .flat_map(|clients| profile.properties(clients));
        if of_profile.any(|(known, text)| known == name && value == Some(text)) {
            return format!("profile {profile}");
        }
        let keystore = &KAFKA_SSL_KEYSTORE_LOCATION;
        if matches!(name, "ssl.certificate.pem" | "ssl.key.pem") && self.tls.has_keystore() {
            return keystore.variable();
        }
        let setting = SETTINGS.iter().find(|(known, _)| *known == name);
        setting.map_or("program", |(_, setting)| setting).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::MAX_BATCH_BYTES;
    use crate::config::tests::{STREAMING, kafka};

    #[tokio::test]
    async fn configures_only_what_oci_streaming_supports() {
        let oci = kafka(&[
            ("KAFKA_BOOTSTRAP_SERVERS", STREAMING),
            ("KAFKA_USERNAME", "tenancy/user/pool"),
            ("KAFKA_PASSWORD", "canary"),
        ])
        .await
        .unwrap();
        let config = oci.producer_within(Duration::from_secs(1), MAX_BATCH_BYTES);
        let lines = oci.listing(&config).unwrap();
        for (name, value, source) in [
            ("security.protocol", "sasl_ssl", "KAFKA_SECURITY_PROTOCOL"),
            ("sasl.mechanism", "PLAIN", "KAFKA_SASL_MECHANISM"),
            ("sasl.username", "tenancy/user/pool", "KAFKA_USERNAME"),
            ("sasl.password", "[redacted]", "KAFKA_PASSWORD"),
            ("enable.idempotence", "false", "profile oci-streaming"),
            ("acks", "-1", "program"),
            ("compression.type", "none", "KAFKA_COMPRESSION"),
            ("socket.keepalive.enable", "true", "program"),
            ("retry.backoff.ms", "50", "profile oci-streaming"),
        ] {
            let line = lines.iter().find(|line| line.name == name).unwrap();
            assert_eq!((&*line.value, &*line.source), (value, source), "{name}");
        }
        assert!(!format!("{lines:?} {oci:?}").contains("canary"));
    }
}
