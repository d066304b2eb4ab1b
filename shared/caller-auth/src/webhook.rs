//! Signatures over the body, by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), scheme `v1`.
//!
//! The crate `standardwebhooks` rejects bodies that are not UTF-8, which Avro usually is not.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use openssl::memcmp;
use runtime::redact;
use runtime::secret::Secret;
use standard_webhooks::{ID, SIGNATURE, TIMESTAMP, WebhookSecret, parse_field};

use crate::refusal::{Methods, Refusal};
use crate::tokens::words;

/// The most time between the timestamp of a request and its arrival, in both directions.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The secrets of which one must have signed a request. Several are valid at a time, for rotation.
pub(crate) struct WebhookSecrets(Arc<[WebhookSecret]>);

/// A request with a signature that can be verified when its body is read.
pub struct SignedRequest {
    secrets: Arc<[WebhookSecret]>,
    id: String,
    timestamp: String,
    signatures: Vec<Vec<u8>>,
    methods: Methods,
}

impl WebhookSecrets {
    /// The secrets of a text, separated by white space or commas. `None` if there is none, or one is malformed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let texts = words(text);
        redact::protect("webhook secret", texts.iter().copied().map(Secret::new));
        let parse = |text| WebhookSecret::parse(&Secret::new(text));
        let keys: Option<Vec<_>> = texts.into_iter().map(parse).collect();
        let keys = keys.filter(|keys| !keys.is_empty())?;
        Some(Self(keys.into()))
    }

    /// The request, if it has the header fields of a signature.
    ///
    /// # Errors
    /// The fields are incomplete or malformed, or the timestamp is not within five minutes of `now`. The text says
    /// which.
    pub(crate) fn request(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
        methods: Methods,
    ) -> Option<Result<SignedRequest, &'static str>> {
        headers
            .contains_key(SIGNATURE)
            .then(|| self.parse_request(headers, now, methods))
    }

    fn parse_request(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
        methods: Methods,
    ) -> Result<SignedRequest, &'static str> {
        let only = |name| {
            let mut fields = headers.get_all(name).iter();
            match (fields.next(), fields.next()) {
                (Some(value), None) => value.to_str().ok(),
                _ => None,
            }
        };
        // With a full stop in the id, one signature would fit several triples of id, timestamp and body.
        let id = only(ID)
            .filter(|id| !id.is_empty() && !id.contains('.'))
            .ok_or("webhook-id is missing or malformed")?;
        let timestamp = only(TIMESTAMP).ok_or("webhook-timestamp is missing or malformed")?;
        let at = seconds(timestamp).ok_or("webhook-timestamp is missing or malformed")?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs().abs_diff(at) > TOLERANCE.as_secs() {
            return Err("webhook-timestamp is more than five minutes from now");
        }
        let signatures = only(SIGNATURE).ok_or("webhook-signature is malformed")?;
        let signatures: Vec<_> = signatures.split(' ').filter_map(parse_field).collect();
        // The body of a request that cannot be valid is not read.
        if signatures.is_empty() {
            return Err("webhook-signature has no signature of the scheme v1");
        }
        Ok(SignedRequest {
            secrets: Arc::clone(&self.0),
            id: id.to_owned(),
            timestamp: timestamp.to_owned(),
            signatures,
            methods,
        })
    }
}

impl SignedRequest {
    /// Verifies that a secret has signed the body. `body` is the body as the client sent it: before base64 and gzip are
    /// decoded.
    ///
    /// # Errors
    /// No secret has signed it.
    pub fn verify(&self, body: &[u8]) -> Result<(), Refusal> {
        let mut is_signed = false;
        for secret in &*self.secrets {
            let expected = secret.sign(&self.id, &self.timestamp, body).map_err(|_| {
                Refusal::unauthenticated("the signature cannot be calculated", self.methods)
            })?;
            for signature in &self.signatures {
                is_signed |= memcmp::eq(signature, &expected);
            }
        }
        if is_signed {
            return Ok(());
        }
        Err(Refusal::unauthenticated(
            "no secret has made the signature in webhook-signature",
            self.methods,
        ))
    }
}

/// Digits only: a sign or white space would be a second spelling of the same number.
fn seconds(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// The example of the specification's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const HEADERS: [(&str, &str); 3] = [
        (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (TIMESTAMP, "1614265330"),
        (SIGNATURE, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The result for the example with these fields instead.
    fn result(secrets: &str, changes: &[(&'static str, &str)], now: u64) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS.iter().chain(changes) {
            headers.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let secrets = WebhookSecrets::parse(secrets).unwrap();
        match secrets.request(&headers, at(now), Methods::default()) {
            None => Err("no signature".to_owned()),
            Some(Err(reason)) => Err(reason.to_owned()),
            Some(Ok(request)) => {
                (request.verify(BODY)).map_err(|refusal| refusal.reason().to_owned())
            }
        }
    }

    #[test]
    fn accepts_the_signature_of_the_official_libraries() {
        assert_eq!(result(SECRET, &[], 1_614_265_330), Ok(()));
        let rotated = format!("whsec_{}, {SECRET}", STANDARD.encode([1; 24]));
        let two = format!("v1a,AAAA v1,AAAA v2,AAAA {}", HEADERS[2].1);
        assert_eq!(
            result(&rotated, &[(SIGNATURE, &two)], 1_614_265_330),
            Ok(())
        );
    }

    #[test]
    fn the_timestamp_must_be_within_five_minutes() {
        for now in [1_614_265_330 - 300, 1_614_265_330 + 300] {
            assert_eq!(result(SECRET, &[], now), Ok(()));
        }
        for now in [0, 1_614_265_330 - 301, 1_614_265_330 + 301, 1 << 40] {
            assert!(result(SECRET, &[], now).is_err(), "{now}");
        }
    }

    #[test]
    fn refuses_every_change_of_a_field() {
        for (name, value) in [
            (ID, ""),
            (ID, "msg_other"),
            (ID, "msg.p5jXN8AQM9LWM0D4loKWxJek"),
            (ID, "é"),
            (TIMESTAMP, ""),
            (TIMESTAMP, "+1614265330"),
            (TIMESTAMP, "1614265330.0"),
            (TIMESTAMP, "1614265331"),
            (TIMESTAMP, "99999999999999999999999"),
            (SIGNATURE, ""),
            (SIGNATURE, "v1,"),
            (SIGNATURE, "v1,g0hM9SsE"),
            (
                SIGNATURE,
                "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (SIGNATURE, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (SIGNATURE, "v1,!"),
        ] {
            let found = result(SECRET, &[(name, value)], 1_614_265_330);
            assert!(found.is_err(), "{name}: {value:?}");
        }
        let other = format!("whsec_{}", STANDARD.encode([1; 32]));
        assert!(result(&other, &[], 1_614_265_330).is_err());
    }

    #[test]
    fn repeated_fields_are_refused() {
        for (name, value) in HEADERS {
            let mut headers = HeaderMap::new();
            for (name, value) in HEADERS {
                headers.insert(name, HeaderValue::from_static(value));
            }
            headers.append(name, HeaderValue::from_static(value));
            let secrets = WebhookSecrets::parse(SECRET).unwrap();
            let found = secrets.request(&headers, at(1_614_265_330), Methods::default());
            assert!(found.unwrap().is_err(), "{name}");
        }
    }

    #[test]
    fn a_malformed_or_short_secret_is_an_error() {
        let short = STANDARD.encode([1; 23]);
        for text in ["", ",", "whsec_", "whsec_!", &short, &format!("{SECRET},x")] {
            assert!(WebhookSecrets::parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_field_causes_a_panic(
            id in "[ -~é]{0,20}", timestamp in "[0-9+. -]{0,25}", signature in "(v1,|v1a,| |[A-Za-z0-9+/=]{0,44}){0,9}",
        ) {
            let changes = [(ID, &*id), (TIMESTAMP, &*timestamp), (SIGNATURE, &*signature)];
            prop_assert!(result(SECRET, &changes, 1_614_265_330).is_err());
        }

        #[test]
        fn only_the_signed_bytes_are_accepted(body: Vec<u8>, other: Vec<u8>) {
            let request = SignedRequest {
                secrets: WebhookSecrets::parse(SECRET).unwrap().0,
                id: "id".to_owned(),
                timestamp: "1".to_owned(),
                signatures: Vec::new(),
                methods: Methods::default(),
            };
            let signature = request.secrets[0].sign("id", "1", &body).unwrap();
            let request = SignedRequest { signatures: vec![signature], ..request };
            prop_assert!(request.verify(&body).is_ok());
            prop_assert_eq!(request.verify(&other).is_ok(), body == other);
        }
    }
}
