//! A JWKS (RFC 7517, section 5): the keys in it that can verify a JWT. Pure.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::openssl_provider::public_key;

/// The minimum size of an RSA key (RFC 7518, section 3.3).
const MIN_RSA_BITS: u32 = 2048;

/// The usable keys of a JWKS.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// The keys of the document. A key that is malformed, of an unknown type or not for signatures is ignored (section 5).
    /// Symmetric keys are ignored too: a key that is published authenticates no one.
    ///
    /// # Errors
    /// The document is not a JWKS.
    pub(super) fn parse(document: &[u8]) -> Result<Self, &'static str> {
        let document: Document<'_> =
            serde_json::from_slice(document).map_err(|_| "the response is not a JWKS")?;
        let keys = document.keys.into_iter();
        Ok(Self(keys.filter_map(|key| usable(key.get())).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key with this id, for this algorithm. Without an id, the only key for the algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut found = self
            .0
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm))
            .filter(|key| id.is_none() || key.id.as_deref() == id);
        let first = found.next()?;
        (id.is_some() || found.next().is_none()).then_some(&first.key)
    }
}

fn usable(text: &str) -> Option<Key> {
    let jwk: Jwk = serde_json::from_str(text).ok()?;
    let common = &jwk.common;
    let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !is_for_signatures {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let algorithms: Vec<_> = of_type(&jwk.algorithm)
        .iter()
        .copied()
        .filter(|algorithm| {
            (common.key_algorithm).is_none_or(|named| named == KeyAlgorithm::from(*algorithm))
        })
        .collect();
    let parsed = public_key(*algorithms.first()?, key.kind())?;
    let is_short = parsed.rsa().is_ok() && parsed.bits() < MIN_RSA_BITS;
    (!is_short).then_some(Key {
        id: jwk.common.key_id,
        algorithms,
        key,
    })
}

/// The algorithms for a type of key. The key decides: the algorithm in a token only selects one of these.
fn of_type(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const EC: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    const OKP: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn keys(keys: &[String]) -> KeySet {
        KeySet::parse(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes()).unwrap()
    }

    #[test]
    fn ignores_keys_that_verify_no_token() {
        let unusable = [
            "1".to_owned(),
            "{}".to_owned(),
            r#"{"kty":"new"}"#.to_owned(),
            r#"{"kty":"oct","k":"c2VjcmV0LXRoYXQtZXZlcnlvbmUta25vd3M"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"RSA","n":"!","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AQAB"}"#.to_owned(),
            format!(r#"{{"use":"enc",{EC}}}"#),
            format!(r#"{{"key_ops":["sign"],{EC}}}"#),
            format!(r#"{{"alg":"RS256",{EC}}}"#),
            format!(r#"{{"alg":"none",{EC}}}"#),
            format!(r#"{{"kid":7,{EC}}}"#),
        ];
        assert!(keys(&unusable).is_empty(), "{:?}", keys(&unusable));
        let mut with_one = unusable.to_vec();
        with_one.push(format!(r#"{{"kid":"a","use":"sig","alg":"ES256",{EC}}}"#));
        assert!(keys(&with_one).find(Some("a"), Algorithm::ES256).is_some());
        for document in ["", "[]", "{}", r#"{"keys":{}}"#, "\u{0}", r#"{"keys":["#] {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
        }
        assert!(KeySet::parse(&[0xff; 9]).is_err());
    }

    proptest! {
        #[test]
        fn no_document_causes_a_panic(
            bytes: Vec<u8>,
            kty in "RSA|EC|OKP|oct",
            crv in "P-256|P-384|P-521|Ed25519",
            value in "[A-Za-z0-9_-]{0,100}|.{0,20}",
        ) {
            let _ = KeySet::parse(&bytes);
            let key = json!({
                "kty": kty, "crv": crv, "n": value, "e": value, "x": value, "y": value, "k": value,
            });
            let document = json!({"keys": [key]}).to_string();
            prop_assert!(KeySet::parse(document.as_bytes()).is_ok());
        }
    }

    #[test]
    fn finds_a_key_by_id_and_algorithm_or_the_only_one() {
        let ec = format!(r#"{{"kid":"a",{EC}}}"#);
        let okp = format!(r#"{{"kid":"b",{OKP}}}"#);
        let set = keys(&[ec.clone(), okp]);
        assert!(set.find(Some("a"), Algorithm::ES256).is_some());
        assert!(set.find(None, Algorithm::EdDSA).is_some());
        for (id, algorithm) in [
            (Some("b"), Algorithm::ES256),
            (Some("a"), Algorithm::HS256),
            (Some("a"), Algorithm::ES384),
            (Some(""), Algorithm::ES256),
            (None, Algorithm::RS256),
        ] {
            assert!(set.find(id, algorithm).is_none(), "{id:?} {algorithm:?}");
        }
        assert!(
            keys(&[ec.clone(), ec])
                .find(None, Algorithm::ES256)
                .is_none()
        );
    }
}
