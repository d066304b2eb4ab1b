//! Hosts in URLs. Pure.

use std::net::IpAddr;

/// Whether the host of a URL, in brackets if it is an IPv6 address, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_this_machine_are_loopback() {
        for host in ["localhost", "127.0.0.1", "127.0.0.2", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "127.0.0.1.example", "api.example", "[::2]", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
