//! The client against a stand-in for Oracle Cloud on loopback, which verifies every signature.

#![allow(clippy::unwrap_used)] // clippy permits it only inside #[test]

mod compare;
mod principals;
mod requests;
mod tls;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use oci::principal::{Auth, PrincipalConfig, ResourceVariables};
use oci::{Oci, OciConfig, OciError};
use testkit::oci_standin::Standin;

/// Long enough for a busy machine. No test waits for it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A stand-in, a folder, and the environment of a resource principal.
struct TestEnvironment {
    cloud: Standin,
    folder: tempfile::TempDir,
    variables: HashMap<String, String>,
}

impl TestEnvironment {
    async fn new() -> Self {
        let cloud = Standin::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut place = Self {
            variables: HashMap::new(),
            cloud,
            folder,
        };
        let endpoint = place.cloud.endpoint();
        place.set("OCI_ENDPOINT", &endpoint);
        place.set("OCI_METADATA_BASE_URL", &format!("{endpoint}/nothing"));
        let home = place.path().display().to_string();
        place.set("HOME", &home);
        for (name, value) in place.resource_principal(Duration::from_secs(3600)) {
            place.set(name, &value);
        }
        place
    }

    fn resource_principal(&self, lifetime: Duration) -> Vec<(&'static str, String)> {
        self.cloud
            .resource_principal(self.folder.path(), lifetime)
            .unwrap()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    fn unset_principal(&mut self) {
        self.variables
            .retain(|name, _| !name.starts_with("OCI_RESOURCE_PRINCIPAL"));
    }

    fn environment(&self) -> impl Fn(&str) -> Option<String> + use<> {
        let variables = self.variables.clone();
        move |name| variables.get(name).cloned()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self, auth: Auth) -> OciConfig {
        OciConfig {
            principal: PrincipalConfig {
                auth,
                resource: ResourceVariables::from_environment(self.environment()),
                metadata: self.variables["OCI_METADATA_BASE_URL"].clone(),
                federation: Some(self.cloud.endpoint()),
                config_file: self.path().join("config"),
                profile: "DEFAULT".to_owned(),
                home: Some(self.path().to_owned()),
                region: None,
                default_domain: None,
                clock: SystemTime::now,
            },
            endpoint: Some(self.cloud.endpoint()),
            timeout: TIMEOUT,
        }
    }

    async fn sign_in(&self, auth: Auth) -> Result<Oci, OciError> {
        Oci::sign_in(&self.config(auth)).await
    }

    /// The statuses of the requests so far whose path contains this.
    fn statuses(&self, path: &str) -> Vec<u16> {
        let seen = self.cloud.requests();
        seen.iter()
            .filter(|seen| seen.target.contains(path))
            .map(|seen| seen.status)
            .collect()
    }
}
