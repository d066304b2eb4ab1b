//! How to reach the broker: reads and validates the settings of the connection.

use crate::check;
use crate::msk_iam::{self, AWS_MSK_IAM};
use crate::oauth;
pub use crate::profile::Profile;
use crate::properties::ClientProperty;
use crate::settings::{
    KAFKA_BOOTSTRAP_SERVERS, KAFKA_COMPRESSION, KAFKA_PASSWORD, KAFKA_PROFILE,
    KAFKA_SASL_MECHANISM, KAFKA_SECURITY_PROTOCOL, KAFKA_TOPIC, KAFKA_USERNAME,
};
use crate::tls::ClientTls;
use crate::tokens::Tokens;
use runtime::secret::Secret;
use settings::{SettingError, Settings};

/// The size limit of a message on OCI Streaming, in bytes ("Limits on Streaming Resources").
pub const OCI_MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The most bytes of a record batch of several messages: the default of Java's client.
pub const MAX_BATCH_BYTES: usize = 16_384;

/// The validated settings of the connection. Client configurations are made from it:
/// [`KafkaSettings::producer_within`], [`KafkaSettings::reader`], [`KafkaSettings::member`],
/// [`KafkaSettings::dead_letter_producer`].
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// The bootstrap servers, `host:port,host:port`.
    pub bootstrap: String,
    /// The topic.
    pub topic: String,
    /// The kind of broker.
    pub profile: Profile,
    pub(crate) protocol: &'static str,
    pub(crate) mechanism: &'static str,
    pub(crate) username: Option<String>,
    /// True if the user name is a secret.
    pub(crate) hides_username: bool,
    pub(crate) password: Option<Secret>,
    /// The settings of TLS, used if the protocol has it.
    pub tls: ClientTls,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) compression: &'static str,
    pub(crate) properties: Vec<ClientProperty>,
}

/// The mechanism of the protocol for all tokens.
pub(crate) const OAUTHBEARER: &str = "OAUTHBEARER";

impl KafkaSettings {
    /// Reads and validates the settings.
    ///
    /// # Errors
    /// A setting is missing or malformed, or contradicts another.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let bootstrap = settings.parsed(
            &KAFKA_BOOTSTRAP_SERVERS,
            check::bootstrap_servers,
            check::BOOTSTRAP_SERVERS,
        )?;
        let username = settings.optional(&KAFKA_USERNAME).map(str::to_owned);
        let password = settings.secret(&KAFKA_PASSWORD);
        if username.is_some() != password.is_some() {
            return Err(SettingError::Contradiction(
                "KAFKA_USERNAME and KAFKA_PASSWORD go together: set both or neither".to_owned(),
            ));
        }
        let profile = settings.choice(
            &KAFKA_PROFILE,
            &Profile::CHOICES,
            "kafka, oci-streaming, oci-kafka, msk, confluent or auto",
        )?;
        let profile = profile.unwrap_or_else(|| Profile::of(&bootstrap));
        let mechanism = settings.choice(
            &KAFKA_SASL_MECHANISM,
            &[
                (
                    "auto",
                    match username.is_some() {
                        _ if oauth::is_set(settings) => OAUTHBEARER,
                        false if profile.has_iam(&bootstrap) => AWS_MSK_IAM,
                        _ => profile.mechanism(),
                    },
                ),
                ("PLAIN", "PLAIN"),
                ("SCRAM-SHA-256", "SCRAM-SHA-256"),
                ("SCRAM-SHA-512", "SCRAM-SHA-512"),
                (OAUTHBEARER, OAUTHBEARER),
                (AWS_MSK_IAM, AWS_MSK_IAM),
            ],
            "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM or auto",
        )?;
        let has_tokens = matches!(mechanism, OAUTHBEARER | AWS_MSK_IAM);
        if has_tokens && username.is_some() {
            return Err(SettingError::Contradiction(format!(
                "KAFKA_USERNAME is set, but KAFKA_SASL_MECHANISM is {mechanism}"
            )));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let tokens = match mechanism {
            OAUTHBEARER => Some(oauth::tokens(settings)?),
            AWS_MSK_IAM => Some(msk_iam::tokens(settings, &bootstrap, &variable)?),
            _ => None,
        };
        let tls = ClientTls::from_settings(settings)?;
        let protocol = settings.choice(
            &KAFKA_SECURITY_PROTOCOL,
            &[
                (
                    "auto",
                    match username.is_some() || has_tokens {
                        true => "sasl_ssl",
                        false if tls.has_certificate() || profile.has_tls(&bootstrap) => "ssl",
                        false => "plaintext",
                    },
                ),
                ("plaintext", "plaintext"),
                ("ssl", "ssl"),
                ("sasl_plaintext", "sasl_plaintext"),
                ("sasl_ssl", "sasl_ssl"),
            ],
            "plaintext, ssl, sasl_plaintext, sasl_ssl or auto",
        )?;
        if protocol.starts_with("sasl") != (username.is_some() || has_tokens) {
            return Err(SettingError::Contradiction(format!(
                "KAFKA_SECURITY_PROTOCOL is {protocol}, {} KAFKA_USERNAME is {}",
                if username.is_some() {
                    "but"
                } else {
                    "which needs a user, but"
                },
                if username.is_some() { "set" } else { "not set" },
            )));
        }
        if tls.has_certificate() && !protocol.ends_with("ssl") {
            return Err(SettingError::Contradiction(format!(
                "KAFKA_SECURITY_PROTOCOL is {protocol}, but KAFKA_SSL_CERTIFICATE is set"
            )));
        }
        if tls.accepts_any_name() {
            tracing::warn!(
                "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM=none: the broker's host name is not verified"
            );
        }
        let kafka = Self {
            profile,
            bootstrap,
            topic: settings.parsed(&KAFKA_TOPIC, check::topic, check::TOPIC)?,
            protocol,
            mechanism,
            username,
            hides_username: settings.is_secret(&KAFKA_USERNAME),
            password,
            tls,
            tokens,
            compression: compression(settings, profile)?,
            properties: ClientProperty::all(settings)?,
        };
        kafka.check_properties()?;
        Ok(kafka)
    }
}

fn compression(settings: &Settings, profile: Profile) -> Result<&'static str, SettingError> {
    let names = ["none", "gzip", "snappy", "lz4", "zstd"].map(|name| (name, name));
    let compression = settings.choice(
        &KAFKA_COMPRESSION,
        &names,
        "none, gzip, snappy, lz4 or zstd",
    )?;
    if compression != "none" && !profile.has_compression() {
        return Err(SettingError::Contradiction(format!(
            "KAFKA_COMPRESSION is {compression}, and OCI Streaming documents no compression: set KAFKA_COMPRESSION=none"
        )));
    }
    Ok(compression)
}

/// How a consumer group is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The consumer protocol (KIP-848): the broker assigns, and the first member has its partitions at once.
    Consumer,
    /// The classic protocol: an empty group waits three seconds for more members (`group.initial.rebalance.delay.ms`).
    Classic,
}

#[cfg(test)]
pub(crate) mod tests {
    use settings::Group;
    use settings::common::EVERY_PROGRAM;

    use super::*;

    static GROUPS: [&Group; 2] = [&EVERY_PROGRAM, &crate::settings::KAFKA];

    pub(crate) const STREAMING: &str = "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092";

    pub(crate) async fn kafka(environment: &[(&str, &str)]) -> Result<KafkaSettings, String> {
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        let settings = Settings::gather(&GROUPS, &[], lookup)
            .await
            .map_err(|error| error.to_string())?;
        KafkaSettings::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn reports_missing_bootstrap_servers_in_one_sentence() {
        assert_eq!(
            kafka(&[]).await.unwrap_err(),
            "KAFKA_BOOTSTRAP_SERVERS is not set: The bootstrap servers, as host:port,host:port."
        );
    }

    #[tokio::test]
    async fn chooses_the_profile_by_its_setting_or_by_the_host_name() {
        let profile = async |bootstrap, setting| {
            let variables = [
                ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
                ("KAFKA_PROFILE", setting),
            ];
            kafka(&variables).await.unwrap().profile
        };
        for (bootstrap, setting, expected) in [
            (STREAMING, "auto", Profile::OciStreaming),
            (STREAMING, "kafka", Profile::Kafka),
            ("localhost:9092", "auto", Profile::Kafka),
            ("localhost:9092", "oci", Profile::OciStreaming),
            ("localhost:9092", "oci-streaming", Profile::OciStreaming),
        ] {
            assert_eq!(
                profile(bootstrap, setting).await,
                expected,
                "{bootstrap} {setting}"
            );
        }
    }

    #[tokio::test]
    async fn compression_is_refused_where_it_is_not_documented() {
        let with = async |bootstrap, compression| {
            let settings = [
                ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
                ("KAFKA_COMPRESSION", compression),
            ];
            kafka(&settings).await.map(|kafka| {
                let producer = kafka.dead_letter_producer(std::time::Duration::from_secs(1));
                producer.get("compression.type").map(str::to_owned)
            })
        };
        for compression in ["gzip", "snappy", "lz4", "zstd"] {
            let error = with(STREAMING, compression).await.unwrap_err();
            let reason = format!("KAFKA_COMPRESSION is {compression}, and OCI Streaming documents");
            assert!(error.starts_with(&reason), "{error}");
            let accepted = with("localhost:9092", compression).await;
            assert_eq!(accepted, Ok(Some(compression.to_owned())));
        }
        assert_eq!(with(STREAMING, "none").await, Ok(Some("none".to_owned())));
    }

    #[tokio::test]
    async fn rejects_a_user_name_without_a_password() {
        let error = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "b:1"), ("KAFKA_USERNAME", "u")])
            .await
            .unwrap_err();
        assert_eq!(
            error,
            "KAFKA_USERNAME and KAFKA_PASSWORD go together: set both or neither"
        );
    }
}
