//! The settings that every program has: the shared file, logs, the schema, access to Oracle Cloud.

crate::settings! {
    [EVERY_PROGRAM = "Every program"]
    CONFIG_LOCATION = "config_location", "Where config.properties is, as a path or oci://BUCKET/OBJECT; unset: no file is read.";
    LOG_LEVEL = "log_level" or "info", "Which log lines are written: error, warn, info, debug, trace, off, or directives such as info,delivery=debug.";
    LOG_FORMAT = "log_format" or "auto", "How log lines look: text, json, or auto (text on a terminal, json elsewhere).";
    #[document] AVRO_SCHEMA = "avro_schema", "Where the Avro schema is, as a path or oci://BUCKET/OBJECT; unset: the built-in schemas/user.avsc.";

    [ORACLE_CLOUD = "Oracle Cloud"]
    OCI_AUTH = "oci_auth" or "auto", "Who this program is to Oracle Cloud: resource_principal, instance_principal, api_key, or auto (the first of these that is there).";
    OCI_CONFIG_FILE = "oci_config_file" or "~/.oci/config", "The configuration file of Oracle's tools, for api_key.";
    OCI_PROFILE = "oci_profile" or "DEFAULT", "The profile in that file.";
    OCI_REGION = "oci_region", "The region whose services are asked; unset: the principal's own.";
    OCI_DEFAULT_REALM = "oci_default_realm", "The domain of a realm that is not known to this version, such as oraclecloud99.com.";
    OCI_ENDPOINT = "oci_endpoint", "One address for all services, in place of the region's own; for a stand-in or a private gateway.";
    OCI_METADATA_BASE_URL = "oci_metadata_base_url" or "http://169.254.169.254/opc/v2", "Where the metadata service of the machine answers, for instance_principal.";
    OCI_TIMEOUT = "oci_timeout" or "20s", "How long one question to Oracle Cloud may take, retries included.";
    SECRET_REFRESH_INTERVAL = "secret_refresh_interval" or "10m", "How often a program that runs on reads its secrets and documents from Oracle Cloud again; 0s: never.";
}
