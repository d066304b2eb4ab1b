//! Verifies signatures of JWTs with OpenSSL, which the programs contain already.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};
use signature::Error;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes OpenSSL the cryptography of `jsonwebtoken` in this process.
pub(super) fn install() {
    // It fails if it is installed already.
    let _ = PROVIDER.install_default();
}

/// Verifies signatures of one key and algorithm.
struct OpenSslVerifier {
    key: PKey<Public>,
    algorithm: Algorithm,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let key = public_key(*algorithm, key.kind()).ok_or(ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(OpenSslVerifier {
        key,
        algorithm: *algorithm,
    }))
}

/// The key, if it is valid and fits the algorithm.
pub(super) fn public_key(algorithm: Algorithm, key: &DecodingKeyKind) -> Option<PKey<Public>> {
    let made = match (algorithm, key) {
        (
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
            DecodingKeyKind::RsaModulusExponent { n, e },
        ) => rsa(n, e),
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
            elliptic(Nid::X9_62_PRIME256V1, point)
        }
        (Algorithm::ES384, DecodingKeyKind::SecretOrDer(point)) => elliptic(Nid::SECP384R1, point),
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(bytes)) => {
            PKey::public_key_from_raw_bytes(bytes, Id::ED25519)
        }
        _ => return None,
    };
    made.ok()
}

fn rsa(n: &[u8], e: &[u8]) -> std::result::Result<PKey<Public>, ErrorStack> {
    let (n, e) = (BigNum::from_slice(n)?, BigNum::from_slice(e)?);
    PKey::from_rsa(Rsa::from_public_components(n, e)?)
}

fn elliptic(curve: Nid, point: &[u8]) -> std::result::Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = openssl::bn::BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, point, &mut context)?;
    PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
}

impl OpenSslVerifier {
    fn is_valid(&self, message: &[u8], signature: &[u8]) -> std::result::Result<bool, ErrorStack> {
        match self.algorithm {
            Algorithm::EdDSA => {
                Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, message)
            }
            // RFC 7518, section 3.4: the two numbers, each as long as the curve's order.
            Algorithm::ES256 => self.is_valid_ecdsa(32, message, signature),
            Algorithm::ES384 => self.is_valid_ecdsa(48, message, signature),
            _ => {
                let mut verifier = Verifier::new(self.digest(), &self.key)?;
                if matches!(
                    self.algorithm,
                    Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512
                ) {
                    verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                }
                verifier.verify_oneshot(signature, message)
            }
        }
    }

    fn is_valid_ecdsa(
        &self,
        length: usize,
        message: &[u8],
        signature: &[u8],
    ) -> std::result::Result<bool, ErrorStack> {
        if signature.len() != 2 * length {
            return Ok(false);
        }
        let (r, s) = signature.split_at(length);
        let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
        let signature = EcdsaSig::from_private_components(r, s)?.to_der()?;
        Verifier::new(self.digest(), &self.key)?.verify_oneshot(&signature, message)
    }

    fn digest(&self) -> MessageDigest {
        match self.algorithm {
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => MessageDigest::sha384(),
            Algorithm::RS512 | Algorithm::PS512 => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        }
    }
}

impl signature::Verifier<Vec<u8>> for OpenSslVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        match self.is_valid(message, signature) {
            Ok(true) => Ok(()),
            _ => Err(Error::new()),
        }
    }
}

impl JwtVerifier for OpenSslVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
