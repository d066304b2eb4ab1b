//! The way out of all signals: OTLP to a collector, as the standard `OTEL_…` variables say.
//!
//! Nothing here delays the program: the SDK's threads hold what is exported, and requests run on the thread `telemetry`.
//! What cannot be exported within the timeout is dropped, and a warning is logged at most every five minutes.

mod grpc;
mod http_client;
mod logged;
mod signal;
mod thread;
mod variables;

use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, Protocol as OtlpProtocol,
    SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use settings::{SettingError, Settings};
use tonic::metadata::MetadataMap;

pub use logged::LoggedExporter;
pub use signal::Signal;

use crate::Program;
use crate::resource::parse;
use http_client::{LastFailure, OtlpClient};
use signal::{Protocol, SignalConfig};
use thread::ExportThread;
#[cfg(test)]
pub(crate) use variables::of as variables_of;
pub(crate) use variables::{Variables, ignored};

/// The resource of all signals.
pub(crate) fn resource(
    program: Program,
    attributes: impl IntoIterator<Item = (&'static str, String)>,
    variables: &Variables,
) -> Resource {
    let name = "resource_attributes";
    if let Some(text) = variables.text(name).filter(|text| parse(text).is_none()) {
        ignored(name, text, "name=value,name=value");
    }
    let value = |variable: &str| {
        let name = variable.strip_prefix("OTEL_")?.to_ascii_lowercase();
        variables.text(&name).map(str::to_owned)
    };
    program.resource(attributes, value)
}

/// Makes the exporters of the signals that are exported.
#[derive(Debug)]
pub struct Exporter {
    thread: ExportThread,
    signals: Vec<SignalConfig>,
    variables: Variables,
    resource: Resource,
}

impl Exporter {
    /// Reads the `OTEL_…` variables. `None`: no signal is exported, and no thread is started.
    ///
    /// # Errors
    /// An endpoint, a header or a certificate is malformed, or the system refuses a thread. Other values that are not
    /// supported are ignored with a warning.
    pub fn from_settings(
        settings: &Settings,
        program: Program,
    ) -> Result<Option<Self>, SettingError> {
        let variables = Variables::from_settings(settings);
        let signals = signals(&variables)?;
        if signals.is_empty() {
            return Ok(None);
        }
        let thread = ExportThread::start();
        let thread = thread.map_err(|error| failed(format!("starting a thread: {error}")))?;
        Ok(Some(Self {
            thread,
            signals,
            resource: resource(program, [], &variables),
            variables,
        }))
    }

    /// Checks the `OTEL_…` variables as [`Exporter::from_settings`], and starts nothing.
    ///
    /// # Errors
    /// An endpoint, a header or a certificate is malformed.
    pub fn check(settings: &Settings) -> Result<(), SettingError> {
        signals(&Variables::from_settings(settings)).map(drop)
    }

    /// The program, and what `OTEL_RESOURCE_ATTRIBUTES` adds.
    pub fn resource(&self) -> Resource {
        self.resource.clone()
    }

    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The exporter of spans; `None` if they are not exported.
    ///
    /// # Errors
    /// The connection cannot be configured: the variable of a proxy is malformed.
    pub fn spans(&self) -> Result<Option<LoggedExporter<SpanExporter>>, SettingError> {
        self.exporter(Signal::Traces, |config, failure| {
            match self.transport(config, failure)? {
                Transport::Http(client) => {
                    build(http(SpanExporter::builder().with_http(), config, client).build())
                }
                Transport::Grpc(channel) => {
                    build(grpc(SpanExporter::builder().with_tonic(), config, channel).build())
                }
            }
        })
    }

    /// The exporter of metrics; `None` if they are not exported.
    ///
    /// # Errors
    /// As for [`Exporter::spans`].
    pub fn metrics(&self) -> Result<Option<LoggedExporter<MetricExporter>>, SettingError> {
        self.exporter(Signal::Metrics, |config, failure| {
            match self.transport(config, failure)? {
                Transport::Http(client) => {
                    build(http(MetricExporter::builder().with_http(), config, client).build())
                }
                Transport::Grpc(channel) => {
                    build(grpc(MetricExporter::builder().with_tonic(), config, channel).build())
                }
            }
        })
    }

    /// The exporter of log records; `None` if they are not exported.
    ///
    /// # Errors
    /// As for [`Exporter::spans`].
    pub fn logs(&self) -> Result<Option<LoggedExporter<LogExporter>>, SettingError> {
        self.exporter(Signal::Logs, |config, failure| {
            match self.transport(config, failure)? {
                Transport::Http(client) => {
                    build(http(LogExporter::builder().with_http(), config, client).build())
                }
                Transport::Grpc(channel) => {
                    build(grpc(LogExporter::builder().with_tonic(), config, channel).build())
                }
            }
        })
    }

    fn exporter<E>(
        &self,
        signal: Signal,
        build: impl FnOnce(&SignalConfig, &LastFailure) -> Result<E, String>,
    ) -> Result<Option<LoggedExporter<E>>, SettingError> {
        let mut signals = self.signals.iter();
        let Some(config) = signals.find(|config| config.signal == signal) else {
            return Ok(None);
        };
        let failure = LastFailure::default();
        let exporter = build(config, &failure).map_err(failed)?;
        let thread = self.thread.clone();
        Ok(Some(LoggedExporter::new(exporter, config, failure, thread)))
    }

    fn transport(&self, config: &SignalConfig, failure: &LastFailure) -> Result<Transport, String> {
        Ok(match config.protocol {
            Protocol::Http => Transport::Http(OtlpClient::new(
                config,
                self.thread.clone(),
                failure.clone(),
            )?),
            Protocol::Grpc => Transport::Grpc(grpc::channel(config, &self.thread)?),
        })
    }
}

/// The signals that are exported.
fn signals(variables: &Variables) -> Result<Vec<SignalConfig>, SettingError> {
    let all = [Signal::Traces, Signal::Metrics, Signal::Logs].into_iter();
    let configs = all.map(|signal| SignalConfig::new(signal, variables).transpose());
    configs.flatten().collect()
}

enum Transport {
    Http(OtlpClient),
    Grpc(tonic::transport::Channel),
}

/// All values are set here: the builder would otherwise read them from the environment only.
fn http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    config: &SignalConfig,
    client: OtlpClient,
) -> B {
    let builder = builder
        .with_endpoint(config.endpoint.to_string())
        .with_protocol(OtlpProtocol::HttpBinary)
        .with_timeout(config.timeout)
        .with_http_client(client);
    match config.is_compressed {
        true => WithHttpConfig::with_compression(builder, Compression::Gzip),
        false => builder,
    }
}

fn grpc<B: WithExportConfig + WithTonicConfig>(
    builder: B,
    config: &SignalConfig,
    channel: tonic::transport::Channel,
) -> B {
    let headers = config.headers.clone();
    let builder = builder
        .with_timeout(config.timeout)
        .with_channel(channel)
        .with_interceptor(move |mut request: tonic::Request<()>| {
            let mut fields = request.metadata().clone().into_headers();
            for (name, value) in &headers {
                fields.insert(name, value.clone());
            }
            *request.metadata_mut() = MetadataMap::from_headers(fields);
            Ok(request)
        });
    match config.is_compressed {
        true => WithTonicConfig::with_compression(builder, Compression::Gzip),
        false => builder,
    }
}

fn build<E>(result: Result<E, ExporterBuildError>) -> Result<E, String> {
    result.map_err(|error| error.to_string())
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn failed(reason: String) -> SettingError {
    SettingError::Contradiction(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {reason}"))
}
