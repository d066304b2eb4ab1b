//! Where the metrics of a run are written. Pure.

use std::path::PathBuf;
use std::time::Duration;

use runtime::secret::Secret;
use settings::{SettingError, Settings};
use telemetry::metrics::{Pushgateway, PushgatewayUrl};

use crate::settings::{
    METRICS_FILE, METRICS_PUSHGATEWAY, METRICS_PUSHGATEWAY_PASSWORD, METRICS_PUSHGATEWAY_USERNAME,
};

/// The maximum duration of the pushes after a run.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the metrics of a run are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The file (`metrics_file`).
    pub file: Option<PathBuf>,
    /// The Pushgateway (`metrics_pushgateway`).
    pub pushgateway: Option<Pushgateway>,
}

impl MetricsConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is malformed, or incomplete without another.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let credentials = credentials(settings)?;
        let pushgateway = match settings.optional(&METRICS_PUSHGATEWAY) {
            Some(url) => Some(Pushgateway {
                url: PushgatewayUrl::parse(url).map_err(|reason| {
                    // The value may contain a password.
                    SettingError::Contradiction(format!("METRICS_PUSHGATEWAY {reason}"))
                })?,
                credentials,
                timeout: TIMEOUT,
            }),
            None if credentials.is_some() => {
                return Err(SettingError::Contradiction(
                    "METRICS_PUSHGATEWAY_USERNAME is set, but METRICS_PUSHGATEWAY is not"
                        .to_owned(),
                ));
            }
            None => None,
        };
        Ok(Self {
            file: settings.optional(&METRICS_FILE).map(PathBuf::from),
            pushgateway,
        })
    }

    /// True if the metrics of a run are written nowhere.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn credentials(settings: &Settings) -> Result<Option<(String, Secret)>, SettingError> {
    let user = settings.optional(&METRICS_PUSHGATEWAY_USERNAME);
    match (user, settings.secret(&METRICS_PUSHGATEWAY_PASSWORD)) {
        (Some(user), Some(password)) => Ok(Some((user.to_owned(), password))),
        (None, None) => Ok(None),
        _ => Err(SettingError::Contradiction(
            "METRICS_PUSHGATEWAY_USERNAME and METRICS_PUSHGATEWAY_PASSWORD must be set together"
                .to_owned(),
        )),
    }
}
