//! The client against a stand-in for Oracle Cloud on loopback, which verifies every signature.

#![allow(clippy::unwrap_used)] // clippy permits it only inside #[test]

mod compare;
mod listing;
mod principals;
mod requests;
mod tls;

use std::time::{Duration, SystemTime};

use oci::principal::{Auth, PrincipalConfig, ResourceVariables};
use oci::{Oci, OciConfig, OciError};
use testkit::oci_standin::Environment;

/// Long enough for a busy machine. No test waits for it.
const TIMEOUT: Duration = Duration::from_secs(20);

fn config(environment: &Environment, auth: Auth) -> OciConfig {
    OciConfig {
        principal: PrincipalConfig {
            auth,
            resource: ResourceVariables::from_environment(environment.lookup()),
            metadata: environment.variables["OCI_METADATA_BASE_URL"].clone(),
            federation: Some(environment.cloud.endpoint()),
            config_file: environment.path().join("config"),
            profile: "DEFAULT".to_owned(),
            home: Some(environment.path().to_owned()),
            region: None,
            default_domain: None,
            clock: SystemTime::now,
        },
        endpoint: Some(environment.cloud.endpoint()),
        timeout: TIMEOUT,
    }
}

async fn sign_in(environment: &Environment, auth: Auth) -> Result<Oci, OciError> {
    Oci::sign_in(&config(environment, auth)).await
}
