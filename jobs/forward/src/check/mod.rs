//! `forward check`: checks once that everything a run needs is reachable, and changes nothing.
//!
//! - `settings`: the Oracle Cloud principal, the settings file, each secret and document, and the configuration
//! - `broker`: the broker, the topic, the group
//! - `endpoint`: each route's endpoint

mod broker;
mod endpoint;
mod settings;

use std::fmt::Write;
use std::time::Duration;

use crate::settings::REQUEST_TIMEOUT;
use ::settings::{Inspection, Settings};
use futures_util::future::join_all;
use serde::Serialize;

use crate::config::Config;
use crate::exit::RunOutcome;
use crate::route_config::RouteConfig;
use crate::settings::GROUPS;

/// The result of every check, in the order in which a run needs them.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// True if every check passed.
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
    /// True if the check passed.
    pub ok: bool,
    /// The finding, or the error.
    pub detail: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    #[serde(skip)]
    outcome: RunOutcome,
}

/// Why a check failed, and the remedy.
#[derive(Debug)]
struct CheckError {
    detail: String,
    advice: Option<&'static str>,
}

/// Checks everything that `forward run` needs with these flags and this environment.
pub async fn check(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> CheckReport {
    let inspection = Inspection::of(&GROUPS, flags, environment).await;
    let mut checks = settings::parts(&inspection);
    let (config, routes) = settings::whole(&inspection, &mut checks);
    let (broker, endpoints) = tokio::join!(
        check_broker(config.as_ref()),
        check_endpoints(routes, &inspection.settings)
    );
    checks.extend(broker);
    checks.extend(endpoints);
    CheckReport {
        ok: checks.iter().all(|check| check.ok),
        checks,
    }
}

impl CheckReport {
    /// The outcome of a run that failed at the first failed check.
    pub fn outcome(&self) -> RunOutcome {
        let failed = self.checks.iter().find(|check| !check.ok);
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
            let result = if check.ok { "ok  " } else { "FAIL" };
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
        result: Result<String, CheckError>,
        outcome: RunOutcome,
    ) -> Self {
        let (ok, detail, advice) = match result {
            Ok(detail) => (true, detail, None),
            Err(error) => (false, error.detail, error.advice.map(str::to_owned)),
        };
        Self {
            name: name.to_owned(),
            target: target.to_owned(),
            ok,
            detail,
            advice,
            outcome,
        }
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

async fn check_broker(config: Option<&Config>) -> Vec<Check> {
    let Some(config) = config.cloned() else {
        return Vec::new();
    };
    let bootstrap = config.kafka.bootstrap.clone();
    // The Kafka client blocks its thread.
    let asked = tokio::task::spawn_blocking(move || broker::ask(&config)).await;
    let answers = asked.unwrap_or_else(|error| vec![("broker", Err(CheckError::new(error)))]);
    answers
        .into_iter()
        .map(|(name, result)| Check::new(name, &bootstrap, result, RunOutcome::Source))
        .collect()
}

async fn check_endpoints(routes: Vec<RouteConfig>, settings: &Settings) -> Vec<Check> {
    let timeout = settings
        .duration(&REQUEST_TIMEOUT)
        .unwrap_or(Duration::from_secs(10));
    let asked = routes.into_iter().map(async |route| {
        let (target, result) = endpoint::ask(&route, timeout).await;
        Check::new(
            &format!("endpoint {}", route.name),
            &target,
            result,
            RunOutcome::Endpoint,
        )
    });
    join_all(asked).await
}
