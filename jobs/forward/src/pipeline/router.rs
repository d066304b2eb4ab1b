//! Decides what happens to a record. Pure: a value in, a decision out.

use routes::{EvalError, Routes, Scratch};
use writer_schemas::{Found, ResolveError, SchemaHeaders, SchemaRef, WriterSchemas};

use crate::config::{DeliverySchema, Unmatched};
use crate::dead_letter::Cause;

/// What happens to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is counted and skipped.
    Skip,
    /// It is delivered to the endpoint of this route. The router has its [datum](Router::datum), unless it is a tombstone.
    Deliver(usize),
    /// It is written to the dead-letter topic, for this reason.
    DeadLetter(Cause, String),
    /// No route matches, and `UNMATCHED=stop` stops the run.
    Stop,
    /// It is decided when the schema registry has answered.
    MissingSchema(SchemaRef),
}

/// The datum of a record that is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoutedDatum<'a> {
    pub(super) bytes: DatumBytes<'a>,
    /// The fingerprint of its schema.
    pub(super) schema: [u8; 8],
}

/// Where the bytes of a datum are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatumBytes<'a> {
    /// They are the end of the record's value, without this many bytes before them.
    Value { framing: usize },
    /// They were resolved to the reader's schema.
    Resolved(&'a [u8]),
}

/// The routes, and the settings for records without a route.
pub(super) struct Router<'r> {
    routes: &'r Routes,
    schemas: WriterSchemas,
    unmatched: Unmatched,
    tombstones: Tombstones,
    delivery_schema: DeliverySchema,
    scratch: Scratch,
    /// The last datum that was resolved.
    resolved: Vec<u8>,
    last: Option<LastDatum>,
}

/// What happens to records without a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tombstones {
    /// The route that takes them.
    pub(super) route: Option<usize>,
    /// Without a route: true if they are dead letters, false if they are skipped.
    pub(super) are_dead_letters: bool,
}

/// The datum of the last decision to deliver.
#[derive(Clone, Copy)]
struct LastDatum {
    framing: usize,
    is_resolved: bool,
    schema: [u8; 8],
}

impl<'r> Router<'r> {
    pub(super) fn new(
        routes: &'r Routes,
        schemas: WriterSchemas,
        unmatched: Unmatched,
        tombstones: Tombstones,
        delivery_schema: DeliverySchema,
    ) -> Self {
        Self {
            routes,
            schemas,
            unmatched,
            tombstones,
            delivery_schema,
            scratch: Scratch::default(),
            resolved: Vec::new(),
            last: None,
        }
    }

    /// Whether a schema registry can be asked for schemas.
    pub(super) fn has_registry(&self) -> bool {
        self.schemas.has_registry()
    }

    /// The known schemas, to add what the registry answers.
    pub(super) fn schemas_mut(&mut self) -> &mut WriterSchemas {
        &mut self.schemas
    }

    /// The datum of the record for which [`Router::decide`] has last returned [`Decision::Deliver`]; `None` for a tombstone.
    pub(super) fn datum(&self) -> Option<RoutedDatum<'_>> {
        let last = self.last?;
        Some(RoutedDatum {
            bytes: match last.is_resolved {
                true => DatumBytes::Resolved(&self.resolved),
                false => DatumBytes::Value {
                    framing: last.framing,
                },
            },
            schema: last.schema,
        })
    }

    /// The name of a route; `None` for the class of dead letters without a route.
    pub(super) fn name(&self, route: usize) -> Option<String> {
        self.routes.names().nth(route).map(str::to_owned)
    }

    /// Finds the schema of the value, validates the datum, resolves it to the reader's schema and evaluates the routes on
    /// it. `None` is a tombstone.
    pub(super) fn decide(&mut self, value: Option<&[u8]>, headers: &SchemaHeaders) -> Decision {
        let Some(value) = value else {
            self.last = None;
            return match self.tombstones {
                Tombstones {
                    route: Some(route), ..
                } => Decision::Deliver(route),
                Tombstones {
                    are_dead_letters: true,
                    ..
                } => Decision::DeadLetter(Cause::Tombstone, "the record has no value".to_owned()),
                _ => Decision::Skip,
            };
        };
        let (schema, written) = match self.schemas.find(value, headers) {
            Found::Known { schema, datum } => (schema, datum),
            Found::Missing(reference) => return Decision::MissingSchema(reference),
            Found::Unknown(reason) => return Decision::DeadLetter(Cause::UnknownSchema, reason),
        };
        let datum = match schema.resolve(written, &mut self.resolved) {
            Ok(datum) => datum,
            Err(ResolveError::Malformed(fault)) => {
                return Decision::DeadLetter(Cause::Undecodable, fault.to_string());
            }
            Err(ResolveError::Incompatible(reason)) => {
                let reason = format!(
                    "the datum of {} cannot be read with AVRO_SCHEMA: {reason}",
                    schema.schema().name()
                );
                return Decision::DeadLetter(Cause::Undecodable, reason);
            }
        };
        match self.routes.decide(datum, &mut self.scratch) {
            Ok(Some(route)) => {
                let is_written = self.delivery_schema == DeliverySchema::Writer;
                self.last = Some(LastDatum {
                    framing: value.len() - written.len(),
                    is_resolved: !is_written && !std::ptr::eq(datum, written),
                    schema: match is_written {
                        true => schema.schema().fingerprint(),
                        false => self.routes.schema_fingerprint(),
                    },
                });
                Decision::Deliver(route)
            }
            Ok(None) => match self.unmatched {
                Unmatched::DeadLetter => {
                    Decision::DeadLetter(Cause::Unmatched, "no route matches".to_owned())
                }
                Unmatched::Skip => Decision::Skip,
                Unmatched::Stop => Decision::Stop,
            },
            Err(EvalError::InvalidDatum(fault)) => {
                Decision::DeadLetter(Cause::Undecodable, fault.to_string())
            }
            Err(error @ EvalError::Condition { .. }) => {
                Decision::DeadLetter(Cause::Unroutable, error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use avro::Schema;
    use routes::RouteDefinition;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#;
    const OLDER: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"unused","type":"boolean"},{"name":"id","type":"int"}]}"#;

    fn routes() -> Routes {
        let route = |name: &str, when: &str| RouteDefinition {
            name: name.to_owned(),
            when: when.to_owned(),
        };
        let definitions = vec![route("one", "id == 1"), route("two", "2 / id == 1")];
        Routes::compile(definitions, &Schema::parse(SCHEMA).unwrap()).unwrap()
    }

    fn router(routes: &Routes, unmatched: Unmatched, are_dead_letters: bool) -> Router<'_> {
        let reader = Schema::parse(SCHEMA).unwrap();
        let older = Schema::parse_writer(OLDER).unwrap();
        let schemas = WriterSchemas::new(&reader, &[older], false);
        Router::new(
            routes,
            schemas,
            unmatched,
            Tombstones {
                route: None,
                are_dead_letters,
            },
            DeliverySchema::Reader,
        )
    }

    fn decide(unmatched: Unmatched, tombstones: bool, value: Option<&[u8]>) -> Decision {
        router(&routes(), unmatched, tombstones).decide(value, &SchemaHeaders::default())
    }

    fn cause(decision: &Decision) -> Option<Cause> {
        match decision {
            Decision::DeadLetter(cause, _) => Some(*cause),
            _ => None,
        }
    }

    /// An `int` datum: zigzag coding.
    fn id(id: u8) -> [u8; 1] {
        [id * 2]
    }

    #[test]
    fn the_first_matching_route_gets_the_record() {
        assert_eq!(
            decide(Unmatched::Stop, false, Some(&id(1))),
            Decision::Deliver(0)
        );
        assert_eq!(
            decide(Unmatched::Stop, false, Some(&id(2))),
            Decision::Deliver(1)
        );
    }

    #[test]
    fn the_setting_decides_on_an_unmatched_record() {
        let of = |unmatched| decide(unmatched, false, Some(&id(9)));
        assert_eq!(of(Unmatched::Skip), Decision::Skip);
        assert_eq!(of(Unmatched::Stop), Decision::Stop);
        assert_eq!(cause(&of(Unmatched::DeadLetter)), Some(Cause::Unmatched));
    }

    #[test]
    fn the_setting_decides_on_a_tombstone() {
        assert_eq!(decide(Unmatched::Stop, false, None), Decision::Skip);
        let dead_letter = decide(Unmatched::Stop, true, None);
        assert_eq!(cause(&dead_letter), Some(Cause::Tombstone));
    }

    #[test]
    fn a_route_can_take_every_tombstone() {
        let routes = routes();
        for are_dead_letters in [true, false] {
            let mut router = router(&routes, Unmatched::Stop, are_dead_letters);
            router.tombstones.route = Some(1);
            let decide = |router: &mut Router<'_>, value: Option<&[u8]>| {
                router.decide(value, &SchemaHeaders::default())
            };
            assert_eq!(decide(&mut router, Some(&id(1))), Decision::Deliver(0));
            assert!(router.datum().is_some());
            assert_eq!(decide(&mut router, None), Decision::Deliver(1));
            assert_eq!(router.datum(), None);
        }
    }

    #[test]
    fn an_invalid_record_is_a_dead_letter_whatever_the_settings() {
        for unmatched in [Unmatched::Skip, Unmatched::Stop, Unmatched::DeadLetter] {
            let undecodable = decide(unmatched, false, Some(&[]));
            assert_eq!(cause(&undecodable), Some(Cause::Undecodable));
            let unroutable = decide(unmatched, false, Some(&id(0)));
            assert_eq!(cause(&unroutable), Some(Cause::Unroutable));
        }
    }

    #[test]
    fn a_record_of_an_unknown_schema_is_not_decoded() {
        let routes = routes();
        let mut router = router(&routes, Unmatched::Skip, true);
        let mut headers = SchemaHeaders::default();
        headers.add(b"avro-schema-fingerprint", Some(b"0000000000000000"));
        let decision = router.decide(Some(&id(1)), &headers);
        assert_eq!(cause(&decision), Some(Cause::UnknownSchema));
        let decision = router.decide(None, &headers);
        assert_eq!(cause(&decision), Some(Cause::Tombstone));
    }

    #[test]
    fn a_record_of_another_schema_is_resolved_and_delivered_as_configured() {
        let routes = routes();
        let mut router = router(&routes, Unmatched::Skip, true);
        let [older, reader] = [OLDER, SCHEMA].map(|json| Schema::parse(json).unwrap());
        let value = avro::single_object(&older, &[0, 2]);
        let decide = |router: &mut Router<'_>| {
            let decision = router.decide(Some(&value), &SchemaHeaders::default());
            assert_eq!(decision, Decision::Deliver(0));
        };
        decide(&mut router);
        let resolved = RoutedDatum {
            bytes: DatumBytes::Resolved(&[2]),
            schema: reader.fingerprint(),
        };
        assert_eq!(router.datum(), Some(resolved));
        router.delivery_schema = DeliverySchema::Writer;
        decide(&mut router);
        let written = RoutedDatum {
            bytes: DatumBytes::Value { framing: 10 },
            schema: older.fingerprint(),
        };
        assert_eq!(router.datum(), Some(written));
    }
}
