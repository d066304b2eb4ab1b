//! The schema that the settings name: the one that every program of a pipeline has in common.

use super::Schema;
use crate::settings::catalog::AVRO_SCHEMA;
use crate::settings::{SettingError, Settings};

/// The schema of the tutorial, for a newcomer who has none yet.
pub const BUILT_IN: &str = include_str!("../../../schemas/user.avsc");

impl Schema {
    /// The schema that `avro_schema` names, or the built-in one.
    ///
    /// # Errors
    /// It is no valid Avro schema.
    pub fn configured(settings: &Settings) -> Result<Self, SettingError> {
        let json = settings.document(&AVRO_SCHEMA).unwrap_or(BUILT_IN);
        Self::parse(json).map_err(|error| SettingError::Unreadable {
            variable: AVRO_SCHEMA.variable(),
            location: settings
                .optional(&AVRO_SCHEMA)
                .unwrap_or("schemas/user.avsc")
                .to_owned(),
            reason: error.to_string(),
        })
    }
}
