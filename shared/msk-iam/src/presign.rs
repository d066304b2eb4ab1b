//! The token: a URL presigned with Signature Version 4 ("Create a signed AWS API request"). Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;
use runtime::secret::Secret;
use runtime::text::{hex, percent_encode};

use crate::Credentials;

/// How long a token is valid: the value of AWS's signers.
pub(crate) const LIFETIME: Duration = Duration::from_secs(900);

const SERVICE: &str = "kafka-cluster";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The token for the clusters of a region, as AWS's signers for other languages make it. `user_agent` is not signed.
///
/// # Errors
/// OpenSSL fails.
pub fn presign(
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
    user_agent: &str,
) -> Result<Secret, ErrorStack> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).ok();
    let now = now.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let time = now.unwrap_or_default().format("%Y%m%dT%H%M%SZ").to_string();
    let date = time.split('T').next().unwrap_or_default();
    let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
    let host = format!("kafka.{region}.amazonaws.com");

    let credential = format!("{}/{scope}", credentials.access_key_id);
    let mut query = format!(
        "Action={}&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires={}",
        percent_encode("kafka-cluster:Connect"),
        percent_encode(&credential),
        LIFETIME.as_secs(),
    );
    // The canonical query is sorted by name; the URL has AWS's order.
    let mut canonical_query = query.clone();
    let signed = "&X-Amz-SignedHeaders=host";
    query += signed;
    if let Some(token) = &credentials.session_token {
        let token = format!("&X-Amz-Security-Token={}", percent_encode(token.reveal()));
        query += &token;
        canonical_query += &token;
    }
    canonical_query += signed;

    let body = hex(&sha256(b""));
    let request = format!("GET\n/\n{canonical_query}\nhost:{host}\n\nhost\n{body}");
    let request = hex(&sha256(request.as_bytes()));
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{request}");
    let key = format!("AWS4{}", credentials.secret_access_key.reveal());
    let mut key = hmac(key.as_bytes(), date)?;
    for part in [region, SERVICE, "aws4_request"] {
        key = hmac(&key, part)?;
    }
    let signature = hex(&hmac(&key, &text)?);
    let user_agent = percent_encode(user_agent);
    let url =
        format!("https://{host}/?{query}&X-Amz-Signature={signature}&User-Agent={user_agent}");
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(url)))
}

fn hmac(key: &[u8], text: &str) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that AWS's signer for Python gives; `make callers-check` compares more of them.
    #[test]
    fn equals_the_token_of_another_signer() {
        let mut credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
            expires_at: None,
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let signed = |credentials: &Credentials| {
            let token = presign(credentials, "us-east-1", now, "a/1").unwrap();
            let url = URL_SAFE_NO_PAD.decode(token.reveal()).unwrap();
            String::from_utf8(url).unwrap()
        };
        let start = "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=AKIDEXAMPLE%2F20231114%2Fus-east-1%2Fkafka-cluster%2Faws4_request\
                     &X-Amz-Date=20231114T221320Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host";
        assert_eq!(
            signed(&credentials),
            format!(
                "{start}&X-Amz-Signature=5a37b52906bcfb84e40bf36a9f4b7fd331ca650e490b375dbe73a9d804836b37&User-Agent=a%2F1"
            )
        );
        credentials.session_token = Some(Secret::new("tok/+="));
        assert_eq!(
            signed(&credentials),
            format!(
                "{start}&X-Amz-Security-Token=tok%2F%2B%3D\
                 &X-Amz-Signature=ccb2ff08ae21cb22b05c8af0e60a90d58c215f1db865700729db2e4a462d73fd&User-Agent=a%2F1"
            )
        );
    }
}
