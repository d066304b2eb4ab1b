//! Signs requests by Standard Webhooks, without the code under test.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// A secret in its text form.
pub fn secret(bytes: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(bytes))
}

/// The header fields of a signed request.
///
/// # Errors
/// OpenSSL fails.
pub fn headers(
    secret: &[u8],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> Result<[(&'static str, String); 3]> {
    let key = PKey::hmac(secret)?;
    let text = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let signature = Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(&text)?;
    Ok([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        (
            "webhook-signature",
            format!("v1,{}", STANDARD.encode(signature)),
        ),
    ])
}
