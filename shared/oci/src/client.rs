//! The client: a principal, the addresses of the services, and signed requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Extensions, Method};
use reqwest::{Request, Url};
use reqwest_middleware::ClientWithMiddleware;

use crate::api::{Api, ApiResponse};
use crate::error::OciError;
use crate::http_client;
use crate::principal::{Principal, PrincipalConfig};
use crate::sign::SigningMiddleware;

/// How to reach Oracle Cloud.
#[derive(Clone, Debug)]
pub struct OciConfig {
    /// The principal that signs requests.
    pub principal: PrincipalConfig,
    /// One address for all services, instead of the hosts of the region.
    pub endpoint: Option<String>,
    /// The maximum duration of one operation, with all attempts and waits.
    pub timeout: Duration,
}

/// A client of Oracle Cloud for one principal.
pub struct Oci {
    api: Api,
    principal: Arc<Principal>,
    endpoint: Option<String>,
}

impl Oci {
    /// Loads the principal and builds the client. Sends requests only to the metadata service and federation, and only
    /// for an instance principal.
    ///
    /// # Errors
    /// There is no principal, or its configuration is invalid.
    pub async fn sign_in(config: &OciConfig) -> Result<Self, OciError> {
        let principal = Arc::new(Principal::load(&config.principal, config.timeout).await?);
        let client = http_client::builder()?
            .build()
            .map_err(|error| OciError::Setup(format!("building the HTTP client: {error}")))?;
        let signing = SigningMiddleware {
            principal: Arc::clone(&principal),
            clock: config.principal.clock,
        };
        Ok(Self {
            api: Api {
                http: ClientWithMiddleware::new(client, [Arc::new(signing) as Arc<_>]),
                timeout: config.timeout,
                clock: config.principal.clock,
            },
            principal,
            endpoint: config.endpoint.clone(),
        })
    }

    /// The principal that signs requests.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// A request to a service. `host` is the address of the service in the region.
    pub(crate) fn request(
        &self,
        method: Method,
        host: String,
        path_and_query: &str,
    ) -> Result<Request, OciError> {
        let base = self.endpoint.clone().unwrap_or(host);
        let address = format!("{}{path_and_query}", base.trim_end_matches('/'));
        Url::parse(&address)
            .map(|url| Request::new(method, url))
            .map_err(|error| OciError::Setup(format!("OCI_ENDPOINT: {address}: {error}")))
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.api.clock)()
    }

    /// Sends a request as [`Api::send`] does. The error for a 401 says if the token has expired.
    pub(crate) async fn send(
        &self,
        operation: &str,
        request: &Request,
        extensions: &Extensions,
        limit: usize,
    ) -> Result<ApiResponse, OciError> {
        let sent = self.api.send(operation, request, extensions, limit).await;
        let mut error = match sent {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if let OciError::Refused {
            status: 401, hint, ..
        } = &mut error
        {
            *hint = self.principal.expiry_hint(self.now()).await;
        }
        Err(error)
    }
}
