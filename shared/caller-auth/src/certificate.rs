//! Which client certificates are accepted, of those that the server has verified. Pure.

use http_server::tls::PeerCertificate;

/// The names of which a client certificate must have one.
#[derive(Debug)]
pub(crate) enum CertificateNames {
    /// Every certificate that the configured authorities have signed.
    Any,
    /// One of these names: a DNS name, URI or e-mail address of the subject alternative name, or the common name.
    OneOf(Vec<String>),
}

impl CertificateNames {
    pub(crate) fn accepts(&self, certificate: &PeerCertificate) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => (certificate.names())
                .iter()
                .any(|name| names.contains(name)),
        }
    }
}
