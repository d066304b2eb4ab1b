//! Chooses where a record goes. Pure: bytes in, a route out.
//!
//! [`Routes::decide`] validates the whole datum in the same walk that reads the few fields which the conditions name,
//! and asks the routes in order; the first that matches has the record.

#[cfg(test)]
mod agreement;
mod check;
mod flat;
mod infer;
mod interpret;
mod operations;
mod overlap;
mod question;
mod shape;
#[cfg(test)]
mod tests;

use avro::{Fault, Field, Projection, Schema};
use cel::IdedExpr;

use flat::Flat;
use interpret::{Interpreter, Record};
use shape::Shapes;

/// The table of routes, ready to decide.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    fields: Vec<String>,
    projection: Projection,
    schema: Schema,
    shapes: Shapes,
    interpreter: Interpreter,
    fingerprint: u64,
    warnings: Vec<String>,
}

/// One route of the table: a name, and which records it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDefinition {
    /// Its name in logs and reports.
    pub name: String,
    /// The condition, in CEL, over the record's fields.
    pub when: String,
}

#[derive(Debug)]
struct Route {
    definition: RouteDefinition,
    expression: IdedExpr,
    /// The same as steps, if it is one of the common shapes.
    flat: Option<Flat>,
    matches_all: bool,
}

/// Memory that [`Routes::decide`] uses again for each record.
#[derive(Debug, Default)]
pub struct Scratch(Vec<Field<'static>>);

/// Why there is no decision about a record; either way it is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The bytes are not one datum of the schema.
    #[error("{0}")]
    Undecodable(#[from] Fault),
    /// A condition has no value for this record: it divides by zero, compares null, looks up a key that is not there.
    #[error("the condition of route {name} has no value for this record: {reason}")]
    Evaluation {
        /// The route's place in the table.
        route: usize,
        /// The route's name.
        name: String,
        /// What CEL says.
        reason: String,
    },
}

/// What is wrong with the table of routes, in one sentence that names the route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RouteError(String);

impl Routes {
    /// Checks the routes against the schema and prepares them.
    ///
    /// # Errors
    /// Two routes have one name; a condition does not fit the schema; a route can never match, because its condition
    /// is false, or because an earlier route takes all that it would match.
    pub fn compile(definitions: Vec<RouteDefinition>, schema: &Schema) -> Result<Self, RouteError> {
        let shapes = Shapes::of(schema.json())
            .map_err(|reason| RouteError(format!("reading the schema for the routes: {reason}")))?;
        let interpreter = Interpreter::new();
        let (mut fields, mut warnings) = (Vec::new(), Vec::new());
        let mut routes: Vec<Route> = Vec::with_capacity(definitions.len());
        for definition in definitions {
            let error = |reason: &str| RouteError(format!("route {:?}: {reason}", definition.name));
            if routes
                .iter()
                .any(|route| route.definition.name == definition.name)
            {
                return Err(error("another route has this name"));
            }
            let checked = check::check(&definition.when, &shapes)
                .map_err(|reason| error(&format!("{}: {reason}", definition.when)))?;
            let matches_all = constant(&checked, &interpreter, &shapes).map_err(|r| error(&r))?;
            if let Some(taker) = routes.iter().find(|earlier| {
                earlier.matches_all || overlap::takes_all(&earlier.expression, &checked.expression)
            }) {
                return Err(error(&format!(
                    "it can never match, because route {:?} before it takes all of its records",
                    taker.definition.name
                )));
            }
            if matches_all {
                warnings.push(format!("route {:?} matches every record", definition.name));
            }
            let named = |text: String| format!("route {:?}: {text}", definition.name);
            warnings.extend(checked.warnings.into_iter().map(named));
            for field in checked.fields {
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
            routes.push(Route {
                flat: None,
                expression: checked.expression,
                matches_all,
                definition,
            });
        }
        for route in &mut routes {
            let slot = |path: &str| fields.iter().position(|field| field == path);
            route.flat = Flat::compile(&route.expression, &slot);
        }
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let projection = schema
            .projection(&names)
            .map_err(|error| RouteError(format!("reading fields for the routes: {error}")))?;
        Ok(Self {
            fingerprint: fingerprint(&routes, schema.fingerprint()),
            projection,
            fields,
            routes,
            schema: schema.clone(),
            shapes,
            interpreter,
            warnings,
        })
    }

    /// The route that takes this datum, or `None` if none does. The datum has been validated in full.
    ///
    /// # Errors
    /// The bytes are not exactly one datum, or a condition that was asked has no value for it.
    #[inline]
    pub fn decide(&self, datum: &[u8], scratch: &mut Scratch) -> Result<Option<usize>, Undecided> {
        let mut fields = with_lifetime(std::mem::take(&mut scratch.0));
        let decision = match self.projection.read(datum, &mut fields) {
            Ok(()) => self.choose(datum, &fields),
            Err(fault) => Err(fault.into()),
        };
        scratch.0 = with_lifetime(fields);
        decision
    }

    /// The names of the routes, in order; a record's route is its place here.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.routes
            .iter()
            .map(|route| route.definition.name.as_str())
    }

    /// What is allowed in the table but hardly meant; for the log, once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A number that changes when records may be routed otherwise: made of the names, conditions and order of the
    /// routes and of the schema. Where records are posted, and with which token, is not part of it.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The fingerprint of the schema that records are decoded with.
    pub fn schema_fingerprint(&self) -> [u8; 8] {
        self.schema.fingerprint()
    }

    #[inline]
    fn choose(&self, datum: &[u8], fields: &[Field<'_>]) -> Result<Option<usize>, Undecided> {
        for (index, route) in self.routes.iter().enumerate() {
            let matches = match route.flat.as_ref().and_then(|flat| flat.matches(fields)) {
                Some(matches) => matches,
                None => self.interpret(index, route, datum, fields)?,
            };
            if matches {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    #[cold]
    fn interpret(
        &self,
        index: usize,
        route: &Route,
        datum: &[u8],
        fields: &[Field<'_>],
    ) -> Result<bool, Undecided> {
        let complex = fields
            .iter()
            .any(|field| matches!(field, Field::Complex(_)));
        let whole = if complex {
            Some(self.schema.to_json(datum)?)
        } else {
            None
        };
        let record = Record {
            names: &self.fields,
            fields,
            whole: whole.as_ref(),
            shapes: &self.shapes,
        };
        self.interpreter
            .matches(&route.expression, &record)
            .map_err(|reason| Undecided::Evaluation {
                route: index,
                name: route.definition.name.clone(),
                reason,
            })
    }
}

/// An empty list that may borrow for another lifetime, in the memory of the old one.
fn with_lifetime<'to>(mut fields: Vec<Field<'_>>) -> Vec<Field<'to>> {
    fields.clear();
    // Of an empty list nothing is mapped; `collect` keeps the memory of a list that it turns into its like.
    fields.into_iter().map(|_| Field::Null).collect()
}

/// Whether a condition that names no field is always true.
///
/// # Errors
/// It is never true.
fn constant(
    checked: &check::Checked,
    interpreter: &Interpreter,
    shapes: &Shapes,
) -> Result<bool, String> {
    if !checked.fields.is_empty() {
        return Ok(false);
    }
    let nothing = Record {
        names: &[],
        fields: &[],
        whole: None,
        shapes,
    };
    match interpreter.matches(&checked.expression, &nothing)? {
        true => Ok(true),
        false => Err("it can never match, because its condition is false".to_owned()),
    }
}

/// FNV-1a (<https://www.rfc-editor.org/rfc/rfc9923>): the same on every machine and in every version.
fn fingerprint(routes: &[Route], schema: [u8; 8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(&schema);
    for route in routes {
        for text in [&route.definition.name, &route.definition.when] {
            // The length keeps "ab" + "c" apart from "a" + "bc".
            add(&(text.len() as u64).to_le_bytes());
            add(text.as_bytes());
        }
    }
    hash
}
