//! The settings that every program has: the shared file, logs, the schema, access to Oracle Cloud.

crate::settings! {
    [EVERY_PROGRAM = "Every program"]
    CONFIG_LOCATION = "config_location", "The location of config.properties: a path or oci://BUCKET/OBJECT. Unset: no file is read.";
    LOG_LEVEL = "log_level" or "info", "The log level: error, warn, info, debug, trace, off, or directives such as info,delivery=debug.";
    LOG_FORMAT = "log_format" or "auto", "The format of log lines: text, json, or auto (text on a terminal, else json).";
    #[document] AVRO_SCHEMA = "avro_schema", "The location of the Avro schema: a path or oci://BUCKET/OBJECT. Unset: the built-in schemas/user.avsc.";

    [ORACLE_CLOUD = "Oracle Cloud"]
    OCI_AUTH = "oci_auth" or "auto", "The principal for Oracle Cloud: resource_principal, instance_principal, api_key, or auto (the first that exists).";
    OCI_CONFIG_FILE = "oci_config_file" or "~/.oci/config", "The configuration file of Oracle's tools, for api_key.";
    OCI_PROFILE = "oci_profile" or "DEFAULT", "The profile in that file.";
    OCI_REGION = "oci_region", "The region whose services are used. Unset: the region of the principal.";
    OCI_DEFAULT_REALM = "oci_default_realm", "The domain of a realm that is not built in, such as oraclecloud99.com.";
    OCI_ENDPOINT = "oci_endpoint", "One address for all services, instead of those of the region; for a stand-in or a private gateway.";
    OCI_METADATA_BASE_URL = "oci_metadata_base_url" or "http://169.254.169.254/opc/v2", "The address of the metadata service, for instance_principal.";
    OCI_TIMEOUT = "oci_timeout" or "20s", "The timeout of one operation in Oracle Cloud, retries included.";
    SECRET_REFRESH_INTERVAL = "secret_refresh_interval" or "10m", "The interval at which a long-running program reads its secrets and documents from Oracle Cloud again. 0s: never.";
}
