//! Metrics and traces of the programs, with OpenTelemetry's SDK.
//!
//! - [`Program`]: the resource of all signals
//! - [`metrics`]: instruments, and Prometheus' text format
//!
//! Nothing here is global: a program makes its [`Metrics`](metrics::Metrics) and passes them on.
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

pub mod metrics;
mod resource;

pub use resource::Program;
