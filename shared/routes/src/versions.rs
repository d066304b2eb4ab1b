//! Checks routes against the versions of a schema with which records were written.

use std::fmt;

use avro::{Resolution, Schema};

use crate::types::{Kind, Types};
use crate::{Route, Routes};

/// What a version of the schema means for the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionProblem {
    /// Records of the version cannot be resolved to the schema of the routes, so that no route gets them.
    Unreadable {
        /// The version's label.
        version: String,
        /// Avro's message.
        reason: String,
    },
    /// From a version on, a part of a route's condition has the same result for every record.
    Constant {
        /// The label of the first version. The problem holds for all later versions that can be read.
        version: String,
        /// The route's name.
        route: String,
        /// What the records lack.
        reason: String,
    },
    /// A field of a condition has another logical type in a version, so that its values are misread.
    LogicalType {
        /// The version's label.
        version: String,
        /// The route's name.
        route: String,
        /// The field.
        field: String,
    },
}

impl fmt::Display for VersionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { version, reason } => {
                write!(f, "records of {version} cannot be read: {reason}")
            }
            Self::Constant {
                version,
                route,
                reason,
            } => write!(f, "route {route:?}: from {version} on, {reason}"),
            Self::LogicalType {
                version,
                route,
                field,
            } => write!(
                f,
                "route {route:?}: {field} has another logical type in {version} than in the schema"
            ),
        }
    }
}

/// A version that can be read.
struct Version<'v> {
    label: &'v str,
    types: Types,
}

impl Routes {
    /// Checks the routes against the versions of the schema, in order, each with its label (`version 3 (id 12)`).
    ///
    /// A record is resolved to the schema of the routes before it is routed. A field that a version lacks is therefore no
    /// problem if the schema has a default for it, unless an earlier version has the field.
    pub fn check_versions(&self, versions: &[(String, Schema)]) -> Vec<VersionProblem> {
        let mut problems = Vec::new();
        let mut readable = Vec::new();
        for (label, schema) in versions {
            match Resolution::new(schema, &self.schema) {
                Ok(_) => readable.push(Version {
                    label,
                    types: Types::of(schema),
                }),
                Err(error) => problems.push(VersionProblem::Unreadable {
                    version: label.clone(),
                    reason: error.to_string(),
                }),
            }
        }
        for route in &self.routes {
            for (slot, path) in self.fields.iter().enumerate() {
                if !route.fields.contains(path) {
                    continue;
                }
                problems.extend(self.removed_field(route, path, &readable));
                problems.extend(self.logical_types(route, path, &readable));
                for symbol in symbols(route, slot) {
                    problems.extend(self.removed_symbol(route, path, symbol, &readable));
                }
            }
        }
        problems
    }

    /// A field that versions have up to one, and later ones lack.
    fn removed_field(
        &self,
        route: &Route,
        path: &str,
        versions: &[Version<'_>],
    ) -> Option<VersionProblem> {
        // A field may be read by its alias, which `Types` does not have.
        if self.schema.json().contains("\"aliases\"") {
            return None;
        }
        let name = path.split('.').next()?;
        let has_field =
            |version: &Version<'_>| Types::field(version.types.fields(), name).is_some();
        let last = versions.iter().rposition(has_field)?;
        Some(VersionProblem::Constant {
            version: versions.get(last + 1)?.label.to_owned(),
            route: route.definition.name.clone(),
            reason: format!("the field {name} has its default in every record"),
        })
    }

    /// Versions in which a field has another logical type. Avro's resolution does not compare logical types.
    fn logical_types(
        &self,
        route: &Route,
        path: &str,
        versions: &[Version<'_>],
    ) -> Vec<VersionProblem> {
        let encoding = |types: &Types| Some(types.field_at(path)?.kind.encoding());
        let expected = encoding(&self.types);
        let differs = |version: &&Version<'_>| {
            let found = encoding(&version.types);
            found.is_some() && found != expected
        };
        let problem = |version: &Version<'_>| VersionProblem::LogicalType {
            version: version.label.to_owned(),
            route: route.definition.name.clone(),
            field: path.to_owned(),
        };
        versions.iter().filter(differs).map(problem).collect()
    }

    /// A symbol that versions have up to one, or none has.
    fn removed_symbol(
        &self,
        route: &Route,
        path: &str,
        symbol: &str,
        versions: &[Version<'_>],
    ) -> Option<VersionProblem> {
        let known = enum_symbols(&self.types, path)?;
        let can_have = |version: &Version<'_>| match enum_symbols(&version.types, path) {
            // A symbol that the schema of the routes lacks becomes its default, which may be this symbol.
            Some(symbols) => {
                let mut symbols = symbols.iter();
                symbols.any(|one| one == symbol || !known.contains(one))
            }
            // The field's default, or the field has another type or another name.
            None => true,
        };
        let next = versions
            .iter()
            .rposition(can_have)
            .map_or(0, |last| last + 1);
        Some(VersionProblem::Constant {
            version: versions.get(next)?.label.to_owned(),
            route: route.definition.name.clone(),
            reason: format!("no record has the {path} {symbol:?}"),
        })
    }
}

fn enum_symbols<'t>(types: &'t Types, path: &str) -> Option<&'t [String]> {
    match types.field_at(path)?.kind {
        Kind::Enum(index) => Some(&types.symbols[index]),
        _ => None,
    }
}

/// The texts that a route compares the field in the slot with for equality.
fn symbols(route: &Route, slot: usize) -> Vec<&str> {
    let compiled = route.compiled.iter();
    let mut symbols: Vec<&str> = compiled.flat_map(|one| one.texts(slot)).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}
