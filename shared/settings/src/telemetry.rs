//! Starts the log as the settings say.

use runtime::telemetry::{self, LogFormat};
use tracing::info;

use crate::common::{LOG_FORMAT, LOG_LEVEL};
use crate::{SettingError, Settings};

/// Starts the log with `log_format` and `log_level`. A second call changes both.
///
/// # Errors
/// `log_format` or `log_level` is malformed.
pub fn start(settings: &Settings) -> Result<(), SettingError> {
    let format = settings.choice(
        &LOG_FORMAT,
        &[
            ("auto", LogFormat::detect()),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ],
        "text, json or auto",
    )?;
    let filter = settings.parsed(
        &LOG_LEVEL,
        |text| text.parse().ok(),
        "error, warn, info, debug, trace, off, or directives such as info,delivery=debug",
    )?;
    let is_first = telemetry::start(format, filter);
    // The sign-in was before the start of the log.
    if is_first && let Some(principal) = settings.principal() {
        info!(principal, "signing in to Oracle Cloud");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::EVERY_PROGRAM;

    #[test]
    fn reports_an_invalid_level() {
        let environment = |name: &str| (name == "LOG_LEVEL").then(|| "inof".to_owned());
        let settings = Settings::without_files(&[&EVERY_PROGRAM], &[], environment);
        assert_eq!(
            start(&settings).unwrap_err().to_string(),
            "LOG_LEVEL is \"inof\", expected error, warn, info, debug, trace, off, or directives such as info,delivery=debug"
        );
    }
}
