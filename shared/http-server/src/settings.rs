//! The settings of a program that answers HTTP.

settings::settings! {
    [HTTP_SERVER = "HTTP server"]
    LISTEN = "listen" or "127.0.0.1:8080", "The address for plain HTTP, as host:port.";
    MAX_BODY = "max_body" or "6MB", "The maximum size of a request body.";
    MAX_DECODED = "max_decoded" or "16MiB", "The maximum size of a body after gzip, base64 and container codecs are decoded.";
    MAX_RECORDS = "max_records" or "10000", "The maximum number of records in one container file.";
}
