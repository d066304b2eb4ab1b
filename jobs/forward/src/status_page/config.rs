//! The settings of the status page. Pure.

use std::net::{Ipv4Addr, SocketAddr};

use runtime::secret::Secret;
use settings::{SettingError, Settings};

use crate::settings::{STATUS_LISTEN, STATUS_TOKEN};

/// The settings of the status page.
#[derive(Clone, Debug)]
pub struct StatusConfig {
    /// The address of the listener (`status_listen`); port 0 is any free port.
    pub listen: SocketAddr,
    /// The bearer token that requests must have (`status_token`); `None`: each request is answered.
    pub token: Option<Secret>,
}

impl StatusConfig {
    /// `None` if `STATUS_LISTEN` is unset.
    ///
    /// # Errors
    /// A setting is malformed.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        if settings.optional(&STATUS_LISTEN).is_none() {
            return Ok(None);
        }
        let listen = settings.parsed(
            &STATUS_LISTEN,
            address,
            "an IP address and a port such as 127.0.0.1:9464 or [::]:9464, or a port alone (on the loopback)",
        )?;
        let token = match settings.optional(&STATUS_TOKEN) {
            None => None,
            Some(_) => Some(settings.parsed(
                &STATUS_TOKEN,
                token,
                "one token without spaces and commas",
            )?),
        };
        Ok(Some(Self { listen, token }))
    }
}

/// A port without an address is on the loopback: the page is for this machine unless the setting says otherwise.
fn address(text: &str) -> Option<SocketAddr> {
    let local = text
        .strip_prefix("localhost:")
        .or(text.strip_prefix(':'))
        .unwrap_or(text);
    match local.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, local.parse().ok()?))),
        false => text.parse().ok(),
    }
}

fn token(text: &str) -> Option<Secret> {
    let is_one = !text.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control());
    (is_one && !text.is_empty()).then(|| Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_an_address_is_on_the_loopback() {
        for text in ["9464", ":9464", "localhost:9464", "127.0.0.1:9464"] {
            assert_eq!(
                address(text).unwrap().to_string(),
                "127.0.0.1:9464",
                "{text}"
            );
        }
        assert_eq!(address("0.0.0.0:80").unwrap().to_string(), "0.0.0.0:80");
        assert_eq!(address("[::1]:80").unwrap().to_string(), "[::1]:80");
        for wrong in [
            "",
            ":",
            "65536",
            "localhost:",
            "localhost:localhost:1",
            "example.org:80",
            "::1:80x",
            "1.2.3.4",
            "-1",
            "http://127.0.0.1:1",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_one_word() {
        assert!(token("s3cret").is_some());
        for wrong in ["", "a b", "a,b", "a\nb", "a\u{1}"] {
            assert!(token(wrong).is_none(), "{wrong:?}");
        }
    }
}
