//! Oracle Cloud: documents from Object Storage and secrets from Vault, over signed requests.
//!
//! - [`Oci`]: the client; [`Oci::sign_in`] loads the [`principal`], [`Oci::object`] and [`Oci::secret`] read,
//!   [`Oci::list`] lists
//! - [`ObjectLocation`], [`ObjectPrefix`], [`SecretLocation`]: the names of objects and secrets
//! - [`RequestSigner`]: signs the requests of another HTTP client
//! - [`OciError`]: each error, with advice
//! - [`signature`], [`key`]: how a request is signed
//! - [`ocid`], [`region`], [`token`]: identifiers of Oracle Cloud
//!
//! A request is repeated after transient errors, within the client's timeout. The crate reads no settings, caches
//! nothing except credentials, and writes objects only for tests and tools.
//!
//! ```no_run
//! use std::{path::PathBuf, time::{Duration, SystemTime}};
//!
//! use oci::{Oci, OciConfig, SecretLocation};
//! use oci::principal::{Auth, PrincipalConfig, ResourceVariables};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = OciConfig {
//!     principal: PrincipalConfig {
//!         auth: Auth::ApiKey,
//!         resource: ResourceVariables::default(),
//!         metadata: "http://169.254.169.254/opc/v2".to_owned(),
//!         federation: None,
//!         config_file: PathBuf::from("/home/me/.oci/config"),
//!         profile: "DEFAULT".to_owned(),
//!         home: Some(PathBuf::from("/home/me")),
//!         region: None,
//!         default_domain: None,
//!         clock: SystemTime::now,
//!     },
//!     endpoint: None,
//!     timeout: Duration::from_secs(20),
//! };
//! let oci = Oci::sign_in(&config).await?;
//! let location: SecretLocation = "ocid1.vaultsecret.oc1.sa-saopaulo-1.amaaaa".parse()?;
//! let secret = oci.secret(&location).await?;
//! println!("version {}", secret.version);
//! # Ok(())
//! # }
//! ```

mod api;
mod attempt;
mod client;
mod clock;
mod error;
mod http_client;
pub mod key;
mod list_objects;
mod object_storage;
pub mod ocid;
pub mod principal;
pub mod region;
mod request_signer;
mod retry;
#[cfg(test)]
pub(crate) mod samples;
mod sign;
pub mod signature;
pub mod token;
mod vault;

pub use client::{Oci, OciConfig};
pub use clock::Clock;
pub use error::OciError;
pub use list_objects::{ListedObject, ObjectPrefix};
pub use object_storage::{Object, ObjectLocation};
pub use request_signer::RequestSigner;
pub use vault::{SecretBundle, SecretLocation};
