//! How to reach the broker: reads and validates the settings of the connection.

use crate::check;
use crate::settings::{
    KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_PROFILE, KAFKA_SASL_MECHANISM,
    KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION, KAFKA_TOPIC, KAFKA_USERNAME,
};
use runtime::secret::Secret;
use settings::{SettingError, Settings};

/// The size limit of a message on OCI Streaming, in bytes ("Limits on Streaming Resources").
pub const OCI_MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The most bytes of a record batch of several messages: the default of Java's client.
pub const MAX_BATCH_BYTES: usize = 16_384;

/// The features of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Apache Kafka: idempotent producer, headers, compression.
    Kafka,
    /// OCI Streaming: none of these, and connections are closed from time to time.
    Oci,
}

/// The validated settings of the connection. Client configurations are made from it:
/// [`KafkaSettings::producer_within`], [`KafkaSettings::reader`], [`KafkaSettings::member`],
/// [`KafkaSettings::dead_letter_producer`].
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// The bootstrap servers, `host:port,host:port`.
    pub bootstrap: String,
    /// The topic.
    pub topic: String,
    /// The features of the broker.
    pub profile: Profile,
    pub(crate) protocol: &'static str,
    pub(crate) mechanism: &'static str,
    pub(crate) username: Option<String>,
    /// True if the user name is a secret.
    pub(crate) hides_username: bool,
    pub(crate) password: Option<Secret>,
    pub(crate) ca_location: Option<String>,
}

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
            &[
                ("auto", None),
                ("kafka", Some(Profile::Kafka)),
                ("oci", Some(Profile::Oci)),
            ],
            "kafka, oci or auto",
        )?;
        let protocol = settings.choice(
            &KAFKA_SECURITY_PROTOCOL,
            &[
                (
                    "auto",
                    if username.is_some() {
                        "sasl_ssl"
                    } else {
                        "plaintext"
                    },
                ),
                ("plaintext", "plaintext"),
                ("ssl", "ssl"),
                ("sasl_plaintext", "sasl_plaintext"),
                ("sasl_ssl", "sasl_ssl"),
            ],
            "plaintext, ssl, sasl_plaintext, sasl_ssl or auto",
        )?;
        if protocol.starts_with("sasl") != username.is_some() {
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
        let mechanism = settings.choice(
            &KAFKA_SASL_MECHANISM,
            &[
                ("PLAIN", "PLAIN"),
                ("SCRAM-SHA-256", "SCRAM-SHA-256"),
                ("SCRAM-SHA-512", "SCRAM-SHA-512"),
            ],
            "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        )?;
        Ok(Self {
            profile: profile.unwrap_or_else(|| profile_of(&bootstrap)),
            bootstrap,
            topic: settings.parsed(&KAFKA_TOPIC, check::topic, check::TOPIC)?,
            protocol,
            mechanism,
            username,
            hides_username: settings.is_secret(&KAFKA_USERNAME),
            password,
            ca_location: match settings.optional(&KAFKA_SSL_CA_LOCATION) {
                Some(location) => Some(location.to_owned()),
                None if protocol.ends_with("ssl") => system_ca_location(),
                None => None,
            },
        })
    }
}

/// How a consumer group is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The consumer protocol (KIP-848): the broker assigns, and the first member has its partitions at once.
    Consumer,
    /// The classic protocol: an empty group waits three seconds for more members (`group.initial.rebalance.delay.ms`).
    Classic,
}

/// The location of the system's CA certificates, for which the linked OpenSSL has no default. `None` if `SSL_CERT_FILE` or
/// `SSL_CERT_DIR` is set, which OpenSSL reads itself.
fn system_ca_location() -> Option<String> {
    if openssl_probe::has_ssl_cert_env_vars() {
        return None;
    }
    let found = openssl_probe::probe();
    let location = found
        .cert_file
        .or_else(|| found.cert_dir.into_iter().next())?;
    location.into_os_string().into_string().ok()
}

/// The profile for these bootstrap servers. OCI Streaming's are `cell-1.streaming.<region>.oci.<domain>`; the FQDN of a
/// private pool contains `.streaming.` too.
fn profile_of(bootstrap: &str) -> Profile {
    let is_oci = |host: &str| host.contains(".streaming.") && host.contains(".oci.");
    if bootstrap.split(',').any(is_oci) {
        Profile::Oci
    } else {
        Profile::Kafka
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
        let settings = Settings::gather(&[&crate::settings::KAFKA], &[], lookup)
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
        let private = "abc.streaming.us-ashburn-1.oci.oraclecloud.com:9092";
        for (bootstrap, setting, expected) in [
            (STREAMING, "auto", Profile::Oci),
            (private, "auto", Profile::Oci),
            (STREAMING, "kafka", Profile::Kafka),
            ("localhost:9092", "auto", Profile::Kafka),
            ("localhost:9092", "oci", Profile::Oci),
            ("kafka.streaming.example.com:9092", "auto", Profile::Kafka),
        ] {
            assert_eq!(
                profile(bootstrap, setting).await,
                expected,
                "{bootstrap} {setting}"
            );
        }
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
