//! Telemetry of the programs, with OpenTelemetry's SDK: nothing is exported unless the settings ask for it.
//!
//! What it does: it exports spans and the log over OTLP, as the standard `OTEL_…` variables say, and makes Prometheus' text of
//! metrics. What it does not do: it decides nothing about what the programs do. A collector that is unreachable costs a log
//! line every five minutes.
//!
//! Start from these types:
//! - [`Telemetry`]: the telemetry of a program, by its settings
//! - [`exporter::Exporter`]: where it goes
//! - [`traces::Tracer`]: makes spans
//! - [`metrics::Metrics`]: instruments, and Prometheus' text format
//! - [`settings::TELEMETRY`]: the settings
//!
//! Metrics and spans are not global: a program makes them and passes them on.
//!
//! ```
//! use telemetry::Program;
//! use telemetry::metrics::Metrics;
//!
//! let program = Program { name: "forward", version: "0.1.0" };
//! let metrics = Metrics::new(program.resource([], |name| std::env::var(name).ok()), 100)?;
//! let runs = metrics.meter().u64_counter("frontdoor.job.runs").build();
//! runs.add(1, &[]);
//! assert!(metrics.text()?.contains("\nfrontdoor_job_runs_total 1\n"));
//! # Ok::<(), telemetry::metrics::MetricsError>(())
//! ```

pub mod exporter;
pub mod logs;
pub mod metrics;
mod program;
mod resource;
pub mod settings;
pub mod traces;

pub use program::Telemetry;
pub use resource::Program;
