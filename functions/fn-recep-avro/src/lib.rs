//! The ingest function: an HTTP request with Avro in its body becomes Kafka messages.
//!
//! The function accepts a raw datum, a single-object encoding or a container file, validates every datum against the
//! configured schema, publishes each datum as one message and answers when the brokers have acknowledged all of them.
//! It does not route or forward messages: that is the job `forward`.
//!
//! - [`ingest::IngestFunction`] handles one request, whatever the host
//! - [`settings`] declares its settings
//! - [`metrics`] counts and measures
//! - [`host::main`] is the whole program: an Fn container, an AWS Lambda function or a plain HTTP server
//!
//! An invalid body is rejected without a broker:
//!
//! ```
//! use fn_recep_avro::ingest::{Call, Config, IngestFunction};
//! use fn_recep_avro::settings::GROUPS;
//! use http::Request;
//! use http_body_util::Full;
//! use settings::Settings;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let environment = |name: &str| {
//!     (name == "KAFKA_BOOTSTRAP_SERVERS").then(|| "127.0.0.1:9092".to_owned())
//! };
//! let settings = Settings::gather(&GROUPS, &[], environment).await?;
//! let function = IngestFunction::start(Config::from_settings(&settings)?).await?;
//!
//! let request = Request::post("/").body(Full::from("no Avro"))?;
//! let response = function.handle(request, &Call::default()).await;
//! assert_eq!(response.status(), 422);
//! # Ok(())
//! # }
//! ```

pub mod host;
pub mod ingest;
pub mod metrics;
pub mod settings;
