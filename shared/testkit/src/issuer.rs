//! Signs JWTs and describes the keys as a JWKS, without the code under test.

use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};

/// A key that signs tokens with one algorithm (RFC 7518, section 3.1).
pub struct SigningKey {
    id: String,
    algorithm: &'static str,
    key: PKey<Private>,
}

impl SigningKey {
    /// Generates a key for `RS256` to `RS512`, `PS256` to `PS512`, `ES256`, `ES384` or `EdDSA`.
    ///
    /// # Errors
    /// Another algorithm.
    pub fn generate(id: &str, algorithm: &'static str) -> Result<Self> {
        let key = match algorithm {
            "ES256" => elliptic(Nid::X9_62_PRIME256V1)?,
            "ES384" => elliptic(Nid::SECP384R1)?,
            "EdDSA" => PKey::generate_ed25519()?,
            _ if algorithm.starts_with(['R', 'P']) => PKey::from_rsa(Rsa::generate(2048)?)?,
            _ => bail!("no key for {algorithm}"),
        };
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            key,
        })
    }

    /// The public key as a JWK.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn jwk(&self) -> Result<Value> {
        let mut jwk = json!({"kid": self.id, "alg": self.algorithm, "use": "sig"});
        let encode = |bytes: Vec<u8>| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        if let Ok(rsa) = self.key.rsa() {
            jwk["kty"] = "RSA".into();
            jwk["n"] = encode(rsa.n().to_vec());
            jwk["e"] = encode(rsa.e().to_vec());
        } else if let Ok(ec) = self.key.ec_key() {
            let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
            let mut context = BigNumContext::new()?;
            let point = ec.public_key();
            point.affine_coordinates(ec.group(), &mut x, &mut y, &mut context)?;
            let length = self.curve_bytes();
            jwk["kty"] = "EC".into();
            jwk["crv"] = if length == 32 { "P-256" } else { "P-384" }.into();
            jwk["x"] = encode(x.to_vec_padded(length)?);
            jwk["y"] = encode(y.to_vec_padded(length)?);
        } else {
            jwk["kty"] = "OKP".into();
            jwk["crv"] = "Ed25519".into();
            jwk["x"] = encode(self.key.raw_public_key()?);
        }
        Ok(jwk)
    }

    /// The public key as PEM.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn public_pem(&self) -> Result<Vec<u8>> {
        Ok(self.key.public_key_to_pem()?)
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.sign_with(&json!({"alg": self.algorithm, "kid": self.id}), claims)
    }

    /// A signed token with this header, whatever it says.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> Result<String> {
        let text = unsigned(header, claims);
        let signature = self.signature(text.as_bytes())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, text: &[u8]) -> Result<Vec<u8>> {
        if self.algorithm == "EdDSA" {
            return Ok(Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(text)?);
        }
        let digest = match self.algorithm.get(2..) {
            Some("256") => MessageDigest::sha256(),
            Some("384") => MessageDigest::sha384(),
            _ => MessageDigest::sha512(),
        };
        let mut signer = Signer::new(digest, &self.key)?;
        if self.algorithm.starts_with("PS") {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        let signature = signer.sign_oneshot_to_vec(text)?;
        if !self.algorithm.starts_with("ES") {
            return Ok(signature);
        }
        let (signature, length) = (EcdsaSig::from_der(&signature)?, self.curve_bytes());
        Ok([
            signature.r().to_vec_padded(length)?,
            signature.s().to_vec_padded(length)?,
        ]
        .concat())
    }

    fn curve_bytes(&self) -> i32 {
        if self.algorithm == "ES256" { 32 } else { 48 }
    }
}

/// A JWKS of these keys.
///
/// # Errors
/// OpenSSL fails.
pub fn jwks(keys: &[&SigningKey]) -> Result<String> {
    let keys: Result<Vec<Value>> = keys.iter().map(|key| key.jwk()).collect();
    Ok(json!({"keys": keys?}).to_string())
}

/// The first two parts of a token: what is signed.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// A token that is signed with a shared secret (HS256).
///
/// # Errors
/// OpenSSL fails.
pub fn sign_hs256(secret: &[u8], id: &str, claims: &Value) -> Result<String> {
    let text = unsigned(&json!({"alg": "HS256", "kid": id}), claims);
    let key = PKey::hmac(secret)?;
    let signature =
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Seconds since 1970, this many seconds from now.
///
/// # Errors
/// The clock is before 1970.
pub fn seconds_from_now(seconds: i64) -> Result<i64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    i64::try_from(now.as_secs())?
        .checked_add(seconds)
        .context("the time is out of range")
}

fn elliptic(curve: Nid) -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(curve)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}
