//! Whether the settings are all there and make sense. Pure: what was gathered in, a line for each thing out.

use avro::Schema;
use runtime::text::hex;
use settings::catalog::{AVRO_SCHEMA, CONFIG_LOCATION};
use settings::{Inspection, Part, SettingError};

use super::{Check, Wrong};
use crate::cli::GROUPS;
use crate::config::Config;
use crate::exit::RunOutcome;
use crate::route_config::RouteConfig;
use routes::Routes;

/// Who we are to Oracle Cloud, the namespace, and each thing that the settings are made of.
pub(super) fn parts(inspection: &Inspection) -> Vec<Check> {
    let wrong = |(detail, advice): (String, _)| Wrong { detail, advice };
    let cloud = [
        ("principal", &inspection.principal),
        ("namespace", &inspection.namespace),
    ];
    let cloud = cloud.into_iter().filter_map(|(name, result)| {
        let result = result.clone()?.map_err(wrong);
        Some(Check::new(name, "", result, RunOutcome::Configuration))
    });
    // A line for each part would say the same as the principal's own.
    let is_nobody = matches!(inspection.principal, Some(Err(_)));
    let in_cloud =
        |part: &Part| part.location.starts_with("oci://") || part.location.starts_with("secret ");
    let parts = inspection.parts.iter().map(|part| {
        let result = match &part.outcome {
            Ok(note) => Ok(note.clone()),
            Err(_) if is_nobody && in_cloud(part) => {
                Err(Wrong::new("not asked for: see principal"))
            }
            Err(error) => Err(Wrong {
                detail: reason(error),
                advice: part.advice,
            }),
        };
        Check::new(
            part.setting.name,
            &part.location,
            result,
            RunOutcome::Configuration,
        )
    });
    cloud.chain(parts).collect()
}

/// The error without what the line says already.
fn reason(error: &SettingError) -> String {
    match error {
        SettingError::Unfetched { reason, .. } | SettingError::Unreadable { reason, .. } => {
            reason.clone()
        }
        SettingError::Line { line, reason, .. } => format!("line {line}: {reason}"),
        other => other.to_string(),
    }
}

/// Whether settings, schema and routes hold together; hands on what can be asked further.
pub(super) fn whole(
    inspection: &Inspection,
    checks: &mut Vec<Check>,
) -> (Option<Config>, Vec<RouteConfig>) {
    let settings = &inspection.settings;
    let unread = Unread::of(&inspection.parts);
    let mut say =
        |name, result| checks.push(Check::new(name, "", result, RunOutcome::Configuration));
    let config = match Config::from_settings(settings) {
        Ok(config) => {
            let count = settings.listing(&GROUPS).len();
            say(
                "settings",
                Ok(format!("{count} have a value, and they hold together")),
            );
            Some(config)
        }
        Err(error) => {
            say("settings", Err(unread.wrong(&error)));
            None
        }
    };
    let schema = match unread.schema() {
        Some(wrong) => Err(wrong),
        None => settings
            .parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)
            .map_err(Wrong::new),
    };
    let routes = match (&schema, RouteConfig::all_from(settings)) {
        (Ok(schema), Ok(table)) => {
            let compiled =
                Routes::compile(table.iter().map(RouteConfig::definition).collect(), schema);
            let told = compiled.map(|_| format!("{} of them fit the schema", table.len()));
            say("routes", told.map_err(Wrong::new));
            table
        }
        (Err(_), Ok(table)) => table,
        (_, Err(error)) => {
            say("routes", Err(unread.wrong(&error)));
            Vec::new()
        }
    };
    let named = |schema: Schema| {
        let fingerprint = hex(&schema.fingerprint());
        format!("{}, fingerprint {fingerprint}", schema.name())
    };
    say("schema", schema.map(named));
    (config, routes)
}

/// The settings whose file, secret or document could not be had: what follows from that is not blamed a second time.
struct Unread(Vec<&'static str>);

impl Unread {
    fn of(parts: &[Part]) -> Self {
        let unread = parts.iter().filter(|part| part.outcome.is_err());
        Self(unread.map(|part| part.setting.name).collect())
    }

    /// What is wrong with settings of which some are unread.
    fn wrong(&self, error: &SettingError) -> Wrong {
        match (error, self.0.first()) {
            (SettingError::Missing { .. } | SettingError::Contradiction(_), Some(name)) => {
                Self::see(name)
            }
            _ => Wrong::new(error),
        }
    }

    /// Why the schema cannot be judged: its own location or text is unread.
    fn schema(&self) -> Option<Wrong> {
        let is_its = |name: &&&str| [CONFIG_LOCATION.name, AVRO_SCHEMA.name].contains(*name);
        self.0.iter().find(is_its).map(|name| Self::see(name))
    }

    fn see(name: &str) -> Wrong {
        Wrong::new(format!("not judged: see {name}"))
    }
}
