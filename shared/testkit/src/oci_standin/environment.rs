//! The environment of a program on Oracle Cloud: the stand-in, and the variables that refer to it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::Standin;

/// A stand-in, a folder, and the environment variables of a resource principal whose files are in the folder.
pub struct Environment {
    /// The stand-in.
    pub cloud: Standin,
    /// The folder with `rpst` and `private.pem`, which is also `HOME`.
    pub folder: TempDir,
    /// The environment variables.
    pub variables: HashMap<String, String>,
}

impl Environment {
    /// Starts a stand-in and creates a resource principal whose token is valid for an hour.
    ///
    /// # Errors
    /// As [`Standin::start`], or the folder cannot be created.
    pub async fn start() -> Result<Self> {
        let mut environment = Self {
            cloud: Standin::start().await?,
            folder: tempfile::tempdir()?,
            variables: HashMap::new(),
        };
        let endpoint = environment.cloud.endpoint();
        environment.set("OCI_METADATA_BASE_URL", format!("{endpoint}/nothing"));
        environment.set("OCI_ENDPOINT", endpoint);
        environment.set("HOME", environment.path().display().to_string());
        let principal = environment.resource_principal(Duration::from_secs(3600))?;
        for (name, value) in principal {
            environment.set(name, value);
        }
        Ok(environment)
    }

    /// Renews the files of the resource principal and returns its variables: [`Standin::resource_principal`].
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn resource_principal(&self, lifetime: Duration) -> Result<Vec<(&'static str, String)>> {
        self.cloud.resource_principal(self.path(), lifetime)
    }

    /// Stores these secrets, the settings file that refers to them and the schema as the tutorial does, and sets
    /// `CONFIG_LOCATION` and `AVRO_SCHEMA`.
    pub fn store_settings(&mut self, secrets: &[(&str, &str)], schema: &[u8]) {
        let lines = self.cloud.put_secrets(secrets);
        self.put_config(&lines);
        self.cloud
            .put_object("avro-schema-bucket", "user.avsc", schema);
        self.set("CONFIG_LOCATION", "oci://config/config.properties");
        self.set("AVRO_SCHEMA", "oci://avro-schema-bucket/user.avsc");
    }

    /// Replaces the settings file.
    pub fn put_config(&self, lines: &str) {
        self.cloud
            .put_object("config", "config.properties", lines.as_bytes());
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Removes the variables of the resource principal.
    pub fn unset_principal(&mut self) {
        self.variables
            .retain(|name, _| !name.starts_with("OCI_RESOURCE_PRINCIPAL"));
    }

    /// Looks up a variable in a copy of the current variables.
    pub fn lookup(&self) -> impl Fn(&str) -> Option<String> + use<> {
        let variables = self.variables.clone();
        move |name| variables.get(name).cloned()
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}
