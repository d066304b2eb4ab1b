//! Starts the ingest function, and starts a new one when its settings change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_server::program::Failure;
use runtime::console;
use settings::{LiveSettings, Settings, telemetry as log};
use telemetry::Telemetry;
use telemetry::metrics::Metrics;
use tokio::sync::watch;
use tracing::{info, warn};

use super::PROGRAM;
use super::current_function::FunctionSlot;
use super::start_failure::StartFailure;
use crate::ingest::{Config, IngestFunction};
use crate::metrics::{IngestMetrics, MAX_SERIES};
use crate::settings::GROUPS;

/// The pause after the broker rejected the credentials, if the settings have not changed. The Kafka client retries
/// several times a second.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// How often the files of the Kafka client's TLS are compared with those in use.
const TLS_INTERVAL: Duration = Duration::from_secs(5);

/// Replaces the current function when the settings change.
pub(super) struct Reloader {
    settings: LiveSettings,
    metrics: Option<Arc<IngestMetrics>>,
    slot: FunctionSlot,
    /// What the first settings ask for. Later ones change nothing.
    telemetry: Telemetry,
}

impl Reloader {
    /// Reads the settings and starts the function. It counts and measures if the host `serves_metrics`, or if the settings ask
    /// for their export.
    ///
    /// # Errors
    /// The configuration is invalid.
    pub(super) async fn start(
        slot: FunctionSlot,
        serves_metrics: bool,
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StartFailure> {
        let settings = LiveSettings::gather(&GROUPS, flags, environment).await?;
        log::start(&settings.current())?;
        // Before the exporters of telemetry: a host that starts again would start their threads each time.
        let config = Config::from_settings(&settings.current())?;
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
            slot,
            telemetry,
        };
        reloader.start_function(config).await?;
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
            let function = self.slot.function();
            let settings = self.settings.current();
            if function.is_some_and(|function| function.has_other_kafka_tls(&settings)) {
                return;
            }
        }
    }

    async fn reload(&self, settings: &Settings) {
        match self.replace(settings).await {
            Ok(()) => info!("settings reloaded"),
            Err(StartFailure { failure, .. }) => warn!(
                error = failure.message,
                "reloading the settings failed; keeping the previous settings"
            ),
        }
    }

    async fn authentication_failed(&self) {
        match self.slot.function() {
            Some(function) => function.authentication_failed().await,
            None => std::future::pending().await,
        }
    }

    async fn replace(&self, settings: &Settings) -> Result<(), StartFailure> {
        self.start_function(Config::from_settings(settings)?).await
    }

    async fn start_function(&self, config: Config) -> Result<(), StartFailure> {
        let mut config = config.with_metrics(self.metrics.clone());
        config.set_telemetry(self.telemetry.clone());
        if let Some(previous) = self.slot.function() {
            config.keep_keys(&previous);
        }
        self.slot.set(IngestFunction::start(config).await?);
        Ok(())
    }
}

/// Starts the function and reloads it, for a host whose callers receive only responses: a function that cannot start answers
/// with the reason, and is started again at a later call.
pub(super) async fn keep_started(
    slot: &FunctionSlot,
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Infallible {
    loop {
        match Reloader::start(slot.clone(), false, flags, &environment).await {
            Ok(reloader) => match reloader.run().await {},
            Err(StartFailure { failure, reason }) => {
                // As the line of a program that ends: there may be no log yet.
                console::say(format_args!("{}: {}", PROGRAM.name, failure.message));
                slot.failed(&reason).await;
            }
        }
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
