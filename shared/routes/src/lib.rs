//! Selects the route of a record by CEL conditions over its fields.
//!
//! [`Routes::compile`] checks an ordered list of [`RouteDefinition`]s against the schema. [`Routes::decide`] validates a
//! datum, reads the fields that occur in conditions, and returns the first route whose condition is true.
//! [`Routes::explain`] evaluates every condition, and returns the values that they read.
//! [`Routes::check_versions`] compares the routes with the versions of the schema with which records were written.
//!
//! [`ValueScope::compile`] compiles an expression for a value, of which requests are made; [`ValueExpression`] has an example.
//!
//! The conditions are CEL (<https://github.com/google/cel-spec>). Common conditions are compiled to predicates over fields;
//! the `cel` crate interprets the others. The crate does no I/O and depends neither on Kafka nor on the endpoints of the routes.
//!
//! # Example
//!
//! ```
//! use avro::Schema;
//! use routes::{RouteDefinition, Routes, Scratch};
//!
//! let schema = Schema::parse(
//!     r#"{"type":"record","name":"Order","fields":[
//!         {"name":"id","type":"long"},{"name":"country","type":"string"}]}"#,
//! )?;
//! let definition = |name: &str, when: &str| RouteDefinition {
//!     name: name.to_owned(),
//!     when: when.to_owned(),
//! };
//! let routes = Routes::compile(
//!     vec![definition("iberia", "country in ['ES', 'PT']"), definition("large", "id > 1000")],
//!     &schema,
//! )?;
//! let datum = schema.from_json(&serde_json::json!({"id": 7, "country": "PT"}))?;
//! assert_eq!(routes.decide(&datum, &mut Scratch::default())?, Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod compiled;
mod constants;
mod contradiction;
mod coverage;
mod decimal;
mod decimal_literals;
mod environment;
#[cfg(test)]
mod equivalence;
mod explain;
mod functions;
mod hints;
mod infer;
mod interpret;
mod kafka_fields;
mod literals;
mod logical;
mod operators;
mod predicate;
mod problem;
mod syntax;
#[cfg(test)]
mod tests;
mod types;
mod unreachable;
mod value;
mod variables;
mod versions;
mod warnings;

use std::collections::BTreeSet;

use avro::{Fault, Field, Projection, Schema};
use cel::IdedExpr;

use compiled::Compiled;
pub use explain::Evaluation;
pub use kafka_fields::KafkaFields;
pub use value::{RecordValues, ValueError, ValueExpression, ValueScope};
pub use versions::VersionProblem;

use interpret::{Faults, Interpreter, Record};
use logical::Encoding;
use types::Types;

/// An ordered list of routes, compiled for a schema.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    fields: Vec<String>,
    /// How the values of `fields` are stored.
    encodings: Vec<Encoding>,
    projection: Projection,
    schema: Schema,
    types: Types,
    interpreter: Interpreter,
    fingerprint: u64,
    warnings: Vec<String>,
}

/// The name of a route, and the condition of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDefinition {
    /// The name in logs and reports.
    pub name: String,
    /// A CEL condition over the record's fields.
    pub when: String,
}

#[derive(Debug)]
struct Route {
    definition: RouteDefinition,
    expression: IdedExpr,
    /// The fields in the condition.
    fields: Vec<String>,
    /// The compiled condition, if it can be compiled.
    compiled: Option<Compiled>,
    matches_all: bool,
}

/// Memory that [`Routes::decide`] reuses for each record.
#[derive(Debug, Default)]
pub struct Scratch(Vec<Field<'static>>);

/// Why no route can be selected for a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The bytes are not exactly one datum of the schema.
    #[error("{0}")]
    InvalidDatum(#[from] Fault),
    /// A condition has no value for this record: for example it divides by zero, orders null, or reads an absent key.
    #[error("evaluating the condition of route {name}: {reason}")]
    Condition {
        /// The index of the route.
        route: usize,
        /// The route's name.
        name: String,
        /// CEL's error message.
        reason: String,
    },
}

/// The routes are invalid. The message names the route and the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RouteError {
    /// The index of the route; `None`: the routes together.
    pub route: Option<usize>,
    message: String,
}

/// Everything that is wrong with the routes, and the warnings about the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileFailure {
    /// At least one error, at most one for each route.
    pub errors: Vec<RouteError>,
    /// As [`Routes::warnings`].
    pub warnings: Vec<String>,
}

impl Routes {
    /// Checks the routes against the schema and compiles them.
    ///
    /// # Errors
    /// Two routes have the same name, a condition does not fit the schema or contradicts itself, or a route never matches,
    /// because its condition is false or an earlier route matches the same records.
    pub fn compile(definitions: Vec<RouteDefinition>, schema: &Schema) -> Result<Self, RouteError> {
        Self::compile_all(definitions, schema).map_err(|failure| {
            let first = failure.errors.into_iter().next();
            // There is always one.
            first.unwrap_or_else(|| RouteError {
                route: None,
                message: "the routes are invalid".to_owned(),
            })
        })
    }

    /// As [`Routes::compile`], with the errors of all routes.
    ///
    /// # Errors
    /// As [`Routes::compile`].
    pub fn compile_all(
        definitions: Vec<RouteDefinition>,
        schema: &Schema,
    ) -> Result<Self, CompileFailure> {
        let types = Types::of(schema);
        let interpreter = Interpreter::new();
        let (mut fields, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut routes: Vec<Route> = Vec::with_capacity(definitions.len());
        let mut names = BTreeSet::new();
        for (index, definition) in definitions.into_iter().enumerate() {
            let name = definition.name.clone();
            let checked = match names.insert(name.clone()) {
                true => Route::check(definition, &routes, &types, &interpreter, &mut warnings),
                false => Err("another route has this name".to_owned()),
            };
            match checked {
                Ok(route) => routes.push(route),
                Err(reason) => errors.push(RouteError {
                    route: Some(index),
                    message: format!("route {name:?}: {reason}"),
                }),
            }
        }
        if !errors.is_empty() {
            return Err(CompileFailure { errors, warnings });
        }
        for field in routes.iter().flat_map(|route| &route.fields) {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        let encoding = |path: &String| {
            let kind = types.field_at(path);
            kind.map_or(Encoding::Plain, |found| found.kind.encoding())
        };
        let encodings: Vec<Encoding> = fields.iter().map(encoding).collect();
        for route in &mut routes {
            let slot = |path: &str| {
                let slot = fields.iter().position(|field| field == path)?;
                Some((slot, encodings[slot]))
            };
            route.compiled = Compiled::compile(&route.expression, &slot);
        }
        warnings.extend(coverage::warnings(&routes, &fields, &types));
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let projection = schema.projection(&names).map_err(|error| {
            let error = RouteError {
                route: None,
                message: format!("reading fields for the routes: {error}"),
            };
            CompileFailure {
                errors: vec![error],
                warnings: Vec::new(),
            }
        })?;
        Ok(Self {
            fingerprint: fingerprint(&routes, schema.fingerprint(), &types.encodings),
            projection,
            fields,
            encodings,
            routes,
            schema: schema.clone(),
            types,
            interpreter,
            warnings,
        })
    }

    /// Validates the datum, and returns the index of the first route that matches it. `None` if no route matches.
    ///
    /// # Errors
    /// The bytes are not exactly one datum, or a condition that was evaluated has no value for it.
    #[inline]
    pub fn decide(&self, datum: &[u8], scratch: &mut Scratch) -> Result<Option<usize>, EvalError> {
        let mut fields = with_lifetime(std::mem::take(&mut scratch.0));
        let decision = match self.projection.read(datum, &mut fields) {
            Ok(()) => self.choose(datum, &fields),
            Err(fault) => Err(fault.into()),
        };
        scratch.0 = with_lifetime(fields);
        decision
    }

    /// The names of the routes, in the order of their indices.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.routes
            .iter()
            .map(|route| route.definition.name.as_str())
    }

    /// Valid but suspicious conditions, to be logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A hash of everything that decides about routes: the schema and its logical types, and the names, conditions and order of the routes.
    /// Endpoints and their settings are not part of it. Equal on every machine and in every version.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The fingerprint of the schema that records are decoded with.
    pub fn schema_fingerprint(&self) -> [u8; 8] {
        self.schema.fingerprint()
    }

    #[inline]
    fn choose(&self, datum: &[u8], fields: &[Field<'_>]) -> Result<Option<usize>, EvalError> {
        for (index, route) in self.routes.iter().enumerate() {
            if self.matches(index, route, datum, fields)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    #[inline]
    fn matches(
        &self,
        index: usize,
        route: &Route,
        datum: &[u8],
        fields: &[Field<'_>],
    ) -> Result<bool, EvalError> {
        let compiled = route.compiled.as_ref();
        match compiled.and_then(|compiled| compiled.matches(fields)) {
            Some(matches) => Ok(matches),
            None => self.interpret(index, route, datum, fields),
        }
    }

    #[cold]
    fn interpret(
        &self,
        index: usize,
        route: &Route,
        datum: &[u8],
        fields: &[Field<'_>],
    ) -> Result<bool, EvalError> {
        let has_complex = fields
            .iter()
            .any(|field| matches!(field, Field::Complex(_)));
        let json = if has_complex {
            Some(self.schema.to_underlying_json(datum)?)
        } else {
            None
        };
        let record = Record {
            names: &self.fields,
            fields,
            encodings: &self.encodings,
            json: json.as_ref(),
            types: &self.types,
            faults: Faults::default(),
        };
        self.interpreter
            .matches(&route.expression, &record)
            .map_err(|reason| EvalError::Condition {
                route: index,
                name: route.definition.name.clone(),
                reason,
            })
    }
}

impl Route {
    /// A route that follows the `earlier` ones, not compiled yet. Its warnings are appended.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(
        definition: RouteDefinition,
        earlier: &[Self],
        types: &Types,
        interpreter: &Interpreter,
        warnings: &mut Vec<String>,
    ) -> Result<Self, String> {
        let invalid = |reason: String| format!("{}: {reason}", definition.when);
        let checked = check::check(&definition.when, types).map_err(invalid)?;
        if let Some(reason) = checked.contradiction {
            return Err(invalid(reason));
        }
        let matches_all = is_always_true(&checked, interpreter, types)?;
        if let Some(other) = earlier.iter().find(|earlier| {
            earlier.matches_all
                || unreachable::covers(&earlier.expression, &checked.expression, types)
        }) {
            return Err(format!(
                "it never matches, because route {:?} before it matches the same records",
                other.definition.name
            ));
        }
        if matches_all {
            warnings.push(format!("route {:?} matches every record", definition.name));
        }
        let with_name = |text: String| format!("route {:?}: {text}", definition.name);
        warnings.extend(checked.warnings.into_iter().map(with_name));
        Ok(Self {
            compiled: None,
            expression: checked.expression,
            fields: checked.fields,
            matches_all,
            definition,
        })
    }
}

/// An empty list of another lifetime with the memory of this list.
fn with_lifetime<'to>(mut fields: Vec<Field<'_>>) -> Vec<Field<'to>> {
    fields.clear();
    // The list is empty, so nothing is mapped. `collect` reuses the memory, because the item types have the same layout.
    fields.into_iter().map(|_| Field::Null).collect()
}

/// Whether a condition without fields is always true. False if the condition has fields.
///
/// # Errors
/// The condition is always false, or has no value.
fn is_always_true(
    checked: &check::Checked,
    interpreter: &Interpreter,
    types: &Types,
) -> Result<bool, String> {
    if !checked.fields.is_empty() {
        return Ok(false);
    }
    let no_fields = Record {
        names: &[],
        fields: &[],
        encodings: &[],
        json: None,
        types,
        faults: Faults::default(),
    };
    match interpreter.matches(&checked.expression, &no_fields)? {
        true => Ok(true),
        false => Err("it never matches, because its condition is false".to_owned()),
    }
}

/// FNV-1a, 64 bits (<https://www.rfc-editor.org/rfc/rfc9923>).
fn fingerprint(routes: &[Route], schema: [u8; 8], encodings: &[Encoding]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(&schema);
    for route in routes {
        for text in [&route.definition.name, &route.definition.when] {
            // The length distinguishes "ab" + "c" from "a" + "bc".
            add(&(text.len() as u64).to_le_bytes());
            add(text.as_bytes());
        }
    }
    // The schema's fingerprint does not include logical types, and they decide about routes.
    for encoding in encodings {
        add(&encoding.id());
    }
    hash
}
