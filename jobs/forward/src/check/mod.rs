//! `forward check`: checks once that everything a run needs is reachable, and changes nothing.
//!
//! - `settings`: the Oracle Cloud principal, the settings file, each secret and document, and the configuration
//! - `broker`: the broker, the topics, the window, the group, and what the user may do with them
//! - `endpoint`: each route's credentials and endpoint

mod broker;
mod endpoint;
mod route_file;
mod settings;

use std::fmt::Write;
use std::time::Duration;

use crate::settings::REQUEST_TIMEOUT;
use ::settings::{Inspection, Misspelled, Settings};
use delivery::Limits;
use futures_util::future::join_all;
use http_proxy::Proxies;
use serde::Serialize;

use crate::config::Config;
use crate::exit::RunOutcome;
use crate::route_config::RouteConfig;
use crate::settings::GROUPS;

/// The version of the JSON (`docs/schemas/check-report.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// The result of every check, in the order in which a run needs them.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// [`VERSION`].
    pub version: u32,
    /// True if no check failed.
    pub ok: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was checked: a setting's name, `broker`, `endpoint A`.
    pub name: String,
    /// Its location: an object, a secret's OCID, an address. Never a secret's content.
    pub target: String,
    /// Whether it passed.
    pub result: CheckResult,
    /// The finding, or the error.
    pub detail: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Why a run cannot use the broker, a topic or the group, as a name: `connection_refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    #[serde(skip)]
    outcome: RunOutcome,
}

/// Whether a check passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It passed.
    Ok,
    /// A run is possible, but something is probably not as intended.
    Warning,
    /// A run would fail.
    Failed,
}

/// What a check that did not fail has found.
#[derive(Debug)]
struct Finding {
    result: CheckResult,
    detail: String,
    advice: Option<&'static str>,
}

/// Why a check failed, and the remedy.
#[derive(Debug)]
struct CheckError {
    detail: String,
    advice: Option<&'static str>,
}

/// Checks everything that `forward run` needs with these flags and this environment. `misspelled`: the environment's
/// misspelt variables. `offline`: only the settings, the schema and the routes, without a connection.
pub async fn check(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
    misspelled: &[Misspelled],
    offline: bool,
) -> CheckReport {
    let inspection = match offline {
        true => Inspection::offline(&GROUPS, flags, &environment).await,
        false => Inspection::of(&GROUPS, flags, &environment).await,
    };
    let mut checks = settings::parts(&inspection);
    checks.extend(settings::lint(&inspection.settings, misspelled));
    let (config, routes) = settings::whole(&inspection, offline, &mut checks);
    let proxies = Proxies::from_environment(&environment).unwrap_or_else(|error| {
        let failed = Err::<Finding, _>(CheckError::new(error));
        checks.push(Check::new("proxies", "", failed, RunOutcome::Configuration));
        Proxies::default()
    });
    if !offline {
        let (broker, endpoints) = tokio::join!(
            check_broker(config.as_ref(), routes.clone()),
            check_endpoints(routes, &proxies, &inspection.settings)
        );
        checks.extend(broker);
        checks.extend(endpoints);
    }
    CheckReport {
        version: VERSION,
        ok: !checks.iter().any(Check::is_failed),
        checks,
    }
}

impl CheckReport {
    /// The outcome of a run that failed at the first failed check.
    pub fn outcome(&self) -> RunOutcome {
        let failed = self.checks.iter().find(|check| check.is_failed());
        failed.map_or(RunOutcome::Completed, |check| check.outcome)
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        // Serialization of strings and booleans cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// One line for each check.
    pub fn text(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for check in &self.checks {
            let result = match check.result {
                CheckResult::Ok => "ok  ",
                CheckResult::Warning => "warn",
                CheckResult::Failed => "FAIL",
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "{result}  {:width$}  ", check.name);
            let _ = match check.target.as_str() {
                "" => write!(text, "{}", check.detail),
                target => write!(text, "{target}: {}", check.detail),
            };
            if let Some(advice) = &check.advice {
                let _ = write!(text, "; {advice}");
            }
            text.push('\n');
        }
        text
    }
}

impl Check {
    fn new(
        name: &str,
        target: &str,
        result: Result<impl Into<Finding>, CheckError>,
        outcome: RunOutcome,
    ) -> Self {
        let Finding {
            result,
            detail,
            advice,
        } = match result {
            Ok(finding) => finding.into(),
            Err(CheckError { detail, advice }) => Finding {
                result: CheckResult::Failed,
                detail,
                advice,
            },
        };
        Self {
            name: name.to_owned(),
            target: target.to_owned(),
            result,
            detail,
            advice: advice.map(str::to_owned),
            cause: None,
            outcome,
        }
    }

    fn with_cause(self, cause: Option<&'static str>) -> Self {
        Self { cause, ..self }
    }

    fn is_failed(&self) -> bool {
        self.result == CheckResult::Failed
    }
}

impl Finding {
    fn ok(detail: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    fn warning(detail: impl Into<String>, advice: &'static str) -> Self {
        Self {
            result: CheckResult::Warning,
            detail: detail.into(),
            advice: Some(advice),
        }
    }
}

impl From<String> for Finding {
    fn from(detail: String) -> Self {
        Self::ok(detail)
    }
}

impl CheckError {
    // By value, so that it can be passed to `map_err`.
    #[allow(clippy::needless_pass_by_value)]
    fn new(detail: impl ToString) -> Self {
        Self {
            detail: detail.to_string(),
            advice: None,
        }
    }
}

async fn check_broker(config: Option<&Config>, routes: Vec<RouteConfig>) -> Vec<Check> {
    let Some(config) = config.cloned() else {
        return Vec::new();
    };
    let bootstrap = config.kafka.bootstrap.clone();
    // The Kafka client blocks its thread.
    let asked = tokio::task::spawn_blocking(move || broker::ask(&config, &routes)).await;
    asked.unwrap_or_else(|error| {
        let failed = Err::<Finding, _>(CheckError::new(error));
        vec![Check::new("broker", &bootstrap, failed, RunOutcome::Source)]
    })
}

async fn check_endpoints(
    routes: Vec<RouteConfig>,
    proxies: &Proxies,
    settings: &Settings,
) -> Vec<Check> {
    let timeout = settings
        .duration(&REQUEST_TIMEOUT)
        .unwrap_or(Duration::from_secs(10));
    let defaults = Limits {
        request_timeout: timeout,
        ..Limits::default()
    };
    let asked = routes.into_iter().map(async |route| {
        let timeout = route.limits.over(&defaults).request_timeout;
        endpoint::check(&route, proxies, timeout).await
    });
    join_all(asked).await.into_iter().flatten().collect()
}
