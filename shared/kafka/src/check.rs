//! Checks of bootstrap servers and topic names, which librdkafka accepts in forms that never work. Pure.

/// The form of [`bootstrap_servers`].
pub(crate) const BOOTSTRAP_SERVERS: &str = "host:port,host:port without a scheme, quotes or blanks; \
     KAFKA_SECURITY_PROTOCOL selects TLS and SASL";

/// The form of [`topic`].
pub const TOPIC: &str =
    "1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-', other than '.' and '..'";

/// Bootstrap servers as librdkafka accepts them, if they have the right form. A server without a port has port 9092.
pub(crate) fn bootstrap_servers(text: &str) -> Option<String> {
    let servers: Vec<&str> = text.split(',').map(str::trim).collect();
    servers
        .iter()
        .all(|server| is_server(server))
        .then(|| servers.join(","))
}

fn is_server(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // An IPv6 address.
        Some((host, rest)) => (
            host,
            rest.strip_prefix(':').or(rest.is_empty().then_some("9092")),
        ),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("9092")),
        },
    };
    let is_bracketed = text.starts_with('[');
    let is_host = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | '-' | '_')
            || is_bracketed && matches!(c, ':' | '%')
    };
    !host.is_empty()
        && host.chars().all(is_host)
        && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// A topic name, if Kafka accepts it (`org.apache.kafka.common.internals.Topic`).
pub fn topic(text: &str) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = (1..=249).contains(&text.len())
        && text.chars().all(is_allowed)
        && !matches!(text, "." | "..");
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_hosts_and_addresses_with_and_without_a_port() {
        for (text, expected) in [
            ("localhost:9092", "localhost:9092"),
            ("a:1, b_2.x-y.example:65535", "a:1,b_2.x-y.example:65535"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]:9092", "[::1]:9092"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]"),
        ] {
            assert_eq!(bootstrap_servers(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn rejects_schemes_quotes_blanks_and_invalid_ports() {
        for text in [
            "",
            ",",
            "a:1,",
            "kafka://a:1",
            "SASL_SSL://a:1",
            "\"a:1\"",
            "'a:1'",
            "a:1 b:2",
            "a:1;b:2",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:x",
            "a:1/path",
            "::1",
            "[::1",
            "[]:1",
            "[::1]9092",
            "\u{e9}:1",
        ] {
            assert_eq!(bootstrap_servers(text), None, "{text:?}");
        }
    }

    #[test]
    fn rejects_topic_names_that_kafka_rejects() {
        let longest = "x".repeat(249);
        for name in ["orders", "A.b_c-9", "...", &longest] {
            assert_eq!(topic(name).as_deref(), Some(name));
        }
        let longer = "x".repeat(250);
        for name in [
            "", ".", "..", "a b", "a,b", "orders ", "a/b", "\u{e9}", "\"a\"", &longer,
        ] {
            assert_eq!(topic(name), None, "{name:?}");
        }
    }
}
