//! Instance principal: a virtual machine asks its metadata service for a certificate, and federation for a token.

use std::time::Duration;

use http::{Extensions, HeaderValue, Method, header};
use openssl::x509::X509;
use reqwest::{Request, Url};
use tokio::time::timeout;

use super::super::client;
use super::super::exchange::Exchange;
use super::super::key::PrivateKey;
use super::super::ocid::Ocid;
use super::super::region::Region;
use super::{Found, OciError, PrincipalConfig, federation};
use runtime::files;
use runtime::secret::Secret;

/// A metadata service is one hop away: if it does not answer within this, there is none.
const PROBE: Duration = Duration::from_secs(1);

const MAX_ANSWER: usize = 64 << 10;

/// Where metadata and federation answer.
pub(super) struct InstanceSource {
    exchange: Exchange,
    metadata: String,
    federation: Option<String>,
    region: Option<String>,
    default_domain: Option<String>,
}

/// What the metadata service says about the machine.
pub(super) struct Identity {
    pub(super) certificate: X509,
    pub(super) intermediate: X509,
    pub(super) key: PrivateKey,
    pub(super) tenancy: Ocid,
}

impl InstanceSource {
    pub(super) fn new(config: &PrincipalConfig, bound: Duration) -> Result<Self, OciError> {
        // Never through a proxy: the address means this machine's own host.
        let client = client::builder()
            .no_proxy()
            .build()
            .map_err(|error| OciError::Setup(format!("instance principal: {error}")))?;
        Ok(Self {
            exchange: Exchange {
                http: client.into(),
                bound,
                principal: None,
                clock: config.clock,
            },
            metadata: config.metadata.trim_end_matches('/').to_owned(),
            federation: config.federation.clone(),
            region: config.region.clone(),
            default_domain: config.default_domain.clone(),
        })
    }

    /// True if a metadata service of Oracle Cloud answers; other clouds have other services at the same address.
    pub(super) async fn is_there(&self) -> bool {
        let probe = self.metadata("/instance/region");
        matches!(timeout(PROBE, probe).await, Ok(Ok(_)))
    }

    /// Certificate and key from metadata, together, then a token from federation for a session key of our own.
    pub(super) async fn read(&self) -> Result<Found, String> {
        let (region, certificate, key, intermediate) = tokio::try_join!(
            self.metadata("/instance/region"),
            self.metadata("/identity/cert.pem"),
            self.metadata("/identity/key.pem"),
            self.metadata("/identity/intermediate.pem"),
        )?;
        let identity = Identity::new(&certificate, &intermediate, &key)?;
        let own = self.region.as_ref().map_or(region.reveal(), String::as_str);
        let region = Region::new(
            own,
            identity.tenancy.realm(),
            self.default_domain.as_deref(),
        )
        .map_err(|error| error.to_string())?;
        let federation = match &self.federation {
            Some(endpoint) => endpoint.clone(),
            None => region.auth(),
        };
        let credentials = federation::session(&self.exchange, &federation, &identity).await?;
        Ok(Found {
            credentials,
            tenancy: identity.tenancy,
            region: region.to_string(),
        })
    }

    async fn metadata(&self, path: &str) -> Result<Secret, String> {
        let address = format!("{}{path}", self.metadata);
        let mut request = Url::parse(&address)
            .map(|url| Request::new(Method::GET, url))
            .map_err(|error| format!("OCI_METADATA_BASE_URL: {error}"))?;
        // Version 2 of the metadata service answers nobody else, so that a redirected browser cannot ask it.
        let header = HeaderValue::from_static("Bearer Oracle");
        request.headers_mut().insert(header::AUTHORIZATION, header);
        let doing = format!("asking the metadata service for {address}");
        let answer = self
            .exchange
            .ask(&doing, &request, &Extensions::new(), MAX_ANSWER)
            .await
            .map_err(|error| error.to_string())?;
        files::text(answer.body, MAX_ANSWER)
            .map(Secret::new)
            .map_err(|error| format!("{doing}: {error}"))
    }
}

impl Identity {
    fn new(certificate: &Secret, intermediate: &Secret, key: &Secret) -> Result<Self, String> {
        let read = |what: &str, pem: &Secret| {
            X509::from_pem(pem.reveal().as_bytes())
                .map_err(|_| format!("the metadata service's {what} is no certificate"))
        };
        let certificate = read("cert.pem", certificate)?;
        let intermediate = read("intermediate.pem", intermediate)?;
        let key = PrivateKey::from_pem(key.reveal().as_bytes(), None)
            .map_err(|error| format!("the metadata service's key.pem: {error}"))?;
        let belongs = certificate
            .public_key()
            .is_ok_and(|public| key.is_of(&public));
        if !belongs {
            return Err("the metadata service's certificate and key do not belong together (they may be changing just now)".to_owned());
        }
        let tenancy = tenancy(&certificate)
            .ok_or("the metadata service's certificate names no tenancy (opc-tenant:…)")?;
        Ok(Self {
            certificate,
            intermediate,
            key,
            tenancy,
        })
    }
}

/// The tenancy stands in the subject as `opc-tenant:<OCID>`; `opc-identity:` is the form of some older images.
fn tenancy(certificate: &X509) -> Option<Ocid> {
    certificate.subject_name().entries().find_map(|entry| {
        let text = entry.data().to_string().ok()?;
        let id = text
            .strip_prefix("opc-tenant:")
            .or_else(|| text.strip_prefix("opc-identity:"))?;
        id.parse().ok()
    })
}
