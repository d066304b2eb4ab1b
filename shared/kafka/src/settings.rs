//! The settings of a Kafka connection.

settings::settings! {
    [KAFKA = "Kafka"]
    KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The bootstrap servers, as host:port,host:port.";
    KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The topic that the ingest function writes and the job reads.";
    #[user] KAFKA_USERNAME = "kafka_username", "The SASL user name. Unset: no authentication.";
    #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password; on OCI Streaming the user's auth token.";
    KAFKA_PROFILE = "kafka_profile" or "auto", "The kind of broker: kafka, oci-streaming (or oci), oci-kafka, msk, confluent, or auto (by the host name).";
    KAFKA_SECURITY_PROTOCOL = "kafka_security_protocol" or "auto", "plaintext, ssl, sasl_plaintext, sasl_ssl, or auto: sasl_ssl with a user name or tokens, ssl with a client certificate or on a TLS port of Amazon MSK, else plaintext.";
    KAFKA_SASL_MECHANISM = "kafka_sasl_mechanism" or "auto", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM, or auto: OAUTHBEARER with a token endpoint, AWS_MSK_IAM on the ports 9098 and 9198 of Amazon MSK, else that of the profile.";
    KAFKA_AWS_REGION = "kafka_aws_region", "The region of the cluster, for AWS_MSK_IAM. Unset: that of the host name, or AWS_REGION.";
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL = "kafka_sasl_oauthbearer_token_endpoint_url", "The token endpoint of the authorization server whose access tokens authenticate the clients (client credentials).";
    KAFKA_SASL_OAUTHBEARER_CLIENT_ID = "kafka_sasl_oauthbearer_client_id", "The client id for the token endpoint.";
    #[secret] KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET = "kafka_sasl_oauthbearer_client_secret", "The client secret for the token endpoint.";
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_AUTH_METHOD = "kafka_sasl_oauthbearer_token_endpoint_auth_method" or "client_secret_basic", "Where the request for a token has the client secret: client_secret_basic (header Authorization) or client_secret_post (body).";
    KAFKA_SASL_OAUTHBEARER_SCOPE = "kafka_sasl_oauthbearer_scope", "The scope to request.";
    KAFKA_SASL_OAUTHBEARER_AUDIENCE = "kafka_sasl_oauthbearer_audience", "The audience to request, for authorization servers that require the parameter.";
    KAFKA_SASL_OAUTHBEARER_EXTENSIONS = "kafka_sasl_oauthbearer_extensions", "SASL extensions (KIP-342), as name=value,name=value.";
    KAFKA_SASL_OAUTHBEARER_CA_LOCATION = "kafka_sasl_oauthbearer_ca_location", "CA certificates for the token endpoint in addition to those of the system: a PEM file or PEM text.";
    KAFKA_SSL_CA_LOCATION = "kafka_ssl_ca_location", "The CA certificates that sign the broker's certificate: a PEM file, a directory, or PEM text. Unset: those of the system.";
    KAFKA_SSL_CERTIFICATE = "kafka_ssl_certificate", "The client certificate with its chain, as PEM text or the path of a PEM file.";
    #[secret] KAFKA_SSL_KEY = "kafka_ssl_key", "The private key of KAFKA_SSL_CERTIFICATE, as PEM text or the path of a PEM file.";
    #[secret] KAFKA_SSL_KEY_PASSWORD = "kafka_ssl_key_password", "The pass phrase of KAFKA_SSL_KEY.";
    KAFKA_SSL_KEYSTORE_LOCATION = "kafka_ssl_keystore_location", "A PKCS#12 file with the client certificate, its chain and its key, instead of KAFKA_SSL_CERTIFICATE and KAFKA_SSL_KEY.";
    #[secret] KAFKA_SSL_KEYSTORE_PASSWORD = "kafka_ssl_keystore_password", "The password of KAFKA_SSL_KEYSTORE_LOCATION.";
    KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM = "kafka_ssl_endpoint_identification_algorithm" or "https", "https: the broker's certificate must contain the host name. none: any name is accepted, which permits interception.";
    KAFKA_COMPRESSION = "kafka_compression" or "none", "The compression of messages: none, gzip, snappy, lz4 or zstd. OCI Streaming documents none, and the setting is refused there.";
    #[family] KAFKA_CLIENT = "kafka_client", "Any other property of librdkafka, in upper case with underscores: KAFKA_CLIENT_SOCKET_TIMEOUT_MS is socket.timeout.ms.";
}
