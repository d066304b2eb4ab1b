//! What is known about a kind of broker: which features it has, and properties that differ for it. Pure.

use std::fmt;

use crate::config::GroupProtocol;

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Apache Kafka.
    Kafka,
    /// OCI Streaming: no idempotent producer, and neither headers nor compression are documented.
    OciStreaming,
    /// OCI Streaming with Apache Kafka: Apache Kafka that Oracle operates.
    OciKafka,
    /// Amazon Managed Streaming for Apache Kafka.
    Msk,
    /// Confluent Cloud.
    Confluent,
}

/// The ports of Amazon MSK ("Port information"): inside its network, public, and with IPv6.
const MSK_TLS: [u16; 3] = [9094, 9194, 20094];
const MSK_IAM: [u16; 3] = [9098, 9198, 20098];

impl Profile {
    /// The values of `KAFKA_PROFILE`, with `auto` and the former name `oci`.
    pub(crate) const CHOICES: [(&'static str, Option<Self>); 7] = [
        ("auto", None),
        ("kafka", Some(Self::Kafka)),
        ("oci-streaming", Some(Self::OciStreaming)),
        ("oci", Some(Self::OciStreaming)),
        ("oci-kafka", Some(Self::OciKafka)),
        ("msk", Some(Self::Msk)),
        ("confluent", Some(Self::Confluent)),
    ];

    /// The profile for these bootstrap servers. The first server whose host name is known decides.
    pub(crate) fn of(bootstrap: &str) -> Self {
        let known = bootstrap
            .split(',')
            .find_map(|server| Self::of_host(host(server)));
        known.unwrap_or(Self::Kafka)
    }

    fn of_host(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        if host.contains(".streaming.") && host.contains(".oci.") {
            // `cell-1.streaming.<region>.oci.<domain>`; the FQDN of a private pool contains `.streaming.` too.
            Some(Self::OciStreaming)
        } else if host.contains(".kafka.") && host.contains(".oci.") {
            // `bootstrap-clstr-<id>.kafka.<region>.oci.<domain>`.
            Some(Self::OciKafka)
        } else if is_aws && (host.contains(".kafka.") || host.contains(".kafka-serverless.")) {
            Some(Self::Msk)
        } else if host.ends_with(".confluent.cloud") {
            Some(Self::Confluent)
        } else {
            None
        }
    }

    /// Whether compressed batches are documented.
    pub(crate) fn has_compression(self) -> bool {
        self != Self::OciStreaming
    }

    /// The protocol of a group to try first. OCI Streaming has the group management of Kafka 0.10.
    pub(crate) fn group_protocol(self) -> GroupProtocol {
        match self {
            Self::OciStreaming => GroupProtocol::Classic,
            _ => GroupProtocol::Consumer,
        }
    }

    /// Whether a connection without credentials uses TLS.
    pub(crate) fn has_tls(self, bootstrap: &str) -> bool {
        self == Self::Msk && has_port(bootstrap, MSK_TLS)
    }

    /// Whether clients authenticate with credentials of AWS, if they have no others.
    pub(crate) fn has_iam(self, bootstrap: &str) -> bool {
        self == Self::Msk && has_port(bootstrap, MSK_IAM)
    }

    /// The SASL mechanism of a user name, if none is set. Oracle, "Configuring SASL/SCRAM", and AWS, "Sign-in credentials
    /// authentication with AWS Secrets Manager": SCRAM-SHA-512. Oracle, "Using Kafka APIs", and Confluent Cloud: PLAIN.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::OciKafka | Self::Msk => "SCRAM-SHA-512",
            Self::Kafka | Self::OciStreaming | Self::Confluent => "PLAIN",
        }
    }

    /// The properties of every client, and those of one kind of client.
    pub(crate) fn properties(
        self,
        clients: Clients,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = PROPERTIES.iter().filter(move |property| {
            property.profile == self && [Clients::All, clients].contains(&property.clients)
        });
        all.map(|property| (property.name, property.value))
    }
}

/// The clients that have a property of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Every client.
    All,
    /// Producers.
    Producers,
    /// Readers.
    Readers,
}

/// A property of librdkafka that a profile sets.
struct ProfileProperty {
    profile: Profile,
    clients: Clients,
    name: &'static str,
    value: &'static str,
    /// The source, or the reason if the value is a choice of this program.
    why: &'static str,
}

const PROPERTIES: [ProfileProperty; 6] = [
    ProfileProperty {
        profile: Profile::OciStreaming,
        clients: Clients::Producers,
        name: "enable.idempotence",
        value: "false",
        why: "Oracle, \"Kafka Compatibility\": idempotent producers are not implemented.",
    },
    ProfileProperty {
        profile: Profile::OciStreaming,
        clients: Clients::Producers,
        name: "retry.backoff.ms",
        value: "50",
        why: "A choice: the service closes connections to spread the load (\"Kafka Compatibility\"); what was in flight is \
              retried soon.",
    },
    ProfileProperty {
        profile: Profile::OciStreaming,
        clients: Clients::Readers,
        name: "max.partition.fetch.bytes",
        value: "1048576",
        why: "Oracle, \"Using Kafka APIs\".",
    },
    ProfileProperty {
        profile: Profile::OciStreaming,
        clients: Clients::Readers,
        name: "fetch.wait.max.ms",
        value: "250",
        why: "Oracle, \"Limits on Streaming Resources\": five reads a second for each partition and group.",
    },
    ProfileProperty {
        profile: Profile::Msk,
        clients: Clients::All,
        name: "reconnect.backoff.ms",
        value: "1000",
        why: "AWS, \"Amazon MSK quota\": the rate of new connections with IAM is limited.",
    },
    ProfileProperty {
        profile: Profile::Msk,
        clients: Clients::All,
        name: "reconnect.backoff.max.ms",
        value: "10000",
        why: "A choice, for the same limit: librdkafka's default.",
    },
];

/// The table of the profiles for docs/CONFIGURATION.md.
pub fn markdown() -> String {
    let mut text = "| profile | mechanism with a user name | property | clients | value | source or reason |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for (name, profile) in Profile::CHOICES {
        let Some(profile) = profile.filter(|profile| profile.to_string() == name) else {
            continue;
        };
        let mechanism = profile.mechanism();
        let of_profile = PROPERTIES
            .iter()
            .filter(|property| property.profile == profile);
        let rows: Vec<String> = of_profile
            .map(|property| {
                let clients = match property.clients {
                    Clients::All => "all",
                    Clients::Producers => "producers",
                    Clients::Readers => "readers",
                };
                let (name, value, why) = (property.name, property.value, property.why);
                format!("`{name}` | {clients} | `{value}` | {why}")
            })
            .collect();
        if rows.is_empty() {
            text += &format!("| `{name}` | {mechanism} | none | | | |\n");
        }
        for row in rows {
            text += &format!("| `{name}` | {mechanism} | {row} |\n");
        }
    }
    text
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kafka => "kafka",
            Self::OciStreaming => "oci-streaming",
            Self::OciKafka => "oci-kafka",
            Self::Msk => "msk",
            Self::Confluent => "confluent",
        })
    }
}

/// The AWS region in the host name of a server of Amazon MSK.
pub(crate) fn aws_region(bootstrap: &str) -> Option<&str> {
    let region = |server| {
        let host = host(server);
        let host = host.strip_suffix(".cn").unwrap_or(host);
        let (rest, region) = host.strip_suffix(".amazonaws.com")?.rsplit_once('.')?;
        let is_kafka = rest.ends_with(".kafka") || rest.ends_with(".kafka-serverless");
        is_kafka.then_some(region)
    };
    bootstrap.split(',').find_map(region)
}

fn host(server: &str) -> &str {
    server.rsplit_once(':').map_or(server, |(host, _)| host)
}

fn has_port(bootstrap: &str, ports: [u16; 3]) -> bool {
    let port = |server: &str| server.rsplit_once(':')?.1.parse().ok();
    let mut servers = bootstrap.split(',');
    servers.any(|server| port(server).is_some_and(|port: u16| ports.contains(&port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_selects_the_profile() {
        for (bootstrap, expected) in [
            (
                "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092",
                Profile::OciStreaming,
            ),
            (
                "abc.streaming.us-ashburn-1.oci.oraclecloud.com:9092",
                Profile::OciStreaming,
            ),
            (
                "bootstrap-clstr-a1.kafka.us-chicago-1.oci.oraclecloud.com:9092",
                Profile::OciKafka,
            ),
            (
                "b-1.demo.a1b2c3.c2.kafka.us-east-1.amazonaws.com:9098",
                Profile::Msk,
            ),
            (
                "boot-a.c1.kafka-serverless.us-east-1.amazonaws.com:9098",
                Profile::Msk,
            ),
            (
                "pkc-a1.us-east-1.aws.confluent.cloud:9092",
                Profile::Confluent,
            ),
            ("localhost:9092", Profile::Kafka),
            ("kafka.streaming.example.com:9092", Profile::Kafka),
            (
                "kafka.example.com:9092,confluent.cloud.example.com",
                Profile::Kafka,
            ),
        ] {
            assert_eq!(Profile::of(bootstrap), expected, "{bootstrap}");
        }
    }

    #[test]
    fn each_profile_is_a_value_of_the_setting() {
        for (name, profile) in Profile::CHOICES {
            let Some(profile) = profile else { continue };
            assert!(name == "oci" || name == profile.to_string(), "{name}");
        }
    }

    #[test]
    fn the_port_of_msk_selects_tls_and_authentication() {
        assert!(Profile::Msk.has_tls("b-1:9094"));
        assert!(!Profile::Msk.has_tls("b-1:9092"));
        assert!(Profile::Msk.has_iam("b-1:9098") && Profile::Msk.has_iam("b-1:9198"));
        assert!(!Profile::Msk.has_iam("b-1:9096"));
        assert!(!Profile::Kafka.has_iam("b-1:9098"));
    }

    #[test]
    fn the_host_name_of_msk_has_the_region() {
        for (host, expected) in [
            (
                "b-1.demo.a1.c2.kafka.us-east-1.amazonaws.com:9098",
                Some("us-east-1"),
            ),
            (
                "boot-a.c1.kafka-serverless.eu-west-1.amazonaws.com:9098",
                Some("eu-west-1"),
            ),
            (
                "b-1.demo.a1.c2.kafka.cn-north-1.amazonaws.com.cn:9098",
                Some("cn-north-1"),
            ),
            ("b-1.example:9098", None),
            ("sqs.us-east-1.amazonaws.com:443", None),
        ] {
            assert_eq!(aws_region(host), expected, "{host}");
        }
    }
}
