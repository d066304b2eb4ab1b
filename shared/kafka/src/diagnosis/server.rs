//! A server of a cluster. Pure.

/// A server, and what it is called in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The host name or address, without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The name in errors.
    pub(super) label: String,
}

impl Server {
    /// A broker at its advertised address.
    pub(super) fn broker(id: i32, host: &str, port: u16) -> Self {
        let address = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Self {
            host: host.to_owned(),
            port,
            label: format!("broker {id} has the advertised address {address}"),
        }
    }
}

/// The servers of `bootstrap.servers`, labelled with their text.
pub(super) fn bootstrap_servers(text: &str) -> Vec<Server> {
    text.split(',')
        .filter_map(|text| {
            let label = text.trim();
            let (host, port) = match label
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
            {
                Some((host, port)) => (host, port.strip_prefix(':')),
                None => match label.rsplit_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (label, None),
                },
            };
            Some(Server {
                host: host.to_owned(),
                port: port.unwrap_or("9092").parse().ok()?,
                label: label.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bootstrap_servers_with_names_addresses_and_default_ports() {
        let found = bootstrap_servers("a:1, b,[::1]:9,[fe80::1%eth0]");
        let found: Vec<_> = found.iter().map(|s| (s.host.as_str(), s.port)).collect();
        assert_eq!(
            found,
            [("a", 1), ("b", 9092), ("::1", 9), ("fe80::1%eth0", 9092)]
        );
    }

    #[test]
    fn an_advertised_address_is_written_as_in_bootstrap_servers() {
        for (host, address) in [("::1", "[::1]:9"), ("a", "a:9")] {
            let label = format!("broker 1 has the advertised address {address}");
            assert_eq!(Server::broker(1, host, 9).label, label);
        }
    }
}
