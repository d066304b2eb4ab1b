//! Session tokens: JWTs of a principal. They are read here and verified by the service.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use runtime::redact;
use runtime::secret::Secret;

use crate::ocid::Ocid;

/// A session token and its claims.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    expires: Option<SystemTime>,
    tenancy: Option<Ocid>,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    res_tenant: Option<String>,
    tenant: Option<String>,
}

impl Token {
    /// Reads the claims. White space around the token is removed. From now on the token is masked in text from other
    /// programs.
    ///
    /// # Errors
    /// The text is not a JWT.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let mut parts = text.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(
                "it is not a session token (JWT): expected three parts with dots between them",
            );
        };
        // Padding is not allowed in a JWT (RFC 7515, section 2), yet Oracle's SDKs accept it.
        let json = URL_SAFE_NO_PAD
            .decode(claims.trim_end_matches('='))
            .map_err(|_| "it is not a session token (JWT): its claims are not base64url")?;
        let claims: Claims = serde_json::from_slice(&json)
            .map_err(|_| "it is not a session token (JWT): its claims are not JSON")?;
        let secret = Secret::new(text);
        redact::protect("session token", [secret.clone()]);
        Ok(Self {
            text: secret,
            expires: claims.exp.and_then(instant),
            tenancy: claims
                .res_tenant
                .or(claims.tenant)
                .and_then(|text| text.parse().ok()),
        })
    }

    /// The key id of signatures with this token.
    pub fn key_id(&self) -> Secret {
        Secret::new(format!("ST${}", self.text.reveal()))
    }

    /// When the token expires, if it has such a claim.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// The tenancy: claim `res_tenant` of a resource principal, `tenant` of a user's session.
    pub fn tenancy(&self) -> Option<&Ocid> {
        self.tenancy.as_ref()
    }
}

fn instant(seconds: f64) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn reads_expiry_and_tenancy() {
        let text =
            jwt(r#"{"exp":1700000000,"res_tenant":"ocid1.tenancy.oc1..t","ptype":"resource"}"#);
        for text in [text.clone(), format!(" {text}\n")] {
            let token = Token::parse(&text).unwrap();
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            assert_eq!(token.expires(), Some(end));
            assert_eq!(token.tenancy().unwrap().as_str(), "ocid1.tenancy.oc1..t");
            assert_eq!(token.key_id().reveal(), format!("ST${}", text.trim()));
            assert!(!format!("{token:?}").contains("e30"), "{token:?}");
        }
    }

    #[test]
    fn accepts_padding() {
        let text = jwt(r#"{"exp":1}"#);
        let padded = text.replacen(".c2ln", "==.c2ln", 1);
        assert!(Token::parse(&padded).is_ok());
    }

    #[test]
    fn rejects_other_text_and_ignores_invalid_claims() {
        for wrong in [
            "",
            "a.b",
            "a.b.c.d",
            "a.!!.c",
            &format!("a.{}.c", URL_SAFE_NO_PAD.encode("[]")),
        ] {
            assert!(Token::parse(wrong).is_err(), "{wrong}");
        }
        for odd in [
            "{}",
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            r#"{"res_tenant":"x"}"#,
        ] {
            let token = Token::parse(&jwt(odd)).unwrap();
            assert!(
                token.expires().is_none() && token.tenancy().is_none(),
                "{odd}"
            );
        }
    }
}
