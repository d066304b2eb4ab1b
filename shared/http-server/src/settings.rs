//! The settings of a program that answers HTTP.

settings::settings! {
    [HTTP_SERVER = "HTTP server"]
    LISTEN = "listen" or "127.0.0.1:8080", "The address of the HTTP server, as host:port.";
    LISTEN_SSL_CERTIFICATE = "listen_ssl_certificate", "The certificate of LISTEN: PEM, or the path of a PEM file. With it, LISTEN accepts only TLS. Files are read again when they change.";
    #[secret] LISTEN_SSL_KEY = "listen_ssl_key", "The private key of LISTEN_SSL_CERTIFICATE: PEM, or the path of a PEM file.";
    LISTEN_SSL_CA_LOCATION = "listen_ssl_ca_location", "A PEM file with the CA certificates that sign clients' certificates. With it, a client certificate authenticates its caller.";
    MAX_BODY = "max_body" or "6MB", "The maximum size of a request body.";
    MAX_DECODED = "max_decoded" or "16MiB", "The maximum size of a body after gzip, base64 and container codecs are decoded.";
    MAX_RECORDS = "max_records" or "10000", "The maximum number of records in one container file.";
}
