//! Environment variables that look like settings and are ignored: misspelt names and names of earlier versions.

use std::fmt;

use tracing::warn;

use crate::names::{self, NAMES, OLD_NAMES};
use crate::{Group, Setting};

/// Variables of platforms, which are never reported.
const FOREIGN: [&str; 4] = ["AWS_", "FN_", "KUBERNETES_", "OCI_"];

/// The length from which a name that is similar to a setting's is reported. Shorter names resemble too many others.
const MIN_LENGTH: usize = 8;

/// An environment variable that no program reads, and the setting that it probably stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelled {
    /// The variable.
    pub variable: String,
    /// The variable of the setting.
    pub meant: String,
}

impl fmt::Display for Misspelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, meant } = self;
        write!(f, "{variable} is not a setting and is ignored: use {meant}")
    }
}

/// The misspelt variables in the environment of this process, for a program with these settings, in alphabetical order.
pub fn misspelled(groups: &[&'static Group]) -> Vec<Misspelled> {
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut found: Vec<Misspelled> = variables
        .filter_map(|variable| check(groups, variable))
        .collect();
    found.sort_unstable_by(|left, right| left.variable.cmp(&right.variable));
    found
}

/// Logs a warning for each [misspelt](misspelled) variable.
pub fn warn_misspelled(groups: &[&'static Group]) {
    for Misspelled { variable, meant } in misspelled(groups) {
        warn!(
            variable,
            meant, "an environment variable is not a setting and is ignored"
        );
    }
}

fn check(groups: &[&'static Group], variable: String) -> Option<Misspelled> {
    let is_setting = NAMES
        .iter()
        .any(|name| name.to_ascii_uppercase() == variable);
    let is_property = names::is_property(&names::normalized(&variable));
    if is_setting || is_property || FOREIGN.iter().any(|prefix| variable.starts_with(prefix)) {
        return None;
    }
    let settings = groups.iter().flat_map(|group| group.settings);
    let candidates = settings.flat_map(|setting| names_of(setting));
    let (_, meant) = candidates
        .filter_map(|(name, setting)| Some((distance(&variable, name)?, setting)))
        .min_by_key(|(distance, _)| *distance)?;
    Some(Misspelled {
        meant: meant.variable(),
        variable,
    })
}

/// The names of a setting, present and old.
fn names_of(setting: &'static Setting) -> impl Iterator<Item = (&'static str, &'static Setting)> {
    let old = OLD_NAMES
        .iter()
        .filter(|(_, name)| *name == setting.name)
        .map(|(old, _)| *old);
    setting.names().chain(old).map(move |name| (name, setting))
}

/// The edit distance of a variable to a setting's name, if it is small for the length. Case is ignored except in short
/// names.
fn distance(variable: &str, name: &str) -> Option<usize> {
    if variable.len() < MIN_LENGTH {
        return (variable == name.to_ascii_uppercase()).then_some(0);
    }
    let limit = if variable.len() > 10 { 2 } else { 1 };
    // The lengths of most names differ by more. Without this comparison, 39 variables took 3 ms of a start.
    if variable.chars().count().abs_diff(name.len()) > limit {
        return None;
    }
    let distance = strsim::osa_distance(&variable.to_ascii_uppercase(), &name.to_ascii_uppercase());
    (distance <= limit).then_some(distance)
}

#[cfg(test)]
#[allow(unreachable_pub)] // `settings!` declares public items
mod tests {
    use super::*;

    crate::settings! {
        [SETTINGS = "Settings"]
        KAFKA_TOPIC = "kafka_topic", "The topic.";
        KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The brokers.";
        KAFKA_GROUP_ID = "kafka_group_id", "The group.";
        MAX_IN_FLIGHT = "max_in_flight", "Requests in flight.";
        RATE_LIMIT = "rate_limit", "Requests per second.";
        ORDER = "order", "The order.";
        OCI_REGION = "oci_region", "The region.";
    }

    fn meant(variable: &str) -> Option<String> {
        check(&[&SETTINGS], variable.to_owned()).map(|found| found.meant)
    }

    #[test]
    fn a_similar_name_and_an_old_name_are_reported() {
        for (variable, setting) in [
            ("KAFKA_TOPIK", &KAFKA_TOPIC),
            ("KAFKA_TPOIC", &KAFKA_TOPIC),
            ("kafka_topic", &KAFKA_TOPIC),
            ("KAFKA_BOOTSTRAP_SERVER", &KAFKA_BOOTSTRAP_SERVERS),
            ("MAX_IN_FLIGT", &MAX_IN_FLIGHT),
            ("IN_FLIGHT", &MAX_IN_FLIGHT),
            ("IN_FLIGT", &MAX_IN_FLIGHT),
            ("RATE", &RATE_LIMIT),
            ("KAFKA_GROUP", &KAFKA_GROUP_ID),
        ] {
            assert_eq!(meant(variable), Some(setting.variable()), "{variable}");
        }
    }

    #[test]
    fn settings_of_any_program_and_unrelated_variables_are_not_reported() {
        for variable in [
            "KAFKA_TOPIC",
            "KAFKA_BOOTSTRAPSERVER",
            "MAX_RECORDS",
            "ORDER",
            "ORDERS",
            "rate",
            "HOSTNAME",
            "PATH",
            "HOME",
            "KUBERNETES_SERVICE_HOST",
            "KAFKA_SERVICE_HOST",
            "KAFKA_PORT",
            "KAFKA_PORT_9092_TCP_ADDR",
            "KAFKA_OPTS",
            "KAFKA_HEAP_OPTS",
            "AWS_REGION",
            "FN_LISTENER",
            "OCI_REGIONS",
            "WINDOWID",
            "SSL_CERT_FILE",
            "GRACE",
        ] {
            assert_eq!(meant(variable), None);
        }
    }

    #[test]
    fn an_old_name_is_the_name_of_no_setting() {
        for (old, name) in OLD_NAMES {
            assert!(!NAMES.contains(old), "{old}");
            assert!(NAMES.contains(name), "{name}");
        }
    }
}
