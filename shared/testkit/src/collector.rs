//! An OpenTelemetry collector. `deploy/monitoring/collector/build` builds it once for a machine.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::certificates::{Certificate, CertificateAuthority};
use crate::process_guard;
use crate::program::{self, Program};

/// The timeout of the start, and of what is expected to arrive. It allows for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/monitoring/collector/build"
);

/// A running collector on the loopback, which receives OTLP over HTTP and gRPC. Dropping this stops it.
pub struct Collector {
    scheme: &'static str,
    http: u16,
    grpc: u16,
    files: TempDir,
    _program: Program,
}

/// A span, as the collector has written it.
#[derive(Clone, Debug)]
pub struct CollectedSpan {
    /// `service.name` of the resource.
    pub service: String,
    /// The name.
    pub name: String,
    /// The span in OTLP's JSON.
    pub json: Value,
}

impl Collector {
    /// Starts a collector. The first start on a machine builds it, in minutes.
    ///
    /// # Errors
    /// Go is missing, or the collector did not start.
    pub async fn start() -> Result<Self> {
        Self::run(None).await
    }

    /// Starts a collector that accepts TLS only, with a certificate of this authority.
    ///
    /// # Errors
    /// As [`Collector::start`].
    pub async fn start_tls(authority: &CertificateAuthority) -> Result<Self> {
        Self::run(Some(&authority.server("collector")?)).await
    }

    async fn run(certificate: Option<&Certificate>) -> Result<Self> {
        let mut build = Command::new(SCRIPT);
        // With the whole environment, because the script may download modules through a proxy.
        let output = process_guard::attach(&mut build).output().await;
        let output = output.with_context(|| format!("running {SCRIPT}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the collector cannot be built: {stderr}"
        );
        let path = String::from_utf8(output.stdout)?;
        let (http, grpc) = (free_port()?, free_port()?);
        let files = tempfile::tempdir()?;
        let config = files.path().join("config.yaml");
        if let Some(certificate) = certificate {
            std::fs::write(files.path().join("certificate.pem"), certificate.pem()?)?;
            std::fs::write(files.path().join("key.pem"), certificate.key_pem()?)?;
        }
        let is_tls = certificate.is_some();
        std::fs::write(&config, configuration(files.path(), http, grpc, is_tls))?;
        let mut command = program::command(Path::new(path.trim()));
        command
            .arg("--config")
            .arg(format!("file:{}", config.display()));
        let mut program = Program::from_command("collector", command, |_| {})?;
        program.wait_for_line("Everything is ready").await?;
        Ok(Self {
            scheme: if is_tls { "https" } else { "http" },
            http,
            grpc,
            files,
            _program: program,
        })
    }

    /// The endpoint of all signals for OTLP over HTTP.
    pub fn http(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.http)
    }

    /// The endpoint of all signals for this value of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn url(&self, protocol: &str) -> String {
        match protocol {
            "grpc" => format!("{}://127.0.0.1:{}", self.scheme, self.grpc),
            _ => self.http(),
        }
    }

    /// The spans that have arrived.
    ///
    /// # Errors
    /// The collector's file is malformed.
    pub fn spans(&self) -> Result<Vec<CollectedSpan>> {
        let mut spans = Vec::new();
        for (resource, scope) in self.scopes("traces", "resourceSpans", "scopeSpans")? {
            for span in list(&scope, "spans") {
                spans.push(CollectedSpan {
                    service: attribute_of(&resource["resource"], "service.name"),
                    name: span["name"].as_str().unwrap_or_default().to_owned(),
                    json: span.clone(),
                });
            }
        }
        Ok(spans)
    }

    /// The texts of the log records that have arrived, each with `service.name` before it.
    ///
    /// # Errors
    /// The collector's file is malformed.
    pub fn logs(&self) -> Result<Vec<String>> {
        let text = |(service, record): (String, Value)| {
            let body = record["body"]["stringValue"].as_str().unwrap_or_default();
            format!("{service}: {body}")
        };
        Ok(self.log_records()?.into_iter().map(text).collect())
    }

    /// The log records that have arrived: `service.name`, and the record in OTLP's JSON.
    ///
    /// # Errors
    /// The collector's file is malformed.
    pub fn log_records(&self) -> Result<Vec<(String, Value)>> {
        let mut records = Vec::new();
        for (resource, scope) in self.scopes("logs", "resourceLogs", "scopeLogs")? {
            let service = attribute_of(&resource["resource"], "service.name");
            let own = list(&scope, "logRecords").iter();
            records.extend(own.map(|record| (service.clone(), record.clone())));
        }
        Ok(records)
    }

    /// The sums of this name and program in the export that arrived last: the attributes in OTLP's JSON, and the value.
    ///
    /// # Errors
    /// The collector's file is malformed.
    pub fn sums(&self, service: &str, name: &str) -> Result<Vec<(Value, f64)>> {
        let mut sums = Vec::new();
        for (resource, scope) in self.scopes("metrics", "resourceMetrics", "scopeMetrics")? {
            let metrics = list(&scope, "metrics");
            let is_wanted = attribute_of(&resource["resource"], "service.name") == service;
            let Some(metric) = metrics
                .iter()
                .find(|metric| is_wanted && metric["name"] == name)
            else {
                continue;
            };
            let points = list(&metric["sum"], "dataPoints").iter();
            sums = points
                .map(|point| (point["attributes"].clone(), number(point)))
                .collect();
        }
        Ok(sums)
    }

    /// Waits until the sums of this name and program add up to a total.
    ///
    /// # Errors
    /// They do not within a minute.
    pub async fn wait_for_total(&self, service: &str, name: &str, total: f64) -> Result<()> {
        let end = Instant::now() + TIMEOUT;
        loop {
            let sums = self.sums(service, name)?;
            if sums.iter().map(|(_, value)| value).sum::<f64>() == total {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("expected a total of {total}: {sums:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until at least so many spans have arrived.
    ///
    /// # Errors
    /// They do not arrive within a minute.
    pub async fn wait_for_spans(&self, count: usize) -> Result<Vec<CollectedSpan>> {
        let end = Instant::now() + TIMEOUT;
        loop {
            let spans = self.spans()?;
            if spans.len() >= count {
                return Ok(spans);
            }
            if Instant::now() > end {
                bail!("expected {count} spans: {spans:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The parts of a signal's file: one request a line.
    fn scopes(&self, signal: &str, resources: &str, scopes: &str) -> Result<Vec<(Value, Value)>> {
        let path = self.files.path().join(format!("{signal}.jsonl"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut found = Vec::new();
        // The last line may be incomplete.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in complete.lines() {
            let request: Value = serde_json::from_str(line)?;
            for resource in list(&request, resources) {
                for scope in list(resource, scopes) {
                    found.push((resource.clone(), scope.clone()));
                }
            }
        }
        Ok(found)
    }
}

impl CollectedSpan {
    /// A field of the span that is a text, such as `parentSpanId`.
    pub fn text(&self, field: &str) -> &str {
        self.json[field].as_str().unwrap_or_default()
    }

    /// An attribute as text.
    pub fn attribute(&self, key: &str) -> String {
        attribute_of(&self.json, key)
    }

    /// The trace and span ids of its links.
    pub fn links(&self) -> Vec<(&str, &str)> {
        list(&self.json, "links")
            .iter()
            .map(|link| {
                let id = |field: &str| link[field].as_str().unwrap_or_default();
                (id("traceId"), id("spanId"))
            })
            .collect()
    }
}

/// The value of a data point. OTLP's JSON has integers as texts.
fn number(point: &Value) -> f64 {
    let integer = point["asInt"].as_str().and_then(|text| text.parse().ok());
    let number = point["asDouble"].as_f64().or(integer);
    number.unwrap_or(f64::NAN)
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn attribute_of(value: &Value, key: &str) -> String {
    let mut attributes = list(value, "attributes").iter();
    let found = attributes.find(|attribute| attribute["key"] == key);
    let value = found.map_or(&Value::Null, |attribute| &attribute["value"]);
    match value.as_object().and_then(|value| value.values().next()) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn configuration(folder: &Path, http: u16, grpc: u16, is_tls: bool) -> String {
    let folder = folder.display();
    let tls = match is_tls {
        true => {
            format!(
                ", tls: {{ cert_file: \"{folder}/certificate.pem\", key_file: \"{folder}/key.pem\" }}"
            )
        }
        false => String::new(),
    };
    let exporter = |signal| {
        format!("  file/{signal}: {{ path: \"{folder}/{signal}.jsonl\", flush_interval: 50ms }}\n")
    };
    let pipeline =
        |signal| format!("    {signal}: {{ receivers: [otlp], exporters: [file/{signal}] }}\n");
    let signals = ["traces", "metrics", "logs"];
    let exporters: String = signals.map(exporter).concat();
    let pipelines: String = signals.map(pipeline).concat();
    format!(
        "receivers:\n  otlp:\n    protocols:\n      http: {{ endpoint: \"127.0.0.1:{http}\"{tls} }}\n      grpc: {{ endpoint: \
         \"127.0.0.1:{grpc}\"{tls} }}\nexporters:\n{exporters}service:\n  telemetry: {{ metrics: {{ level: none }} }}\n  \
         pipelines:\n{pipelines}"
    )
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
