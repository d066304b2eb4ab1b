//! A certificate authority, and certificates for servers and clients.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslMethod, SslStream};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509Name, X509RevokedBuilder,
};

use crate::issuer::seconds_from_now;

/// How long a connection waits for bytes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// From when until when a certificate is valid, in days from now.
#[derive(Clone, Copy)]
struct Validity(i64, i64);

const VALIDITY: Validity = Validity(0, 30);
const EXPIRED: Validity = Validity(-2, -1);

/// A certificate authority.
pub struct CertificateAuthority(Certificate);

/// A certificate and its key.
pub struct Certificate {
    /// The certificate.
    pub certificate: X509,
    /// The private key.
    pub key: PKey<Private>,
}

impl CertificateAuthority {
    /// A new authority.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn new(name: &str) -> Result<Self> {
        let key = key()?;
        let mut builder = builder(name, name, &key, VALIDITY)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self(Certificate {
            certificate: builder.build(),
            key,
        }))
    }

    /// The authority's certificate as PEM.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn pem(&self) -> Result<String> {
        self.0.pem()
    }

    /// A certificate of a server on 127.0.0.1, which connections to 0.0.0.0 reach too.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn server(&self, name: &str) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns("localhost").ip("127.0.0.1").ip("0.0.0.0");
        self.issue(
            name,
            &names,
            ExtendedKeyUsage::new().server_auth(),
            VALIDITY,
        )
    }

    /// A certificate of a server with another host name.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn other_server(&self, dns: &str) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns(dns);
        self.issue(dns, &names, ExtendedKeyUsage::new().server_auth(), VALIDITY)
    }

    /// A certificate of a server on 127.0.0.1 that expired a day ago.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn expired_server(&self) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns("localhost").ip("127.0.0.1");
        let usage = &mut ExtendedKeyUsage::new();
        self.issue("expired", &names, usage.server_auth(), EXPIRED)
    }

    /// A certificate of a client with this common name, DNS name and URI.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn client(&self, name: &str, dns: &str, uri: &str) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns(dns).uri(uri);
        self.issue(
            name,
            &names,
            ExtendedKeyUsage::new().client_auth(),
            VALIDITY,
        )
    }

    /// A certificate of a client that expired a day ago.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn expired_client(&self, name: &str) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns(name);
        let usage = &mut ExtendedKeyUsage::new();
        self.issue(name, &names, usage.client_auth(), EXPIRED)
    }

    /// A certificate of a client that names the URL of the revocation list, which has at most 100 characters.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn revocable_client(&self, name: &str, crl_url: &str) -> Result<Certificate> {
        let mut names = SubjectAlternativeName::new();
        names.dns(name);
        let usage = &mut ExtendedKeyUsage::new();
        // RFC 5280, section 4.2.1.13: a sequence of points, whose name is a URI.
        let mut der = crl_url.as_bytes().to_vec();
        for tag in [0x86, 0xa0, 0xa0, 0x30, 0x30] {
            let length = u8::try_from(der.len())?;
            der.splice(..0, [tag, length]);
        }
        let extension = extension("2.5.29.31", &der)?;
        self.issue_with(name, &names, usage.client_auth(), VALIDITY, Some(extension))
    }

    /// The list of these revoked certificates, in DER.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn revocation_list(&self, revoked: &[&Certificate]) -> Result<Vec<u8>> {
        let issuer = &self.0.certificate;
        let (before, after) = (seconds_from_now(-60)?, seconds_from_now(86_400)?);
        let (before, after) = (Asn1Time::from_unix(before)?, Asn1Time::from_unix(after)?);
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(issuer.subject_name())?;
        builder.set_last_update(&before)?;
        builder.set_next_update(&after)?;
        let context = X509::builder()?;
        let context = context.x509v3_context(Some(issuer), None);
        let authority = AuthorityKeyIdentifier::new().issuer(true).build(&context)?;
        builder.append_extension(authority)?;
        builder.append_extension(extension("2.5.29.20", &[2, 1, 1])?)?;
        for certificate in revoked {
            let mut entry = X509RevokedBuilder::new()?;
            entry.set_serial_number(certificate.certificate.serial_number())?;
            entry.set_revocation_date(&before)?;
            builder.add_revoked(entry.build())?;
        }
        builder.sign(&self.0.key, MessageDigest::sha256())?;
        Ok(builder.build()?.to_der()?)
    }

    /// Connects with TLS to a server of this authority, with the certificate of a client.
    ///
    /// # Errors
    /// There is no connection, or the handshake fails.
    pub fn connect(
        &self,
        address: &str,
        client: Option<&Certificate>,
    ) -> Result<SslStream<TcpStream>> {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(self.0.certificate.clone())?;
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_verify_cert_store(store.build())?;
        if let Some(client) = client {
            builder.set_certificate(&client.certificate)?;
            builder.set_private_key(&client.key)?;
        }
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(builder.build().connect("localhost", stream)?)
    }

    fn issue(
        &self,
        name: &str,
        names: &SubjectAlternativeName,
        usage: &ExtendedKeyUsage,
        validity: Validity,
    ) -> Result<Certificate> {
        self.issue_with(name, names, usage, validity, None)
    }

    fn issue_with(
        &self,
        name: &str,
        names: &SubjectAlternativeName,
        usage: &ExtendedKeyUsage,
        validity: Validity,
        extension: Option<X509Extension>,
    ) -> Result<Certificate> {
        let issuer = &self.0.certificate;
        let common = issuer.subject_name().entries_by_nid(Nid::COMMONNAME).next();
        let common = common.map(|entry| entry.data().to_string()).transpose()?;
        let key = key()?;
        let mut builder = builder(name, &common.unwrap_or_default(), &key, validity)?;
        let context = builder.x509v3_context(Some(issuer), None);
        let (names, usage) = (names.build(&context)?, usage.build()?);
        builder.append_extension(names)?;
        builder.append_extension(usage)?;
        if let Some(extension) = extension {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.0.key, MessageDigest::sha256())?;
        Ok(Certificate {
            certificate: builder.build(),
            key,
        })
    }
}

impl Certificate {
    /// The certificate as PEM.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn pem(&self) -> Result<String> {
        Ok(String::from_utf8(self.certificate.to_pem()?)?)
    }

    /// The private key as PEM.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn key_pem(&self) -> Result<String> {
        Ok(String::from_utf8(self.key.private_key_to_pem_pkcs8()?)?)
    }
}

fn builder(
    name: &str,
    issuer: &str,
    key: &PKey<Private>,
    validity: Validity,
) -> Result<X509Builder> {
    let mut serial = BigNum::new()?;
    serial.rand(64, MsbOption::ONE, false)?;
    let now = seconds_from_now(0)?;
    let time = |days: i64| Asn1Time::from_unix(now + days * 86_400);
    let (not_before, not_after) = (time(validity.0)?, time(validity.1)?);
    let (name, issuer) = (common_name(name)?, common_name(issuer)?);
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&issuer)?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

fn extension(oid: &str, der: &[u8]) -> Result<X509Extension> {
    let (oid, value) = (
        Asn1Object::from_str(oid)?,
        Asn1OctetString::new_from_bytes(der)?,
    );
    Ok(X509Extension::new_from_der(&oid, false, &value)?)
}

fn common_name(name: &str) -> Result<X509Name> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}
