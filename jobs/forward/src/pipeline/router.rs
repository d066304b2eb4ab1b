//! Decides what happens to a record. Pure: a value in, a decision out.

use routes::{EvalError, Routes, Scratch};

use crate::config::Unmatched;
use crate::dead_letter::Cause;
use crate::unknown_schema::UnknownSchema;

/// What happens to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is counted and skipped.
    Skip,
    /// It is delivered to the endpoint of this route.
    Deliver(usize),
    /// It is written to the dead-letter topic, for this reason.
    DeadLetter(Cause, String),
    /// No route matches, and `UNMATCHED=stop` stops the run.
    Stop,
}

/// The routes, and the settings for records without a route.
pub(super) struct Router<'r> {
    routes: &'r Routes,
    unmatched: Unmatched,
    tombstones_are_dead_letters: bool,
    scratch: Scratch,
}

impl<'r> Router<'r> {
    pub(super) fn new(
        routes: &'r Routes,
        unmatched: Unmatched,
        tombstones_are_dead_letters: bool,
    ) -> Self {
        Self {
            routes,
            unmatched,
            tombstones_are_dead_letters,
            scratch: Scratch::default(),
        }
    }

    /// The name of a route; `None` for the class of dead letters without a route.
    pub(super) fn name(&self, route: usize) -> Option<String> {
        self.routes.names().nth(route).map(str::to_owned)
    }

    /// The fingerprint of the schema that records are decoded with.
    pub(super) fn schema_fingerprint(&self) -> [u8; 8] {
        self.routes.schema_fingerprint()
    }

    /// Validates the value and evaluates the routes on it. `None` is a tombstone. `schema` is an error if the record's
    /// headers name another schema: the value is not decoded then.
    pub(super) fn decide(
        &mut self,
        value: Option<&[u8]>,
        schema: Result<(), UnknownSchema>,
    ) -> Decision {
        let Some(value) = value else {
            return if self.tombstones_are_dead_letters {
                Decision::DeadLetter(Cause::Tombstone, "the record has no value".to_owned())
            } else {
                Decision::Skip
            };
        };
        if let Err(error) = schema {
            return Decision::DeadLetter(Cause::UnknownSchema, error.to_string());
        }
        match self.routes.decide(value, &mut self.scratch) {
            Ok(Some(route)) => Decision::Deliver(route),
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

    fn routes() -> Routes {
        let route = |name: &str, when: &str| RouteDefinition {
            name: name.to_owned(),
            when: when.to_owned(),
        };
        let definitions = vec![route("one", "id == 1"), route("two", "2 / id == 1")];
        Routes::compile(definitions, &Schema::parse(SCHEMA).unwrap()).unwrap()
    }

    fn decide(unmatched: Unmatched, tombstones: bool, value: Option<&[u8]>) -> Decision {
        Router::new(&routes(), unmatched, tombstones).decide(value, Ok(()))
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
    fn an_invalid_record_is_a_dead_letter_whatever_the_settings() {
        for unmatched in [Unmatched::Skip, Unmatched::Stop, Unmatched::DeadLetter] {
            let undecodable = decide(unmatched, false, Some(&[]));
            assert_eq!(cause(&undecodable), Some(Cause::Undecodable));
            let unroutable = decide(unmatched, false, Some(&id(0)));
            assert_eq!(cause(&unroutable), Some(Cause::Unroutable));
        }
    }

    #[test]
    fn a_record_of_another_schema_is_not_decoded() {
        let routes = routes();
        let mut router = Router::new(&routes, Unmatched::Skip, true);
        let other = || UnknownSchema::check(Some(b"0000000000000000"), router_schema());
        let decision = router.decide(Some(&id(1)), other());
        assert_eq!(cause(&decision), Some(Cause::UnknownSchema));
        let decision = router.decide(None, other());
        assert_eq!(cause(&decision), Some(Cause::Tombstone));
    }

    fn router_schema() -> [u8; 8] {
        Schema::parse(SCHEMA).unwrap().fingerprint()
    }
}
