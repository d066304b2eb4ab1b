//! `forward check`: can this machine reach what a run needs? Asks everything once, tells every answer in a line, and
//! changes nothing.
//!
//! - [`settings`]: who we are to Oracle Cloud, the settings file, each secret and document, and what they make
//! - [`broker`]: the broker, the topic, the group
//! - [`endpoint`]: each route's endpoint

mod broker;
mod endpoint;
mod settings;

use std::fmt::Write;
use std::time::Duration;

use ::settings::catalog::REQUEST_TIMEOUT;
use ::settings::{Inspection, Settings};
use futures_util::future::join_all;
use serde::Serialize;

use crate::cli::GROUPS;
use crate::config::Config;
use crate::exit::RunOutcome;
use crate::route_config::RouteConfig;

/// Every answer, in the order in which a run would need it.
#[derive(Debug, Serialize)]
pub struct Checkup {
    /// True if nothing is wrong.
    pub ok: bool,
    /// One for each thing that was asked.
    pub checks: Vec<Check>,
}

/// One thing that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it is: a setting's name, `broker`, `endpoint A`.
    pub name: String,
    /// Which one: an object, a secret's OCID, an address. Never a secret's content.
    pub target: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, or what is wrong.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    #[serde(skip)]
    outcome: RunOutcome,
}

/// What is wrong, and what to do about it.
#[derive(Debug)]
struct Wrong {
    detail: String,
    advice: Option<&'static str>,
}

/// Checks everything that `forward run` with these flags and this environment would need.
pub async fn check(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Checkup {
    let inspection = Inspection::of(&GROUPS, flags, environment).await;
    let mut checks = settings::parts(&inspection);
    let (config, routes) = settings::whole(&inspection, &mut checks);
    // Both may take their time.
    let (broker, endpoints) = tokio::join!(
        of_broker(config.as_ref()),
        of_endpoints(routes, &inspection.settings)
    );
    checks.extend(broker);
    checks.extend(endpoints);
    Checkup {
        ok: checks.iter().all(|check| check.ok),
        checks,
    }
}

impl Checkup {
    /// How the process ends: as a run would that stumbled over the first thing that is wrong.
    pub fn outcome(&self) -> RunOutcome {
        let wrong = self.checks.iter().find(|check| !check.ok);
        wrong.map_or(RunOutcome::Completed, |check| check.outcome)
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        // Strings and booleans: there is nothing that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// A line for each check.
    pub fn text(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for check in &self.checks {
            let verdict = if check.ok { "ok   " } else { "WRONG" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{verdict}  {:width$}  ", check.name);
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
    fn new(name: &str, target: &str, result: Result<String, Wrong>, outcome: RunOutcome) -> Self {
        let (ok, detail, advice) = match result {
            Ok(detail) => (true, detail, None),
            Err(wrong) => (false, wrong.detail, wrong.advice.map(str::to_owned)),
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

impl Wrong {
    // By value, so that it stands in a `map_err` by its name.
    #[allow(clippy::needless_pass_by_value)]
    fn new(detail: impl ToString) -> Self {
        Self {
            detail: detail.to_string(),
            advice: None,
        }
    }
}

async fn of_broker(config: Option<&Config>) -> Vec<Check> {
    let Some(config) = config.cloned() else {
        return Vec::new();
    };
    let bootstrap = config.kafka.bootstrap.clone();
    // The client blocks the thread that it is asked on.
    let asked = tokio::task::spawn_blocking(move || broker::ask(&config)).await;
    let answers = asked.unwrap_or_else(|error| vec![("broker", Err(Wrong::new(error)))]);
    answers
        .into_iter()
        .map(|(name, result)| Check::new(name, &bootstrap, result, RunOutcome::Source))
        .collect()
}

async fn of_endpoints(routes: Vec<RouteConfig>, settings: &Settings) -> Vec<Check> {
    let patience = settings
        .duration(&REQUEST_TIMEOUT)
        .unwrap_or(Duration::from_secs(10));
    let asked = routes.into_iter().map(async |route| {
        let (target, result) = endpoint::ask(&route, patience).await;
        Check::new(
            &format!("endpoint {}", route.name),
            &target,
            result,
            RunOutcome::Endpoint,
        )
    });
    join_all(asked).await
}
