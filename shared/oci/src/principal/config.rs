//! Where to look for a principal.

use std::path::PathBuf;

use super::resource::ResourceVariables;
use crate::clock::Clock;

/// The kind of principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The first that exists, in the order below.
    Detect,
    /// The resource principal of a function or a container instance.
    Resource,
    /// The instance principal of a virtual machine.
    Instance,
    /// The API key or session of a user, from the configuration file of Oracle's tools.
    ApiKey,
}

/// Where to look for a principal.
#[derive(Clone, Debug)]
pub struct PrincipalConfig {
    /// The kind of principal.
    pub auth: Auth,
    /// The variables that the platform sets for a resource principal.
    pub resource: ResourceVariables,
    /// The address of the instance metadata service.
    pub metadata: String,
    /// The address of federation, if it is not the region's.
    pub federation: Option<String>,
    /// The configuration file of Oracle's tools.
    pub config_file: PathBuf,
    /// The profile in it.
    pub profile: String,
    /// The user's home folder, for `~` in that file.
    pub home: Option<PathBuf>,
    /// The region to use instead of the principal's own.
    pub region: Option<String>,
    /// The domain of an unknown realm.
    pub default_domain: Option<String>,
    /// The clock.
    pub clock: Clock,
}
