//! The names that `config.properties` may contain.
//!
//! All programs read the same file, and each program declares only its own settings. A line for another program is not
//! an error; a line whose name no program declares is. This list distinguishes the two. The
//! [`settings!`](crate::settings!) macro does not compile a setting whose name is missing here.

/// Every name and alias of a setting, of all programs.
pub const NAMES: &[&str] = &[
    "api_max_keys",
    "api_max_records",
    "api_title",
    "api_type_a_token",
    "api_type_a_url",
    "api_type_b_token",
    "api_type_b_url",
    "auth_token",
    "avro_schema",
    "avro_schemas",
    "backoff_initial",
    "backoff_max",
    "caller_jwt_audience",
    "caller_jwt_ca_location",
    "caller_jwt_issuer",
    "caller_jwt_jwks_url",
    "caller_jwt_scope",
    "caller_ssl_names",
    "caller_tokens",
    "caller_webhook_secrets",
    "circuit_cool_down",
    "circuit_failure_threshold",
    "circuit_max_probes",
    "concurrent_runs",
    "config_location",
    "connections_max_idle",
    "dead_letter_envelope",
    "dead_letter_max_ratio",
    "dead_letter_min_count",
    "dead_letter_topic",
    "deadline",
    "delivery_schema",
    "give_up_after",
    "kafka_aws_region",
    "kafka_bootstrap_servers",
    "kafka_bootstrapserver",
    "kafka_client",
    "kafka_compression",
    "kafka_group_id",
    "kafka_group_protocol",
    "kafka_headers",
    "kafka_key",
    "kafka_key_field",
    "kafka_password",
    "kafka_profile",
    "kafka_sasl_mechanism",
    "kafka_sasl_oauthbearer_audience",
    "kafka_sasl_oauthbearer_ca_location",
    "kafka_sasl_oauthbearer_client_id",
    "kafka_sasl_oauthbearer_client_secret",
    "kafka_sasl_oauthbearer_extensions",
    "kafka_sasl_oauthbearer_scope",
    "kafka_sasl_oauthbearer_token_endpoint_auth_method",
    "kafka_sasl_oauthbearer_token_endpoint_url",
    "kafka_security_protocol",
    "kafka_ssl_ca_location",
    "kafka_ssl_certificate",
    "kafka_ssl_endpoint_identification_algorithm",
    "kafka_ssl_key",
    "kafka_ssl_key_password",
    "kafka_ssl_keystore_location",
    "kafka_ssl_keystore_password",
    "kafka_timestamp",
    "kafka_topic",
    "kafka_username",
    "listen",
    "listen_ssl_ca_location",
    "listen_ssl_certificate",
    "listen_ssl_key",
    "log_format",
    "log_level",
    "max_attempts",
    "max_body",
    "max_decoded",
    "max_in_flight",
    "max_message",
    "max_records",
    "max_uncommitted",
    "metrics_file",
    "metrics_pushgateway",
    "metrics_pushgateway_password",
    "metrics_pushgateway_username",
    "metrics_token",
    "oci_auth",
    "oci_config_file",
    "oci_default_realm",
    "oci_endpoint",
    "oci_metadata_base_url",
    "oci_profile",
    "oci_region",
    "oci_timeout",
    "on_data_loss",
    "order",
    "otel",
    "publish_timeout",
    "rate_limit",
    "report_topic",
    "request_timeout",
    "routes",
    "schema_registry_auto_register",
    "schema_registry_oauth_client_id",
    "schema_registry_oauth_client_secret",
    "schema_registry_oauth_scope",
    "schema_registry_oauth_token_url",
    "schema_registry_password",
    "schema_registry_ssl_ca_location",
    "schema_registry_ssl_certificate",
    "schema_registry_ssl_key",
    "schema_registry_subject_strategy",
    "schema_registry_timeout",
    "schema_registry_token",
    "schema_registry_url",
    "schema_registry_username",
    "secret_refresh_interval",
    "shutdown_timeout",
    "start_timeout",
    "status_listen",
    "status_token",
    "store_as",
    "tombstones",
    "unmatched",
    "window_end",
    "window_max_bytes",
    "window_max_records",
    "window_start",
];

/// The settings that are families: what follows the name and `_` is the name of a property.
const FAMILIES: &[&str] = &["kafka_client", "otel"];

/// A name as it is listed: in lower case, with underscores instead of the dots of a client's properties.
pub(crate) fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace('.', "_")
}

/// Whether a [normalized] name is a property of a family.
pub(crate) fn is_property(name: &str) -> bool {
    FAMILIES.iter().any(|family| {
        let rest = name
            .strip_prefix(family)
            .and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|rest| !rest.is_empty())
    })
}

/// Whether a property holds a secret, judged by its name.
pub fn is_secret_property(name: &str) -> bool {
    let words = [
        "headers", "jaas", "key.pem", "key_pem", "password", "secret", "token",
    ];
    words.iter().any(|word| name.contains(word))
}

/// Names that settings had in earlier versions, and the settings' present names.
pub const OLD_NAMES: &[(&str, &str)] = &[
    ("api_keep", "api_max_records"),
    ("api_keys", "api_max_keys"),
    ("api_token", "caller_tokens"),
    ("attempts", "max_attempts"),
    ("backoff", "backoff_initial"),
    ("circuit_failures", "circuit_failure_threshold"),
    ("circuit_probes", "circuit_max_probes"),
    ("connection_idle", "connections_max_idle"),
    ("grace", "shutdown_timeout"),
    ("in_flight", "max_in_flight"),
    ("kafka_ca_location", "kafka_ssl_ca_location"),
    ("kafka_group", "kafka_group_id"),
    ("overlap", "concurrent_runs"),
    ("poison_min", "dead_letter_min_count"),
    ("poison_share", "dead_letter_max_ratio"),
    ("rate", "rate_limit"),
    ("secret_refresh", "secret_refresh_interval"),
    ("uncommitted", "max_uncommitted"),
    ("window_bytes", "window_max_bytes"),
    ("window_from", "window_start"),
    ("window_records", "window_max_records"),
    ("window_until", "window_end"),
];

/// Whether [`NAMES`] contains this name. A constant function, so that the macro checks it during compilation.
pub const fn is_listed(name: &str) -> bool {
    let mut index = 0;
    while index < NAMES.len() {
        if is_equal(NAMES[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_equal(left: &[u8], right: &[u8]) -> bool {
    let mut index = 0;
    while index < left.len() && index < right.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    left.len() == right.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_in_lower_case() {
        assert!(NAMES.is_sorted_by(|left, right| left < right));
        for name in NAMES {
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
            assert!(is_listed(name), "{name}");
        }
        for other in ["", "kafka", "kafka_topics", "KAFKA_TOPIC"] {
            assert!(!is_listed(other), "{other}");
        }
    }
}
