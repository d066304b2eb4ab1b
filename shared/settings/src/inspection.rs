//! Every part of the settings with its own result, for diagnosis.

use crate::content::ContentError;
use crate::gather::Gatherer;
use crate::{Group, Part, Settings};

/// Everything that was read for the settings, each part with its own result.
pub struct Inspection {
    /// The Oracle Cloud principal, or the error and what to do about it; `None` if none is needed.
    pub principal: Option<Result<String, (String, Option<&'static str>)>>,
    /// The Object Storage namespace, or the error and what to do about it; `None` if it is not needed.
    pub namespace: Option<Result<String, (String, Option<&'static str>)>>,
    /// The settings file, each secret, each document.
    pub parts: Vec<Part>,
    /// The settings, as far as they could be read.
    pub settings: Settings,
}

impl Inspection {
    /// Reads as [`Settings::gather`] does, and keeps all errors.
    pub async fn of(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self::with(Gatherer::new(groups, flags, environment)).await
    }

    /// As [`Inspection::of`], without a connection. A document in Oracle Cloud is an error. A secret in Oracle Cloud, or in a
    /// file that cannot be read, has no value: its part says so, and [`Settings::unknown`] names references to it.
    pub async fn offline(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self::with(Gatherer::offline(groups, flags, environment)).await
    }

    async fn with(gatherer: Gatherer) -> Self {
        let gathered = gatherer.gather().await;
        let cloud = gatherer.cloud();
        let pair = |error: ContentError| (error.reason, error.advice);
        let signed_in = cloud.signed_in();
        Self {
            principal: signed_in.map(|result| match result {
                Ok(oci) => Ok(oci.principal().to_string()),
                Err(error) => Err(pair(error)),
            }),
            namespace: cloud.known_namespace().map(|known| known.map_err(pair)),
            parts: gathered.parts,
            settings: gathered.settings,
        }
    }
}
