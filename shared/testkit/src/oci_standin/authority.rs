//! The cloud's authority: issues and verifies tokens, and certifies a machine.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::x509::{X509, X509Name};
use serde_json::{Value, json};

use super::names::TENANCY;

/// The key that signs tokens, and a machine with its certificates.
pub(super) struct Authority {
    token_key: PKey<Private>,
    pub(super) machine: Machine,
}

/// A machine's identity, as the metadata service returns it.
pub(super) struct Machine {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
    pub(super) intermediate: X509,
}

impl Authority {
    /// The authority of this process. It is created once, because generating keys takes long.
    pub(super) fn get() -> Result<&'static Self> {
        static AUTHORITY: OnceLock<Authority> = OnceLock::new();
        if let Some(authority) = AUTHORITY.get() {
            return Ok(authority);
        }
        let authority = Self::new()?;
        Ok(AUTHORITY.get_or_init(|| authority))
    }

    fn new() -> Result<Self> {
        let issuer = rsa_key()?;
        let intermediate = certificate("intermediate", None, &issuer, &issuer)?;
        let key = rsa_key()?;
        let certificate = certificate("machine", Some(&intermediate), &key, &issuer)?;
        Ok(Self {
            token_key: rsa_key()?,
            machine: Machine {
                certificate,
                key,
                intermediate,
            },
        })
    }

    /// Issues a token for this session key that expires at `end`.
    pub(super) fn token(
        &self,
        session: &PKey<Public>,
        number: u64,
        end: SystemTime,
    ) -> Result<String> {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .map(|since| since.as_secs())
        };
        let rsa = session.rsa()?;
        let jwk = json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "session",
            "n": URL_SAFE_NO_PAD.encode(rsa.n().to_vec()),
            "e": URL_SAFE_NO_PAD.encode(rsa.e().to_vec()),
        });
        let claims = json!({
            "sub": "standin", "iss": "authService.oracle.com", "jti": number.to_string(), "ptype": "resource",
            "iat": seconds(SystemTime::now())?, "exp": seconds(end)?,
            "res_tenant": TENANCY, "res_compartment": "ocid1.compartment.oc1..standin",
            "jwk": jwk.to_string(),
        });
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.token_key)?;
        let signature = signer.sign_oneshot_to_vec(text.as_bytes())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The session key of a token.
    ///
    /// # Errors
    /// The token was not issued by this authority, has expired or is revoked.
    pub(super) fn session_key(
        &self,
        token: &str,
        first_valid: u64,
        now: SystemTime,
    ) -> Result<PKey<Public>> {
        let (text, signature) = token.rsplit_once('.').context("the token is not a JWT")?;
        let mut verifier = Verifier::new(MessageDigest::sha256(), &self.token_key)?;
        if !verifier.verify_oneshot(&URL_SAFE_NO_PAD.decode(signature)?, text.as_bytes())? {
            bail!("the token was not issued by this authority");
        }
        let (_, claims) = text.split_once('.').context("the token is not a JWT")?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        let end = Duration::from_secs(claims["exp"].as_u64().context("the token has no exp")?);
        if SystemTime::UNIX_EPOCH + end <= now {
            bail!("the token has expired");
        }
        let number: u64 = claims["jti"]
            .as_str()
            .context("the token has no jti")?
            .parse()?;
        if number < first_valid {
            bail!("the token is revoked");
        }
        let jwk: Value =
            serde_json::from_str(claims["jwk"].as_str().context("the token has no jwk")?)?;
        let part = |name: &str| -> Result<BigNum> {
            let text = jwk[name]
                .as_str()
                .with_context(|| format!("the jwk has no {name}"))?;
            Ok(BigNum::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?)
        };
        let rsa = Rsa::from_public_components(part("n")?, part("e")?)?;
        Ok(PKey::from_rsa(rsa)?)
    }
}

/// Generates an RSA key.
pub(super) fn rsa_key() -> Result<PKey<Private>> {
    Ok(PKey::from_rsa(Rsa::generate(2048)?)?)
}

/// The public part of a key.
pub(super) fn public(key: &PKey<Private>) -> Result<PKey<Public>> {
    Ok(PKey::public_key_from_der(&key.public_key_to_der()?)?)
}

fn certificate(
    name: &str,
    issuer: Option<&X509>,
    key: &PKey<Private>,
    signer: &PKey<Private>,
) -> Result<X509> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    if issuer.is_some() {
        subject.append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, "opc-certtype:instance")?;
        subject.append_entry_by_nid(
            Nid::ORGANIZATIONALUNITNAME,
            &format!("opc-tenant:{TENANCY}"),
        )?;
    }
    let subject = subject.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = BigNum::from_u32(if issuer.is_some() { 2 } else { 1 })?.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.subject_name()))?;
    builder.set_pubkey(key)?;
    let (start, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(1)?);
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)?;
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(builder.build())
}
