//! The settings of a program that answers HTTP.

settings::settings! {
    [HTTP_SERVER = "Programs that listen"]
    LISTEN = "listen" or "127.0.0.1:8080", "The address for plain HTTP, as host:port.";
    MAX_BODY = "max_body" or "6MB", "The largest request body that is read.";
    MAX_DECODED = "max_decoded" or "16MiB", "The largest body after gzip, base64 and container codecs are undone.";
    MAX_RECORDS = "max_records" or "10000", "The most records taken from one container file.";
}
