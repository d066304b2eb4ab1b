//! The sources of credentials that routes share.

use std::sync::Arc;

use delivery::transport::TlsFiles;
use oauth2::{ClientCredentials, TokenSource};
use oci::RequestSigner;
use settings::Settings;

/// The sources of credentials of all routes of a file.
#[derive(Default)]
pub(super) struct Sources {
    tokens: Vec<(ClientCredentials, Option<Arc<TlsFiles>>, TokenSource)>,
    signer: Option<Arc<RequestSigner>>,
}

impl Sources {
    /// The source of tokens with these credentials and this TLS configuration of the token endpoint.
    pub(super) fn tokens(
        &mut self,
        credentials: &ClientCredentials,
        tls: Option<&Arc<TlsFiles>>,
    ) -> Result<TokenSource, String> {
        let is_same_tls = |other: Option<&Arc<TlsFiles>>| match (tls, other) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        let mut known = self.tokens.iter();
        let known = known.find(|(known, tls, _)| known == credentials && is_same_tls(tls.as_ref()));
        if let Some((_, _, source)) = known {
            return Ok(source.clone());
        }
        let files = tls.map(Arc::clone);
        let http = move || {
            let builder = http_proxy::client_builder().map_err(|error| error.to_string())?;
            Ok(match &files {
                Some(tls) => {
                    let connector = tls.native_connector().map_err(|error| error.to_string())?;
                    builder.tls_backend_preconfigured(connector)
                }
                None => builder,
            })
        };
        let source = TokenSource::new(http, credentials).map_err(|error| error.to_string())?;
        let tls = tls.map(Arc::clone);
        self.tokens.push((credentials.clone(), tls, source.clone()));
        Ok(source)
    }

    /// The signer of the job's Oracle Cloud principal.
    pub(super) fn signer(&mut self, settings: &Settings) -> Result<Arc<RequestSigner>, String> {
        if let Some(signer) = &self.signer {
            return Ok(Arc::clone(signer));
        }
        let config = settings.oracle_cloud().map_err(|error| error.to_string())?;
        let signer = Arc::new(RequestSigner::new(config));
        self.signer = Some(Arc::clone(&signer));
        Ok(signer)
    }
}
