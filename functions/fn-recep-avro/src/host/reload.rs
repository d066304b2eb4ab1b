//! Starts the ingest function, and starts a new one when its settings change.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_server::program::Failure;
use settings::{LiveSettings, Settings, telemetry as log};
use telemetry::Telemetry;
use telemetry::metrics::Metrics;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tracing::{info, warn};

use super::PROGRAM;
use crate::ingest::{Call, Config, IngestFunction, starting};
use crate::metrics::{IngestMetrics, MAX_SERIES};
use crate::settings::GROUPS;

/// How long a call without a deadline waits for the function to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the broker rejected the credentials, if the settings have not changed. The Kafka client retries
/// several times a second.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// How often the files of the Kafka client's TLS are compared with those in use.
const TLS_INTERVAL: Duration = Duration::from_secs(5);

/// The current ingest function, for the hosts. It is cheap to clone.
#[derive(Clone)]
pub(super) struct CurrentFunction(watch::Receiver<Option<Arc<IngestFunction>>>);

/// Replaces the current function when the settings change.
pub(super) struct Reloader {
    settings: LiveSettings,
    metrics: Option<Arc<IngestMetrics>>,
    function: watch::Sender<Option<Arc<IngestFunction>>>,
    /// What the first settings ask for. Later ones change nothing.
    telemetry: Telemetry,
}

impl CurrentFunction {
    /// A function that is not started, and the sender for the started one.
    pub(super) fn new() -> (Self, watch::Sender<Option<Arc<IngestFunction>>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), sender)
    }

    /// Handles a request with the current function. The response is 503 with `Retry-After` if the function does not
    /// start before the call's deadline.
    pub(super) async fn handle<B>(&self, request: Request<B>, call: &Call) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match self.wait(call.deadline).await {
            Some(function) => function.handle(request, call).await,
            None => starting(call),
        }
    }

    /// The same, counted and measured. For a host without `GET /metrics`: only an exporter gets the metrics.
    pub(super) async fn handle_measured<B>(
        &self,
        request: Request<B>,
        call: &Call,
    ) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Some(function) = self.wait(call.deadline).await else {
            return starting(call);
        };
        let measured = function
            .metrics()
            .map(|metrics| metrics.begin(request.method()));
        let response = function.handle(request, call).await;
        if let Some(measured) = measured {
            measured.end(&response);
        }
        response
    }

    /// Waits until the telemetry of a call is exported, a second at most, for a host that freezes the program.
    pub(super) async fn flush_telemetry(&self, call: &Call) {
        let current = self.0.borrow().clone();
        if let Some(function) = current {
            function.telemetry().flush(call.deadline).await;
        }
    }

    /// Exports the remaining telemetry at the end of the program.
    pub(super) async fn shutdown_telemetry(&self) {
        let current = self.0.borrow().clone();
        if let Some(function) = current {
            function.telemetry().shutdown().await;
        }
    }

    /// Logs a warning if the function is started and every caller that reaches this address is accepted.
    pub(super) fn warn_if_open(&self, address: SocketAddr) {
        if let Some(function) = &*self.0.borrow() {
            function.warn_if_open(address);
        }
    }

    /// Whether the function can publish: `None`, or the response to a readiness check. Does not wait for the start.
    pub(super) async fn readiness(&self, call: &Call) -> Option<Response<Bytes>> {
        let current = self.0.borrow().clone();
        match current {
            Some(function) => function.readiness(call).await,
            None => Some(starting(call)),
        }
    }

    /// Whether a request may read the metrics: `None`, or the response to the refused request. Does not wait for the start.
    pub(super) async fn refuse_scrape(&self, head: &Parts, call: &Call) -> Option<Response<Bytes>> {
        let current = self.0.borrow().clone();
        match current {
            Some(function) => function.refuse_scrape(head, call).await,
            None => Some(starting(call)),
        }
    }

    async fn wait(&self, deadline: Option<Instant>) -> Option<Arc<IngestFunction>> {
        let current = self.0.borrow().clone();
        if current.is_some() {
            return current;
        }
        let deadline = deadline.unwrap_or_else(|| Instant::now() + START_TIMEOUT);
        let mut function = self.0.clone();
        let started = timeout_at(deadline.into(), function.wait_for(Option::is_some)).await;
        started.ok()?.ok()?.clone()
    }
}

impl Reloader {
    /// Reads the settings and starts the function. It counts and measures if the host `serves_metrics`, or if the settings ask
    /// for their export.
    ///
    /// # Errors
    /// The configuration is invalid.
    pub(super) async fn start(
        function: watch::Sender<Option<Arc<IngestFunction>>>,
        serves_metrics: bool,
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let settings = LiveSettings::gather(&GROUPS, flags, environment)
            .await
            .map_err(Failure::configuration)?;
        log::start(&settings.current()).map_err(Failure::configuration)?;
        let mut telemetry = Telemetry::start(&settings.current(), PROGRAM)?;
        let metrics = if serves_metrics || telemetry.metrics().is_some() {
            let metrics = metrics(&settings.current(), &mut telemetry, serves_metrics)?;
            Some(Arc::new(IngestMetrics::new(metrics)))
        } else {
            None
        };
        let reloader = Self {
            settings,
            metrics,
            function,
            telemetry,
        };
        reloader.replace(&reloader.settings.current()).await?;
        Ok(reloader)
    }

    /// What counts and measures.
    pub(super) fn metrics(&self) -> Option<Arc<IngestMetrics>> {
        self.metrics.clone()
    }

    /// The settings, now and after each change.
    pub(super) fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.changes()
    }

    /// Reads the settings again at their refresh interval and when a broker rejects the credentials.
    ///
    /// If no function can be started with the new settings, the current one stays. Calls in flight end with the function
    /// that they began with.
    pub(super) async fn run(&self) -> Infallible {
        let mut changes = self.settings.changes();
        let mut refresh = std::pin::pin!(self.settings.keep_fresh());
        let mut push = std::pin::pin!(self.telemetry.keep_pushing());
        loop {
            tokio::select! {
                () = &mut refresh => {}
                () = &mut push => {}
                () = self.authentication_failed() => {
                    if !self.settings.refresh(Instant::now()).await {
                        tokio::time::sleep(REFRESH_INTERVAL).await;
                    }
                }
                () = self.kafka_tls_changed() => self.reload(&self.settings.current()).await,
                // It cannot fail: `self` holds the sender.
                _ = changes.changed() => {
                    let settings = changes.borrow_and_update().clone();
                    self.reload(&settings).await;
                }
            }
        }
    }

    /// Completes when a certificate or key of the Kafka client was replaced.
    async fn kafka_tls_changed(&self) {
        loop {
            tokio::time::sleep(TLS_INTERVAL).await;
            let function = self.function.borrow().clone();
            let settings = self.settings.current();
            if function.is_some_and(|function| function.has_other_kafka_tls(&settings)) {
                return;
            }
        }
    }

    async fn reload(&self, settings: &Settings) {
        match self.replace(settings).await {
            Ok(()) => info!("settings reloaded"),
            Err(failure) => warn!(
                error = failure.message,
                "reloading the settings failed; keeping the previous settings"
            ),
        }
    }

    async fn authentication_failed(&self) {
        let function = self.function.borrow().clone();
        match function {
            Some(function) => function.authentication_failed().await,
            None => std::future::pending().await,
        }
    }

    async fn replace(&self, settings: &Settings) -> Result<(), Failure> {
        let config = Config::from_settings(settings).map_err(Failure::configuration)?;
        let mut config = config.with_metrics(self.metrics.clone());
        config.set_telemetry(self.telemetry.clone());
        if let Some(previous) = &*self.function.borrow() {
            config.keep_keys(previous);
        }
        let function = IngestFunction::start(config)
            .await
            .map_err(Failure::configuration)?;
        self.function.send_replace(Some(Arc::new(function)));
        Ok(())
    }
}

/// The metrics of this process.
fn metrics(
    settings: &Settings,
    telemetry: &mut Telemetry,
    serves_text: bool,
) -> Result<Metrics, Failure> {
    let resource = Telemetry::instance(settings, PROGRAM);
    let metrics = match telemetry.metrics() {
        Some(_) if serves_text => Metrics::with_push(resource, MAX_SERIES),
        Some(_) => Metrics::push_only(resource, MAX_SERIES),
        None => Metrics::new(resource, MAX_SERIES),
    };
    let metrics = metrics.map_err(Failure::software)?;
    telemetry.push_metrics(&metrics, settings);
    Ok(metrics)
}
