//! A routes file with everything that is wrong with it. Pure.

use routes::RouteDefinition;
use settings::Settings;

use super::sources::Sources;
use super::{RouteConfig, RouteProblem, parse};

/// A routes file: its valid routes, and everything that is wrong with the others.
#[derive(Clone, Debug, Default)]
pub struct RouteFile {
    /// The valid routes.
    pub routes: Vec<RouteConfig>,
    /// The conditions of all well-formed routes, also of those that are invalid in another respect, each with its line.
    pub definitions: Vec<(u64, RouteDefinition)>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<RouteProblem>,
}

impl RouteFile {
    /// Reads a text as [`RouteConfig::parse`] does.
    pub fn parse(text: &str, settings: &Settings) -> Self {
        let (texts, problems) = parse::parse(text);
        let mut found = Self {
            problems,
            ..Self::default()
        };
        let mut sources = Sources::default();
        for (line, text) in texts {
            let definition = RouteDefinition {
                name: text.name.clone(),
                when: text.when.clone(),
            };
            let name = text.name.clone();
            match RouteConfig::resolve(text, settings, &mut sources) {
                Ok(route) => found.routes.push(route),
                Err(reasons) => {
                    found
                        .problems
                        .extend(reasons.into_iter().map(|reason| RouteProblem {
                            line: Some(line),
                            route: Some(name.clone()),
                            reason,
                        }))
                }
            }
            found.definitions.push((line, definition));
        }
        found.problems.sort_by_key(RouteProblem::position);
        found
    }
}
