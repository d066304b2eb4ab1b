//! Finds values of enum and boolean fields that no route matches.

use avro::Field;

use crate::Route;
use crate::types::{Kind, Types};

/// The maximum number of values in one warning.
const MAX_VALUES: usize = 10;

/// A warning for each field of which some values lead to no route. The search is not complete, but a value that is named is
/// matched by no route.
pub(super) fn warnings(routes: &[Route], fields: &[String], types: &Types) -> Vec<String> {
    let mut warnings = Vec::new();
    for (slot, path) in fields.iter().enumerate() {
        let values: Vec<Field<'_>> = match types.field_at(path).map(|found| found.kind) {
            Some(Kind::Enum(index)) => {
                let symbols = types.symbols[index].iter();
                symbols.map(|symbol| Field::Str(symbol)).collect()
            }
            Some(Kind::Bool) => vec![Field::Bool(true), Field::Bool(false)],
            _ => continue,
        };
        let can_match = |route: &Route, value: &Field<'_>| match &route.compiled {
            Some(compiled) => compiled.can_match(slot, value),
            None => true,
        };
        let mut uncovered: Vec<String> = values
            .iter()
            .filter(|value| !routes.iter().any(|route| can_match(route, value)))
            .map(|value| match value {
                Field::Str(symbol) => format!("{symbol:?}"),
                value => (*value == Field::Bool(true)).to_string(),
            })
            .collect();
        if uncovered.is_empty() {
            continue;
        }
        let more = if uncovered.len() > MAX_VALUES {
            ", …"
        } else {
            ""
        };
        uncovered.truncate(MAX_VALUES);
        warnings.push(format!(
            "no route matches {path} {}{more}",
            uncovered.join(", ")
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use crate::{RouteDefinition, Routes};

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"id","type":"int"},
        {"name":"paid","type":"boolean"},
        {"name":"late","type":["null","boolean"]},
        {"name":"tags","type":{"type":"array","items":"string"}},
        {"name":"status","type":{"type":"enum","name":"S","symbols":["A","B","C","D"]}}]}"#;

    fn uncovered(conditions: &[&str]) -> Vec<String> {
        let definitions = conditions.iter().map(|when| RouteDefinition {
            name: (*when).to_owned(),
            when: (*when).to_owned(),
        });
        let schema = avro::Schema::parse(SCHEMA).unwrap();
        let routes = Routes::compile(definitions.collect(), &schema).unwrap();
        let is_uncovered = |warning: &&String| warning.starts_with("no route");
        routes
            .warnings()
            .iter()
            .filter(is_uncovered)
            .cloned()
            .collect()
    }

    #[test]
    fn values_that_no_route_matches_are_named() {
        for (conditions, expected) in [
            (
                &["status in ['A', 'B']"][..],
                r#"no route matches status "C", "D""#,
            ),
            (
                &["status == 'A' && id > 1", "status == 'B' || status == 'C'"],
                r#"no route matches status "D""#,
            ),
            (
                &["id == 1 && !(status in ['A', 'B'])", "status == 'A'"],
                r#"no route matches status "B""#,
            ),
            (
                &["id > 1 ? status == 'A' : status < 'C'"],
                r#"no route matches status "C", "D""#,
            ),
            (&["paid && id == 1", "paid"], "no route matches paid false"),
            (&["late != null && !late"], "no route matches late true"),
        ] {
            assert_eq!(uncovered(conditions), [expected], "{conditions:?}");
        }
    }

    #[test]
    fn values_that_a_route_can_match_are_not_named() {
        for conditions in [
            &["status == 'A'", "id == 1"][..],
            &["status in ['A', 'B']", "status in ['C', 'D']"],
            &["status == 'A' || id == 1"],
            &["status == 'A'", "status != 'A'"],
            &["status == 'A'", "tags.exists(t, t == 'x') && status == 'B'"],
            &["status == 'A'", "true"],
            &["paid", "!paid"],
            &["late == null || late == false", "late"],
            &["id == 1"],
        ] {
            assert_eq!(uncovered(conditions), [] as [&str; 0], "{conditions:?}");
        }
    }
}
