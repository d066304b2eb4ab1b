//! Settings: one declaration, one name and one lookup for each value that a program reads at its start.
//!
//! A setting has one name. It is the line in `config.properties` (`kafka_topic=orders`), in upper case the
//! environment variable (`KAFKA_TOPIC`), and with dashes the flag (`--kafka-topic`). A flag overrides the environment,
//! the environment overrides the file, the file overrides the default. In the file, `name_vaultOCID=` in place of
//! `name=` gives the OCID of a secret whose content is the value.
//!
//! The crate reads the settings file, secrets and documents from this machine or from Oracle Cloud ([`Location`]). It
//! contains no meaning of a setting: each program declares its own settings with [`settings!`] and passes its groups to
//! [`Settings::gather`]. `config.properties` is shared by all programs, so [`names::NAMES`] lists the names that the
//! file may contain.
//!
//! Start with [`settings!`] and [`Settings`]. A long-running program uses [`LiveSettings`], which reads everything
//! again at an interval; [`Inspection`] reports each part separately. [`cli`] makes flags of settings, [`telemetry`]
//! starts the log.
//!
//! ```
//! use settings::{Settings, Source};
//!
//! settings::settings! {
//!     [KAFKA = "Kafka"]
//!     KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The topic.";
//!     START_TIMEOUT = "start_timeout" or "10s", "How long a run waits for the broker at its start.";
//! }
//!
//! # fn main() -> Result<(), settings::SettingError> {
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let flags = [("kafka_topic", "orders".to_owned())];
//! let environment = |name: &str| (name == "START_TIMEOUT").then(|| "5s".to_owned());
//! let settings = Settings::gather(&[&KAFKA], &flags, environment).await?;
//! assert_eq!(settings.required(&KAFKA_TOPIC)?, "orders");
//! assert_eq!(settings.source(&KAFKA_TOPIC), Some(Source::Flag));
//! assert_eq!(settings.duration(&START_TIMEOUT)?.as_secs(), 5);
//! # Ok(())
//! # })
//! # }
//! ```

mod access;
mod cache;
pub mod cli;
pub mod common;
mod content;
mod documents;
mod environment;
mod error;
mod gather;
mod inspection;
mod layers;
mod listing;
mod live;
mod location;
pub mod markdown;
mod misspelled;
pub mod names;
mod oracle_cloud;
mod part;
pub mod pem;
mod properties;
mod protect;
mod reference;
#[cfg(test)]
#[allow(unreachable_pub)] // `settings!` declares public items
mod samples;
mod setting;
mod store;
pub mod telemetry;
mod transfer;
mod trim;
mod units;
mod value;

pub use environment::environment;
pub use error::SettingError;
pub use inspection::Inspection;
pub use live::LiveSettings;
pub use location::Location;
pub use misspelled::{Misspelled, misspelled, warn_misspelled};
pub use part::Part;
pub use setting::{Group, Setting};
pub use store::{Document, Expanded, Property, Settings};
pub use transfer::TransferredSettings;
pub use units::duration;
pub use value::Source;
