//! Checks every route: what is wrong with the file, its conditions and expressions, and what contradicts the settings. Pure, except that the
//! files of `tls` are read.

use avro::Schema;
use routes::Routes;

use super::{CheckError, CheckResult, Finding};
use crate::config::Config;
use crate::route_config::{RouteConfig, RouteFile, RouteProblem};

const CONDITION: &str = "check the condition";
const EXPRESSION: &str = "check the expression";

/// The result for a routes file.
#[derive(Default)]
pub(super) struct CheckedRoutes {
    /// The conditions, if there is a schema and all are valid.
    pub(super) compiled: Option<Routes>,
    /// What is wrong, in the order of the file: the position, and the whole message.
    errors: Vec<(u64, String)>,
    /// Each with what to do.
    warnings: Vec<(String, &'static str)>,
    has_schema: bool,
}

/// Checks the routes against the schema and the settings, as far as they are known.
pub(super) fn check(
    found: &RouteFile,
    schema: Option<&Schema>,
    config: Option<&Config>,
) -> CheckedRoutes {
    let mut checked = CheckedRoutes {
        has_schema: schema.is_some(),
        ..CheckedRoutes::default()
    };
    let line_of = |name: &str| {
        let mut definitions = found.definitions.iter();
        let (line, _) = definitions.find(|(_, definition)| definition.name == name)?;
        Some(*line)
    };
    for problem in &found.problems {
        checked
            .errors
            .push((problem.position(), problem.to_string()));
    }
    for (index, error) in config
        .into_iter()
        .flat_map(|config| config.route_faults(&found.routes))
    {
        let name = &found.routes[index].name;
        let problem = RouteProblem {
            line: line_of(name),
            route: Some(name.clone()),
            reason: error.to_string(),
        };
        checked
            .errors
            .push((problem.position(), problem.to_string()));
    }
    let definitions: Vec<_> = found
        .definitions
        .iter()
        .map(|(_, definition)| definition.clone())
        .collect();
    if let (Some(schema), false) = (schema, definitions.is_empty()) {
        match Routes::compile_all(definitions, schema) {
            Ok(routes) => {
                let texts = routes.warnings().iter();
                checked.warnings = texts.map(|text| (text.clone(), CONDITION)).collect();
                checked.compiled = Some(routes);
            }
            Err(failure) => {
                for error in failure.errors {
                    let route = error.route.and_then(|index| found.definitions.get(index));
                    let line = route.map(|(line, _)| *line);
                    let text = match line {
                        Some(line) => format!("line {line}, {error}"),
                        None => error.to_string(),
                    };
                    checked.errors.push((line.unwrap_or(u64::MAX), text));
                }
                let texts = failure.warnings.into_iter();
                checked.warnings = texts.map(|text| (text, CONDITION)).collect();
            }
        }
    }
    if let Some(schema) = schema {
        for route in &found.routes {
            if let Err(error) = route.compile(schema) {
                let line = line_of(&route.name);
                let place = line.map_or(String::new(), |line| format!("line {line}, "));
                checked
                    .errors
                    .push((line.unwrap_or(u64::MAX), format!("{place}{error}")));
            }
        }
        let warnings = RouteConfig::request_warnings(&found.routes, schema);
        let warnings = warnings.into_iter().flatten();
        let warnings = warnings.map(|text| (text, EXPRESSION));
        checked.warnings.extend(warnings);
    }
    checked.errors.sort_by_key(|(position, _)| *position);
    checked
}

impl CheckedRoutes {
    /// One finding for each warning and each error; without an error, that all routes are valid. `offline`: a file that `tls`
    /// names need not be on this machine.
    pub(super) fn findings(
        self,
        found: &RouteFile,
        offline: bool,
    ) -> Vec<Result<Finding, CheckError>> {
        let mut findings = Vec::new();
        for (warning, remedy) in self.warnings {
            findings.push(Ok(Finding::warning(warning, remedy)));
        }
        let errors = self.errors.into_iter();
        let mut errors: Vec<CheckError> = errors.map(|(_, error)| CheckError::new(error)).collect();
        for error in found
            .routes
            .iter()
            .filter_map(|route| RouteConfig::check_files(route).err())
        {
            match offline {
                true => findings.push(Ok(Finding {
                    result: CheckResult::Warning,
                    ..Finding::ok(error)
                })),
                false => errors.push(CheckError::new(error)),
            }
        }
        if errors.is_empty() && self.has_schema {
            let count = found.routes.len();
            findings.push(Ok(Finding::ok(format!("{count} match the schema"))));
        }
        findings.extend(errors.into_iter().map(Err));
        findings
    }
}
