//! Explains the decision about a record: each condition with the values that it reads.

use avro::Fault;
use serde_json::Value as Json;

use crate::{EvalError, Routes};

/// The evaluation of one route's condition for a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The route's name.
    pub route: String,
    /// Its condition, as it was defined.
    pub when: String,
    /// The fields in the condition, each with its value in the record; `None`: the value has no JSON form.
    pub fields: Vec<(String, Option<Json>)>,
    /// Whether the condition is true, or why it has no value.
    pub result: Result<bool, String>,
}

impl Routes {
    /// Validates the datum and evaluates the condition of every route, in their order. [`Routes::decide`] ends at the first
    /// condition that is true or has no value. Field values are [JSON](avro::Schema::to_json).
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    pub fn explain(&self, datum: &[u8]) -> Result<Vec<Evaluation>, Fault> {
        let mut fields = Vec::new();
        self.projection.read(datum, &mut fields)?;
        let json = self.schema.to_json(datum).ok();
        // A union in the first form may have branch names, which paths of fields do not have.
        let underlying = self.schema.to_underlying_json(datum).ok();
        let value = |path: &String| {
            let found = json.as_ref().and_then(|json| at(json, path));
            let found = found.or_else(|| underlying.as_ref().and_then(|json| at(json, path)));
            (path.clone(), found.cloned())
        };
        let evaluate = |(index, route): (usize, &crate::Route)| Evaluation {
            route: route.definition.name.clone(),
            when: route.definition.when.clone(),
            fields: route.fields.iter().map(value).collect(),
            result: self
                .matches(index, route, datum, &fields)
                .map_err(|error| match error {
                    EvalError::Condition { reason, .. } => reason,
                    error @ EvalError::InvalidDatum(_) => error.to_string(),
                }),
        };
        Ok(self.routes.iter().enumerate().map(evaluate).collect())
    }
}

/// The value of a field. A field of a record that is null is null.
fn at<'j>(json: &'j Json, path: &str) -> Option<&'j Json> {
    let mut value = json;
    for name in path.split('.') {
        if value.is_null() {
            break;
        }
        value = value.get(name)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use avro::Schema;
    use serde_json::json;

    use super::*;
    use crate::RouteDefinition;

    #[test]
    fn every_condition_is_evaluated_with_the_values_that_it_reads() {
        let schema = Schema::parse(
            r#"{"type":"record","name":"Order","fields":[
                {"name":"id","type":"int"},
                {"name":"due","type":{"type":"int","logicalType":"date"}},
                {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
                    {"name":"city","type":"string"}]}]}]}"#,
        )
        .unwrap();
        let definitions = [
            ("a", "id == 1"),
            ("b", "10 / id == 5"),
            ("c", "due > timestamp('2026-01-01T00:00:00Z') && id > 5"),
            ("d", "address.city == 'x'"),
        ];
        let definitions = definitions.map(|(name, when)| RouteDefinition {
            name: name.to_owned(),
            when: when.to_owned(),
        });
        let routes = Routes::compile(definitions.to_vec(), &schema).unwrap();
        let datum = |id: i32| {
            schema
                .from_json(&json!({"id": id, "due": "2026-11-27", "address": null}))
                .unwrap()
        };
        let found = routes.explain(&datum(0)).unwrap();
        let fields = |index: usize| {
            let fields = found[index].fields.clone().into_iter();
            fields
                .map(|(name, value)| format!("{name}={}", value.unwrap()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            (found[0].route.as_str(), found[0].when.as_str()),
            ("a", "id == 1")
        );
        assert_eq!(found[0].result, Ok(false));
        assert_eq!(fields(0), "id=0");
        assert!(
            found[1].result.as_ref().unwrap_err().contains("zero"),
            "{found:?}"
        );
        assert_eq!(found[2].result, Ok(false));
        assert_eq!(fields(2), "due=\"2026-11-27\" id=0");
        assert_eq!(fields(3), "address.city=null");
        let found = routes.explain(&datum(2)).unwrap();
        assert_eq!(found[1].result, Ok(true));
        assert!(routes.explain(&[0, 0]).is_err());
    }
}
