//! The settings of a Kafka connection.

settings::settings! {
    [KAFKA = "Kafka"]
    KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The bootstrap servers, as host:port,host:port.";
    KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The topic that the ingest function writes and the job reads.";
    #[user] KAFKA_USERNAME = "kafka_username", "The SASL user name. Unset: no authentication.";
    #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password; on OCI Streaming the user's auth token.";
    KAFKA_PROFILE = "kafka_profile" or "auto", "The features of the broker: kafka, oci (no idempotent producer, no compression), or auto (oci for the host names of OCI Streaming).";
    KAFKA_SECURITY_PROTOCOL = "kafka_security_protocol" or "auto", "plaintext, ssl, sasl_plaintext, sasl_ssl, or auto (sasl_ssl with a user name, else plaintext).";
    KAFKA_SASL_MECHANISM = "kafka_sasl_mechanism" or "PLAIN", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.";
    KAFKA_SSL_CA_LOCATION = "kafka_ssl_ca_location", "A PEM file with the CA certificates that sign the broker's certificate. Unset: those of the system.";
}
