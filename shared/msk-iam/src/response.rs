//! The responses that contain credentials. Pure. An error has no part of the response, which may be a secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth2::TokenError;
use runtime::rfc3339;
use runtime::secret::Secret;
use serde::Deserialize;

use crate::Credentials;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

/// The credentials in a response of the container's endpoint or the instance's metadata service.
pub(crate) fn of_metadata(text: &str) -> Result<Credentials, TokenError> {
    let found: Metadata =
        serde_json::from_str(text).map_err(|_| malformed("AccessKeyId and SecretAccessKey"))?;
    credentials(
        found.access_key_id,
        &found.secret_access_key,
        found.token,
        found.expiration.as_deref(),
    )
}

/// The credentials in a response of AssumeRoleWithWebIdentity: XML whose texts have no markup.
pub(crate) fn of_sts(text: &str) -> Result<Credentials, TokenError> {
    let value = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        (!value.contains(['<', '&'])).then_some(value.trim())
    };
    match (
        value("AccessKeyId"),
        value("SecretAccessKey"),
        value("SessionToken"),
    ) {
        (Some(id), Some(secret), Some(token)) => credentials(
            id.to_owned(),
            secret,
            Some(token.to_owned()),
            value("Expiration"),
        ),
        _ => Err(malformed("AccessKeyId, SecretAccessKey and SessionToken")),
    }
}

fn credentials(
    access_key_id: String,
    secret: &str,
    token: Option<String>,
    expiration: Option<&str>,
) -> Result<Credentials, TokenError> {
    if access_key_id.is_empty() || secret.is_empty() {
        return Err(malformed("AccessKeyId and SecretAccessKey"));
    }
    let expires_at = match expiration {
        None => None,
        Some(text) => Some(rfc3339::time(text).ok_or_else(|| malformed("a valid Expiration"))?),
    };
    Ok(Credentials {
        access_key_id,
        secret_access_key: Secret::new(secret),
        session_token: token.filter(|token| !token.is_empty()).map(Secret::new),
        expires_at,
    })
}

fn malformed(missing: &str) -> TokenError {
    TokenError::Refused(format!("the response has no {missing}"))
}

/// How long credentials are valid from `now` on, at most `limit`.
pub(crate) fn remaining(
    credentials: &Credentials,
    now: SystemTime,
    limit: Duration,
) -> Result<Duration, TokenError> {
    let Some(expires_at) = credentials.expires_at else {
        return Ok(limit);
    };
    match expires_at.duration_since(now) {
        Ok(left) if !left.is_zero() => Ok(left.min(limit)),
        _ => {
            let seconds = expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let seconds = i64::try_from(seconds.as_secs()).unwrap_or_default();
            let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            Err(TokenError::Unavailable(format!(
                "expired at {}: check this machine's clock",
                at.format("%Y-%m-%dT%H:%M:%SZ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str =
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">
        <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>hunter2+/=</SessionToken>
        <SecretAccessKey>hunter2</SecretAccessKey><Expiration>2026-01-01T00:00:00Z</Expiration>
        <AccessKeyId>ASIA1</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>
        </AssumeRoleWithWebIdentityResponse>";

    #[test]
    fn reads_the_credentials_of_each_service() {
        let expected = Credentials {
            access_key_id: "ASIA1".to_owned(),
            secret_access_key: Secret::new("hunter2"),
            session_token: Some(Secret::new("hunter2+/=")),
            expires_at: rfc3339::time("2026-01-01T00:00:00Z"),
        };
        let json = r#"{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"hunter2","Token":"hunter2+/=",
                       "Expiration":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(of_metadata(json), Ok(expected.clone()));
        assert_eq!(of_sts(XML), Ok(expected));
    }

    #[test]
    fn a_response_without_credentials_is_an_error_that_does_not_quote_it() {
        let without = |name: &str| XML.replace(name, "Other");
        let metadata = [
            "",
            "[]",
            "hunter2",
            r#"{"AccessKeyId":"","SecretAccessKey":"hunter2"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":7}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"hunter2"}"#,
        ];
        let metadata = metadata.map(of_metadata);
        let sts =
            ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| of_sts(&without(name)));
        for found in metadata.into_iter().chain(sts) {
            let error = found.unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_token_is_not_valid_for_longer_than_its_credentials() {
        let mut credentials = of_sts(XML).unwrap();
        let at = |text| rfc3339::time(text).unwrap();
        let limit = Duration::from_secs(900);
        let left = |now, credentials: &Credentials| remaining(credentials, at(now), limit);
        assert_eq!(left("2025-12-31T23:00:00Z", &credentials), Ok(limit));
        assert_eq!(
            left("2025-12-31T23:59:00Z", &credentials),
            Ok(Duration::from_secs(60))
        );
        let error = left("2026-01-01T00:00:00Z", &credentials).unwrap_err();
        assert!(
            error.to_string().contains("2026-01-01T00:00:00Z"),
            "{error}"
        );
        credentials.expires_at = None;
        assert_eq!(left("2027-01-01T00:00:00Z", &credentials), Ok(limit));
    }
}
