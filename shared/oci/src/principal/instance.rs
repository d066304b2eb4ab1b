//! Instance principal: a virtual machine gets a certificate from its metadata service and a token from federation.

use std::time::Duration;

use http::{Extensions, HeaderValue, Method, header};
use reqwest::{Request, Url};
use runtime::files;
use runtime::secret::Secret;
use tokio::time::timeout;

use super::config::PrincipalConfig;
use super::credentials::LoadedPrincipal;
use super::federation;
use super::identity::Identity;
use crate::api::Api;
use crate::error::OciError;
use crate::http_client;
use crate::region::Region;

/// The metadata service is on the same host: without a response within this time there is none.
const PROBE: Duration = Duration::from_secs(1);

const MAX_RESPONSE: usize = 64 << 10;

/// The addresses of metadata service and federation.
pub(super) struct InstanceSource {
    api: Api,
    metadata: String,
    federation: Option<String>,
    region: Option<String>,
    default_domain: Option<String>,
}

impl InstanceSource {
    pub(super) fn new(
        config: &PrincipalConfig,
        operation_timeout: Duration,
    ) -> Result<Self, OciError> {
        // Without a proxy: the address is link-local.
        let client = http_client::builder()?
            .no_proxy()
            .build()
            .map_err(|error| OciError::Setup(format!("instance principal: {error}")))?;
        Ok(Self {
            api: Api {
                http: client.into(),
                timeout: operation_timeout,
                clock: config.clock,
            },
            metadata: config.metadata.trim_end_matches('/').to_owned(),
            federation: config.federation.clone(),
            region: config.region.clone(),
            default_domain: config.default_domain.clone(),
        })
    }

    /// Whether a metadata service of Oracle Cloud responds. Other clouds have other services at the same address.
    pub(super) async fn is_available(&self) -> bool {
        let probe = self.metadata("/instance/region");
        matches!(timeout(PROBE, probe).await, Ok(Ok(_)))
    }

    /// Reads certificate and key from the metadata service, then gets a token from federation for a new session key.
    pub(super) async fn load(&self) -> Result<LoadedPrincipal, String> {
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
        let credentials = federation::session(&self.api, &federation, &identity).await?;
        Ok(LoadedPrincipal {
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
        // Version 2 of the metadata service requires this header, against request forgery.
        let header = HeaderValue::from_static("Bearer Oracle");
        request.headers_mut().insert(header::AUTHORIZATION, header);
        let operation = format!("reading {address} of the metadata service");
        let response = self
            .api
            .send(&operation, &request, &Extensions::new(), MAX_RESPONSE)
            .await
            .map_err(|error| error.to_string())?;
        files::text(response.body, MAX_RESPONSE)
            .map(Secret::new)
            .map_err(|error| format!("{operation}: {error}"))
    }
}
