//! OTLP over HTTP, with the HTTP client of all programs.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::{Certificate, Client};
use runtime::text::cause;

use super::signal::SignalConfig;
use super::thread::ExportThread;

/// The most bytes of a response: a message about rejected items.
const MAX_RESPONSE: usize = 64 * 1024;

/// Why the last request of a client failed. The exporter itself reports no cause.
pub(super) type LastFailure = Arc<Mutex<Option<String>>>;

/// A client of one signal. It follows no redirect: that would send the headers to another host.
#[derive(Debug)]
pub(super) struct OtlpClient {
    client: Client,
    headers: Vec<(HeaderName, HeaderValue)>,
    thread: ExportThread,
    failure: LastFailure,
}

impl OtlpClient {
    /// A client for this configuration.
    ///
    /// # Errors
    /// The variable of a proxy is malformed, or the system's certificates cannot be used.
    pub(super) fn new(
        config: &SignalConfig,
        thread: ExportThread,
        failure: LastFailure,
    ) -> Result<Self, String> {
        let builder = http_proxy::client_builder().map_err(|error| error.to_string())?;
        let mut builder = builder
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &config.authorities {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes());
            builder = builder.tls_certs_only(certificates.map_err(|error| cause(&error))?);
        }
        Ok(Self {
            client: builder.build().map_err(|error| cause(&error))?,
            headers: config.headers.clone(),
            thread,
            failure,
        })
    }
}

#[async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let sent = self.thread.run(send(self.client.clone(), request)).await;
        let result = sent.unwrap_or_else(|| Err("the thread has ended".to_owned()));
        let reason = match &result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector responded {}", response.status())),
            Err(reason) => Some(reason.clone()),
        };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        Ok(result?)
    }
}

async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let request = request.try_into().map_err(|error| cause(&error))?;
    let response = client.execute(request).await;
    let mut response = response.map_err(|error| cause(&error.without_url()))?;
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| cause(&error.without_url()))?
    {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err(format!("the response has more than {MAX_RESPONSE} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let mut returned = Response::new(Bytes::from(body));
    *returned.status_mut() = response.status();
    *returned.headers_mut() = std::mem::take(response.headers_mut());
    Ok(returned)
}
