//! Checks the settings, the schema and the routes. Pure: an inspection in, checks out.

use avro::Schema;
use runtime::text::hex;
use settings::common::{AVRO_SCHEMA, AVRO_SCHEMAS, CONFIG_LOCATION};
use settings::{Inspection, Misspelled, Part, SettingError, Settings, Source};

use super::{Check, CheckError, CheckResult, Finding, route_file};
use crate::config::Config;
use crate::exit::RunOutcome;
use crate::route_config::RouteConfig;
use crate::schema_sources::SchemaSources;
use crate::settings::{GROUPS, ROUTES};
use routes::Routes;
use telemetry::exporter::Exporter;

/// The Oracle Cloud principal, the namespace, and each source of settings.
pub(super) fn parts(inspection: &Inspection) -> Vec<Check> {
    let wrong = |(detail, advice): (String, _)| CheckError { detail, advice };
    let cloud = [
        ("principal", &inspection.principal),
        ("namespace", &inspection.namespace),
    ];
    let cloud = cloud.into_iter().filter_map(|(name, result)| {
        let result = result.clone()?.map_err(wrong);
        Some(Check::new(name, "", result, RunOutcome::Configuration))
    });
    // Without a principal every part in Oracle Cloud fails for the same reason.
    let has_no_principal = matches!(inspection.principal, Some(Err(_)));
    let in_cloud =
        |part: &Part| part.location.starts_with("oci://") || part.location.starts_with("secret ");
    let parts = inspection.parts.iter().map(|part| {
        let result = match &part.outcome {
            Ok(note) if part.is_unread => Ok(Finding {
                result: CheckResult::Warning,
                ..Finding::ok(note.as_str())
            }),
            Ok(note) => Ok(Finding::ok(note.as_str())),
            Err(_) if has_no_principal && in_cloud(part) => {
                Err(CheckError::new("not read: see principal"))
            }
            Err(error) => Err(CheckError {
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

/// Settings that are accepted but probably not intended: misspelt variables, secrets in plain text, suspicious routes.
pub(super) fn lint(settings: &Settings, misspelled: &[Misspelled]) -> Vec<Check> {
    let check = |name: &str, finding| {
        Check::new(
            name,
            "",
            Ok::<Finding, _>(finding),
            RunOutcome::Configuration,
        )
    };
    let warning =
        |name: &str, detail: String, advice| check(name, Finding::warning(detail, advice));
    let mut checks: Vec<Check> = misspelled
        .iter()
        .map(|found| {
            let finding = Finding {
                result: CheckResult::Warning,
                ..Finding::ok(found.to_string())
            };
            check("environment", finding)
        })
        .collect();
    for setting in GROUPS.iter().flat_map(|group| group.settings) {
        if setting.secret && settings.source(setting) == Some(Source::File) {
            let name = setting.name;
            checks.push(warning(
                name,
                format!(
                    "{} is in config.properties in plain text",
                    setting.variable()
                ),
                "put it into the vault, and the secret's OCID into the line NAME_vaultOCID=",
            ));
        }
    }
    let routes = RouteConfig::inspect(settings);
    let routes = routes.map(|found| found.routes).unwrap_or_default();
    let inline = routes
        .iter()
        .filter(|route| route.has_inline_secret)
        .count();
    if inline > 0 {
        checks.push(warning(
            ROUTES.name,
            format!(
                "{inline} of {} routes have a secret in plain text",
                routes.len()
            ),
            "use ${vault:OCID}, ${file:PATH}, ${env:NAME} or a setting, and allow only the job to read that file",
        ));
    }
    let unencrypted = routes.iter().filter_map(RouteConfig::warning);
    checks.extend(unencrypted.map(|text| warning(ROUTES.name, text, "use https")));
    checks
}

/// The error without the location, which the line shows already.
fn reason(error: &SettingError) -> String {
    match error {
        SettingError::Unfetched { reason, .. } | SettingError::Unreadable { reason, .. } => {
            reason.clone()
        }
        SettingError::Line { line, reason, .. } => format!("line {line}: {reason}"),
        other => other.to_string(),
    }
}

/// Checks settings, schema and routes together; returns what the broker and endpoint checks need. `offline`: the broker need
/// not be set, and the schemas of the registry are not requested.
pub(super) fn whole(
    inspection: &Inspection,
    offline: bool,
    checks: &mut Vec<Check>,
) -> (Option<Config>, Vec<RouteConfig>) {
    let settings = &inspection.settings;
    let unread = Unread::of(&inspection.parts);
    let check = |name: &str, result| Check::new(name, "", result, RunOutcome::Configuration);
    let config = match offline {
        true => Config::offline(settings),
        false => Config::from_settings(settings),
    };
    let consistent = config.as_ref().map(|_| {
        let count = settings.listing().len();
        Finding::ok(format!("{count} have a value, and they are consistent"))
    });
    checks.push(check(
        "settings",
        consistent.map_err(|error| unread.wrong(error)),
    ));
    if let Err(error) = Exporter::check(settings) {
        checks.push(check("telemetry", Err(unread.wrong(&error))));
    }
    let sources = match (unread.schema(), offline) {
        (Some(wrong), _) => Err(wrong),
        (None, true) => SchemaSources::offline(settings).map_err(CheckError::new),
        (None, false) => SchemaSources::from_settings(settings).map_err(CheckError::new),
    };
    let (schema, mut sources) = match sources {
        Ok(sources) => (Ok(sources.schemas.reader().clone()), Some(sources)),
        Err(wrong) => (Err(wrong), None),
    };
    let found = match unread.routes(settings) {
        Some(wrong) => Err(wrong),
        None => RouteConfig::inspect(settings).map_err(|error| unread.wrong(&error)),
    };
    let mut registry = Vec::new();
    let routes = match found {
        Ok(found) => {
            let mut checked = route_file::check(&found, schema.as_ref().ok(), config.as_ref().ok());
            if let (Some(compiled), Some(sources)) = (checked.compiled.take(), &mut sources) {
                registry = versions(&compiled, sources);
            }
            let results = checked.findings(&found, offline).into_iter();
            checks.extend(results.map(|result| check("routes", result)));
            found.routes
        }
        Err(wrong) => {
            checks.push(check("routes", Err(wrong)));
            Vec::new()
        }
    };
    let named = |schema: Schema| {
        let fingerprint = hex(&schema.fingerprint());
        Finding::ok(format!("{}, fingerprint {fingerprint}", schema.name()))
    };
    checks.push(check("schema", schema.map(named)));
    checks.extend(registry);
    (config.ok(), routes)
}

/// Checks the routes against each known version of the schema, and whether the registry answers.
fn versions(routes: &Routes, sources: &mut SchemaSources) -> Vec<Check> {
    let check = |name, result| Check::new(name, "", result, RunOutcome::Source);
    let versions = match sources.read_versions() {
        Ok(versions) => versions,
        Err(error) => return vec![check("schema registry", Err(CheckError::new(error)))],
    };
    let problems = routes.check_versions(&versions);
    let mut checks: Vec<Check> = problems
        .iter()
        .map(|problem| {
            let advice =
                "records of that version are dead letters, or are routed otherwise than the route says";
            let finding = Finding::warning(problem.to_string(), advice);
            check("schema versions", Ok(finding))
        })
        .collect();
    if sources.registry.is_some() {
        let (count, subject) = (versions.len(), &sources.subject);
        let detail =
            format!("it answers; {count} versions in the subject {subject} and AVRO_SCHEMAS");
        checks.push(check("schema registry", Ok(Finding::ok(detail))));
    }
    checks
}

/// The settings whose file, secret or document could not be read: errors that follow from that refer to them.
struct Unread {
    failed: Vec<&'static str>,
    /// Those whose secrets are not read offline.
    offline: Vec<&'static str>,
}

impl Unread {
    fn of(parts: &[Part]) -> Self {
        let names = |is_wanted: fn(&Part) -> bool| {
            let parts = parts.iter().filter(|part| is_wanted(part));
            parts.map(|part| part.setting.name).collect()
        };
        Self {
            failed: names(|part| part.outcome.is_err()),
            offline: names(|part| part.is_unread),
        }
    }

    /// The error of settings of which some are unread.
    fn wrong(&self, error: &SettingError) -> CheckError {
        let is_missing = |name: &&&str| match error {
            SettingError::Missing { variable, .. } => variable.eq_ignore_ascii_case(name),
            _ => false,
        };
        let offline = self.offline.iter().find(is_missing);
        match (error, self.failed.first().or(offline)) {
            (SettingError::Missing { .. } | SettingError::Contradiction(_), Some(name)) => {
                Self::see(name)
            }
            _ => CheckError::new(error),
        }
    }

    /// Why the schema cannot be checked: its location or text is unread.
    fn schema(&self) -> Option<CheckError> {
        let is_its = |name: &&&str| {
            [CONFIG_LOCATION.name, AVRO_SCHEMA.name, AVRO_SCHEMAS.name].contains(*name)
        };
        self.failed.iter().find(is_its).map(|name| Self::see(name))
    }

    /// Why the routes cannot be checked: their file is unread.
    fn routes(&self, settings: &Settings) -> Option<CheckError> {
        let is_named = settings.optional(&ROUTES).is_some();
        (is_named && settings.document(&ROUTES).is_none()).then(|| Self::see(ROUTES.name))
    }

    fn see(name: &str) -> CheckError {
        CheckError::new(format!("not checked: see {name}"))
    }
}
