//! Signs the requests of a route by Standard Webhooks.

use std::time::{SystemTime, UNIX_EPOCH};

use ::standard_webhooks::{ID, SIGNATURE, TIMESTAMP, WebhookSecret, field};
use bytes::Bytes;
use delivery::request::{AuthorizationError, RequestAuthorization};
use http::{HeaderName, HeaderValue, Request};
use openssl::error::ErrorStack;
use openssl::sha::sha256;
use record::idempotency;
use runtime::text::hex;

/// Signs each attempt with each secret: two while a secret is replaced.
#[derive(Clone, Debug)]
pub struct StandardWebhooks {
    secrets: Vec<WebhookSecret>,
    clock: fn() -> SystemTime,
}

impl StandardWebhooks {
    /// `clock` is that of the timestamps.
    pub fn new(secrets: Vec<WebhookSecret>, clock: fn() -> SystemTime) -> Self {
        Self { secrets, clock }
    }

    /// The value of `webhook-signature`.
    fn signatures(&self, id: &str, timestamp: u64, body: &[u8]) -> Result<String, ErrorStack> {
        let timestamp = timestamp.to_string();
        let mut signatures = Vec::new();
        for secret in &self.secrets {
            signatures.push(field(&secret.sign(id, &timestamp, body)?));
        }
        Ok(signatures.join(" "))
    }
}

impl RequestAuthorization for StandardWebhooks {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let failed = |reason: String| AuthorizationError(format!("signing the body: {reason}"));
        let since = (self.clock)().duration_since(UNIX_EPOCH);
        let timestamp = since.map_err(|error| failed(error.to_string()))?.as_secs();
        let id = id(request);
        let signatures = self
            .signatures(&id, timestamp, request.body())
            .map_err(|error| failed(error.to_string()))?;
        let value =
            |text: String| HeaderValue::try_from(text).map_err(|error| failed(error.to_string()));
        let (id, signatures) = (value(id)?, value(signatures)?);
        let headers = request.headers_mut();
        headers.insert(HeaderName::from_static(ID), id);
        headers.insert(
            HeaderName::from_static(TIMESTAMP),
            HeaderValue::from(timestamp),
        );
        headers.insert(HeaderName::from_static(SIGNATURE), signatures);
        Ok(())
    }
}

/// The id of a request, the same in every attempt: the idempotency key, or the digest of one that cannot be an id, or the
/// digest of the body of a batch. An id has no full stop: it separates the parts that are signed.
fn id(request: &Request<Bytes>) -> String {
    let digest = |bytes: &[u8]| format!("sha256-{}", hex(&sha256(bytes)));
    let Some(header) = request.headers().get(idempotency::HEADER) else {
        return digest(request.body());
    };
    let text = header.to_str().ok();
    let key = text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    let is_id = |key: &&str| {
        let mut bytes = key.bytes();
        bytes.all(|byte| byte.is_ascii_graphic() && !b".\"\\".contains(&byte))
    };
    match key.filter(is_id) {
        Some(key) => key.to_owned(),
        None => digest(header.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use runtime::secret::Secret;

    use super::*;

    fn clock() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_614_265_330)
    }

    fn request(key: Option<&str>, body: &'static str) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(body));
        if let Some(key) = key {
            let value = HeaderValue::from_str(key).unwrap();
            request.headers_mut().insert(idempotency::HEADER, value);
        }
        request
    }

    #[test]
    fn signs_the_published_example() {
        // The test values of the specification's libraries (libraries/rust/src/lib.rs).
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signer = StandardWebhooks::new(vec![WebhookSecret::parse(&secret).unwrap()], clock);
        let body = r#"{"test": 2432232314}"#;
        let mut request = request(Some("\"msg_p5jXN8AQM9LWM0D4loKWxJek\""), body);
        signer.authorize(&mut request).unwrap();
        let headers = request.headers();
        assert_eq!(headers["webhook-id"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert!(!format!("{signer:?}").contains("MfKQ"));
    }

    #[test]
    fn each_secret_has_a_signature() {
        let secret = |byte| Secret::new(STANDARD.encode([byte; 32]));
        let parsed = |byte| WebhookSecret::parse(&secret(byte)).unwrap();
        let mut both = request(Some("\"k\""), "body");
        let signer = StandardWebhooks::new(vec![parsed(1), parsed(2)], clock);
        signer.authorize(&mut both).unwrap();
        let both = both.headers()["webhook-signature"].to_str().unwrap();
        let single = [1, 2].map(|byte| {
            let mut one = request(Some("\"k\""), "body");
            let signer = StandardWebhooks::new(vec![parsed(byte)], clock);
            signer.authorize(&mut one).unwrap();
            let value = &one.headers()["webhook-signature"];
            value.to_str().unwrap().to_owned()
        });
        assert_eq!(both, single.join(" "));
    }

    #[test]
    fn an_id_has_no_full_stop_and_is_stable() {
        assert_eq!(id(&request(Some("\"c/t/0/7\""), "x")), "c/t/0/7");
        for key in ["\"a.b\"", "\"a b\"", "\"a\\\\b\"", "unquoted"] {
            let id = id(&request(Some(key), "x"));
            assert!(id.starts_with("sha256-") && id.len() == 71, "{id}");
            assert_eq!(id, super::id(&request(Some(key), "y")));
        }
        let batch = id(&request(None, "x"));
        assert_eq!(batch, id(&request(None, "x")));
        assert_ne!(batch, id(&request(None, "y")));
    }
}
