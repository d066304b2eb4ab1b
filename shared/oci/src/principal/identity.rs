//! The identity of a virtual machine: its certificate and key from the metadata service.

use openssl::x509::X509;
use runtime::secret::Secret;

use crate::key::PrivateKey;
use crate::ocid::Ocid;

/// The identity of the machine.
pub(super) struct Identity {
    pub(super) certificate: X509,
    pub(super) intermediate: X509,
    pub(super) key: PrivateKey,
    pub(super) tenancy: Ocid,
}

impl Identity {
    /// Reads the PEM texts of the metadata service.
    pub(super) fn new(
        certificate: &Secret,
        intermediate: &Secret,
        key: &Secret,
    ) -> Result<Self, String> {
        let read = |what: &str, pem: &Secret| {
            X509::from_pem(pem.reveal().as_bytes())
                .map_err(|_| format!("the metadata service's {what} is not a certificate"))
        };
        let certificate = read("cert.pem", certificate)?;
        let intermediate = read("intermediate.pem", intermediate)?;
        let key = PrivateKey::from_pem(key.reveal().as_bytes(), None)
            .map_err(|error| format!("the metadata service's key.pem: {error}"))?;
        let belongs = certificate
            .public_key()
            .is_ok_and(|public| key.matches(&public));
        if !belongs {
            return Err(
                "the metadata service's certificate and key do not match; they may be rotating"
                    .to_owned(),
            );
        }
        let tenancy = tenancy(&certificate)
            .ok_or("the metadata service's certificate contains no tenancy (opc-tenant:…)")?;
        Ok(Self {
            certificate,
            intermediate,
            key,
            tenancy,
        })
    }
}

/// The tenancy in the subject: `opc-tenant:<OCID>`, in some older images `opc-identity:<OCID>`.
fn tenancy(certificate: &X509) -> Option<Ocid> {
    certificate.subject_name().entries().find_map(|entry| {
        let text = entry.data().to_string().ok()?;
        let id = text
            .strip_prefix("opc-tenant:")
            .or_else(|| text.strip_prefix("opc-identity:"))?;
        id.parse().ok()
    })
}
