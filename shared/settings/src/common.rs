//! The settings that every program has: the shared file, logs, the schemas, access to Oracle Cloud.

crate::settings! {
    [EVERY_PROGRAM = "Every program"]
    CONFIG_LOCATION = "config_location", "The location of config.properties: a path or oci://BUCKET/OBJECT. Unset: no file is read.";
    LOG_LEVEL = "log_level" or "info", "The log level: error, warn, info, debug, trace, off, or directives such as info,delivery=debug.";
    LOG_FORMAT = "log_format" or "auto", "The format of log lines: text, json, or auto (text on a terminal, else json).";
    #[document] AVRO_SCHEMA = "avro_schema", "The location of the Avro schema: a path or oci://BUCKET/OBJECT. Unset: the built-in schemas/user.avsc.";

    // A group of its own: a program that does not use these schemas does not read them and needs no permission for them.
    [WRITER_SCHEMAS = "Writer schemas"]
    #[documents] AVRO_SCHEMAS = "avro_schemas", "Further Avro schemas that data may have been written with: a comma-separated list of locations. A location is a file, a directory (all *.avsc in it; sub-directories are not entered), an object oci://BUCKET/OBJECT, or a prefix oci://BUCKET/PREFIX/ that ends with a slash (all *.avsc below it). At most 1000 schemas, 1 MiB each, 16 MiB in all.";

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
